"""Tasks are stopped only inside the window of their source."""

from datetime import timedelta

import pytest

from tests.scenarios.live import DAY, Live


def window(live: Live, *, opens_in: timedelta, hours: int = 2) -> str:
    """A window that opens in a while."""
    opens = live.cloud.clock.now() + opens_in
    closes = opens + timedelta(hours=hours)
    return f"{opens:%a} {opens:%H:%M}-{closes:%H:%M} UTC"


@pytest.mark.shows("window_closed")
def test_a_change_waits_for_its_window(live: Live) -> None:
    """Planned, due when it opens; then paused, changed, tested, resumed."""
    live.certified()
    since = live.now
    live.change(restart_tasks=window(live, opens_in=timedelta(hours=5)))
    assert (live.outcome, live.status(), live.mode) == ("planned", "running", "verify-ca")
    assert "window_closed" in live.causes
    assert live.asked(since) == []
    assert live.due_in() == pytest.approx(5 * 60 - 15, abs=3)
    live.tick(minutes=live.due_in() + 1)
    assert (live.outcome, live.status(), live.mode) == ("certified", "running", "verify-full")


def test_outside_its_window_a_source_without_running_tasks_is_changed_at_once(live: Live) -> None:
    """The window is for the tasks: when none must stop, there is nothing to wait for."""
    live.certified(task=False)
    live.change(restart_tasks=window(live, opens_in=timedelta(hours=5)))
    assert (live.outcome, live.mode) == ("certified", "verify-full")


@pytest.mark.shows("overlap_pending", "shrink_waits")
def test_an_old_ca_is_dropped_only_when_no_task_must_stop_for_it(live: Live) -> None:
    """Renewed ahead under leave, then the leave is taken away: the shrink waits, as advice."""
    live.certified(ssl_mode="verify-full")
    old = live.world.authority.certificate_pem.decode().strip()
    live.world.issue()
    live.world.announce()
    assert live.outcome == "certified"
    assert "overlap_pending" in live.causes
    assert old in live.world.trusted()
    live.world.serve()
    since = live.now
    live.change(restart_tasks=False)
    assert "overlap_pending" in live.causes
    live.tick(minutes=DAY)
    assert (live.outcome, live.status()) == ("certified", "running")
    assert "shrink_waits" in live.causes
    assert live.asked(since) == []
    live.change(restart_tasks=True)
    assert (live.outcome, live.status()) == ("certified", "running")
    assert old not in live.world.trusted()
