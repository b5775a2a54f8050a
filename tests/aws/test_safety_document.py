"""docs/safety.md keeps its word: the tests it names exist, and its commands do what they say."""

import ast
import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from certifier.aws.clients import Clients
from certifier.aws.store import Store
from certifier.endpoint.facts import EndpointFields
from certifier.run.documents import UndoLog
from certifier.source import parse_source
from certifier.vocabulary import SslMode

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/safety.md").read_text(encoding="utf-8")
TASK = "arn:aws:dms:eu-west-1:111122223333:task:ABC"
RUN = "arn:aws:states:eu-west-1:111122223333:execution:M/Source:run-1"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LOG = UndoLog(
    endpoint_arn="arn:aws:dms:eu-west-1:111122223333:endpoint:ABC",
    endpoint_identifier="orders-source",
    fields=("ssl_mode",),
    old=EndpointFields(ssl_mode=SslMode.VERIFY_CA),
    new=EndpointFields(ssl_mode=SslMode.VERIFY_FULL),
)


def commands() -> list[str]:
    """Every `aws dynamodb` line in the document's code blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("aws dynamodb ")]


def command(operation: str, word: str) -> str:
    """The one command of this operation with that word in it."""
    (found,) = (c for c in commands() if c.split()[2] == operation and word in c)
    return found


def called(clients: Clients, table: str, text: str) -> dict[str, Any]:
    """Make the call that the AWS command line would make of a command."""
    words = shlex.split(text.replace("$TABLE", table))
    assert words[:2] == ["aws", "dynamodb"]
    options: dict[str, Any] = {}
    words, operation = words[3:], words[2]
    while words:
        name = "".join(part.capitalize() for part in words.pop(0).removeprefix("--").split("-"))
        options[name] = words.pop(0) if words and not words[0].startswith("--") else True
        if str(options[name])[0] in "[{":
            options[name] = json.loads(options[name])
    call = getattr(clients.client("dynamodb"), operation.replace("-", "_"))
    answer: dict[str, Any] = call(**options)
    return answer


SOURCE = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.db.example.com",
    "ssl_mode": "require",
}


@pytest.fixture
def orders(store: Store) -> Store:
    """A source in the middle of a change that a dead run has left: claim, undo log, paused task."""
    store.register(parse_source(SOURCE), NOW)
    store.claim("orders", RUN, NOW, lambda _: None)
    store.hold("orders", RUN).write_undo(LOG)
    store.hold("orders", RUN).pause(TASK, NOW)
    return store


def release(clients: Clients, table: str) -> None:
    """End the claim, as Record does."""
    clients.client("dynamodb").update_item(
        TableName=table,
        Key={"pk": {"S": "SOURCE#orders"}, "sk": {"S": "STATE"}},
        UpdateExpression="REMOVE claim",
    )


def test_every_test_that_is_named_exists() -> None:
    """A guarantee whose test is gone is no guarantee."""
    named = re.findall(r"`(tests/\S+?\.py)::(\w+)`", TEXT)
    assert len(named) > 30
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{path}::{name}"


def test_every_guarantee_names_a_test() -> None:
    """Each row of the tables of guarantees has at least one."""
    told = TEXT.partition("## What is guaranteed")[2].partition("## What is not guaranteed")[0]
    rows = [row for row in told.splitlines() if row.startswith("| ") and "---" not in row]
    for row in rows:
        assert "`tests/" in row or row == "| guarantee | shown by |", row


def test_the_queries_show_what_is_unfinished(orders: Store, clients: Clients, table: str) -> None:
    """Spec, state with its claim, undo log, and what stands still."""
    found = called(clients, table, command("query", "SOURCE#orders"))["Items"]
    assert {item["sk"]["S"] for item in found} == {"SPEC", "STATE", "UNDO"}
    (state,) = (item for item in found if item["sk"]["S"] == "STATE")
    assert state["claim"]["M"]["execution"]["S"] == RUN
    item = called(clients, table, command("get-item", "UNDO"))["Item"]
    log = json.loads(item["log"]["S"])
    assert log["old"]["ssl_mode"] == "verify-ca"
    assert {"fields", "old", "new"} <= log.keys()
    assert item["run"]["S"] == RUN
    (pause,) = called(clients, table, command("query", "PAUSE"))["Items"]
    assert (pause["sk"]["S"], pause["sources"]["SS"]) == (TASK, ["orders"])


def test_an_owed_task_is_forgiven_only_if_nobody_else_waits(
    orders: Store, clients: Clients, table: str
) -> None:
    """The condition holds that no other source needs the task."""
    text = command("delete-item", "PAUSE")
    orders.register(parse_source({**SOURCE, "name": "other", "endpoint": "other"}), NOW)
    orders.claim("other", RUN, NOW, lambda _: None)
    orders.hold("other", RUN).pause(TASK, NOW)
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        called(clients, table, text)
    orders.hold("other", RUN).leave(TASK)
    called(clients, table, text)
    assert orders.pauses_all() == ()


def test_an_undo_log_is_taken_away_only_without_a_claim(
    orders: Store, clients: Clients, table: str
) -> None:
    """A run that has the source still needs its log."""
    text = command("transact-write-items", "UNDO")
    with pytest.raises(Exception, match="TransactionCanceled"):
        called(clients, table, text)
    assert orders.undo("orders") == LOG
    release(clients, table)
    called(clients, table, text)
    assert orders.undo("orders") is None


def test_a_source_off_the_index_waits_until_it_is_asked_for(
    orders: Store, clients: Clients, table: str
) -> None:
    """No tick takes it; a direct start or an event makes it due again."""
    text = command("update-item", "due_partition")
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        called(clients, table, text)
    release(clients, table)
    called(clients, table, text)
    later = NOW.replace(year=2030)
    assert orders.due(later, 10) == []
    orders.set_due(["orders"], NOW)
    assert orders.due(later, 10) == ["orders"]


def test_every_dynamodb_command_is_tried_here() -> None:
    """A new command in the document needs a test."""
    tried = [
        command("query", "SOURCE#orders"),
        command("get-item", "UNDO"),
        command("query", "PAUSE"),
        command("delete-item", "PAUSE"),
        command("transact-write-items", "UNDO"),
        command("update-item", "due_partition"),
    ]
    assert sorted(tried) == sorted(commands())
