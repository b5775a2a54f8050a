"""Who must be notified of what: only of what has changed for a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from certifier.evidence import SlotFacts
from certifier.run.dossier import Dossier
from certifier.run.due import may_clear_by_itself
from certifier.run.ending import Ending, _has
from certifier.text import size
from certifier.vocabulary import Cause, Outcome, Severity

PATIENCE = timedelta(days=7)
"""How long something that time may mend waits before a person is told."""


BAD = frozenset({Outcome.REFUSED, Outcome.ROLLED_BACK, Outcome.FAILED})
"""Outcomes that need a person, or at least one that knows."""


_OF_ONE_RUN = frozenset({Cause.REHEARSED_BY_PROBE_ONLY, Cause.CA_EXPIRED_DROPPED})
"""Warnings that say how a run went, not how the source is: nobody is woken for them."""


@dataclass(frozen=True)
class Notice:
    """What a person is told: one line, and the rest."""

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

    Errors, and warnings that only a person can mend, at once; what time may mend, after a week;
    tasks waiting for a restart always.
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
                and found.cause not in _OF_ONE_RUN
                and (patient or not may_clear_by_itself(found))
            )
        }
    )
    return " ".join([*parts, *(f"pending_restart:{task}" for task in sorted(pending_restarts))])


def needs_after_wait(end: Ending, needs: str, told: str) -> str:
    """Return what needs a person now; a change that only waits after a bad end changes nothing."""
    waits = _has(end.findings, Cause.CHANGE_BACKS_OFF)
    return told if waits and not _new_pending(needs, told) else needs


def _new_pending(needs: str, told: str) -> set[str]:
    """Return the tasks that wait for a restart, and that nobody was told of yet."""
    return {w for w in needs.split() if w.startswith("pending_restart:")} - set(told.split())


def retained_wal(found: Dossier) -> str:
    """Return what the server keeps because of pending restarts, for people; empty without one.

    Which slot is a task's, nobody tells: those that nobody reads from are named.
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
    told: str,
    where: str,
    wal: str = "",
) -> Notice | None:
    """Return what to tell a person now; ``None`` when nothing has changed for them.

    Args:
        needs: what needs a person now (``attention``).
        told: what they were told last.
        where: where the record lies.
        wal: what the server keeps because of tasks waiting for a restart (``retained_wal``).
    """
    if needs == told or (end.outcome is Outcome.DEFERRED and not _new_pending(needs, told)):
        return None
    if not needs:
        was_bad = told.split(" ", 1)[0] in {outcome.value for outcome in BAD}
        if not was_bad and "pending_restart:" not in told:
            return None
        return Notice(
            f"Certifier: {name} is {end.outcome.value} again",
            f"{name}: {end.outcome.value}. Nothing needs a person any more.\n\nRecord: {where}\n",
        )
    weighty = [found for found in end.findings if found.severity is not Severity.ADVICE]
    weighty.sort(key=lambda found: list(Severity).index(found.severity))
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
