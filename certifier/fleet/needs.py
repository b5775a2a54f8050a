"""Who needs a person, and why: equal reasons together, the worst first. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from certifier.diagnosis import CATALOGUE
from certifier.fleet.row import SourceRow
from certifier.fleet.status import Lateness, Status, Tone
from certifier.text import counted, instant
from certifier.vocabulary import Cause

_NAMED = 4
_TASK_NEXT = CATALOGUE[Cause.TASK_NOT_RESTARTED].remedy
_EXPIRY_NEXT = CATALOGUE[Cause.CERTIFICATE_EXPIRES_SOON].remedy
_OVERDUE_NEXT = (
    "See whether the schedule is enabled and whether its last executions of the state machine "
    "ended; then start the source: certifier certify NAME."
)


_CUT_OFF_NEXT = (
    "The next tick of the schedule finishes it, or rolls it back. If it does not, see whether the "
    "schedule is enabled; then start the source: certifier certify NAME."
)
_STUCK_NEXT = (
    "See whether that execution still runs, and end it if it does: aws stepfunctions "
    "stop-execution --execution-arn ARN (certifier show NAME prints the ARN). The next tick of the "
    "schedule then takes the source over; if it does not, see whether the schedule is enabled."
)
_SOON = Cause.CERTIFICATE_EXPIRES_SOON.value


@dataclass(frozen=True)
class Need:
    """One reason why a person is needed, and the sources that it concerns.

    ``seen``: what was seen, of the first of them; ``alike``: whether it is the same of all.
    """

    status: Status
    tone: Tone
    title: str
    cause: str | None
    seen: str
    alike: bool
    next: str
    rows: tuple[SourceRow, ...]


def needs_of(rows: Sequence[SourceRow]) -> Iterator[Need]:
    """Yield the reasons, worst first, each with all sources that it concerns."""
    reasons: dict[tuple[int, str, str | None, str], list[tuple[SourceRow, _Reason]]] = defaultdict(
        list
    )
    for row in rows:
        if row.needs:
            reason = _reason(row)
            key = (reason.rank, reason.title, reason.cause, reason.next)
            reasons[key].append((row, reason))
    for key in sorted(reasons, key=lambda key: (key[0], -len(reasons[key]), str(key))):
        affected = reasons[key]
        row, reason = affected[0]
        yield Need(
            status=row.status,
            tone=reason.tone,
            title=reason.title,
            cause=reason.cause,
            seen=reason.seen,
            alike=all(other.seen == reason.seen for _, other in affected),
            next=reason.next,
            rows=tuple(row for row, _ in affected),
        )


@dataclass(frozen=True)
class _Reason:
    rank: int
    tone: Tone
    title: str
    cause: str | None
    seen: str
    next: str


def _reason(row: SourceRow) -> _Reason:
    """Return the one reason that matters most of a source that needs a person."""
    cause, seen = _cause_of(row)
    remedy = row.cause.remedy if row.cause else "Read the record of its last run."
    if row.status is Status.TASK:
        count = len(row.state.pending_restarts)
        title = "A task is stopped" if count == 1 else "Tasks are stopped"
        of_task = [f for f in row.state.findings if f.cause is Cause.TASK_NOT_RESTARTED]
        seen = of_task[0].seen if of_task else seen
        return _Reason(0, Tone.BAD, title, Cause.TASK_NOT_RESTARTED, seen, _TASK_NEXT)
    if row.status is Status.UNFINISHED:
        return _Reason(0, Tone.BAD, "A run was cut off", None, _left(row), _CUT_OFF_NEXT)
    if row.status is Status.FAILED:
        return _Reason(1, Tone.BAD, "Failed", cause, seen, remedy)
    if row.late is Lateness.EXPIRED:
        seen = f"{row.state.expires or 'a certificate'} has expired"
        return _Reason(2, Tone.BAD, "Expired", _SOON, seen, _EXPIRY_NEXT)
    if row.status is Status.ROLLED_BACK:
        return _Reason(3, Tone.WARN, "Rolled back", cause, seen, remedy)
    if row.status is Status.REFUSED:
        return _Reason(4, Tone.WARN, "Refused", cause, seen, remedy)
    if row.late is Lateness.LATE:
        seen = f"{row.state.expires or 'a certificate'} expires in {_span_days(row.days)}"
        return _Reason(5, Tone.WARN, "Expires soon", _SOON, seen, _EXPIRY_NEXT)
    if cause == _SOON and row.overdue is None:
        return _Reason(5, Tone.WARN, "Expires soon", _SOON, seen, _EXPIRY_NEXT)
    if row.overdue is not None and row.state.claim is not None:
        since = instant(row.state.claim.since)
        seen = f"a run has had it since {since}, and should have ended by itself"
        return _Reason(6, Tone.WARN, "A run does not end", None, seen, _STUCK_NEXT)
    if row.overdue is not None:
        seen = f"due for {row.overdue.days} d, and nothing has taken it up"
        return _Reason(6, Tone.WARN, "Not run in time", None, seen, _OVERDUE_NEXT)
    return _Reason(7, Tone.WARN, "Look at", cause, seen, remedy)


def _left(row: SourceRow) -> str:
    """Return what a run that was cut off has left: tasks that do not run come first."""
    stopped = row.facts.stopped
    parts = []
    if stopped:
        names = ", ".join(pause.name for pause in stopped[:_NAMED])
        more = f" and {len(stopped) - _NAMED} more" if len(stopped) > _NAMED else ""
        since = instant(min(pause.since for pause in stopped))
        verb = "is" if len(stopped) == 1 else "are"
        tasks = f"{counted(len(stopped), 'task')} of DMS"
        parts.append(f"{tasks} {verb} stopped since {since}: {names}{more}")
    if row.facts.has_log:
        parts.append("a change is neither proven nor rolled back")
        parts += [] if stopped else ["tasks may be stopped for it"]
    return ", and ".join(parts)


def _cause_of(row: SourceRow) -> tuple[str | None, str]:
    if row.cause is None:
        return None, f"the last run ended as {row.status.value}"
    return row.cause.cause.value, row.cause.seen


def _span_days(days: int | None) -> str:
    return "some days" if days is None else "1 day" if days == 1 else f"{days} days"
