"""Why a task that we stopped does not run, where DMS itself says nothing of it."""

from collections.abc import Iterable

from certifier.models import Finding
from certifier.run.documents import StoppedTask
from certifier.vocabulary import Cause


def why_stopped(task: StoppedTask, findings: Iterable[Finding]) -> str | None:
    """Return what keeps the task from starting, as this run saw it; ``None``: nothing was seen.

    ``Resume tasks`` names the task in its finding, by identifier or ARN, and ends with the reason.
    """
    for found in findings:
        names_it = task.identifier in found.seen or task.arn in found.seen
        if found.cause is Cause.TASK_NOT_RESTARTED and names_it:
            return found.seen.partition(": ")[2] or found.seen
    return None
