"""A server that says the password that it received: nothing of that is in a report."""

import base64
from urllib.parse import quote

import pytest

from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.vocabulary import Cause, SslMode
from sandbox.pki import Authority
from tests.probe.fakes import Fake, authentication, error, scripted_login

HOST = "db.example.com"
ROOT = Authority.root("Example root")
LEAF = ROOT.issue(dns=[HOST])
PASSWORD = "correct-horse/42-battery"
CLEAR_TEXT = authentication(3)


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD,
        PASSWORD[4:-4],
        quote(PASSWORD, safe=""),
        base64.b64encode(b"\0u\0" + PASSWORD.encode()).decode(),
        PASSWORD.encode().hex(),
    ],
)
@pytest.mark.parametrize("field", ["M", "D", "H"])
def test_a_server_cannot_say_the_password_through_us(said: str, field: str) -> None:
    """In the message, the detail or the hint of its error: what is left still has its cause."""
    fields = {"S": "FATAL", "C": "28P01", "M": "no", field: f"password <{said}> is wrong"}
    with Fake(scripted_login(LEAF, CLEAR_TEXT, error(**fields))) as fake:
        report = probe(
            ProbeRequest(
                HOST,
                port=fake.port,
                address="127.0.0.1",
                user="u",
                database="d",
                password=lambda: PASSWORD,
                ssl_mode=SslMode.VERIFY_FULL,
                ca_bundle=ROOT.certificate_pem,
                policy=AddressPolicy.anywhere(),
            )
        )
        assert PASSWORD.encode() in bytes(fake.received)  # on a verified connection, it was sent
    assert report.findings[0].cause is Cause.PASSWORD_REJECTED
    text = report.model_dump_json()
    for form in (PASSWORD, quote(PASSWORD, safe=""), said):
        assert not any(form[i : i + 6] in text for i in range(len(form) - 5))
