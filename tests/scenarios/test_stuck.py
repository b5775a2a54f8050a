"""What two faults once left stuck for ever: an undo log, a breaker, an item nobody can read."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.aws.store.items import source_key
from certifier.aws.table import packed
from certifier.run.state import BadEnd, Breaker
from certifier.steps import configure_endpoint
from sandbox.world import ENDPOINT, NAME, TARGET
from tests.scenarios.live import Live

DAY = 24 * 60


def open_breaker(live: Live) -> Store:
    """Have changes of other sources open the breaker."""
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    now = live.cloud.clock.now()
    opened = Breaker(open_since=now, ends=(BadEnd(at=now, source="x", run="y"),))
    store._table.write(put_breaker(store._table, opened))
    return store


def renewed(live: Live) -> None:
    """A CA renewal that everybody takes part in, though nobody starts us for it."""
    live.world.issue()
    live.world.serve()
    live.world.put_pair()


def well(live: Live) -> tuple[Any, ...]:
    return (live.outcome, live.mode, live.status(), live.unfinished)


WELL: tuple[Any, ...] = ("certified", "verify-full", "running", [])


# ------------------------------------------------------------------ an undo log


def test_a_proven_change_settles_its_log_before_anything_else(live: Live) -> None:
    """Killed right before Record, with its task running again; then the CA is renewed."""
    live.certified()
    live.cloud.stop_child_at("Record certification")
    live.change()
    assert live.unfinished == ["claim", "undo"]
    renewed(live)
    since = live.now
    live.tick(3)
    assert well(live) == WELL
    assert live.world.authority.certificate_pem.decode().strip() in live.world.trusted()
    assert live.asked(since).count("ModifyEndpoint") == 1


@pytest.mark.shows("interrupted_run_finished")
def test_what_leads_neither_back_nor_on_is_replaced_by_todays_change(live: Live) -> None:
    """Killed before the proof; a person starts the task; with the new CA, old and new fail."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.change()
    assert live.unfinished == ["claim", "undo", live.task]
    live.dms.set_task(live.task, status="running")
    renewed(live)
    live.tick(8)
    assert well(live) == WELL
    assert live.world.authority.certificate_pem.decode().strip() in live.world.trusted()


def test_a_rollback_stops_tasks_as_a_change_does(live: Live) -> None:
    """The new settings fail, and a person has started the task meanwhile: it is stopped for it."""
    live.certified()
    live.dms.fail_after_change(ENDPOINT)
    live.cloud.stop_child_at("Test connection")
    live.change()
    live.dms.set_task(live.task, status="running")
    live.tick(2)
    assert (live.mode, live.status(), live.unfinished) == ("verify-ca", "running", [])


def test_without_permission_a_rollback_waits(live: Live) -> None:
    """The spec lets no task stop any more: the endpoint keeps what it has, and that is reported."""
    live.certified()
    live.dms.fail_after_change(ENDPOINT)
    live.cloud.stop_child_at("Test connection")
    live.change()
    live.dms.set_task(live.task, status="running")
    since = live.now
    live.change(restart_tasks=False)
    live.tick(2)
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-full", "running")
    assert "tasks_running" in live.causes
    assert "StopReplicationTask" not in live.asked(since)


@pytest.mark.parametrize("room", [configure_endpoint.LOG_ROOM, 0])
def test_a_deleted_certificate_of_before_is_imported_again(
    live: Live, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is kept from deleting what only an undo log names: its PEM lies there, too, or, where
    an item of the table has no room for it, with what the run has read."""
    monkeypatch.setattr(configure_endpoint, "LOG_ROOM", room)
    live.certified()
    old = live.endpoint["CertificateArn"]
    before = live.world.trusted()
    live.world.issue()
    live.cloud.stop_child_at("Test connection")
    live.world.announce()
    new = live.endpoint["CertificateArn"]
    assert new != old
    live.client.delete_certificate(CertificateArn=old)
    live.fails(
        "timeout expired",
        lambda one: (one["EndpointIdentifier"], one.get("CertificateArn")) == (ENDPOINT, new),
    )
    live.tick(2)
    assert live.world.trusted() == before
    assert (live.status(), live.unfinished) == ("running", [])


# ------------------------------------------------------------------ the breaker


def test_the_breaker_lets_the_change_begin_that_lets_a_task_start(live: Live) -> None:
    """DMS connects with nothing but the new CA, and a task that we stopped waits for that."""
    live.certified()
    live.cloud.stop_child_at("Configure endpoint")
    live.change()
    assert live.unfinished == ["claim", live.task]
    renewed(live)
    open_breaker(live)
    live.tick(3)
    assert well(live) == WELL


def test_a_breaker_that_is_closed_while_a_run_records_leaves_nobody_behind(live: Live) -> None:
    """The run saw it open; the reset found nothing that waited yet."""
    live.certified()
    store = open_breaker(live)
    live.when("Record certification", lambda: store.reset_breaker(live.cloud.clock.now()))
    live.change()
    assert live.outcome == "deferred"
    live.tick(1)
    assert well(live) == WELL


# ------------------------------------------------------------------ who is notified


def test_a_task_stopped_for_another_source_is_reported_and_finished(live: Live) -> None:
    """The source that needs it stopped has fallen off the index; the one at its other end looks."""
    live.certified()
    live.world.onboard(
        name="warehouse",
        endpoint=TARGET,
        endpoint_type="target",
        ssl_mode="require",
        credentials=None,
        server_certificate=None,
    )
    assert live.world.outcome("warehouse") == "certified"
    live.cloud.stop_child_at("Configure endpoint")
    live.change()
    assert live.unfinished == ["claim", live.task]
    live.cloud.client("dynamodb").update_item(
        TableName=live.cloud.table,
        Key={"pk": {"S": f"SOURCE#{NAME}"}, "sk": {"S": "STATE"}},
        UpdateExpression="REMOVE claim, due_at, due_partition",
    )
    live.tick(minutes=DAY + 60)
    assert live.world.outcome("warehouse") == "certified"
    assert "task_not_restarted" in live.world.causes("warehouse")
    assert any("warehouse" in subject for subject, _ in live.cloud.notices)
    live.tick(2)
    assert well(live) == WELL


# ------------------------------------------------------------------ items of another version


@pytest.mark.parametrize("kind", ["STATE", "SPEC"])
def test_an_item_that_cannot_be_read_concerns_its_own_source_alone(live: Live, kind: str) -> None:
    """It is set aside for an hour at a time, people are notified once, and the others are run."""
    live.certified(task=False)
    live.world.onboard(name="other", endpoint="other-source")
    before = len(live.cloud.notices)
    field, bad = {"STATE": ("outcome", "splendid"), "SPEC": ("spec", '{"name": 1}')}[kind]
    key = packed(source_key(NAME, kind))
    change = {
        "UpdateExpression": "SET #f = :v",
        "ExpressionAttributeNames": {"#f": field},
    }
    table = live.cloud.client("dynamodb")
    kept = table.get_item(TableName=live.cloud.table, Key=key)["Item"][field]
    table.update_item(
        TableName=live.cloud.table,
        Key=key,
        ExpressionAttributeValues={":v": {"S": bad}},
        **change,
    )
    live.tick(minutes=DAY + 60)
    assert live.world.outcome("other") == "certified"
    due = datetime.fromisoformat(live.world.state()["due_at"])
    assert due - live.cloud.clock.now() > timedelta(minutes=50)
    live.tick(6)
    live.tick(6)
    sent = live.cloud.notices[before:]
    about = [subject for subject, _ in sent if "cannot be run" in subject]
    assert about == [f"Certifier eu-west-1: {NAME} cannot be run"]
    store = Store(table, live.cloud.table)
    assert {state.name for state in store.states_all()} == {NAME, "other"}
    assert live.world.renew()[-1].status == "SUCCEEDED"
    assert live.world.outcome("other") == "certified"
    table.update_item(
        TableName=live.cloud.table, Key=key, ExpressionAttributeValues={":v": kept}, **change
    )
    live.tick(minutes=61)
    live.tick(2)
    assert live.outcome == "certified"
    assert "unreadable" not in live.world.state()
