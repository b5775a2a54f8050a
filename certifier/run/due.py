"""When a source is due again after a run. No clock: ``now`` is an argument."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from certifier.diagnosis import CATALOGUE, finding
from certifier.models import Finding, errors_in
from certifier.run.ending import Ending, _has
from certifier.run.state import SourceState
from certifier.vocabulary import Cause, Outcome, Severity, Witness
from certifier.window import AHEAD

DAY = timedelta(days=1)


RESTART_BACK_OFF = tuple(timedelta(minutes=each) for each in (10, 10, 10, 20, 40))
"""How long after the first, second, ... run that left a task waiting for a restart; then hourly."""
RESTART_BACK_OFF_END = timedelta(hours=1)


BACK_OFF = (
    timedelta(0),  # the next tick
    timedelta(minutes=15),
    timedelta(minutes=60),
    *([timedelta(hours=1)] * 24),
)
"""How long after the first, second, ... run that ended the same way; after these, daily."""


MISSED_TWICE = 2
"""A window may be missed once; missed twice it may be missed for ever."""

CHANGE_BACK_OFF = tuple(timedelta(hours=each) for each in (1, 4, 12))
"""How long the same change is not made again after it ended badly, once, twice, ...; then daily.

Tasks are stopped each time, so it begins where ``BACK_OFF`` has long begun.
"""


@dataclass(frozen=True)
class Due:
    """When a source is due again.

    Attributes:
        at: ``None``: not before somebody asks.
        reason, backoff: what the back-off counts now, and how many runs in a row.
        waiting_since: since when something is there that may clear by itself.
        change_after, bad_changes: the change that ended badly is not made again before that, and
            how often in a row it has ended so.
        restart_tries: how many runs in a row have left a task waiting for a restart.
        finished: this run only finished another's change; the source's own turn is next.
    """

    at: datetime | None
    reason: str = ""
    backoff: int = 0
    waiting_since: datetime | None = None
    change_after: datetime | None = None
    bad_changes: int = 0
    restart_tries: int = 0
    finished: bool = False


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
    change: str | None = None,
) -> Due:
    """Return when the source is due again, after a run that ended so.

    Args:
        state: as it was before this run, with the back-off so far.
        opens_at: when the window of a planned change, or of a rollback, opens.
        change: what this run changed, or would have, as ``Plan.change`` says it.
    """
    due = _next_due(end, state, now=now, pending_restart=pending_restart, opens_at=opens_at)
    if not end.ended_badly:
        return due
    count = state.bad_changes + 1 if change is not None and change == state.bad_change else 1
    after = now + _nth(CHANGE_BACK_OFF, count, DAY)
    at = due.at
    if at is not None and not pending_restart and not end.unfinished and not due.finished:
        at = max(at, after)
    return replace(due, at=at, change_after=after, bad_changes=count)


def _nth(waits: tuple[timedelta, ...], count: int, then: timedelta) -> timedelta:
    return waits[count - 1] if count <= len(waits) else then


def _next_due(
    end: Ending,
    state: SourceState,
    *,
    now: datetime,
    pending_restart: bool,
    opens_at: datetime | None,
) -> Due:
    clearing = tuple(found for found in end.findings if may_clear_by_itself(found))
    since = (state.waiting_since or now) if clearing else None
    if pending_restart:
        tries = state.restart_tries + 1
        wait = _nth(RESTART_BACK_OFF, tries, RESTART_BACK_OFF_END)
        at = now + wait
        if _has(end.findings, Cause.CHANGE_BACKS_OFF) and state.change_after is not None:
            at = min(at, state.change_after)  # it may be what lets the task start
        return Due(at, state.reason, state.backoff, since, restart_tries=tries)
    if end.held_by_breaker:
        return Due(None, state.reason, state.backoff, since)
    if _has(end.findings, Cause.INTERRUPTED_RUN_FINISHED) and end.erase_undo:
        return Due(now, waiting_since=since, finished=True)
    opening = now + DAY
    if _has(end.findings, Cause.CHANGE_BACKS_OFF):
        opening = state.change_after or opening
    elif opens_at is not None:  # a rollback has nothing to do ahead of it
        opening = opens_at if end.unfinished else max(now, opens_at - AHEAD)
    if not end.unfinished and (end.outcome is Outcome.PLANNED or not _backs_off(end, clearing)):
        return Due(min(now + DAY, opening), waiting_since=since)
    reason = end.outcome.value + "".join(f" {cause}" for cause in sorted(_causes(clearing)))
    count = state.backoff + 1 if reason == state.reason else 1
    wait = _nth(BACK_OFF, count, DAY)
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
    if outcome.is_proven:
        return Waits()
    if outcome is not Outcome.PLANNED or opens_at is None:
        return Waits(state.opens_at, state.missed_windows)
    passed = state.opens_at is not None and state.opens_at <= now
    return Waits(opens_at, state.missed_windows + (1 if passed else 0))


def _causes(findings: Iterable[Finding]) -> set[str]:
    return {found.cause.value for found in findings}


def _backs_off(end: Ending, clearing: tuple[Finding, ...]) -> bool:
    match end.outcome:
        case Outcome.FAILED:
            return True
        case Outcome.CERTIFIED | Outcome.TASK_STOPPED:
            return bool(clearing)
        case Outcome.REFUSED:  # as long as one needs a person, soon is of no use
            errors = errors_in(end.findings)
            return bool(errors) and all(may_clear_by_itself(found) for found in errors)
        case _:
            return False
