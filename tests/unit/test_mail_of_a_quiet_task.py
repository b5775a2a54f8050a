"""The mail on a task of which DMS does not say why it does not run: what we saw instead."""

from certifier.diagnosis import finding
from certifier.run.ending import Ending
from certifier.run.notice import notice
from certifier.vocabulary import Cause, Outcome, Witness
from tests.unit.situations import NOW, STOPPED, situation

WHY = "orders-source: from replication instance replication-1: nothing answered in time"


def test_why_a_task_does_not_run_has_a_line_of_its_own() -> None:
    """A line break between two lines of ours is not shown as an escape."""
    quiet = STOPPED.model_copy(update={"said": None, "status": "stopped"})
    seen = f"task {quiet.identifier}, which we stopped, may not start: {WHY}"
    found = finding(Cause.TASK_NOT_RESTARTED, place=Witness.WORKFLOW, seen=seen)
    sent = notice(
        situation(stopped=(quiet,)),
        Ending(Outcome.TASK_STOPPED, (found,)),
        needs=("x",),
        notified={},
        now=NOW,
    )
    assert sent is not None
    assert "\\n" not in sent.message
    lines = sent.message.splitlines()
    said = lines.index("  DMS says     nothing; the task is stopped")
    assert lines[said + 1] == f"  Why          {WHY}"


def test_what_dms_says_cannot_begin_a_line() -> None:
    """Whoever writes it cannot write an address that seems to be ours."""
    loud = STOPPED.model_copy(update={"said": "x\n  Look         http://elsewhere.example"})
    found = finding(Cause.TASK_NOT_RESTARTED, place=Witness.WORKFLOW, seen="it does not run")
    sent = notice(
        situation(stopped=(loud,)),
        Ending(Outcome.TASK_STOPPED, (found,)),
        needs=("x",),
        notified={},
        now=NOW,
    )
    assert sent is not None
    assert not any(
        line.endswith("elsewhere.example") and "DMS says" not in line
        for line in sent.message.splitlines()
    )
