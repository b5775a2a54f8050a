"""Between two steps of a change, somebody, or DMS itself, moves what the last one saw."""

from datetime import timedelta
from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError

from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.ownership import STACK_TAG
from certifier.run.state import BadEnd, Breaker
from sandbox.aws import Execution
from sandbox.aws.deploy import STACK
from sandbox.dms import Durations
from sandbox.world import ENDPOINT, NAME, TARGET
from tests.scenarios.live import CANARY, Live

DAY = 24 * 60
TOUCHED = {"StopReplicationTask", "ModifyEndpoint"}
OTHER_TARGET = "archive-target"


def second_task(live: Live, **more: Any) -> str:
    """Another task on the endpoint, to a target of its own that DMS does not connect with."""
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == OTHER_TARGET)
    return live.dms.add_task(
        "orders-to-archive",
        source=live.arn,
        target=live.adopted(OTHER_TARGET, EndpointType="target"),
        instance=live.world.instance,
        **more,
    )


# ------------------------------------------------------------------ before anything is stopped


@pytest.mark.shows("task_could_not_restart")
def test_no_task_is_stopped_while_another_one_could_not_start_again(live: Live) -> None:
    """All are asked before the first is stopped, however soon the first one's answer comes."""
    live.certified()
    other = second_task(live)
    live.dms.durations = Durations(testing=20)
    since = live.now
    live.change()
    assert (live.outcome, live.status(), live.status(other)) == ("refused", "running", "running")
    assert "task_could_not_restart" in live.causes
    assert not TOUCHED & set(live.asked(since))


@pytest.mark.shows("test_never_ended")
def test_a_task_whose_other_end_is_being_tested_all_the_time_is_not_stopped(live: Live) -> None:
    """Somebody else tests it again and again: our own test never begins, and that is the cause."""
    live.certified()
    live.when(
        "Pause tasks",
        lambda: live.client.test_connection(
            EndpointArn=(live.world.endpoint(TARGET) or {})["EndpointArn"],
            ReplicationInstanceArn=live.world.instance,
        ),
    )
    live.when("Pause tasks", lambda: setattr(live.dms, "durations", Durations(testing=100_000)))
    since = live.now
    live.change()
    live.dms.durations = Durations()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "test_never_ended" in live.causes
    assert "task_did_not_stop" not in live.causes
    assert not TOUCHED & set(live.asked(since))


@pytest.mark.shows("window_closed")
def test_a_window_that_closes_during_the_rehearsal_is_kept(live: Live) -> None:
    """The task is not stopped outside it; the source is due when it opens again."""
    live.certified()
    now = live.cloud.clock.now()
    closes = now + timedelta(hours=1)
    opened = now - timedelta(hours=1)
    window = f"{opened:%a} {opened:%H:%M}-{closes:%H:%M} UTC"
    live.when("Pause tasks", lambda: live.cloud.clock.advance(minutes=90))
    since = live.now
    live.change(restart_tasks=window)
    assert (live.outcome, live.status(), live.mode) == ("planned", "running", "verify-ca")
    assert "window_closed" in live.causes
    assert not TOUCHED & set(live.asked(since))
    assert live.due_in() == pytest.approx(DAY, abs=1)
    live.tick(minutes=7 * DAY - 100)
    assert (live.outcome, live.status(), live.mode) == ("certified", "running", "verify-full")


@pytest.mark.shows("serverless_replication")
def test_a_serverless_replication_that_comes_during_the_rehearsal_is_seen(live: Live) -> None:
    """DMS would refuse the change when the task is stopped already."""
    live.certified()
    target = (live.world.endpoint(TARGET) or {})["EndpointArn"]
    live.when("Rehearse", lambda: live.dms.add_serverless("stream", source=live.arn, target=target))
    since = live.now
    live.change()
    assert (live.outcome, live.status(), live.mode) == ("refused", "running", "verify-ca")
    assert "stream" in live.found("serverless_replication")["seen"]
    assert not TOUCHED & set(live.asked(since))


@pytest.mark.shows("instance_unavailable")
def test_no_task_is_stopped_while_a_change_could_not_be_proven(live: Live) -> None:
    """One of two instances begins to be changed during the rehearsal."""
    second = live.dms.add_instance("replication-2")
    both = [live.world.instance, second]
    live.certified(replication_instances=both)
    live.when("Pause tasks", lambda: live.dms.set_instance_status(second, "modifying"))
    since = live.now
    live.change(replication_instances=both)
    assert (live.outcome, live.status(), live.mode) == ("refused", "running", "verify-ca")
    assert "replication-2 is modifying" in live.found("instance_unavailable")["seen"]
    assert not TOUCHED & set(live.asked(since))


@pytest.mark.shows("breaker_open")
def test_a_pending_restart_does_not_let_its_source_past_the_breaker(live: Live) -> None:
    """An earlier run stopped it; a new change is a new change, ten minutes later or not."""
    live.certified()
    live.dms.set_task(live.task, start_failure="the slot is in use")
    live.dms.fail_after_change(ENDPOINT)
    live.change()
    assert (live.outcome, live.unfinished) == ("rolled_back", [live.task])
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    now = live.cloud.clock.now()
    opened = Breaker(open_since=now, ends=(BadEnd(at=now, source="x", run="y"),), version=1)
    store._table.write(put_breaker(store._table, opened))
    since = live.now
    live.world.recertify()  # the schedule would not make that change again so soon
    assert live.outcome == "deferred"
    live.dms.set_task(live.task, start_failure=None)
    live.tick()
    assert (live.status(), live.unfinished) == ("running", [])
    assert "ModifyEndpoint" not in live.asked(since)


# ------------------------------------------------------------------ after a task was stopped


@pytest.mark.shows("task_could_not_restart")
def test_a_run_that_stopped_a_task_and_then_gave_up_starts_it_again(live: Live) -> None:
    """A second task comes to life, and could not start again: the first one runs on, once a day."""
    live.certified()
    other = second_task(live, status="stopped")
    live.when("Pause tasks: wait", lambda: live.dms.set_task(other, status="running"), nth=2)
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert (live.status(), live.status(other), live.unfinished) == ("running", "running", [])
    assert live.asked(since).count("StopReplicationTask") == 1
    assert "task_could_not_restart" in live.causes
    assert live.world.record()["tasks"]["paused"] == [live.task]
    assert live.due_in() == pytest.approx(DAY, abs=1)


@pytest.mark.shows("task_left_alone")
def test_a_task_that_a_person_stops_after_we_have_started_it_stays_stopped(live: Live) -> None:
    """It was slow to start; it ran at last, and was stopped again before anybody looked."""
    live.certified()
    live.dms.durations = Durations(task_starting=1_200)
    live.change()
    assert (live.outcome, live.status(), live.unfinished) == (
        "task_stopped",
        "starting",
        [live.task],
    )
    live.cloud.clock.advance(1_300)
    assert live.status() == "running"
    live.dms.set_task(live.task, status="stopped")
    since = live.now
    live.tick()
    assert (live.status(), live.unfinished) == ("stopped", [])
    assert "task_left_alone" in live.causes
    assert "StartReplicationTask" not in live.asked(since)


@pytest.mark.parametrize("what", ["a late test fails", "the pass is worth nothing"])
def test_a_start_that_is_rejected_in_spite_of_our_test_succeeds_after_a_new_one(
    live: Live, what: str
) -> None:
    """DMS's own test ends after ours, or a password was set anew, which shows nowhere."""
    live.certified()
    key = (live.arn, live.world.instance)

    def spoilt() -> None:
        if what == "a late test fails":
            live.dms.state.connections[key].status = "failed"
        else:
            live.dms.state.connections[key].revision = 0

    live.when("Resume tasks", spoilt)
    live.change()
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])


def test_a_task_that_may_not_start_keeps_no_other_one_from_starting(live: Live) -> None:
    """Its instance is not available: that one alone waits, and the certification is good."""
    second = live.dms.add_instance("replication-2")
    live.certified()
    other = live.dms.add_task(
        "orders-from-2",
        source=live.arn,
        target=(live.world.endpoint(TARGET) or {})["EndpointArn"],
        instance=second,
    )
    live.when(
        "Resume tasks", lambda: live.dms.set_instance_status(live.world.instance, "modifying")
    )
    live.change()
    assert (live.outcome, live.mode) == ("task_stopped", "verify-full")
    assert (live.status(), live.status(other)) == ("stopped", "running")
    assert live.unfinished == [live.task]
    assert "not available" in live.found("task_not_restarted")["seen"]
    live.dms.set_instance_status(live.world.instance, "available")
    live.tick()
    assert (live.status(), live.unfinished) == ("running", [])


@pytest.mark.parametrize("seconds", [30, 3600])
def test_a_run_that_is_not_visible_yet_keeps_its_source(live: Live, seconds: float) -> None:
    """DescribeExecution is eventually consistent: who is not known to it may be at work."""
    live.certified()
    live.cloud.hide_executions(seconds)
    others: list[Execution] = []
    live.when("Rehearse", lambda: others.append(live.cloud.run({"names": [NAME]})))
    live.change()
    (other,) = others
    assert other.child(NAME).outcome == "deferred"
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


# ------------------------------------------------------------------ what is somebody else's


def test_what_dms_says_of_somebody_elses_settings_is_shown_nowhere(live: Live) -> None:
    """Extra connection attributes may hold a secret, and the canary has them, too."""
    live.certified(task=False)
    live.modify(ExtraConnectionAttributes="password=hunter2")
    live.cloud.clock.advance(60)
    plain = live.dms._operations["CreateEndpoint"]

    def quotes(params: Any) -> Any:
        said = f"invalid: {params}"
        raise JsonRESTError("InvalidParameterValueException", said)

    live.dms._operations = {**live.dms._operations, "CreateEndpoint": quotes}
    try:
        live.change()
    finally:
        live.dms._operations = {**live.dms._operations, "CreateEndpoint": plain}
    assert live.outcome == "refused"
    assert "InvalidParameterValueException" in live.found("not_applied")["seen"]
    kept = str((live.cloud.objects(""), live.cloud.items(), live.cloud.notices))
    assert "hunter2" not in kept


def test_an_endpoint_of_somebody_else_with_the_canarys_name_is_left_alone(live: Live) -> None:
    """Even one that the table takes for the canary, with our tags: its ARN is none that we make."""
    live.certified()
    theirs = live.adopted(f"{CANARY}00112233445566", Tags=tags(canary=NAME))
    live.cloud.client("dynamodb").update_item(
        TableName=live.cloud.table,
        Key={"pk": {"S": f"SOURCE#{NAME}"}, "sk": {"S": "STATE"}},
        UpdateExpression="SET canary = :c",
        ExpressionAttributeValues={":c": {"S": f"{CANARY}00112233445566"}},
    )
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("refused", "verify-ca", "running")
    assert "canary_left" in live.causes
    assert (live.canary or {})["EndpointArn"] == theirs
    assert live.unfinished == []


def test_each_canary_has_a_name_that_nobody_can_know_before(live: Live) -> None:
    """Two runs of one source make two, and the ARN says that it is a canary's."""
    seen: dict[str, str] = {}

    def look(_: Any) -> None:
        if (canary := live.canary) is not None:
            seen[canary["EndpointIdentifier"]] = canary["EndpointArn"]

    live.cloud.on_state(look)
    live.certified()
    live.change()
    assert len(seen) == 2
    for identifier, arn in seen.items():
        assert arn.endswith(f":endpoint:certifier-canary-{identifier.rpartition('-')[2]}")
    assert live.canary is None


def tags(**ours: str) -> list[dict[str, str]]:
    """What Certifier itself would put on what it makes."""
    named = {f"certifier:{key}": value for key, value in ours.items()}
    return [{"Key": key, "Value": value} for key, value in {**named, STACK_TAG: STACK}.items()]
