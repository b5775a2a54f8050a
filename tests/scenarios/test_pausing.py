"""Tasks on the endpoint: which are stopped for a change, and that they run again."""

from typing import Any

import pytest

from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.run.state import BadEnd, Breaker
from sandbox.dms import Durations
from sandbox.world import TARGET
from tests.scenarios.live import DAY, NOT_TOUCHED, SECOND, Live, with_new_settings


@pytest.mark.shows("tasks_running")
def test_running_tasks_are_stopped_only_when_permitted(live: Live) -> None:
    """Refused, naming every task, with none of them touched."""
    live.certified()
    since = live.now
    live.change(restart_tasks=False)
    assert (live.outcome, live.status(), live.mode) == ("refused", "running", "verify-ca")
    assert "orders-to-warehouse" in live.found("tasks_running")["seen"]
    assert live.asked(since) == []


@pytest.mark.shows("task_in_full_load")
def test_a_full_load_is_never_interrupted(live: Live) -> None:
    """Resuming would begin it anew; when it is over, the change is made."""
    live.certified(task=False)
    live.task = live.dms.add_task(
        "load",
        source=live.arn,
        target=live.adopted(TARGET, EndpointType="target"),
        instance=live.world.instance,
        migration_type="full-load-and-cdc",
        full_load_percent=40,
    )
    live.change()
    assert (live.outcome, live.status(), live.mode) == ("refused", "running", "verify-ca")
    assert "task_in_full_load" in live.causes
    live.dms.set_task(live.task, full_load_percent=100)
    live.tick(minutes=DAY)
    assert (live.outcome, live.status(), live.mode) == ("certified", "running", "verify-full")


@pytest.mark.shows("task_in_full_load")
def test_a_load_that_begins_after_the_plan_is_seen_before_the_stop(live: Live) -> None:
    """Pause tasks looks once more, and refuses before it stops anything."""
    live.certified()
    live.when(
        "Import CA",
        lambda: live.dms.state.tasks[live.task].seen.update(
            MigrationType="full-load-and-cdc", ReplicationTaskStats={"FullLoadProgressPercent": 3}
        ),
    )
    since = live.now
    live.change()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "task_in_full_load" in live.causes
    assert not NOT_TOUCHED & set(live.asked(since))


@pytest.mark.shows("serverless_replication")
def test_a_serverless_replication_cannot_be_paused(live: Live) -> None:
    """It is found, named, and the change is refused."""
    live.certified(task=False)
    target = live.adopted(TARGET, EndpointType="target")
    live.dms.add_serverless("stream", source=live.arn, target=target)
    live.change()
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "stream" in live.found("serverless_replication")["seen"]


@pytest.mark.shows("task_could_not_restart")
@pytest.mark.parametrize("gone", [False, True], ids=["does not connect", "is gone"])
def test_a_task_whose_other_endpoint_would_not_let_it_start_is_not_stopped(
    live: Live, gone: bool
) -> None:
    """DMS starts a task only when both endpoints connect, so both are asked before."""
    live.certified()
    if gone:
        live.when(
            "Pause tasks",
            lambda: live.dms.state.endpoints.pop(
                (live.world.endpoint(TARGET) or {})["EndpointArn"]
            ),
        )
    else:
        live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == TARGET)
    since = live.now
    live.change()
    assert (live.outcome, live.status(), live.mode) == ("refused", "running", "verify-ca")
    assert "task_could_not_restart" in live.causes
    assert not NOT_TOUCHED & set(live.asked(since))
    assert live.unfinished == []


def test_tasks_that_do_not_run_are_never_touched(live: Live) -> None:
    """Stopped, failed and ready ones stay what they are, and never hold up a change."""
    live.certified()
    others = {
        status: live.dms.add_task(
            f"task-{status}",
            source=live.arn,
            target=(live.world.endpoint(TARGET) or {})["EndpointArn"],
            instance=live.world.instance,
            status=status,
        )
        for status in ("stopped", "failed", "ready")
    }
    since = live.now
    live.change()
    assert (live.outcome, live.status()) == ("certified", "running")
    assert {status: live.status(task) for status, task in others.items()} == {
        status: status for status in others
    }
    assert live.asked(since).count("StopReplicationTask") == 1


@pytest.mark.parametrize("status", ["starting", "testing", "modifying", "moving"])
def test_a_task_in_passing_is_waited_for(live: Live, status: str) -> None:
    """It runs a moment later, is paused then, and runs again at the end."""
    live.certified()
    live.when("Pause tasks", lambda: live.dms.set_task(live.task, status=status))
    live.when("Pause tasks", lambda: live.dms.set_task(live.task, status="running"), nth=3)
    live.change()
    assert (live.outcome, live.status(), live.mode) == ("certified", "running", "verify-full")


@pytest.mark.shows("task_did_not_stop")
def test_a_task_that_does_not_stop_ends_the_change(live: Live) -> None:
    """After the last round nothing was changed; the task waits until it stops and starts."""
    live.certified()
    live.dms.durations = Durations(task_stopping=3_000)
    since = live.now
    live.change()
    assert live.mode == "verify-ca"
    assert "task_did_not_stop" in live.causes
    assert "ModifyEndpoint" not in live.asked(since)
    assert live.unfinished == [live.task]
    live.dms.durations = Durations()
    live.tick(8)
    assert (live.status(), live.mode) == ("running", "verify-full")
    assert live.unfinished == []


@pytest.mark.shows("task_not_restarted")
def test_a_task_that_fails_when_it_starts_still_waits(live: Live) -> None:
    """The settings are proven, the task is not: notified at once, tried again soon."""
    live.certified()
    live.when(
        "Resume tasks", lambda: live.dms.set_task(live.task, start_failure="the slot is in use")
    )
    live.change()
    assert (live.outcome, live.mode) == ("task_stopped", "verify-full")
    assert live.unfinished == [live.task]
    assert "the slot is in use" in str(live.found("task_not_restarted")["raw"])
    assert live.due_in() <= 10
    assert any("IS STOPPED" in subject for subject, _ in live.cloud.notices)
    live.tick()
    assert live.unfinished == [live.task]
    live.dms.set_task(live.task, start_failure=None)
    live.tick()
    assert (live.status(), live.unfinished) == ("running", [])


@pytest.mark.shows("task_left_alone")
@pytest.mark.parametrize("what", ["stopped again", "failed", "gone"])
def test_a_task_that_is_stopped_for_another_reason_is_left_alone(live: Live, what: str) -> None:
    """We start only what we stopped."""
    live.certified()

    def person() -> None:
        if what == "gone":
            del live.dms.state.tasks[live.task]
        elif what == "failed":
            live.dms.set_task(live.task, status="failed", stop_reason="Stop Reason FATAL_ERROR")
        else:
            live.dms.set_task(live.task, status="running")
            live.cloud.clock.advance(60)
            live.dms.set_task(live.task, status="stopped")

    live.when("Test connection", person)
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert "task_left_alone" in live.causes
    assert "StartReplicationTask" not in live.asked(since)
    assert live.unfinished == []


def test_a_start_that_is_rejected_succeeds_after_a_test(live: Live) -> None:
    """Somebody changed the task's other endpoint meanwhile, so its pass is gone."""
    live.certified()
    live.when("Resume tasks", lambda: live.modify(TARGET, SslMode="none"))
    live.world.server.set_hba(["host all all all scram-sha-256"])
    live.change()
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])


def test_a_task_that_a_person_started_meanwhile_is_simply_running(live: Live) -> None:
    """Nothing waits for a restart, and nothing is said."""
    live.certified()
    live.when("Resume tasks", lambda: live.dms.set_task(live.task, status="running"))
    since = live.now
    live.change()
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])
    assert "StartReplicationTask" not in live.asked(since)


def both(live: Live) -> None:
    """Two sources, one at each end of a running task."""
    live.certified(task=False)
    live.world.onboard(
        name=SECOND,
        endpoint=TARGET,
        endpoint_type="target",
        ssl_mode="verify-ca",
        restart_tasks=True,
    )
    assert live.world.outcome(SECOND) == "certified"
    live.task = live.world.add_task()


def target_change(live: Live, **more: Any) -> dict[str, Any]:
    """The second source, changed."""
    return live.world.source(
        name=SECOND, endpoint=TARGET, endpoint_type="target", restart_tasks=True, **more
    )


def test_two_sources_change_at_the_same_time_and_their_task_runs_again(live: Live) -> None:
    """Whoever leaves last starts it."""
    both(live)
    first = live.world.source(restart_tasks=True)
    live.cloud.run({"sources": [first, target_change(live)]})
    live.tick(6)
    assert (live.outcome, live.world.outcome(SECOND)) == ("certified", "certified")
    assert live.mode == "verify-full"
    assert (live.world.endpoint(TARGET) or {})["SslMode"] == "verify-full"
    assert live.status() == "running"
    assert live.unfinished == live.world.unfinished(SECOND) == []


def test_a_task_stays_stopped_while_the_other_source_still_needs_it(live: Live) -> None:
    """The first dies in its change; the second finishes, leaves, and does not start the task."""
    both(live)
    live.cloud.stop_child_at("Configure endpoint: wait")
    live.change()
    live.cloud.run({"sources": [target_change(live)]})
    assert live.world.outcome(SECOND) == "certified"
    assert (live.world.endpoint(TARGET) or {})["SslMode"] == "verify-full"
    assert live.status() == "stopped"
    live.tick(3)
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])


@pytest.mark.shows("task_could_not_restart")
def test_two_ends_that_are_broken_at_once_wait_for_a_person(live: Live) -> None:
    """Neither end connects, so the task that both share could not start again: it is not stopped.

    Once a person has stopped it, both are repaired, and the task stays theirs.
    """
    live.certified(task=False, ssl_mode="verify-full")
    live.world.onboard(name=SECOND, endpoint=TARGET, endpoint_type="target", restart_tasks=True)
    live.task = live.world.add_task()
    live.world.issue()
    live.world.serve()
    live.world.announce()
    assert (live.outcome, live.world.outcome(SECOND)) == ("refused", "refused")
    assert "task_could_not_restart" in live.causes & set(live.world.causes(SECOND))
    assert live.status() == "running"
    live.dms.set_task(live.task, status="stopped")
    live.tick(minutes=DAY)
    assert (live.outcome, live.world.outcome(SECOND)) == ("certified", "certified")
    assert live.status() == "stopped"


@pytest.mark.shows("breaker_open")
def test_a_series_of_bad_ends_stops_every_further_change(live: Live) -> None:
    """Those of three sources in a day open the breaker; `reset-breaker` alone closes it."""
    live.certified()
    live.fails("timeout expired", with_new_settings)
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    now = live.cloud.clock.now()
    others = tuple(BadEnd(at=now, source=name, run=f"arn:{name}") for name in ("stock", "sales"))
    store._table.write(put_breaker(store._table, Breaker(ends=others)))
    live.change()
    assert live.outcome == "rolled_back"
    live.dms.judge = lambda _: None
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("deferred", "verify-ca", "running")
    assert "breaker_open" in live.causes
    assert not NOT_TOUCHED & set(live.asked(since))
    assert any("changes are stopped" in subject for subject, _ in live.cloud.notices)
    live.tick(2)
    assert live.mode == "verify-ca"
