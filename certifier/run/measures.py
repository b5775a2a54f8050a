"""What is measured of an installation: a value for each metric, of one certification or one tick.

Metrics are of the installation alone: each one more costs as much in a month as all else that a
source costs. What is known of one source is in the table and in its record.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from certifier.run.record import Certification
from certifier.run.state import Pause
from certifier.vocabulary import Metric, Outcome

Measures = Mapping[Metric, float]

_OF_OUTCOME: Mapping[Outcome, Metric] = {
    Outcome.CERTIFIED: Metric.CERTIFIED,
    Outcome.TASK_STOPPED: Metric.TASK_STOPPED,
    Outcome.REFUSED: Metric.REFUSED,
    Outcome.ROLLED_BACK: Metric.ROLLED_BACK,
    Outcome.FAILED: Metric.FAILED,
    Outcome.PLANNED: Metric.PLANNED,
    Outcome.DEFERRED: Metric.DEFERRED,
}


def of_certification(record: Certification, pauses: Iterable[Pause], now: datetime) -> Measures:
    """Return what one certification adds.

    Args:
        pauses: of the tasks that wait for a restart.
    """
    since = [pause.since for pause in pauses]
    found: dict[Metric, float] = {
        _OF_OUTCOME[record.outcome]: 1,
        Metric.PENDING_RESTARTS: len(since),
        Metric.LATE_CERTIFICATES: float(bool(record.late)),
    }
    if record.days_left is not None:
        found[Metric.DAYS_LEFT] = record.days_left
    if record.share_left is not None:
        found[Metric.SHARE_LEFT] = 100 * record.share_left
    if since:
        found[Metric.RESTART_WAIT] = max((now - min(since)).total_seconds(), 0)
    return found


def of_tick(*, due: int, taken: int) -> Measures:
    """Return what one tick adds: how many sources were due, and how many it left to the next."""
    return {
        Metric.TICKS: 1,
        Metric.SOURCES_DUE: due,
        Metric.SOURCES_NOT_TAKEN: max(due - taken, 0),
    }
