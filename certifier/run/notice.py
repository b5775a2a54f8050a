"""Who must be notified of what: only of what has changed for a person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from certifier.evidence import SlotFacts
from certifier.models import Finding
from certifier.run.dossier import Dossier
from certifier.run.due import may_clear_by_itself
from certifier.run.ending import Ending, _has
from certifier.run.state import SourceState
from certifier.run.weakening import event_key, is_event
from certifier.text import size
from certifier.vocabulary import Cause, Outcome, Severity

PATIENCE = timedelta(days=7)
"""How long something that may clear by itself lasts before a person is notified."""


BAD = frozenset({Outcome.TASK_STOPPED, Outcome.REFUSED, Outcome.ROLLED_BACK, Outcome.FAILED})
"""Outcomes that need a person, or at least one that knows."""


_OF_ONE_RUN = frozenset({Cause.REHEARSED_BY_PROBE_ONLY, Cause.CA_EXPIRED_DROPPED})
"""Warnings that say how a run went, not how the source is: nobody is woken for them."""


@dataclass(frozen=True)
class Notice:
    """What a person reads: one line, and the rest."""

    subject: str
    message: str


def attention(
    end: Ending,
    *,
    pending_restarts: tuple[str, ...],
    waiting_since: datetime | None,
    now: datetime,
) -> str:
    """Return what needs a person, as one line that is equal while nothing changes; empty: nothing.

    Errors, and warnings that do not clear by themselves, at once; warnings that may, after a week;
    tasks waiting for a restart always. Events are not among them: they do not last.
    """
    patient = waiting_since is not None and now - waiting_since >= PATIENCE
    parts = [end.outcome.value] if end.outcome in BAD else []
    parts += sorted(
        {
            found.cause.value
            for found in end.findings
            if found.severity is Severity.ERROR
            or (
                found.severity is Severity.WARNING
                and not is_event(found)
                and found.cause not in _OF_ONE_RUN
                and (patient or not may_clear_by_itself(found))
            )
        }
    )
    return " ".join([*parts, *(f"pending_restart:{task}" for task in sorted(pending_restarts))])


def new_events(
    findings: Iterable[Finding], state: SourceState, version: int
) -> tuple[Finding, ...]:
    """Return the events of which nobody has been notified, each once: this run's and older ones."""
    new = [f for f in findings if is_event(f) and event_key(f, version) not in state.events]
    return tuple(dict.fromkeys((*state.unsent, *new)))


def needs_after_wait(end: Ending, needs: str, notified: str) -> str:
    """Return what needs a person now; a change that only waits after a bad end changes nothing."""
    waits = _has(end.findings, Cause.CHANGE_BACKS_OFF)
    return notified if waits and not _new_pending(needs, notified) else needs


def _new_pending(needs: str, notified: str) -> set[str]:
    """Return the tasks that wait for a restart, and that nobody was notified of yet."""
    pending = {word for word in needs.split() if word.startswith("pending_restart:")}
    return pending - set(notified.split())


def retained_wal(found: Dossier) -> str:
    """Return what the server keeps because of pending restarts, for people; empty without one.

    Nothing says which slot is a task's: those that nobody reads from are named.
    """
    if not found.pending_restarts:
        return ""
    slots = found.slots
    if slots is None:
        return "How much WAL the server keeps for its replication slots was not seen.\n"
    lines = [_kept(slot, found.retained_before) for slot in slots if not slot.active]
    if not lines:
        return "The server has no replication slot that nobody reads from.\n"
    return "The server keeps WAL for replication slots that nobody reads from:\n" + "".join(lines)


def _kept(slot: SlotFacts, before: Mapping[str, int]) -> str:
    """Return a line on one slot; its status, where the server may drop that WAL or has."""
    status = "" if slot.wal_status in (None, "reserved") else f" ({slot.wal_status})"
    if slot.retained_bytes is None:
        return f"  {slot.name}: no WAL{status}\n"
    grown = ""
    if (then := before.get(slot.name)) is not None:
        grown = f", {size(max(slot.retained_bytes - then, 0))} more than before the pause"
    return f"  {slot.name}: {size(slot.retained_bytes)} of WAL{grown}{status}\n"


def notice(
    name: str,
    end: Ending,
    *,
    needs: str,
    notified: str,
    where: str,
    events: tuple[Finding, ...] = (),
    wal: str = "",
) -> Notice | None:
    """Return the notice for people now; ``None`` when nothing has changed for them.

    Args:
        needs: what needs a person now (``attention``).
        notified: what the last notice was about.
        where: where the record lies.
        events: of which nobody has been notified yet (``new_events``).
        wal: what the server keeps because of tasks waiting for a restart (``retained_wal``).
    """
    if end.outcome is Outcome.DEFERRED and not _new_pending(needs, notified):
        return None
    if needs == notified and not events:
        return None
    if not needs and not events:
        was_bad = notified.split(" ", 1)[0] in {outcome.value for outcome in BAD}
        if not was_bad and "pending_restart:" not in notified:
            return None
        return Notice(
            f"Certifier: {name} is {end.outcome.value} again",
            f"{name}: {end.outcome.value}. Nothing needs a person any more.\n\nRecord: {where}\n",
        )
    earlier = [event for event in events if event not in end.findings]
    weighty = [f for f in (*end.findings, *earlier) if f.severity is not Severity.ADVICE]
    alone = needs == notified  # then events are why anybody is notified; otherwise they come last
    weighty.sort(key=lambda f: (f.severity.weight, (f in events) is not alone))
    lead = weighty[0].cause.value if weighty else "see the record"
    blocks = [
        f"[{found.severity.value}] {found.cause.value} ({found.place.value})\n"
        f"  seen:   {found.seen}\n"
        f"  remedy: {found.remedy}\n"
        for found in weighty
    ]
    return Notice(
        f"Certifier: {name} {end.outcome.value}: {lead}",
        f"{name}: {end.outcome.value}\n\n"
        + "\n".join([*blocks, *([wal] if wal else [])])
        + f"\nRecord: {where}\n",
    )
