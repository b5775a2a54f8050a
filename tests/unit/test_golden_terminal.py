"""What an operator sees on a terminal of 80 and 120 columns, and in a pipe: ``tests/golden``."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.cli.endings import Ended, show_endings, show_plans
from certifier.cli.show import show as show_source
from certifier.cli.status import show as show_fleet
from certifier.cli.terminal import Terminal
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import StoppedTask
from certifier.run.intent import AcmImport, Ca, IntendedChange, Intent, TaskToStop, Would
from certifier.run.record import Certification, TaskRecord
from certifier.run.standing import Stands, stands, worst_first
from certifier.run.state import Breaker, Claim, OnHold, Pause, SourceState
from certifier.run.summary import Line
from certifier.vocabulary import Cause, Mode, Origin, Outcome, Stage, Witness
from tests.goldens import golden

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
TASK = "arn:aws:dms:eu-west-1:111122223333:task:ABCDEFGHIJKLMNOPQRSTUVWXYZ"
INSTANCE = "arn:aws:dms:eu-west-1:111122223333:rep:REPLICATION1"
SLOT = 'Replication slot "orders_slot" is active for PID 12345'
TO_OPEN = "certifier open {}".format
WIDTHS = {"80": 80, "120": 120, "pipe": None}
BEGUN = NOW - timedelta(minutes=4)
UNTIL = datetime(2036, 11, 25, tzinfo=UTC)
SPEC = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.db.example.com",
    "ssl_mode": "verify-full",
    "restart_tasks": "sun 02:00-04:00 Europe/Berlin",
}


def found(cause: Cause, seen: str, **more: Any) -> Finding:
    return finding(cause, place=Witness.WORKFLOW, seen=seen, **more)


NOT_RESTARTED = found(
    Cause.TASK_NOT_RESTARTED, "task orders-to-warehouse does not run again yet", raw=SLOT
)
TIMEOUT = found(Cause.CONNECTION_TIMEOUT, "nothing answered in time", stage=Stage.TCP)
UNKNOWN = found(Cause.UNKNOWN_AUTHORITY, "the chain ends in CN=Orders CA 9, not in the bundle")
STOPPED = StoppedTask(
    arn=TASK,
    identifier="orders-to-warehouse",
    since=NOW - timedelta(minutes=41),
    status="failed",
    said=SLOT,
)


def state(name: str, outcome: Outcome | None, *findings: Finding, **more: Any) -> SourceState:
    kept: dict[str, Any] = {
        "name": name,
        "outcome": outcome,
        "findings": findings,
        "recorded_at": NOW - timedelta(hours=9),
        "certified_at": NOW - timedelta(hours=9),
        "due_at": NOW + timedelta(hours=18),
        "expires_at": NOW + timedelta(days=200),
        "ssl_mode": "verify-full",
        **more,
    }
    return SourceState(**kept)


def fleet() -> list[Stands]:
    """Two hundred sources, as the night left them."""
    opens = NOW + timedelta(days=6, hours=13)
    hold = OnHold(by="kim", why="the database is being moved", since=NOW - timedelta(days=2))
    soon = NOW + timedelta(days=2, hours=1)
    states = [
        state(
            "orders-ledger-1",
            Outcome.TASK_STOPPED,
            NOT_RESTARTED,
            pending_restarts=(TASK,),
            due_at=NOW + timedelta(minutes=6),
        ),
        state(
            "logistics-archive-2",
            Outcome.FAILED,
            found(Cause.BROKEN_AFTER_ROLLBACK, "neither connects"),
            due_at=NOW + timedelta(minutes=40),
            expires_at=soon,
        ),
        state("payments-events-1", Outcome.ROLLED_BACK, TIMEOUT),
        *(state(f"payments-ledger-{n}", Outcome.REFUSED, UNKNOWN) for n in range(1, 7)),
        state("customer-core", Outcome.PLANNED, opens_at=opens),
        state("warehouse", Outcome.CERTIFIED, on_hold=hold, due_at=None),
        state(
            "billing",
            Outcome.CERTIFIED,
            claim=Claim(execution="arn:run", since=BEGUN, due_at=BEGUN + timedelta(minutes=10)),
            due_at=BEGUN + timedelta(minutes=10),
        ),
        state("new-one", None, recorded_at=None, certified_at=None, expires_at=None),
        *(state(f"fine-{n}", Outcome.CERTIFIED) for n in range(187)),
    ]
    pauses = (
        Pause(task_arn=TASK, sources=("orders-ledger-1",), since=STOPPED.since),
        Pause(task_arn=f"{TASK}2", sources=("billing",), since=BEGUN),
    )
    return worst_first(stands(each, pauses, NOW, has_log=each.name == "billing") for each in states)


def record(outcome: Outcome, **more: Any) -> Certification:
    kept: dict[str, Any] = {
        "source": "orders",
        "version": 2,
        "spec": SPEC,
        "run": "arn:aws:states:eu-west-1:111122223333:execution:M/Source:run-1",
        "parent": "arn:aws:states:eu-west-1:111122223333:execution:M:certify-1",
        "mode": Mode.APPLY,
        "origin": Origin.DIRECT,
        "outcome": outcome,
        "recorded_at": NOW,
        **more,
    }
    return Certification(**kept)


def ca(name: str, digit: str) -> Ca:
    return Ca(subject=f"CN={name}", sha256=digit * 64, until=UNTIL)


INTENT = Intent(
    would=Would.CHANGE,
    changes=(
        IntendedChange(
            field="certificate",
            old="a" * 64,
            new="b" * 64,
            old_cas=(ca("Orders CA 2", "0"),),
            new_cas=(ca("Orders CA 3", "8"),),
        ),
    ),
    kept={"ssl_mode": "verify-full"},
    acm=AcmImport(old="4" * 64, new="f" * 64),
    stops=(
        TaskToStop(
            arn=TASK, identifier="orders-to-warehouse", migration_type="cdc", status="running"
        ),
    ),
    restart_tasks=str(SPEC["restart_tasks"]),
    opens_at=datetime(2026, 12, 6, 1, 0, tzinfo=UTC),
    rehearsed_from=(INSTANCE,),
    rolls_back=("certificate",),
)
ANCHOR = found(Cause.NEW_TRUST_ANCHOR, "CN=Orders CA 3 was never trusted here")


def a_plan(terminal: Terminal) -> None:
    planned = record(Outcome.PLANNED, mode=Mode.PLAN, intent=INTENT, findings=(ANCHOR,))
    ended = Ended(Line(name="orders", outcome=Outcome.PLANNED), planned)
    show_plans(terminal, [ended], now=NOW, do="certifier certify orders.json")


def the_fleet(terminal: Terminal) -> None:
    show_fleet(terminal, fleet(), Breaker(), NOW)


def one_that_is_stopped(terminal: Terminal) -> None:
    stopped = record(
        Outcome.TASK_STOPPED,
        findings=(NOT_RESTARTED,),
        tasks=TaskRecord(pending_restarts=(TASK,), stopped=(STOPPED,)),
    )
    show_source(terminal, fleet()[0], stopped, NOW)


def a_run(terminal: Terminal) -> None:
    line = Line(
        name="orders",
        outcome=Outcome.REFUSED,
        ssl_mode="verify-full",
        days_left=1,
        record="records/orders/x",
        next_due=NOW + timedelta(days=1),
    )
    steps = {"Read material": 1.2, "Probe TLS": 0.4, "Record certification": 0.9}
    ended = Ended(line, record(Outcome.REFUSED, findings=(UNKNOWN,)), steps=steps)
    show_endings(terminal, [ended], to_open=TO_OPEN, now=NOW)


def many_runs(terminal: Terminal) -> None:
    endings = [
        Ended(
            Line(name=f"source-{n}", outcome=Outcome.REFUSED, cause=UNKNOWN.cause.value),
            record(Outcome.REFUSED, findings=(UNKNOWN,)),
        )
        for n in range(8)
    ]
    show_endings(terminal, endings, to_open=TO_OPEN, now=NOW)


SCREENS: dict[str, Callable[[Terminal], None]] = {
    "plan": a_plan,
    "status": the_fleet,
    "show": one_that_is_stopped,
    "certify": a_run,
    "certify-many": many_runs,
}


@pytest.mark.parametrize("where", WIDTHS)
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_reads_like_this(screen: str, where: str) -> None:
    """As its file; no line is wider than the terminal, and in a pipe none is wrapped or padded."""
    out = io.StringIO()
    SCREENS[screen](Terminal(out, width=WIDTHS[where]))
    golden(f"{screen}-{where}", out.getvalue())
    lines = out.getvalue().splitlines()
    width = WIDTHS[where]
    assert width is None or max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
