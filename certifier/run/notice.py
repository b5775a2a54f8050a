"""Who must be notified of what: only of what has changed for a person."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from certifier.evidence import SlotFacts
from certifier.models import Finding
from certifier.run.dossier import Dossier
from certifier.run.due import may_clear_by_itself
from certifier.run.ending import Ending, _has
from certifier.run.mail import (
    Notice,
    Situation,
    about_findings,
    about_stopped,
    about_the_end,
    weighty,
)
from certifier.run.settled import still_open
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


def retained_wal(found: Dossier) -> tuple[str, ...]:
    """Return what the server keeps because of pending restarts, a line for each slot.

    Nothing says which slot is a task's: those that nobody reads from are named.
    """
    if not found.pending_restarts:
        return ()
    slots = found.slots
    if slots is None:
        return ("how much the server keeps for its replication slots was not seen",)
    lines = [_kept(slot, found.retained_before) for slot in slots if not slot.active]
    return tuple(lines) or ("the server has no replication slot that nobody reads from",)


def _kept(slot: SlotFacts, before: Mapping[str, int]) -> str:
    """Return a line on one slot; its status, where the server may drop that WAL or has."""
    status = "" if slot.wal_status in (None, "reserved") else f" ({slot.wal_status})"
    if slot.retained_bytes is None:
        return f"{slot.name} retains no WAL{status}"
    grown = ""
    if (then := before.get(slot.name)) is not None:
        grown = f", {size(max(slot.retained_bytes - then, 0))} more than before the stop"
    return f"{slot.name} retains {size(slot.retained_bytes)}{grown}{status}"


def notice(
    at: Situation,
    end: Ending,
    *,
    needs: str,
    notified: str,
    events: tuple[Finding, ...] = (),
) -> Notice | None:
    """Return the notice for people now; ``None`` when nothing has changed for them.

    Args:
        needs: what needs a person now (``attention``).
        notified: what the last notice was about.
        events: of which nobody has been notified yet (``new_events``).
    """
    if end.outcome is Outcome.DEFERRED and not _new_pending(needs, notified):
        return None
    if needs == notified and not events:
        return None
    if not needs and not events:
        was_bad = notified.split(" ", 1)[0] in {outcome.value for outcome in BAD}
        if not was_bad and "pending_restart:" not in notified:
            return None
        return about_the_end(at, end.outcome)
    earlier = [event for event in events if event not in end.findings]
    findings = list(weighty((*still_open(end.findings, end.settled), *earlier)))
    alone = needs == notified  # then events are why anybody is notified; otherwise they come last
    findings.sort(key=lambda f: (f.severity.weight, (f in events) is not alone))
    if at.stopped and not alone:
        return about_stopped(at, end.outcome, findings)
    return about_findings(at, end.outcome, findings)
