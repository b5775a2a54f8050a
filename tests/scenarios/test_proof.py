"""Only a test that belongs to the settings as they are proves a change."""

import pytest

from sandbox.dms import Durations
from tests.scenarios.live import DAY, Live


@pytest.mark.shows("not_applied")
def test_settings_that_dms_does_not_take_are_rolled_back(live: Live) -> None:
    """The new DMS certificate is deleted behind our back: DMS refuses, the task runs again.

    Nothing was written, so nothing was rolled back.
    """
    live.certified(ssl_mode="verify-full")

    def deleted() -> None:
        used = live.endpoint["CertificateArn"]
        for certificate in live.dms.certificates():
            if certificate["CertificateArn"] != used:
                del live.dms.state.certificates[certificate["CertificateArn"]]

    live.world.issue()
    live.when("Configure endpoint", deleted)
    live.world.announce()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "not_applied" in live.causes
    assert live.unfinished == []


@pytest.mark.shows("changed_meanwhile")
def test_a_change_of_somebody_else_before_ours_is_not_overwritten(live: Live) -> None:
    """Between the plan and the write: nothing is written, the task runs again."""
    live.certified()
    live.when("Configure endpoint", lambda: live.modify(SslMode="require"))
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("refused", "require", "running")
    assert "changed_meanwhile" in live.causes
    assert "ModifyEndpoint" not in live.asked(since)
    assert live.unfinished == []


@pytest.mark.shows("changed_meanwhile")
def test_a_change_of_somebody_else_during_the_test_makes_it_worthless(live: Live) -> None:
    """The result belongs to settings that are no longer there, and nothing is written over it."""
    live.certified()
    live.when(
        "Test connection",
        lambda: live.modify(
            PostgreSQLSettings={"ExecuteTimeout": 99}, ExtraConnectionAttributes="a=b"
        ),
        nth=2,
    )
    live.change()
    assert live.outcome != "certified"
    assert "changed_meanwhile" in live.causes
    assert live.status() == "running"


@pytest.mark.shows("test_never_ended")
def test_a_test_that_never_ends_is_a_failed_change(live: Live) -> None:
    """The endpoint is rolled back, and the task keeps waiting until DMS can test again."""
    live.certified()

    def stuck() -> None:
        live.dms.durations = Durations(testing=100_000)

    live.when("Configure endpoint", stuck)
    live.change()
    assert (live.outcome, live.mode) == ("failed", "verify-ca")
    assert "test_never_ended" in live.causes
    assert live.unfinished == [live.task]
    live.dms.durations = Durations()
    live.cloud.clock.advance(200_000)
    live.tick(3)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


@pytest.mark.shows("connection_deleted")
def test_a_connection_that_somebody_deletes_has_no_result(live: Live) -> None:
    """Our test was accepted, and then the connection is gone."""
    live.certified(task=False)
    key = (live.arn, live.world.instance)
    live.when("Test connection", lambda: live.dms.state.connections.pop(key), nth=2)
    live.tick(minutes=DAY)
    assert live.outcome == "failed"
    assert "connection_deleted" in live.causes
    live.tick()
    assert live.outcome == "certified"
