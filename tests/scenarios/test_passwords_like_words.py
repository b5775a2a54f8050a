"""A password that reads like the words of an error hides them, and not what they mean."""

import json
from collections.abc import Iterator

import pytest

from sandbox.world import ENDPOINT
from tests.scenarios.live import DAY, Live

OWN = "orders_login"
SAID = (
    "Test Endpoint failed: Application-Status: 1020912, Application-Message: Failed to connect  "
    "Network error has occurred, Application-Detailed-Message: RetCode: SQL_ERROR  SqlState: 08001 "
    "NativeError: 101 Message: [unixODBC]"
)
LOGIN = f'FATAL:  password authentication failed for user "{OWN}"'
CASES = [
    ("Password1", LOGIN, "password_rejected"),
    ("PASSWORD", LOGIN, "password_rejected"),
    ("Certificate2024", "SSL error: certificate verify failed", "certificate_rejected"),
    ("Connection-99", 'connection to server at "10.0.0.1", port 5432 failed: Connection refused',
     "connection_refused"),
]  # fmt: skip


@pytest.fixture
def own(live: Live, request: pytest.FixtureRequest) -> Iterator[Live]:
    """The source logs in as a user of its own, with the password of the test."""
    password = request.getfixturevalue("password")
    live.world.server.execute(f"CREATE ROLE {OWN} LOGIN PASSWORD '{password}'")
    live.world.put_credentials(password, username=OWN)
    yield live
    live.world.server.execute(f"DROP ROLE {OWN}")


def words_of_dms(own: Live) -> str:
    """Return what the record shows of them; a remedy may have the same words of its own."""
    record = own.world.record()
    shown = [(found["seen"], found["raw"]) for found in record["findings"]]
    return json.dumps([shown, record["tests"]])


@pytest.mark.parametrize(("password", "said", "cause"), CASES)
@pytest.mark.parametrize("where", ["rehearsal", "test"])
def test_what_dms_says_is_understood_before_the_password_is_hidden(
    own: Live, where: str, password: str, said: str, cause: str
) -> None:
    """The cause is that of the text as DMS wrote it; what people read has no password in it."""
    rehearsal = where == "rehearsal"
    own.certified(credentials_mode="inline", ssl_mode="verify-ca", task=False)
    own.fails(SAID + said, lambda one: (one["EndpointIdentifier"] != ENDPOINT) is rehearsal)
    if rehearsal:
        own.change(credentials_mode="inline", ssl_mode="verify-full")
    else:
        own.tick(minutes=DAY)
    assert own.outcome == ("refused" if rehearsal else "failed")
    assert cause in own.causes
    found = own.found(cause)
    assert (found["place"], "***" in found["raw"]) == (
        "rehearsal" if rehearsal else "dms_test",
        True,
    )
    assert password not in words_of_dms(own)


@pytest.mark.parametrize("password", ["PASSWORD"])
def test_a_password_that_dms_rejects_is_set_again_whatever_it_reads_like(
    own: Live, password: str
) -> None:
    """There is no reading it back from the endpoint."""
    own.certified(credentials_mode="inline", ssl_mode="verify-ca", task=False)
    own.fails(SAID + LOGIN, lambda one: one["EndpointIdentifier"] == ENDPOINT)
    own.tick(minutes=DAY)
    assert (own.outcome, password in words_of_dms(own)) == ("failed", False)
    own.dms.judge = lambda _: None
    since = own.now
    own.tick(minutes=DAY)
    assert own.outcome == "certified"
    assert "ModifyEndpoint" in str(own.asked(since))
