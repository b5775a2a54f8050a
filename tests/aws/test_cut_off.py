"""What a run that was cut off has left is in the fleet's status, with what happens next."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.fleet import gather
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.cli import show, status
from certifier.endpoint.facts import EndpointFields
from certifier.run.documents import UndoLog
from certifier.vocabulary import Outcome, SslMode
from tests.aws.test_cli_fleet import RUN, command, install, register

Seen = pytest.CaptureFixture[str]
TASK = "arn:aws:dms:eu-west-1:111122223333:task:ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOG = UndoLog(
    endpoint_arn="arn:aws:dms:eu-west-1:111122223333:endpoint:ABC",
    endpoint_identifier="orders-source",
    fields=("ssl_mode",),
    old=EndpointFields(ssl_mode=SslMode.VERIFY_CA),
    new=EndpointFields(ssl_mode=SslMode.VERIFY_FULL),
)
LEFT = "a run was cut off: 1 task stopped, a change neither proven nor rolled back"


def change(store: Store, ago: timedelta) -> datetime:
    """Two certified sources; a change of one of them has begun, by a run that nobody knows.

    Step Functions may not show it yet; an hour after its claim it counts as ended.
    """
    for name in ("orders", "sales"):
        register(store, name, outcome=Outcome.CERTIFIED)
    since = (datetime.now(UTC) - ago).replace(microsecond=0)
    store.claim("orders", RUN, since, lambda _: None)
    held = store.hold("orders", RUN)
    held.write_undo(LOG)
    held.pause(TASK, since)
    return since


@pytest.fixture
def installed(aws: boto3.Session, table: str, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(aws, monkeypatch)


@pytest.fixture
def since(installed: None, store: Store) -> datetime:
    """The claim of a run that has ended."""
    return change(store, timedelta(hours=2, minutes=4))


def test_it_is_listed_and_not_counted_as_fine(since: datetime, capsys: Seen) -> None:
    """Since when the task is stopped, when it is finished, what is left, and who finishes it."""
    assert command(status) == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("orders")).split("\t")
    assert row == [
        "orders",
        "unfinished",
        "for 2 h 4 min",
        "next tick",
        f"{LEFT}; the next tick finishes it",
    ]
    assert "1 certified" in out


def test_monitoring_and_programs_see_it(since: datetime, capsys: Seen) -> None:
    """--failing, --check and --json."""
    assert command(status, "--failing", "--json") == 0
    (source,) = json.loads(capsys.readouterr().out)["sources"]
    assert (source["name"], source["standing"]) == ("orders", "unfinished")
    assert source["unfinished"] == {
        "tasks": [TASK],
        "undo_log": True,
        "since": since.isoformat(),
    }
    assert command(status, "--check") == 1
    assert capsys.readouterr().out == "NOT OK: orders: unfinished\n"


def test_a_run_that_still_runs_is_only_running(installed: None, store: Store, capsys: Seen) -> None:
    """It finishes by itself what it has begun."""
    change(store, timedelta(minutes=4))
    assert command(status, "--all") == 0
    assert "orders\tcertified (running)" in capsys.readouterr().out
    assert command(status, "--check") == 0
    assert command(show, "orders") == 0
    assert f"  running   {RUN}, since " in capsys.readouterr().out


def test_show_says_that_the_run_was_cut_off(since: datetime, capsys: Seen) -> None:
    """The word in its first line, the execution, and who finishes it."""
    assert command(show, "orders") == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].startswith("orders  unfinished")
    assert f"  cut off   {RUN}, since " in said
    assert "  next      the next tick finishes it\n" in said


def test_the_page_of_the_fleet_knows_it_from_the_same_reading(
    since: datetime, store: Store, clients: Clients, bucket: str
) -> None:
    """One scan, as before: the undo log is among what it reads anyway."""
    documents = Documents(clients.client("s3"), bucket)
    found = {each.name: each.has_log for each in gather(store, documents).sources}
    assert found == {"orders": True, "sales": False}


def test_the_page_sees_stopped_tasks_without_an_undo_log(
    installed: None, store: Store, clients: Clients, bucket: str
) -> None:
    """Its run died before it wrote one; also a task that no registered source waits for."""
    register(store, "orders", outcome=Outcome.CERTIFIED)
    store.claim("orders", RUN, datetime.now(UTC), lambda _: None)
    store.hold("orders", RUN).pause(TASK, datetime.now(UTC))
    documents = Documents(clients.client("s3"), bucket)
    gathered = gather(store, documents)
    assert [pause.task_arn for pause in gathered.sources[0].stopped] == [TASK]
    assert gathered.abandoned == ()
    other = f"{TASK}2"
    clients.client("dynamodb").put_item(
        TableName="certifier",
        Item={
            "pk": {"S": "PAUSE"},
            "sk": {"S": other},
            "sources": {"SS": ["gone"]},
            "since": {"S": "2026-11-24T09:00:00+00:00"},
        },
    )
    assert gather(store, documents).abandoned == (other,)
