"""When a source is due again after a run. No clock: ``now`` is an argument."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from certifier.diagnosis import CATALOGUE, finding
from certifier.models import Finding, errors_in
from certifier.run.ending import Ending, _has
from certifier.run.state import SourceState
from certifier.vocabulary import Cause, Outcome, Severity, Witness
from certifier.window import AHEAD

DAY = timedelta(days=1)


RESTART_RETRY = timedelta(minutes=10)


BACK_OFF = (
    timedelta(0),  # the next tick
    timedelta(minutes=15),
    timedelta(minutes=60),
    *([timedelta(hours=1)] * 24),
)
"""How long after the first, second, ... run that ended the same way; after these, daily."""


MISSED_TWICE = 2
"""A window may be missed once; missed twice it may be missed for ever."""

TRIES_IN_VAIN = 2
"""How often a run that stopped tasks in vain is tried again soon: they are stopped each time."""


@dataclass(frozen=True)
class Due:
    """When a source is due again.

    Attributes:
        at: ``None``: not before somebody asks.
        reason, backoff: what the back-off counts now, and how many runs in a row.
        waiting_since: since when something is there that may clear by itself.
    """

    at: datetime | None
    reason: str = ""
    backoff: int = 0
    waiting_since: datetime | None = None


def may_clear_by_itself(found: Finding) -> bool:
    """Whether the finding may go away without an event."""
    return CATALOGUE[found.cause].may_clear_by_itself and found.severity is not Severity.ADVICE


def next_due(
    end: Ending,
    state: SourceState,
    *,
    now: datetime,
    pending_restart: bool,
    opens_at: datetime | None = None,
) -> Due:
    """Return when the source is due again, after a run that ended so.

    Args:
        state: as it was before this run, with the back-off so far.
        opens_at: when the window of a planned change opens.
    """
    mendable = tuple(found for found in end.findings if may_clear_by_itself(found))
    since = (state.waiting_since or now) if mendable else None
    if pending_restart:
        return Due(now + RESTART_RETRY, state.reason, state.backoff, since)
    if end.held_by_breaker:
        return Due(None, state.reason, state.backoff, since)
    if _has(end.findings, Cause.INTERRUPTED_RUN_FINISHED) and end.erase_undo:
        return Due(now, waiting_since=since)
    opening = now + DAY if opens_at is None else max(now, opens_at - AHEAD)
    if end.outcome is Outcome.PLANNED or not _backs_off(end, mendable):
        return Due(min(now + DAY, opening), waiting_since=since)
    reason = end.outcome.value + "".join(f" {cause}" for cause in sorted(_causes(mendable)))
    count = state.backoff + 1 if reason == state.reason else 1
    often = TRIES_IN_VAIN if end.in_vain else len(BACK_OFF)
    wait = BACK_OFF[count - 1] if count <= often else DAY
    return Due(min(now + wait, opening), reason, count, since)


@dataclass(frozen=True)
class Waits:
    """A change that waits for its window: until when, and how many openings have passed so far."""

    opens_at: datetime | None = None
    missed: int = 0

    @property
    def finding(self) -> Finding | None:
        """What a person must know of a window in which the change is never made."""
        if self.missed < MISSED_TWICE:
            return None
        seen = f"the window has passed {self.missed} times without the change"
        return finding(Cause.WINDOW_MISSED, place=Witness.WORKFLOW, seen=seen)


def waits_for_window(
    outcome: Outcome, state: SourceState, *, opens_at: datetime | None, now: datetime
) -> Waits:
    """Return what the change waits for after a run; nothing once the source is certified.

    Args:
        opens_at: the opening that the plan of this run waits for.
    """
    if outcome is Outcome.CERTIFIED:
        return Waits()
    if outcome is not Outcome.PLANNED or opens_at is None:
        return Waits(state.opens_at, state.missed_windows)
    passed = state.opens_at is not None and state.opens_at <= now
    return Waits(opens_at, state.missed_windows + (1 if passed else 0))


def _causes(findings: Iterable[Finding]) -> set[str]:
    return {found.cause.value for found in findings}


def _backs_off(end: Ending, mendable: tuple[Finding, ...]) -> bool:
    match end.outcome:
        case Outcome.FAILED if not end.in_vain:
            return True
        case Outcome.CERTIFIED:
            return bool(mendable)
        case Outcome.REFUSED | Outcome.FAILED:  # as long as one needs a person, soon is of no use
            errors = errors_in(end.findings)
            return bool(errors) and all(may_clear_by_itself(found) for found in errors)
        case _:
            return False
