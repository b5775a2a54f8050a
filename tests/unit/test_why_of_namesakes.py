"""Of two stopped tasks, each has its own reason, whatever their names have in common."""

from datetime import UTC, datetime

from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import StoppedTask
from certifier.run.why_stopped import why_stopped
from certifier.vocabulary import Cause, Witness

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
ARN = "arn:aws:dms:eu-west-1:111122223333:task:"


def stopped(identifier: str, arn: str = ARN + "A") -> StoppedTask:
    """A task of which DMS says nothing."""
    return StoppedTask(arn=arn, identifier=identifier, since=NOW, status="stopped", said=None)


def found(seen: str) -> list[Finding]:
    """What ``Resume tasks`` or the end of a run reports."""
    return [finding(Cause.TASK_NOT_RESTARTED, place=Witness.WORKFLOW, seen=seen)]


def test_a_task_whose_name_is_in_anothers_has_a_reason_of_its_own() -> None:
    """``orders`` does not get what is said of ``orders-archive``, nor ``a`` what is said of all."""
    said = [
        *found("task orders-archive, which we stopped, may not start: its target is gone"),
        *found("task orders, which we stopped, may not start: its instance is being modified"),
    ]
    assert why_stopped(stopped("orders-archive"), said) == "its target is gone"
    assert why_stopped(stopped("orders"), said) == "its instance is being modified"
    assert why_stopped(stopped("a"), said) is None


def test_a_task_may_be_named_by_its_arn() -> None:
    """An ARN that begins like another is another one."""
    said = found(f"task {ARN}AB, which we stopped, may not start: it is modified")
    assert why_stopped(stopped("orders", ARN + "AB"), said) == "it is modified"
    assert why_stopped(stopped("orders", ARN + "A"), said) is None


def test_a_list_of_tasks_is_not_a_reason() -> None:
    """That they do not run is known already."""
    said = found(f"tasks that we stopped do not run again yet: {ARN}A")
    assert why_stopped(stopped("orders"), said) is None
