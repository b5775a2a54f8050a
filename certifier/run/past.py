"""What the records of a source say one after the other: a line for each run, equal ones in one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certifier.models import weightiest
from certifier.run.intent import Ca, IntendedChange, Intent, Would
from certifier.run.plan import CERTIFICATE, PASSWORD
from certifier.run.record import Certification
from certifier.run.settled import still_open
from certifier.run.which_cas import named, which_cas
from certifier.run.why_stopped import why_stopped
from certifier.text import span
from certifier.vocabulary import Cause, Mode, Outcome

_CAS = "trusted CAs"


@dataclass(frozen=True)
class Past:
    """One line: what the run at ``last`` came to, and ``count`` equal ones since ``first``."""

    first: datetime
    last: datetime
    outcome: Outcome
    what: str
    count: int = 1
    is_plan: bool = False


def past(records: Sequence[Certification]) -> list[Past]:
    """Return the lines of a source's records, the newest first.

    Args:
        records: the newest first; that of a plan is one like any other.
    """
    lines: list[Past] = []
    for number, record in enumerate(records):
        before = records[number + 1] if number + 1 < len(records) else None
        line = Past(
            first=record.recorded_at,
            last=record.recorded_at,
            outcome=record.outcome,
            what="; ".join(_parts(record, before)),
            is_plan=record.mode is Mode.PLAN,
        )
        newer = lines[-1] if lines else None
        if newer is not None and replace(newer, first=line.first, last=line.last, count=1) == line:
            lines[-1] = replace(newer, first=line.first, count=newer.count + 1)
        else:
            lines.append(line)
    return lines


def _parts(record: Certification, before: Certification | None) -> Iterator[str]:
    """Yield what a run did, the most important first."""
    for task in record.tasks.stopped:
        why = task.said or why_stopped(task, record.findings) or "DMS does not say why"
        yield f"{task.identifier} does not run: {why}"
    if Cause.INTERRUPTED_RUN_FINISHED in record.settled:
        yield "finished an interrupted run"
    if record.outcome in (Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.REFUSED):
        yield _cause(record)
    if record.changed or record.rolled_back:
        yield _changes(record, before)
    if record.outcome is Outcome.PLANNED and record.intent is not None:
        yield from _would(record.intent)
    if record.outcome is Outcome.PLANNED and record.opens_at is not None:
        yield f"waits until {record.opens_at:%Y-%m-%d %H:%M} UTC"
    if record.tasks.stopped_seconds is not None:
        longest = span(timedelta(seconds=record.tasks.stopped_seconds))
        yield f"{_tasks(record)} stopped for {longest}"


def _would(intent: Intent) -> Iterator[str]:
    """Yield what a run would do, which was planned and not done."""
    if intent.would is Would.CREATE:
        yield "endpoint would be created"
    elif intent.changes:
        yield f"would change {', '.join(map(_field, intent.changes))}"
    elif intent.acm is not None:
        yield "would import the certificate into ACM"


def _field(change: IntendedChange) -> str:
    if change.field != CERTIFICATE:
        return change.field
    if not (change.old_cas or change.new_cas):
        return _CAS
    return f"{_CAS} ({which_cas(change.old_cas, change.new_cas)})"


def _tasks(record: Certification) -> str:
    count = len(record.tasks.resumed)
    return "task" if count == 1 else f"{count} tasks"


def _cause(record: Certification) -> str:
    weighty = weightiest(still_open(record.findings, record.settled))
    if weighty is None:
        return "no cause was recorded"
    failed = [test.instance_arn for test in record.tests if not test.passed]
    where = f" from {record.name_of(failed[0])}" if failed else ""
    return f"{weighty.cause.value}{where}"


def _changes(record: Certification, before: Certification | None) -> str:
    """Return what was changed: CAs by their names, whatever else by its values."""
    if record.endpoint is not None and record.endpoint.created:
        return "endpoint created"
    if not record.changes:  # another run's change, which this one knows by its undo log alone
        return "its change was rolled back" if record.rolled_back else "its change was made"
    parts = []
    cas = ""
    for change in record.changes:
        if change.field == CERTIFICATE:
            cas = _which(record, before)
        elif change.field == PASSWORD:
            parts.append("password")
        else:
            parts.append(f"{change.field} {change.old or 'none'} → {change.new or 'none'}")
    if parts and record.rolled_back:
        parts[-1] += ", rolled back"
    return ", ".join([cas, *parts] if cas else parts)


def _which(record: Certification, before: Certification | None) -> str:
    """Return the CAs from and to; of a record that has no ``trust_change``, as far as is known."""
    now, change = _trusted(record), record.trust_change
    if change is not None:
        came, went = (
            (change.removed, change.added) if record.rolled_back else (change.added, change.removed)
        )
        names = {ca.sha256 for ca in came}
        then = (*went, *(ca for ca in now if ca.sha256 not in names))
        old, new = (now, then) if record.rolled_back else (then, now)
        return which_cas(old, new, rolled_back=record.rolled_back)
    if record.rolled_back:
        return f"{_CAS}, rolled back" + (f" to {named(now)}" if now else "")
    then = _trusted(before)
    if not then or not now or {ca.sha256 for ca in then} == {ca.sha256 for ca in now}:
        return f"{_CAS} → {named(now)}" if now else _CAS
    return which_cas(then, now)


def _trusted(record: Certification | None) -> tuple[Ca, ...]:
    """Return the CAs that the endpoint trusted after a run."""
    anchors = record.trust.anchors if record is not None and record.trust is not None else ()
    return tuple(Ca(subject=facts.title, sha256=facts.sha256) for facts in anchors)
