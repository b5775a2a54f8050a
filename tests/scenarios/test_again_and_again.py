"""What once was done again and again: starts, changes, rollbacks, runs of the same source."""

import pytest

from certifier.aws.store import Store
from certifier.source import parse_source
from sandbox.world import ENDPOINT, NAME, TARGET
from tests.scenarios.live import Live

DAY = 24 * 60


# ------------------------------------------------------------------ starts (a task)


@pytest.mark.shows("task_not_restarted")
def test_a_task_that_fails_each_time_is_started_once_a_run_and_ever_less_often(live: Live) -> None:
    """Each failed start costs the server a slot and a person an hour; the notice says how often."""
    live.certified()
    live.dms.set_task(live.task, start_failure="the slot is in use")
    since = live.now
    live.change()
    assert live.asked(since).count("StartReplicationTask") == 1
    assert live.unfinished == [live.task]
    assert "1 time " in live.found("task_not_restarted")["seen"]
    live.tick(12)
    assert live.asked(since).count("StartReplicationTask") <= 6
    assert live.due_in() > 15
    sent = [body for subject, body in live.cloud.notices if NAME in subject]
    assert len(sent) == 1
    live.dms.set_task(live.task, start_failure=None)
    live.tick(7)
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])


def test_a_task_that_may_not_start_costs_few_calls(live: Live) -> None:
    """Its other endpoint does not connect: that is found out once a run, not in every round."""
    live.certified()
    live.when(
        "Resume tasks",
        lambda: live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == TARGET),
    )
    target = (live.world.endpoint(TARGET) or {})["EndpointArn"]
    key = (target, live.world.instance)
    live.when("Resume tasks", lambda: setattr(live.dms.state.connections[key], "status", "failed"))
    live.change()
    assert (live.status(), live.unfinished) == ("stopped", [live.task])
    since = live.now
    live.tick(6)
    assert len(live.cloud.calls.of("dms", since=since)) < 200


# ------------------------------------------------------------------ changes


@pytest.mark.shows("change_backs_off")
def test_a_change_that_ended_badly_is_not_made_again_for_an_hour(live: Live) -> None:
    """The canary connects, the endpoint connects neither way: no change at every tick.

    The breaker counts the source once, so that it does not stop the changes of others alone.
    """
    live.certified()
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    since = live.now
    live.change()
    assert live.outcome == "failed"
    assert live.asked(since).count("ModifyEndpoint") == 2
    live.tick(5)
    assert live.asked(since).count("ModifyEndpoint") == 2
    assert live.causes >= {"change_backs_off"}
    live.tick(24)
    assert live.asked(since).count("ModifyEndpoint") <= 6
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    assert not store.breaker().open


def test_whoever_starts_a_run_themselves_does_not_wait(live: Live) -> None:
    """They have looked at it."""
    live.certified()
    live.dms.fail_after_change(ENDPOINT)
    live.change()
    assert live.outcome == "rolled_back"
    live.dms.judge = lambda _: None
    live.world.recertify()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert "change_after" not in live.world.state()


def test_a_change_that_dms_refuses_for_minutes_is_counted_and_backs_off(live: Live) -> None:
    """A monitor tests the endpoint all the time: the task does not stop at every second tick."""
    live.certified()
    live.when("Configure endpoint", lambda: live.unavailable("dms", "ModifyEndpoint", times=500))
    since = live.now
    live.change()
    live.tick(11)
    assert live.asked(since).count("StopReplicationTask") <= 2
    assert (live.status(), live.unfinished) == ("running", [])


def test_a_run_that_is_killed_after_its_rollback_is_counted_by_the_next(live: Live) -> None:
    """The run that finishes it counts the bad end, and the change waits as after any other."""
    live.certified()
    live.dms.fail_after_change(ENDPOINT)
    live.cloud.stop_child_at("Resume tasks")
    since = live.now
    live.change()
    live.tick(6)
    assert (live.mode, live.status(), live.unfinished) == ("verify-ca", "running", [])
    assert live.asked(since).count("StopReplicationTask") == 1
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    assert [end.source for end in store.breaker().ends] == [NAME]


@pytest.mark.parametrize("what", ["a serverless replication", "a task"])
def test_what_comes_after_the_pause_refuses_the_change_and_nothing_more(
    live: Live, what: str
) -> None:
    """Nothing was changed, so nothing was rolled back; the task that was stopped runs again."""
    live.certified()
    target = (live.world.endpoint(TARGET) or {})["EndpointArn"]

    def comes() -> None:
        ends = {"source": live.arn, "target": target}
        if what == "a task":
            live.dms.add_task("another", **ends, instance=live.world.instance)
        else:
            live.dms.add_serverless("stream", **ends)

    live.when("Configure endpoint", comes)
    live.change()
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert (live.status(), live.unfinished) == ("running", [])
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    assert store.breaker().ends == ()


# ------------------------------------------------------------------ runs


def test_two_ticks_that_choose_the_same_source_run_it_once(live: Live) -> None:
    """The second child is late: the source's run has ended since its own execution began."""
    live.certified()
    live.dms.fail_after_change(ENDPOINT)
    nested: list[None] = []

    def another() -> None:
        if not nested:
            nested.append(None)
            live.cloud.tick(minutes=0)

    spec = live.world.source(restart_tasks=True)
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    register(store, spec, live)
    since = live.now
    live.when("Claim source", another)
    live.tick()
    assert live.outcome == "rolled_back"
    assert live.asked(since).count("StopReplicationTask") == 1


def register(store: Store, spec: dict[str, object], live: Live) -> None:
    """Have the source registered and due, without a run."""
    store.register(parse_source(spec), live.cloud.clock.now())
