"""Two things at once: a second fault, a lagging read, a person or another run in the way."""

from dataclasses import replace

import pytest

from sandbox.dms import Durations, Switches
from sandbox.world import ENDPOINT
from tests.scenarios.live import Live

DAY = 24 * 60
SLOW = Durations(testing=60)
REAL = {"EndpointIdentifier": ENDPOINT}


def new_settings_fail(live: Live) -> None:
    """Let DMS not connect with the new settings of the real endpoint, its canary passing."""
    live.fails(
        "timeout expired",
        lambda one: one["EndpointIdentifier"] == ENDPOINT and one["SslMode"] == "verify-full",
    )


# ------------------------------------------------------------------ whose verdict


@pytest.mark.parametrize("shown", [35.0, 60.0])
def test_a_verdict_of_before_proves_no_change(live: Live, shown: float) -> None:
    """DMS goes on showing it while our test is under way; what comes of the test counts."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = Switches(hidden_test_after_modify=False, old_status_shown_for=shown)
    new_settings_fail(live)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("rolled_back", "verify-ca", "running")
    assert "connection_timeout" in live.causes
    assert live.unfinished == []


@pytest.mark.parametrize("shown", [35.0, 60.0, 3600.0])
def test_a_good_change_is_proven_although_the_verdict_of_before_is_shown(
    live: Live, shown: float
) -> None:
    """By ``testing``, or by a test after the old verdict was deleted."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = Switches(old_status_shown_for=shown)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


@pytest.mark.parametrize("shown", [35.0, 60.0])
def test_yesterdays_verdict_certifies_nothing(live: Live, shown: float) -> None:
    """An unchanged source that DMS no longer connects with, and an old verdict that is shown."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = replace(live.dms.switches, old_status_shown_for=shown)
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    live.tick(minutes=DAY)
    assert live.outcome == "failed"
    assert "connection_timeout" in live.causes


def test_an_unchanged_source_is_proven_although_the_verdict_of_before_is_shown(live: Live) -> None:
    """The old verdict is deleted, nothing else, and only because nothing else proves the new."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = replace(live.dms.switches, old_status_shown_for=60.0)
    since = live.now
    live.tick(minutes=DAY)
    assert (live.outcome, live.status()) == ("certified", "running")
    assert live.asked(since) == ["DeleteConnection"]
