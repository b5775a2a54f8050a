"""An item of the source becomes unreadable in the middle of its run: who can read it goes on."""

from typing import Any

from sandbox.world import NAME
from tests.scenarios.live import Live


def rewrite(live: Live, pk: str, sk: str, **attributes: Any) -> dict[str, Any]:
    """Write other attributes over an item, and return the item as it was."""
    table = live.cloud.client("dynamodb")
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    kept: dict[str, Any] = table.get_item(TableName=live.cloud.table, Key=key)["Item"]
    table.put_item(TableName=live.cloud.table, Item={**kept, **attributes})
    return kept


def written_again(live: Live, item: dict[str, Any]) -> None:
    live.cloud.client("dynamodb").put_item(TableName=live.cloud.table, Item=item)


def test_a_pause_that_becomes_unreadable_leaves_no_certified_source_with_its_task_stopped(
    live: Live,
) -> None:
    """The run says which item it is and who can read it; that version starts the task."""
    live.certified()
    kept: list[dict[str, Any]] = []
    live.when(
        "Test connection",
        lambda: kept.append(rewrite(live, "PAUSE", live.task, since={"S": "long ago"})),
    )
    before = len(live.cloud.notices)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-full", "stopped")
    found = live.found("source_invalid")
    assert found["seen"].startswith("the PAUSE of a task that is stopped for orders is not valid")
    assert found["remedy"].startswith("Deploy the version of Certifier that wrote it")
    assert "unexpected" not in live.causes
    assert [NAME in subject for subject, _ in live.cloud.notices[before:]] == [True]
    live.tick(6)
    written_again(live, kept[0])
    live.tick(9)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


def test_a_log_that_becomes_unreadable_is_finished_by_who_can_read_it(live: Live) -> None:
    """Nothing is recorded as proven or rolled back by a version that cannot read what was begun."""
    live.certified()
    kept: list[dict[str, Any]] = []
    live.when(
        "Test connection",
        lambda: kept.append(rewrite(live, f"UNDO#{NAME}", "UNDO", log={"S": '{"of_later": 1}'})),
    )
    before = len(live.cloud.notices)
    live.change()
    live.tick(9)
    assert (live.unfinished, live.status()) == (["claim", "undo"], "running")
    assert [subject for subject, _ in live.cloud.notices[before:] if NAME in subject] == [
        f"Certifier eu-west-1: {NAME} cannot be run"
    ]
    written_again(live, kept[0])
    live.tick(9)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []
