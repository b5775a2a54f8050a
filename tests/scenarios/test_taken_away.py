"""What is taken away in the middle of a change, and perhaps given back.

A secret, its key, an instance, the documents of the run, and the table of today, which a backup of
yesterday has replaced.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from moto.core.exceptions import JsonRESTError
from moto.secretsmanager.models import SecretsManagerBackend

from certifier.run.event import run_id
from sandbox.aws.machine import Where
from sandbox.chaos.promises import Watch
from sandbox.world import CREDENTIALS, NAME, PAIR
from tests.scenarios.live import DAY, Live
from tests.scenarios.test_for_hours import ALL, SOME, left_to_the_schedule

ENDS = ("certified", "rolled_back", "refused", "failed", "task_stopped")
WELL: tuple[Any, ...] = ("certified", "verify-full", "running", [])


def well(live: Live) -> tuple[Any, ...]:
    return (live.outcome, live.mode, live.status(), live.unfinished)


def watched(live: Live) -> Watch:
    """Begin to watch; what a person has done to them may end sources in every way for a while."""
    live.certified()
    return Watch(live.world, (NAME,), ENDS)


def becomes_well(live: Live, watch: Watch) -> None:
    """Let the schedule work, for some days at most, until all is as it should be."""
    for minutes in (*[10] * 12, *[60] * 12, *[DAY] * 3):
        if well(live) == WELL:
            break
        live.tick(minutes=minutes)
    assert watch.broken() == []
    assert well(live) == WELL


def is_notified(live: Live, before: int) -> None:
    """A source that has not become as it should be was not silent about it."""
    if well(live) != WELL:
        assert any(NAME in subject for subject, _ in live.cloud.notices[before:])


@pytest.mark.parametrize("state", SOME)
@pytest.mark.parametrize("name", [CREDENTIALS, PAIR])
def test_a_secret_is_marked_for_deletion_for_hours(live: Live, name: str, state: str) -> None:
    """While it cannot be read people know of it; once it can, all is as it should be."""
    watch, before = watched(live), len(live.cloud.notices)
    secrets = live.cloud.client("secretsmanager")
    live.when(state, lambda: secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7))
    live.change()
    live.tick(6)
    is_notified(live, before)
    secrets.restore_secret(SecretId=name)
    becomes_well(live, watch)


@pytest.mark.parametrize("state", SOME)
def test_the_key_of_the_secrets_is_disabled_and_enabled(live: Live, state: str) -> None:
    """Secrets Manager cannot decrypt; the finding has its words."""
    watch, before = watched(live), len(live.cloud.notices)
    plain = SecretsManagerBackend.get_secret_value
    off: list[None] = []

    def get(*args: Any, **kwargs: Any) -> Any:
        if off:
            raise JsonRESTError("DecryptionFailure", "can't decrypt with the provided KMS key")
        return plain(*args, **kwargs)

    live.when(state, lambda: off.append(None))
    with patch.object(SecretsManagerBackend, "get_secret_value", get):
        live.change()
        live.tick(6)
        is_notified(live, before)
    becomes_well(live, watch)


@pytest.mark.parametrize("state", SOME)
@pytest.mark.parametrize("status", ["modifying", "storage-full"][: 2 if ALL else 1])
def test_the_instance_is_not_available_for_an_hour(live: Live, status: str, state: str) -> None:
    """It is being modified or rebooted by somebody: the change waits, or is rolled back."""
    watch, before = watched(live), len(live.cloud.notices)
    live.when(state, lambda: live.dms.set_instance_status(live.world.instance, status))
    live.change()
    live.tick(6)
    is_notified(live, before)
    live.dms.set_instance_status(live.world.instance, "available")
    becomes_well(live, watch)


@pytest.mark.parametrize("state", SOME)
def test_the_documents_of_the_run_are_deleted(live: Live, state: str) -> None:
    """Somebody empties the bucket: this run ends, and the next one has what it needs."""
    watch = watched(live)
    done: list[None] = []

    def deleted(where: Where) -> None:
        if where.child and where.state == state and not done:
            done.append(None)
            bucket = live.cloud.client("s3")
            for key in live.cloud.objects(f"runs/{run_id(where.execution)}/"):
                bucket.delete_object(Bucket=live.cloud.bucket, Key=key)

    live.cloud.on_state(deleted)
    live.change()
    gone = [found for found in live.world.record()["findings"] if "is gone" in found["seen"]]
    assert live.outcome == "certified" or "runs/" in gone[0]["remedy"]
    assert "interrupted_run_finished" not in live.causes
    live.tick(minutes=DAY)
    becomes_well(live, watch)


def replaced(live: Live, items: list[dict[str, Any]]) -> None:
    """Put the table back as it was."""
    table = live.cloud.client("dynamodb")
    for item in live.cloud.items():
        key = {name: item[name] for name in ("pk", "sk")}
        table.delete_item(TableName=live.cloud.table, Key=key)
    for item in items:
        table.put_item(TableName=live.cloud.table, Item=item)


def renew(live: Live) -> None:
    live.world.issue()
    live.world.serve()
    live.world.announce()
    live.tick(3)


SINCE: dict[str, Callable[[Live], object]] = {
    "nothing": lambda _: None,
    "a renewal": renew,
    "a person has stopped the task": lambda live: live.client.stop_replication_task(
        ReplicationTaskArn=live.task
    ),
}


@pytest.mark.parametrize("since", SINCE.values(), ids=SINCE.keys())
@pytest.mark.parametrize("state", SOME)
def test_a_backup_of_the_middle_of_a_change_takes_the_place_of_the_table(
    live: Live, state: str, since: Callable[[Live], object]
) -> None:
    """What it says of a claim, a log and a stop is over long since, and nothing is done for it."""
    live.certified()
    backup: list[dict[str, Any]] = []
    live.when(state, lambda: backup.extend(live.cloud.items()))
    live.change()
    assert well(live) == WELL
    since(live)
    live.tick(minutes=DAY)
    live.dms.settle()
    stopped = live.status() == "stopped"
    replaced(live, backup)
    watch = Watch(live.world, (NAME,), ENDS)
    mark = live.now
    live.tick(3)
    assert left_to_the_schedule(live, watch) == []
    assert (live.outcome, live.mode, live.unfinished) == ("certified", "verify-full", [])
    assert live.status() == ("stopped" if stopped else "running")
    assert "StartReplicationTask" not in live.asked(mark)
