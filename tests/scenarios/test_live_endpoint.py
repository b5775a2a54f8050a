"""Changing a live endpoint: identity, tasks, rehearsal, rollback, claims, passwords, end to end."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.run.record import Subject
from certifier.run.state import BadEnd, Breaker
from sandbox.dms import Durations, Quotas, Switches
from sandbox.world import CREDENTIALS, ENDPOINT, NAME, PAIR, TARGET
from tests.scenarios.live import CANARY, SECOND, Live, connected, is_canary

NOT_TOUCHED = {"StopReplicationTask", "ModifyEndpoint"}
DAY = 24 * 60


# ------------------------------------------------------------------ which endpoint it is


@pytest.mark.shows("endpoint_gone")
def test_an_endpoint_that_is_gone_is_never_made_again(live: Live) -> None:
    """We know it, somebody deleted it: a person must decide what happens."""
    live.certified(task=False)
    live.client.delete_endpoint(EndpointArn=live.arn)
    live.tick(minutes=DAY)
    assert live.outcome == "refused"
    assert "endpoint_gone" in live.causes
    assert live.dms.endpoints() == []


@pytest.mark.shows("endpoint_read_only")
def test_an_endpoint_of_a_zero_etl_integration_is_left_alone(live: Live) -> None:
    """DMS would refuse, and so do we, before anything is made."""
    live.certified(task=False)
    live.dms.set_read_only(live.arn)
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "endpoint_read_only" in live.causes
    assert live.asked(since) == []


@pytest.mark.shows("engine_mismatch")
def test_an_endpoint_of_another_engine_is_never_changed(live: Live) -> None:
    """The source says postgres, the endpoint is for Aurora."""
    live.adopted(EngineName="aurora-postgresql")
    live.change(credentials=None)
    assert (live.outcome, live.mode) == ("refused", "require")
    assert "engine_mismatch" in live.causes


@pytest.mark.shows("needs_replacement")
def test_an_endpoint_of_the_other_type_would_have_to_be_replaced(live: Live) -> None:
    """DMS cannot make a source endpoint out of a target endpoint."""
    live.adopted(EndpointType="target")
    live.change(credentials=None)
    assert live.outcome == "refused"
    assert "needs_replacement" in live.causes


@pytest.mark.shows("iam_authentication")
def test_an_endpoint_that_logs_in_with_iam_is_left_alone(live: Live) -> None:
    """It has no password that we could keep."""
    live.adopted(
        Password=None,
        PostgreSQLSettings={
            "AuthenticationMethod": "iam",
            "ServiceAccessRoleArn": "arn:aws:iam::123456789012:role/dms",
        },
    )
    live.change(credentials=None)
    assert (live.outcome, live.mode) == ("refused", "require")
    assert "iam_authentication" in live.causes


@pytest.mark.shows("endpoint_taken")
def test_a_second_source_on_the_same_endpoint_is_refused(live: Live) -> None:
    """By its ARN, though the first one has named it by its identifier, and made it just now."""
    live.certified(task=False)
    run = live.world.onboard(name=SECOND, endpoint=live.arn)
    assert (run.status, run.children) == ("FAILED", [])
    assert "endpoint_taken" in str(run.cause)
    assert live.mode == "verify-ca"
    live.tick(minutes=DAY)
    assert live.outcome == "certified"


@pytest.mark.shows("endpoint_taken")
def test_a_source_that_names_an_endpoint_by_another_name_is_refused_when_it_is_read(
    live: Live,
) -> None:
    """Both are registered before anybody has looked at the endpoint; the first one has it."""
    arn = live.adopted(SslMode="none")
    first = live.world.source(credentials=None, ssl_mode="none")
    second = live.world.source(name=SECOND, endpoint=arn, credentials=None, ssl_mode="none")
    live.cloud.run({"sources": [first, second]})
    live.tick(2, minutes=DAY)
    refused = [n for n in (NAME, SECOND) if "endpoint_taken" in live.world.causes(n)]
    assert len(refused) == 1


@pytest.mark.shows("source_invalid")
def test_a_new_endpoint_needs_credentials_and_database(live: Live) -> None:
    """The finding names what the source lacks to create one."""
    live.change(credentials=None, database=None)
    assert live.outcome == "refused"
    said = live.found("source_invalid")["seen"]
    assert "credentials" in said
    assert "database" in said
    assert live.dms.endpoints() == []


# ------------------------------------------------------------------ what may not be done to it


@pytest.mark.shows("would_weaken")
def test_a_weaker_mode_needs_permission(live: Live) -> None:
    """Refused without `allow_downgrade`, done with it."""
    live.certified(task=False)
    live.change(ssl_mode="require", replaces=1)
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "would_weaken" in live.causes
    live.change(ssl_mode="require", allow_downgrade=True)
    assert (live.outcome, live.mode) == ("certified", "require")


@pytest.mark.shows("irreversible")
def test_what_could_not_be_rolled_back_needs_permission(live: Live) -> None:
    """The endpoint has a password that nobody knows; a secret would replace it."""
    live.adopted()
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("refused", "require")
    assert "irreversible" in live.causes
    assert live.asked(since) == []
    live.change(allow_irreversible=True)
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert "SecretsManagerSecretId" in live.endpoint["PostgreSQLSettings"]


@pytest.mark.shows("reverted_by_others")
def test_somebody_who_changes_it_back_again_and_again_is_named(live: Live) -> None:
    """The first time it is put right; the second time a person must say who has the endpoint.

    Once they have, they start the source themselves.
    """
    live.certified(task=False, ssl_mode="verify-full")
    for outcome, mode in (("certified", "verify-full"), ("refused", "require")):
        live.modify(SslMode="require")
        live.cloud.clock.advance(60)
        live.tick(minutes=DAY)
        assert (live.outcome, live.mode) == (outcome, mode)
    assert "reverted_by_others" in live.causes
    live.world.recertify()
    assert (live.outcome, live.mode) == ("certified", "verify-full")


@pytest.mark.shows("tasks_running")
def test_running_tasks_are_stopped_only_with_leave(live: Live) -> None:
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


@pytest.mark.shows("no_replication_instance")
def test_a_source_that_nothing_tests_names_no_instance(live: Live) -> None:
    """Neither the source nor a connection or task says where DMS should test from."""
    live.dms.add_instance("replication-2")
    live.change(replication_instances=None)
    assert live.outcome == "refused"
    assert "no_replication_instance" in live.causes
    assert live.dms.endpoints() == []


@pytest.mark.shows("replication_instance_chosen")
def test_the_only_instance_is_taken_when_the_source_names_none(live: Live) -> None:
    """As the guide's example does; the record says which one, and the next run needs no guess."""
    live.change(replication_instances=None)
    assert live.outcome == "certified"
    assert "replication-1" in live.found("replication_instance_chosen")["seen"]
    live.world.recertify()
    assert live.outcome == "certified"
    assert "replication_instance_chosen" not in live.causes


def test_an_endpoint_that_is_right_is_tested_from_the_only_instance(live: Live) -> None:
    """Also when nothing has to be changed, so that no plan has chosen it."""
    live.certified(task=False)
    for connection in live.client.describe_connections()["Connections"]:
        live.client.delete_connection(
            EndpointArn=connection["EndpointArn"],
            ReplicationInstanceArn=connection["ReplicationInstanceArn"],
        )
    live.cloud.clock.advance(30)
    live.world.onboard(ssl_mode="verify-ca", restart_tasks=True, replication_instances=None)
    assert live.outcome == "certified"


def test_instances_are_those_with_a_connection_when_the_source_names_none(live: Live) -> None:
    """The endpoint was tested from there before, so it is tested from there again."""
    live.certified(task=False)
    second = live.dms.add_instance("replication-2")
    live.client.test_connection(EndpointArn=live.arn, ReplicationInstanceArn=second)
    live.cloud.clock.advance(10)
    live.change(replication_instances=None)
    assert live.outcome == "certified"
    tested = {t["instance_arn"] for t in live.world.record()["tests"]}
    assert tested == {live.world.instance, second}


@pytest.mark.shows("instance_unavailable")
def test_an_instance_that_is_not_available_is_named_with_its_status(live: Live) -> None:
    """Nothing is changed meanwhile; when it is back, the change is made."""
    live.certified()
    live.dms.set_instance_status(live.world.instance, "storage-full")
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "storage-full" in live.found("instance_unavailable")["seen"]
    assert not NOT_TOUCHED & set(live.asked(since))
    live.dms.set_instance_status(live.world.instance, "available")
    live.tick(2, minutes=DAY)
    assert (live.outcome, live.mode) == ("certified", "verify-full")


def test_one_of_two_instances_that_cannot_connect_stops_the_change(live: Live) -> None:
    """Each instance is tested by itself; the record says from where it failed."""
    second = live.dms.add_instance("replication-2")
    live.certified(task=False, replication_instances=[live.world.instance, second])
    plain = live.dms._connections._connect

    def from_the_first(connection: Any, test: Any, target: Any) -> None:
        if connection.instance.seen["ReplicationInstanceArn"] == second:
            target = replace(target, port=1)
        plain(connection, test, target)

    live.dms._connections._connect = from_the_first  # type: ignore[method-assign]
    try:
        live.change(replication_instances=[live.world.instance, second])
    finally:
        live.dms._connections._connect = plain  # type: ignore[method-assign]
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "from replication instance replication-2" in live.found("connection_refused")["seen"]


# ------------------------------------------------------------------ windows


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


# ------------------------------------------------------------------ rehearsing


@pytest.mark.shows("rehearsed_by_probe_only")
def test_an_endpoint_with_a_password_that_no_secret_holds_is_rehearsed_by_the_probe(
    live: Live,
) -> None:
    """Adopted without credentials: only the mode and the CA are ours, and no canary can log in."""
    live.adopted(
        CertificateArn=live.client.import_certificate(
            CertificateIdentifier="team-ca",
            CertificatePem=live.world.authority.certificate_pem.decode(),
        )["Certificate"]["CertificateArn"]
    )
    since = live.now
    live.change(credentials=None)
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert "rehearsed_by_probe_only" in live.causes
    assert "CreateEndpoint" not in live.asked(since)


@pytest.mark.shows("rehearsed_by_probe_only")
def test_without_room_for_a_canary_the_probe_rehearses(live: Live) -> None:
    """The account's quota of endpoints is reached."""
    live.certified()
    live.dms.quotas = Quotas(endpoints=2)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert "rehearsed_by_probe_only" in live.causes
    assert live.unfinished == []


def test_settings_that_dms_shows_and_does_not_take_stop_no_rehearsal(live: Live) -> None:
    """PluginName comes back with an underscore: DMS tries the change with a canary without it."""
    live.certified(task=False)
    live.modify(PostgreSQLSettings={"PluginName": "test-decoding"})
    live.cloud.clock.advance(60)
    live.change()
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert verdicts(live)["canary"] is True
    assert live.endpoint["PostgreSQLSettings"]["PluginName"] == "test_decoding"


@pytest.mark.shows("rehearsed_by_probe_only")
def test_without_room_on_the_instance_the_probe_rehearses(live: Live) -> None:
    """The replication instance serves as many endpoints as it may, this one among them."""
    live.certified()
    target = (live.world.endpoint(TARGET) or {})["EndpointArn"]
    live.cloud.clock.advance(60)
    live.client.test_connection(EndpointArn=target, ReplicationInstanceArn=live.world.instance)
    live.dms.quotas = Quotas(endpoints_per_instance=2)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.world.instance in live.found("rehearsed_by_probe_only")["seen"]
    assert live.canary is None
    assert live.unfinished == []


def test_an_instance_with_room_rehearses_for_one_that_has_none(live: Live) -> None:
    """What DMS can try, it tries: the canary fails there, and the endpoint is not touched."""
    both = [live.world.instance, live.dms.add_instance("replication-2")]
    live.certified(task=False, replication_instances=both)
    theirs = live.adopted("theirs")
    live.cloud.clock.advance(60)
    live.client.test_connection(EndpointArn=theirs, ReplicationInstanceArn=both[0])
    live.dms.quotas = Quotas(endpoints_per_instance=2)
    live.fails("timeout expired", is_canary)
    live.change(replication_instances=both)
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert {"rehearsed_by_probe_only", "connection_timeout"} <= live.causes
    assert both[1] not in live.found("rehearsed_by_probe_only")["seen"]
    assert "replication-2" in live.found("connection_timeout")["seen"]
    assert live.canary is None


@pytest.mark.shows("dms_differs_from_probe")
def test_what_dms_cannot_reach_is_refused_with_both_witnesses(live: Live) -> None:
    """The probe connected, the canary did not: the endpoint is as it was, and its task runs."""
    live.certified()
    live.fails("timeout expired", is_canary)
    since = live.now
    live.change()
    assert (live.outcome, live.status(), live.mode) == ("refused", "running", "verify-ca")
    assert {"connection_timeout", "dms_differs_from_probe"} <= live.causes
    assert not NOT_TOUCHED & set(live.asked(since))
    assert live.canary is None


@pytest.mark.shows("dms_cannot_read_secret")
def test_a_secret_that_dms_cannot_read_is_refused_by_the_rehearsal(live: Live) -> None:
    """We can read it, DMS cannot: its role, its key, or its way to Secrets Manager."""

    def denied(_: str) -> str:
        raise LookupError("AccessDeniedException")

    live.dms.secrets = denied
    live.change()
    assert live.outcome == "refused"
    assert "dms_cannot_read_secret" in live.causes
    assert live.dms.endpoints() == []


def test_a_canary_that_a_dead_run_left_is_deleted_by_the_next(live: Live) -> None:
    """It was stopped while the canary was being tested."""
    live.certified()
    live.cloud.stop_child_at("Rehearse", nth=3)
    live.change()
    assert live.canary is not None
    live.tick(2)
    assert live.canary is None
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


@pytest.mark.shows("test_never_ended", "canary_left")
def test_a_canary_that_cannot_be_deleted_is_named_and_tried_again(live: Live) -> None:
    """Its test never ends, and DMS deletes no endpoint that is being tested."""
    live.certified(task=False)
    live.dms.switches = Switches(delete_while_testing_accepted=False)
    live.dms.durations = Durations(testing=100_000)
    live.change()
    assert live.outcome == "refused"
    assert {"test_never_ended", "canary_left"} <= live.causes
    assert CANARY in live.found("canary_left")["seen"]
    live.cloud.clock.advance(200_000)
    live.dms.durations = Durations()
    live.tick(2)
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert live.canary is None
    assert live.unfinished == []


# ------------------------------------------------------------------ the table of rollbacks


def new(endpoint: Any) -> bool:
    """The real endpoint, with its new settings."""
    return bool(endpoint["EndpointIdentifier"] == ENDPOINT and endpoint["SslMode"] == "verify-full")


def old(endpoint: Any) -> bool:
    """The real endpoint, with its old settings."""
    return bool(endpoint["EndpointIdentifier"] == ENDPOINT and endpoint["SslMode"] == "verify-ca")


def verdicts(live: Live) -> dict[str, bool]:
    """What DMS said of the endpoint before, of the canary, and of the endpoint since."""
    names = {
        Subject.BEFORE: "before",
        Subject.CANARY: "canary",
        Subject.NOW: "new",
        Subject.RETURNED: "old",
    }
    return {names[Subject(t["subject"])]: t["passed"] for t in live.world.record()["tests"]}


def test_row_1_old_and_new_connect(live: Live) -> None:
    """Certified, and the task runs."""
    live.certified()
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.asked(since) == [
        "CreateEndpoint",
        "DeleteEndpoint",
        "StopReplicationTask",
        "ModifyEndpoint",
        "StartReplicationTask",
    ]
    record = live.world.record()
    assert connected(record) == {"probe": True, "rehearsal": True, "dms_test": True}
    assert record["tasks"]["stopped_seconds"] > 0


def test_row_2_new_fails_and_the_old_ones_connect_again(live: Live) -> None:
    """Rolled back: fields as they were, tested, and the task runs."""
    live.certified()
    before = dict(live.endpoint)
    live.fails("timeout expired", new)
    live.change()
    assert (live.outcome, live.status()) == ("rolled_back", "running")
    assert live.endpoint == before
    assert "connection_timeout" in live.causes
    assert verdicts(live) == {"before": True, "canary": True, "new": False, "old": True}
    assert any("rolled back" in subject for subject, _ in live.cloud.notices)
    assert live.unfinished == []


@pytest.mark.shows("broken_after_rollback", "task_not_restarted")
def test_row_3_new_fails_and_the_old_ones_do_not_connect_any_more(live: Live) -> None:
    """Failed, and the task keeps waiting for a restart, until DMS connects and a tick starts it."""
    live.certified()
    modified: list[None] = []
    live.when("Configure endpoint: wait", lambda: modified.append(None))
    live.fails("timeout expired", lambda one: bool(modified) and (new(one) or old(one)))
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "stopped")
    assert {"broken_after_rollback", "task_not_restarted"} <= live.causes
    assert live.unfinished == [live.task]
    live.tick()
    assert live.status() == "stopped"
    modified.clear()
    live.tick(2)
    assert (live.status(), live.unfinished) == ("running", [])
    live.tick(8)  # the change itself is not made again for an hour
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])


def test_row_4_a_broken_endpoint_is_repaired(live: Live) -> None:
    """The old settings do not connect, the new ones do: that is what the change is for."""
    live.certified()
    live.fails("timeout expired", old)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert verdicts(live) == {"before": False, "canary": True, "new": True}


@pytest.mark.shows("broken_before", "task_not_restarted")
def test_row_5_broken_before_and_after(live: Live) -> None:
    """Rolled back, and the finding says that it did not connect before, either."""
    live.certified()
    live.fails("timeout expired", lambda one: new(one) or old(one))
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "stopped")
    assert {"broken_before", "task_not_restarted"} <= live.causes
    assert "broken_after_rollback" not in live.causes
    live.dms.judge = lambda _: None
    live.tick(3)
    assert live.status() == "running"
    live.tick(6)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


@pytest.mark.parametrize("broken", [False, True], ids=["connects", "is broken"])
def test_row_6_what_the_rehearsal_refuses_stops_no_task(live: Live, broken: bool) -> None:
    """Whatever the old settings do."""
    live.certified()
    live.fails(
        "timeout expired",
        lambda one: is_canary(one) or (broken and old(one)),
    )
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("refused", "verify-ca", "running")
    assert not NOT_TOUCHED & set(live.asked(since))


def test_a_created_endpoint_that_fails_its_test_is_kept_and_reported(live: Live) -> None:
    """There is nothing to roll back; the next run finds it and goes on from there."""
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    live.change()
    assert (live.outcome, live.mode) == ("failed", "verify-full")
    assert "connection_timeout" in live.causes
    assert live.unfinished == []
    live.dms.judge = lambda _: None
    live.tick(3)
    assert live.outcome == "certified"


def test_an_unchanged_source_that_fails_once_is_tested_again(live: Live) -> None:
    """A `failed` would block the next start of the task, so it is not believed at once."""
    live.certified()
    failures = iter(["timeout expired"])
    live.dms.judge = lambda _: next(failures, None)
    live.tick(minutes=DAY)
    assert live.outcome == "certified"
    assert "connection_timeout" not in live.causes
    connections = {c["Status"] for c in live.dms.connections() if c["EndpointArn"] == live.arn}
    assert connections == {"successful"}


def test_an_unchanged_source_that_fails_again_and_again_is_failed(live: Live) -> None:
    """Nothing is rolled back, nothing is stopped, and a person is notified."""
    live.certified()
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    since = live.now
    live.tick(minutes=DAY)
    assert (live.outcome, live.status()) == ("failed", "running")
    assert {"connection_timeout", "dms_differs_from_probe"} <= live.causes
    assert live.asked(since) == []
    tests = live.cloud.calls.of("dms", operation="TestConnection", since=since)
    assert len(tests) == 3


# ------------------------------------------------------------------ changing and proving


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


# ------------------------------------------------------------------ pausing and resuming


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
    """The settings are proven, the task is not: notified at once, tried every ten minutes."""
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
    live.fails("timeout expired", new)
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


# ------------------------------------------------------------------ claims


def test_two_executions_over_one_source_never_interleave(live: Live) -> None:
    """The second one, in the middle of the first, writes nothing and ends as deferred."""
    live.certified()
    seen: list[Any] = []

    def second() -> None:
        before = live.now
        run = live.world.recertify()
        child = run.child(NAME)
        writes = [
            c
            for c in live.cloud.calls.of(writes=True, since=before)
            if c.execution == child.arn and c.service in ("dms", "acm")
        ]
        seen.append((run.status, child.outcome, writes))

    live.when("Pause tasks: wait", second)
    live.change()
    assert seen == [("FAILED", "deferred", [])]
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


def test_an_event_in_the_middle_of_a_run_is_not_lost(live: Live) -> None:
    """The secret changes while a run is under way: the next tick takes it up."""
    live.certified()

    def renewed() -> None:
        live.world.issue()
        live.world.put_pair()
        (run,) = live.cloud.emit_secret_label(PAIR)
        assert run.child(NAME).outcome == "deferred"

    live.when("Test connection", renewed)
    live.change()
    assert live.outcome == "certified"
    assert live.due_in() <= 0
    live.world.serve()
    live.tick()
    assert live.outcome == "certified"
    assert live.world.authority.certificate_pem.decode().strip() in live.world.trusted()
    assert live.status() == "running"


@pytest.mark.shows("interrupted_run_finished")
def test_what_a_dead_run_has_begun_is_finished_by_the_next(live: Live) -> None:
    """Proven as it is, without a look at any material, and due at once for a whole run."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.change()
    assert "undo" in live.unfinished
    child = live.cloud.tick().child(NAME)
    assert child.states[:4] == ["Begin", "Claim source", "Claimed?", "Test connection"]
    assert "Read material" not in child.states
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])
    assert "interrupted_run_finished" in live.causes
    assert live.due_in() <= 0
    live.tick()
    assert live.outcome == "certified"
    assert "interrupted_run_finished" not in live.causes


def test_a_dead_owner_is_replaced_only_after_its_functions_must_have_ended(live: Live) -> None:
    """A Lambda of the dead run may still be at work for two minutes."""
    live.certified(task=False)
    live.cloud.stop_child_at("Probe TLS")
    live.change()
    live.cloud.clock.advance(30)
    early = live.world.recertify()
    assert early.child(NAME).outcome == "deferred"
    live.cloud.clock.advance(minutes=3)
    late = live.world.recertify()
    assert late.child(NAME).outcome == "certified"


@pytest.mark.parametrize(
    ("step", "extra"),
    [
        ("import_ca", {}),
        ("rehearse_changes", {"round": 0, "rounds": 10}),
        ("pause_tasks", {"round": 0, "rounds": 10, "action": "apply"}),
        ("configure_endpoint", {"round": 0, "rounds": 10, "action": "apply"}),
        ("configure_endpoint", {"round": 0, "rounds": 10, "action": "roll_back"}),
        ("test_connection", {"round": 0, "rounds": 10, "settings": "new"}),
        ("resume_tasks", {"round": 0, "rounds": 10}),
        ("import_certificate", {}),
        ("record_certification", {}),
    ],
)
def test_a_step_of_a_redriven_execution_does_nothing(
    live: Live, step: str, extra: dict[str, Any]
) -> None:
    """Its claim is gone: it raises ClaimLost, and writes to no service."""
    live.certified(task=False)
    run = live.change()
    child = run.child(NAME)
    live.world.recertify()
    event = {
        "run": child.arn,
        "parent": run.arn,
        "mode": "apply",
        "origin": "direct",
        "source": child.input["source"],
        **extra,
    }
    (function,) = (
        f["FunctionName"]
        for f in live.cloud.client("lambda").list_functions()["Functions"]
        if f["Handler"].split(".")[-2] == step
    )
    before, items = live.now, live.cloud.items()
    answer = live.cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    assert json.load(answer["Payload"])["errorType"] == "ClaimLost"
    assert live.cloud.items() == items
    assert live.cloud.calls.of("dms", "acm", writes=True, since=before) == []


def test_an_edit_in_the_middle_of_a_run_is_taken_up_by_the_next(live: Live) -> None:
    """The run goes on with the spec that it began with."""
    live.certified()
    live.when("Rehearse", lambda: live.change(ssl_mode="verify-full", probe_plaintext=True))
    live.change()
    assert live.outcome == "certified"
    assert live.world.record()["version"] == 2
    live.tick()
    assert live.world.record()["version"] == 3


def test_a_source_is_not_forgotten_in_the_middle_of_a_run(live: Live) -> None:
    """Its claim holds it; afterwards it can go, and the endpoint stays."""
    from certifier.aws.store import InUse, Store

    live.certified(task=False)
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    answers: list[Any] = []
    live.when("Rehearse", lambda: answers.append(store.forget(NAME)))
    live.change()
    assert isinstance(answers[0], InUse)
    assert live.outcome == "certified"
    assert store.forget(NAME) is True
    assert live.mode == "verify-full"


def test_a_source_with_a_change_under_way_keeps_its_endpoint(live: Live) -> None:
    """An edit that names another endpoint is refused while an undo log is there."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.change()
    run = live.change(endpoint="another-source")
    assert run.status == "FAILED"
    assert "undo log" in str(run.cause)


# ------------------------------------------------------------------ passwords

OWN, FIRST, LATER = "orders_login", "the-first-password-of-1", "a-later-password-of-42"


@pytest.fixture
def own(live: Live) -> Iterator[Live]:
    """The source logs in as a user of its own, so that the task's other end is not concerned."""
    live.world.server.execute(f"CREATE ROLE {OWN} LOGIN PASSWORD '{FIRST}'")
    live.world.put_credentials(FIRST, username=OWN)
    yield live
    live.world.server.execute(f"DROP ROLE {OWN}")


def rotate(live: Live, *, alter: bool = True) -> None:
    """Single-user rotation: the old password dies at once."""
    if alter:
        live.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{LATER}'")
    live.world.put_credentials(LATER, username=OWN)
    live.cloud.emit_secret_label(CREDENTIALS)


def test_a_secret_is_rotated_and_the_endpoint_that_refers_to_it_is_only_tested(own: Live) -> None:
    """DMS reads the secret itself; a running task keeps its connections, and is not stopped."""
    own.certified(ssl_mode="verify-full")
    since = own.now
    rotate(own)
    assert (own.outcome, own.status()) == ("certified", "running")
    assert own.asked(since) == []


def test_a_secret_that_is_ahead_of_the_database_is_refused_by_the_probe(own: Live) -> None:
    """The database still has the old password; when it follows, the source is certified."""
    own.certified(ssl_mode="verify-full")
    rotate(own, alter=False)
    assert (own.outcome, own.status()) == ("refused", "running")
    assert "password_rejected" in own.causes
    own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{LATER}'")
    own.tick(minutes=DAY)
    assert own.outcome == "certified"


def test_a_password_on_the_endpoint_is_rotated_with_the_secret(own: Live) -> None:
    """Inline: rehearsed, paused, set, tested, resumed; the applied version is remembered."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full")
    before = own.world.state()["applied_version"]
    rotate(own)
    assert (own.outcome, own.status(), own.unfinished) == ("certified", "running", [])
    assert own.world.state()["applied_version"] != before
    since = own.now
    own.tick(minutes=DAY)
    assert own.outcome == "certified"
    assert own.asked(since) == []


@pytest.mark.shows("endpoint_holds_old_password")
def test_an_old_password_on_the_endpoint_of_a_running_task_is_an_error(own: Live) -> None:
    """The task runs on with its old connections, and could not start again: a person must know."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full", restart_tasks=False)
    rotate(own)
    assert (own.outcome, own.status()) == ("refused", "running")
    found = own.found("endpoint_holds_old_password")
    assert (found["severity"], "orders-to-warehouse" in found["seen"]) == ("error", True)
    assert any("endpoint_holds_old_password" in body for _, body in own.cloud.notices)


def test_an_alternating_user_is_switched_with_its_password(own: Live) -> None:
    """Both users work all the time, so a rollback to the old one works."""
    own.world.server.execute(f"CREATE ROLE {OWN}_clone LOGIN PASSWORD '{LATER}'")
    try:
        own.certified(credentials_mode="inline", ssl_mode="verify-full")
        own.world.put_credentials(LATER, username=f"{OWN}_clone")
        own.cloud.emit_secret_label(CREDENTIALS)
        assert (own.outcome, own.status()) == ("certified", "running")
        assert own.endpoint["Username"] == f"{OWN}_clone"
    finally:
        own.world.server.execute(f"DROP ROLE {OWN}_clone")


def test_an_alternating_user_that_dms_cannot_use_is_rolled_back(own: Live) -> None:
    """User and password go back together, read at the version that was set before."""
    own.world.server.execute(f"CREATE ROLE {OWN}_clone LOGIN PASSWORD '{LATER}'")
    try:
        own.certified(credentials_mode="inline", ssl_mode="verify-full")
        own.dms.fail_after_change(ENDPOINT)
        own.world.put_credentials(LATER, username=f"{OWN}_clone")
        own.cloud.emit_secret_label(CREDENTIALS)
        assert (own.outcome, own.status()) == ("rolled_back", "running")
        assert own.endpoint["Username"] == OWN
        own.dms.judge = lambda _: None
        own.client.test_connection(EndpointArn=own.arn, ReplicationInstanceArn=own.world.instance)
        own.dms.settle()
        own.cloud.clock.advance(60)
        statuses = {c["Status"] for c in own.dms.connections() if c["EndpointArn"] == own.arn}
        assert statuses == {"successful"}
    finally:
        own.world.server.execute(f"DROP ROLE {OWN}_clone")


@pytest.mark.shows("broken_before")
def test_an_old_password_that_is_dead_is_rolled_back_to_in_vain(own: Live) -> None:
    """Single-user rotation, and DMS cannot connect with the new settings either."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full")
    stuck: list[None] = []
    own.when("Configure endpoint", lambda: stuck.append(None))
    own.fails("timeout expired", lambda one: bool(stuck) and one["EndpointIdentifier"] == ENDPOINT)
    rotate(own)
    assert (own.outcome, own.status()) == ("failed", "stopped")
    assert {"broken_before", "task_not_restarted"} <= own.causes
    own.dms.judge = lambda _: None
    own.tick(8)  # the same change is not made again for an hour
    assert (own.outcome, own.status(), own.unfinished) == ("certified", "running", [])


@pytest.mark.parametrize("hidden", [True, False], ids=["hidden test", "no hidden test"])
@pytest.mark.parametrize("works", [True, False], ids=["works", "does not work any more"])
def test_a_new_password_is_proven_by_a_test_of_its_own(
    own: Live, hidden: bool, works: bool
) -> None:
    """Nothing else changes on the endpoint, so no earlier test, ours or DMS's own, tells of it."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full")
    own.dms.switches = Switches(hidden_test_after_modify=hidden)
    if not works:
        own.when(
            "Test connection",
            lambda: own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD 'set-once-more'"),
        )
    rotate(own)
    assert own.outcome == ("certified" if works else "failed")
    assert ("password_rejected" in own.causes) is not works
    assert own.status() == ("running" if works else "stopped")


def test_a_secret_that_changes_in_the_middle_of_a_run_is_pinned(own: Live) -> None:
    """The run sets the version that it has read, and not the one that is current by then."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full", task=False)
    own.when(
        "Configure endpoint",
        lambda: own.world.put_credentials("never-set-anywhere", username=OWN),
    )
    rotate(own)
    assert own.outcome == "certified"


# ------------------------------------------------------------------ AWS itself


@pytest.mark.shows("aws_denied")
def test_a_right_that_is_missing_is_named(live: Live) -> None:
    """Somebody took ImportCertificate from the role: refused, with the action that was denied."""
    live.certified()
    live.world.issue()
    live.world.serve()
    statements = live.cloud._rights._of_role("import_ca")
    for statement in list(statements):
        actions = statement["Action"]
        if "dms:ImportCertificate" in (actions if isinstance(actions, list) else [actions]):
            statements.remove(statement)
    live.world.announce()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "ImportCertificate" in live.found("aws_denied")["seen"]
    live.cloud._rights._statements.clear()
    live.tick(minutes=DAY)
    assert live.outcome == "certified"


@pytest.mark.shows("aws_unavailable")
def test_a_service_that_does_not_answer_for_minutes_fails_the_run(live: Live) -> None:
    """Before the change nothing was touched; the schedule tries again, and it passes."""
    live.certified()
    live.unavailable("dms", "CreateEndpoint")
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "running")
    assert "aws_unavailable" in live.causes
    assert not NOT_TOUCHED & set(live.asked(since))
    live.cloud.faults.clear()
    live.tick(2)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


@pytest.mark.shows("unexpected")
def test_an_unexpected_answer_is_recorded_by_its_type(live: Live) -> None:
    """DMS answers with a fault that no table knows: failed, with nothing of its text."""
    from moto.core.exceptions import JsonRESTError

    live.certified()
    plain = live.dms._operations["DescribeReplicationTasks"]

    def odd(_: Any) -> Any:
        raise JsonRESTError("FluxCapacitorFault", "hunter2")

    live.dms._operations = {**live.dms._operations, "DescribeReplicationTasks": odd}
    try:
        live.change()
    finally:
        live.dms._operations = {**live.dms._operations, "DescribeReplicationTasks": plain}
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "running")
    found = live.found("unexpected")
    assert "FluxCapacitorFault" in f"{found['seen']} {found['raw']}"
    assert "hunter2" not in json.dumps(live.world.record())
    live.tick(2)
    assert (live.outcome, live.mode) == ("certified", "verify-full")


@pytest.mark.shows("dms_quota")
def test_without_room_for_a_certificate_the_finding_names_what_could_go(live: Live) -> None:
    """The quota is reached by certificates that no endpoint uses."""
    live.certified()
    live.client.import_certificate(
        CertificateIdentifier="forgotten",
        CertificatePem=live.world.authority.certificate_pem.decode(),
    )
    live.dms.quotas = Quotas(certificates=2)
    live.world.issue()
    live.world.serve()
    live.world.announce()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "forgotten" in live.found("dms_quota")["seen"]
