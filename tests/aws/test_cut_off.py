"""What a run that was cut off has left is in the fleet's status, with what happens next."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.fleet import gather
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.cli import show, status
from certifier.cli.unfinished import finished_by, still_running
from certifier.endpoint.facts import EndpointFields
from certifier.errors import Refused
from certifier.run.documents import UndoLog
from certifier.run.state import Claim, OnHold, SourceState
from certifier.vocabulary import Cause, Outcome, SslMode
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


# -- which runs still run

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def claimed(name: str, minutes: float, **more: Any) -> SourceState:
    since = NOW - timedelta(minutes=minutes)
    claim = Claim(execution=RUN, since=since, due_at=since + timedelta(minutes=10))
    return SourceState(name=name, claim=claim, due_at=claim.due_at, **more)


def test_who_may_not_ask_goes_by_the_time_of_the_rescue() -> None:
    """Ten minutes after its claim a run counts as cut off."""

    def denied(_: Claim) -> None:
        raise Refused(Cause.AWS_DENIED, seen="DescribeExecution: no")

    assert still_running(denied, [claimed("a", 9), claimed("b", 11)], NOW) == {"a"}


def test_what_has_just_ended_may_have_been_recorded() -> None:
    """The table was read before: half a minute is left for that."""

    def ended(claim: Claim) -> datetime:
        return claim.since + timedelta(minutes=1)

    assert still_running(ended, [claimed("a", 1.2), claimed("b", 2)], NOW) == {"a"}


def test_however_many_are_begun_few_are_asked_for() -> None:
    """One call each for twenty, and none for the rest."""
    asked: list[Claim] = []

    def ended(claim: Claim) -> datetime:
        asked.append(claim)
        return NOW - timedelta(hours=1)

    many = [claimed(f"s-{number}", 11) for number in range(100)]
    assert not still_running(ended, many, NOW)
    assert len(asked) == 20


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "the next tick finishes it"),
        ({"due_at": None}, "certifier certify orders finishes it"),
        (
            {"on_hold": OnHold(by="kim", why="moving", since=NOW)},
            "certifier unpause orders, and the next tick finishes it",
        ),
    ],
)
def test_who_finishes_it(more: dict[str, Any], says: str) -> None:
    """The schedule, unless it does not take the source."""
    assert finished_by(claimed("orders", 11).model_copy(update=more)) == says


def test_the_page_of_the_fleet_knows_it_from_the_same_reading(
    since: datetime, store: Store, clients: Clients, bucket: str
) -> None:
    """One scan, as before: the undo log is among what it reads anyway."""
    documents = Documents(clients.client("s3"), bucket)
    found = {each.name: each.has_log for each in gather(store, documents).sources}
    assert found == {"orders": True, "sales": False}
