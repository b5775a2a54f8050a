"""Attacks by registering a source again: what a team relies on moves, and nobody hears of it."""

from tests.scenarios.live import Live


def version(live: Live) -> int:
    """The version of the registered source, as a person reads it."""
    return int(live.world.item("SPEC#orders", "SPEC")["version"])


def test_an_endpoint_is_not_left_without_a_word(live: Live) -> None:
    """It would be kept by nobody, and break with the next renewal; a colleague got the name."""
    live.certified(task=False)
    live.adopted("another")
    run = live.world.onboard(endpoint="another")
    assert (run.status, run.children) == ("FAILED", [])
    assert "endpoint: leaves orders-source" in str(run.cause)
    assert live.world.item("SPEC#orders", "SPEC")["spec"].find("another") < 0
    run = live.world.onboard(
        endpoint="another", replaces=version(live), allow_irreversible=True, ssl_mode="verify-ca"
    )
    assert live.outcome == "certified", live.world.record()["findings"]


def test_the_same_endpoint_by_its_arn_is_not_left(live: Live) -> None:
    """Whoever writes it in another form has nothing to confirm."""
    live.certified(task=False)
    live.world.onboard(endpoint=live.arn, ssl_mode="verify-ca")
    assert live.outcome == "certified"


def test_an_endpoint_that_was_never_there_is_corrected_without_a_version(live: Live) -> None:
    """A slip of the pen in the first registration leaves nothing behind."""
    live.adopted("meant")
    live.world.onboard(endpoint="ment", database=None)
    assert live.outcome == "refused"
    live.world.onboard(endpoint="meant", allow_irreversible=True)
    assert live.outcome == "certified"


def test_another_database_is_a_move(live: Live) -> None:
    """A stream of data that ends up in another database is notified, also when the run is good."""
    live.certified(task=False)
    live.world.server.execute("CREATE DATABASE elsewhere")
    run = live.world.onboard(database="elsewhere", ssl_mode="verify-ca")
    assert "database: moves the registered source from postgres to elsewhere" in str(run.cause)
    assert live.endpoint["DatabaseName"] == "postgres"
    before = len(live.cloud.notices)
    live.world.onboard(database="elsewhere", ssl_mode="verify-ca", replaces=version(live))
    assert live.outcome == "certified"
    assert live.found("endpoint_moved")["seen"] == (
        "orders-source moves from the database postgres to elsewhere"
    )
    assert any("endpoint_moved" in subject for subject, _ in live.cloud.notices[before:])


def test_a_database_is_not_moved_in_two_registrations(live: Live) -> None:
    """Left out in one, another named in the next; to name the right one, the refusal shows how."""
    live.certified(task=False)
    live.world.server.execute("CREATE DATABASE in_two")
    live.world.onboard(database=None, ssl_mode="verify-ca")
    assert (live.outcome, live.endpoint["DatabaseName"]) == ("certified", "postgres")
    run = live.world.onboard(database="in_two", ssl_mode="verify-ca")
    assert "database: names in_two" in str(run.cause)
    assert f'"replaces": {version(live)}' in str(run.cause).replace("\\", "")
    assert live.endpoint["DatabaseName"] == "postgres"
    live.world.onboard(database="postgres", ssl_mode="verify-ca", replaces=version(live))
    assert (live.outcome, "endpoint_moved" in live.causes) == ("certified", False)
