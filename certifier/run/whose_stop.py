"""Whose stop is it? We start only what we stopped, and nobody has stopped since. Pure."""

from datetime import timedelta

from certifier.endpoint.facts import ReplicationTask
from certifier.run.state import Pause

NORMAL_STOP = "Stop Reason NORMAL"
"""What DMS says of a task that was asked to stop."""

SAME_STOP = timedelta(seconds=5)
"""StopDates of one stop may differ by their rounding, and clocks by as much."""


def begins_anew(pause: Pause | None, task: ReplicationTask) -> bool:
    """Whether to stop this running task is a new stop: not one that another source has begun.

    What is noted of an earlier stop is over once that one was seen, or the task was started since.
    """
    if pause is None or pause.stop_date is not None or pause.started_at is not None:
        return True
    return task.start_date is not None and task.start_date > pause.since + SAME_STOP


def not_ours(pause: Pause, task: ReplicationTask) -> str | None:
    """Return why a task is not stopped by our stop; ``None`` when it does.

    Ours is a stop that DMS took from us: its StopDate was noted. A run that died before that note
    left none; then the task counts as ours if it stopped after the pause was written, and nobody
    has started it in between. One that failed after we started it still waits.
    """
    started = pause.started_at is not None
    if task.status == "failed":
        return None if started else "it failed"
    if task.stop_reason is not None and NORMAL_STOP.lower() not in task.stop_reason.lower():
        return None if started else f"its stop reason is {task.stop_reason}"
    if pause.stop_taken is False:
        return "somebody else has stopped it before we did"
    if task.stop_date is None:
        return None
    if pause.stop_date is not None:
        other = abs(task.stop_date - pause.stop_date) > SAME_STOP
        return "somebody has stopped it again since" if other else None
    if task.stop_date < pause.since - SAME_STOP:
        return "it had stopped before"
    begun = task.start_date
    if not started and begun is not None and begun > pause.since + SAME_STOP:
        return "somebody has started it and stopped it again since"
    return None
