"""Why a task that we stopped does not run, where DMS itself says nothing of it."""

from collections.abc import Iterable

from certifier.models import Finding
from certifier.run.documents import StoppedTask
from certifier.vocabulary import Cause


def why_stopped(task: StoppedTask, findings: Iterable[Finding]) -> str | None:
    """Return what keeps the task from starting, as this run saw it; ``None``: nothing was seen.

    ``Resume tasks`` begins its finding with the task, by identifier or ARN, and ends it with the
    reason. Another task's name may begin like this one's.
    """
    begins = tuple(
        f"task {name}{end}" for name in (task.identifier, task.arn) for end in (" ", ",")
    )
    for found in findings:
        if found.cause is Cause.TASK_NOT_RESTARTED and found.seen.startswith(begins):
            return found.seen.partition(": ")[2] or found.seen
    return None
