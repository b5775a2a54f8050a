"""Items of the table that this version cannot read, as after a rollback of the deployment.

Those of a source concern that source alone; those that all share stop nobody for longer than they
must, and nothing is changed by what is not understood.
"""

from typing import Any

import pytest

from certifier.aws.store import InUse, Store
from sandbox.world import NAME
from tests.scenarios.live import DAY, Live

ARN = "arn:aws:dms:eu-west-1:123456789012:task:"


def put(live: Live, pk: str, sk: str, **attributes: Any) -> None:
    live.cloud.client("dynamodb").put_item(
        TableName=live.cloud.table, Item={"pk": {"S": pk}, "sk": {"S": sk}, **attributes}
    )


def rewrite(live: Live, old: str, new: str) -> None:
    """Let another version have written the undo log."""
    table = live.cloud.client("dynamodb")
    key = {"pk": {"S": f"UNDO#{NAME}"}, "sk": {"S": "UNDO"}}
    item = table.get_item(TableName=live.cloud.table, Key=key)["Item"]
    assert old in item["log"]["S"]
    item["log"]["S"] = item["log"]["S"].replace(old, new, 1)
    table.put_item(TableName=live.cloud.table, Item=item)


def other(live: Live) -> None:
    live.world.onboard(name="other", endpoint="other-source")
    assert live.world.outcome("other") == "certified"


def test_an_undo_log_of_a_later_version_concerns_its_own_source_alone(live: Live) -> None:
    """It is set aside and reported once, not tried at each tick; who wrote it finishes it."""
    live.certified()
    other(live)
    live.cloud.stop_child_at("Test connection")
    live.change()
    assert live.unfinished == ["claim", "undo", live.task]
    rewrite(live, "{", '{"of_later": 1, ')
    before = len(live.cloud.notices)
    since = live.now
    live.tick(12)
    live.tick(minutes=DAY)
    assert live.world.outcome("other") == "certified"
    assert live.asked(since) == []
    runs = [one for one in live.cloud.executions if one.name == NAME]
    assert len(runs) <= 2 + 4, [one.states for one in runs]
    about = [subject for subject, _ in live.cloud.notices[before:] if NAME in subject]
    assert len(about) == 1, about
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    assert isinstance(store.forget(NAME), InUse)
    both = [
        live.world.source(restart_tasks=True),
        live.world.source(name="other", endpoint="other-source", probe_plaintext=True),
    ]
    live.cloud.run({"sources": both})
    assert live.world.record("other")["version"] == 2
    assert live.unfinished == ["claim", "undo", live.task]
    rewrite(live, '"of_later": 1, ', "")
    live.tick(9)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


@pytest.mark.parametrize("what", ["no since", "a stop date of another form"])
def test_a_pause_of_a_later_version_stops_no_other_source(live: Live, what: str) -> None:
    """A task of somebody else waits for a restart; this source has nothing to do with it."""
    live.certified()
    more = {} if what == "no since" else {"since": {"S": "2026-01-01T00:00:00Z"}}
    put(
        live,
        "PAUSE",
        f"{ARN}SOMEBODYELSES",
        sources={"SS": ["somebody-else"]},
        stop_date={"S": "the day before yesterday"},
        **more,
    )
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


def test_a_breaker_of_a_later_version_is_taken_for_open(live: Live) -> None:
    """Nobody can say whether it is, so no change begins, and people are notified."""
    live.certified()
    other(live)
    put(live, "BREAKER", "STATE", breaker={"S": '{"ends": [], "of_later": 1}'}, version={"N": "7"})
    before = len(live.cloud.notices)
    live.change()
    ((subject, body),) = live.cloud.notices[before:]
    assert subject == "Certifier eu-west-1: changes are stopped"
    assert "cannot read whether it is open" in body
    assert (live.outcome, live.mode, live.status()) == ("deferred", "verify-ca", "running")
    assert "is not valid in this version" in live.found("breaker_open")["seen"]
    live.tick(minutes=DAY)
    assert live.world.outcome("other") == "certified"
    assert live.world.unfinished("other") == []
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    assert store.reset_breaker(live.cloud.clock.now()) == (NAME,)
    live.tick()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


def test_a_source_whose_own_pause_cannot_be_read_is_set_aside_and_reported(live: Live) -> None:
    """Its task stays stopped, and people know; the version that wrote it starts the task."""
    live.certified()
    other(live)
    live.cloud.stop_child_at("Configure endpoint")
    live.change()
    assert live.unfinished == ["claim", live.task]
    table = live.cloud.client("dynamodb")
    key = {"pk": {"S": "PAUSE"}, "sk": {"S": live.task}}
    kept = table.get_item(TableName=live.cloud.table, Key=key)["Item"]
    table.put_item(TableName=live.cloud.table, Item={**kept, "since": {"S": "long ago"}})
    before = len(live.cloud.notices)
    live.tick(12)
    live.tick(minutes=DAY)
    assert live.world.outcome("other") == "certified"
    about = [subject for subject, _ in live.cloud.notices[before:] if NAME in subject]
    assert about == [f"Certifier eu-west-1: {NAME} cannot be run"]
    store = Store(table, live.cloud.table)
    assert isinstance(store.forget(NAME), InUse)
    table.put_item(TableName=live.cloud.table, Item=kept)
    live.tick(9)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


def test_the_state_of_another_source_stops_no_recording(live: Live) -> None:
    """Its pause names our endpoint; whether it is at work is not known, and our run is recorded."""
    live.certified()
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    put(
        live,
        "PAUSE",
        f"{ARN}SHARED",
        sources={"SS": ["other"]},
        since={"S": "2026-01-01T00:00:00Z"},
        endpoints={"L": [{"S": live.arn}]},
    )
    put(live, "SOURCE#other", "STATE", name={"S": "other"}, reverts={"N": "1.5"})
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    state = store.state(NAME)
    assert state is not None
    assert state.claim is None
    assert live.unfinished == [f"{ARN}SHARED"]


def test_a_running_task_whose_pause_cannot_be_read_is_not_stopped(live: Live) -> None:
    """What another source has noted of it would be lost; nothing was stopped or changed."""
    live.certified()
    other(live)
    kept = {
        "sources": {"SS": ["other"]},
        "since": {"S": "long ago"},
        "endpoints": {"L": [{"S": live.arn}]},
    }
    put(live, "PAUSE", live.task, **kept)
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("refused", "verify-ca", "running")
    assert "StopReplicationTask" not in live.asked(since)
    found = live.found("source_invalid")
    assert found["seen"].startswith("the PAUSE of these tasks is not valid in this version")
    assert found["remedy"].startswith("Deploy the version of Certifier that wrote it")
    table = live.cloud.client("dynamodb")
    key = {"pk": {"S": "PAUSE"}, "sk": {"S": live.task}}
    there = table.get_item(TableName=live.cloud.table, Key=key)["Item"]
    assert there == {**key, **kept}
    table.delete_item(TableName=live.cloud.table, Key=key)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
