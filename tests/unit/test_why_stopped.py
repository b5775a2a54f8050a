"""Where DMS says nothing of a stopped task, every page has what keeps it from starting."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from certifier.cli.show import _standing
from certifier.cli.terminal import Terminal
from certifier.diagnosis import finding
from certifier.run.documents import StoppedTask
from certifier.run.past import past
from certifier.run.record import TaskRecord
from certifier.run.standing import stands
from certifier.run.state import SourceState
from certifier.vocabulary import Cause, Outcome, Witness
from tests.unit.test_past import record

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
TASK = "arn:aws:dms:eu-west-1:111122223333:task:ABC"
WHY = "orders-source: from replication instance replication-1: the server did not answer in time"
SEEN = f"task orders-to-warehouse, which we stopped, may not start: {WHY}"
FOUND = finding(Cause.TASK_NOT_RESTARTED, place=Witness.WORKFLOW, seen=SEEN)


def left(said: str | None = None, **more: Any) -> Any:
    """The record of a run that left a task stopped, of which DMS says that."""
    stopped = StoppedTask(
        arn=TASK,
        identifier="orders-to-warehouse",
        since=NOW - timedelta(hours=1),
        status="stopped",
        said=said,
    )
    tasks = TaskRecord(pending_restarts=(TASK,), stopped=(stopped,))
    return record(Outcome.FAILED, tasks=tasks, findings=(FOUND,), **more)


def shown(said: str | None) -> str:
    """What `certifier show` says first."""
    state = SourceState(name="orders", endpoint="orders-source", pending_restarts=(TASK,))
    file = io.StringIO()
    Terminal(file).facts(_standing(stands(state, (), NOW), left(said), NOW, ()))
    return file.getvalue()


def test_the_history_says_why_a_task_does_not_run() -> None:
    """DMS's own words, or what the run saw."""
    (line,) = past([left()])
    assert line.what.startswith(f"orders-to-warehouse does not run: {WHY}; ")
    (line,) = past([left("the slot is in use")])
    assert line.what.startswith("orders-to-warehouse does not run: the slot is in use; ")


def test_show_says_why_a_task_does_not_run() -> None:
    """Beside how long it has not run: "nothing" helps nobody at night."""
    assert f"why {WHY}" in " ".join(shown(None).split())
    assert "DMS says" not in shown(None)
    assert "DMS says the slot is in use" in " ".join(shown("the slot is in use").split())


def test_a_rollback_of_another_runs_change_is_a_sentence() -> None:
    """The run that finishes it knows the fields by the undo log alone, and not by a plan."""
    (line,) = past([record(Outcome.ROLLED_BACK, rolled_back=True)])
    assert line.what.endswith("; its change was rolled back")
