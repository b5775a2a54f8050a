"""What ``certifier show`` says of tasks and of changes."""

import io
from typing import Any

from certifier.cli.show import _record
from certifier.cli.terminal import Terminal
from certifier.run.documents import Change
from certifier.run.record import TaskRecord
from certifier.vocabulary import Outcome
from tests.unit.test_golden_terminal import STOPPED, TASK, record

OTHER = "arn:aws:dms:eu-west-1:111122223333:task:OTHER"


def shown(**more: Any) -> str:
    """The facts about a record, as a pipe gets them."""
    file = io.StringIO()
    Terminal(file).facts(_record(record(Outcome.TASK_STOPPED, **more)))
    return file.getvalue()


def test_a_task_that_waits_is_not_said_to_run() -> None:
    """It was stopped by the same run that restarted another one: each is where it belongs."""
    said = shown(
        tasks=TaskRecord(
            paused=(TASK, OTHER),
            resumed=(OTHER,),
            pending_restarts=(TASK,),
            stopped=(STOPPED,),
            stopped_seconds=55,
        )
    )
    assert "stopped and started again: OTHER; the longest did not run for 55 s\n" in said
    assert "stopped, and waiting for a restart: orders-to-warehouse\n" in said
    alone = shown(tasks=TaskRecord(paused=(TASK,), pending_restarts=(TASK,), stopped=(STOPPED,)))
    assert "started again" not in alone


def test_a_name_that_changed_is_shown_in_full() -> None:
    """An ARN that is cut off names nothing; of a digest its beginning does."""
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-AbCdEf"
    said = shown(
        changes=(
            Change(field="secret_id", old=None, new=arn, reversible=True),
            Change(field="certificate", old="a" * 64, new="b" * 64, reversible=True),
        ),
        changed=True,
    )
    assert f"secret_id: none → {arn}\n" in said
    assert "certificate: aaaaaaaa… → bbbbbbbb…\n" in said
