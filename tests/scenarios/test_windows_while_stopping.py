"""A window closes, or somebody acts, while the tasks of a change are being stopped."""

from datetime import timedelta

from sandbox.aws.calls import Call
from sandbox.aws.machine import Where
from sandbox.world import ENDPOINT, TARGET
from tests.scenarios.live import DAY, Live


def until(live: Live, minutes: float) -> str:
    """Return a window that is open now and closes in so many minutes."""
    now = live.cloud.clock.now().replace(second=0, microsecond=0)
    closes = now + timedelta(minutes=minutes)
    opened = now - timedelta(hours=1)
    return f"{opened:%a} {opened:%H:%M}-{closes:%H:%M} UTC"


def another(live: Live, name: str) -> str:
    target = (live.world.endpoint(TARGET) or {})["EndpointArn"]
    return live.dms.add_task(name, source=live.arn, target=target, instance=live.world.instance)


def test_a_window_that_closes_between_two_stops_ends_the_change(live: Live) -> None:
    """The second task is not stopped outside it; the first one runs again."""
    live.certified()
    other = another(live, "orders-to-elsewhere")
    window = until(live, 30)
    stops: list[Call] = []

    def late(call: Call) -> None:
        if call.operation == "StopReplicationTask":
            stops.append(call)
            if len(stops) == 1:
                live.cloud.clock.advance(minutes=40)

    live.cloud.calls.on_call.append(late)
    try:
        live.change(restart_tasks=window)
    finally:
        live.cloud.calls.on_call.remove(late)
    assert len(stops) == 1
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "window_closed" in live.causes
    assert (live.status(), live.status(other), live.unfinished) == ("running", "running", [])
    live.tick(minutes=DAY)
    assert live.outcome == "planned"
    live.tick(minutes=6 * DAY - 50)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


def test_a_task_that_is_started_after_the_window_is_not_stopped_outside_it(live: Live) -> None:
    """A person starts it while the last one takes its time to stop."""
    live.certified()
    window = until(live, 30)
    since = live.now
    other: list[str] = []

    def person(where: Where) -> None:
        stopped = live.asked(since).count("StopReplicationTask")
        if stopped and not other and where.state == "Pause tasks: wait":
            live.cloud.clock.advance(minutes=40)
            other.append(another(live, "orders-to-elsewhere"))

    live.cloud.on_state(person)
    live.change(restart_tasks=window)
    assert live.asked(since).count("StopReplicationTask") == 1
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert (live.status(), live.status(*other), live.unfinished) == ("running", "running", [])


def test_what_somebody_sets_while_our_rollback_is_refused_stays(live: Live) -> None:
    """They lower the mode by hand; DMS is busy with that as we want to roll back."""
    live.certified()
    live.dms.fail_after_change(ENDPOINT)
    writes: list[Call] = []

    def somebody(call: Call) -> None:
        if call.caller == "configure_endpoint" and call.operation == "ModifyEndpoint":
            writes.append(call)
            if len(writes) == 2:
                live.modify(SslMode="require")

    live.cloud.calls.on_call.append(somebody)
    try:
        live.change()
    finally:
        live.cloud.calls.on_call.remove(somebody)
    assert len(writes) >= 2
    assert live.mode == "require"
    assert "changed_meanwhile" in live.causes
    live.dms.judge = lambda _: None
    live.tick(3)
    live.tick(minutes=DAY)
    assert live.unfinished == []
    assert live.status() == "running"
