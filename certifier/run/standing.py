"""How a source stands between two runs, in one word: the worst first. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from certifier.models import Finding, weightiest
from certifier.run.state import Pause, SourceState
from certifier.text import counted
from certifier.vocabulary import Cause, Outcome


class Standing(StrEnum):
    """How a source stands; the worst first. A task that is stopped outweighs every outcome."""

    STOPPED = "task_stopped"
    UNFINISHED = "unfinished"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"
    HELD = "held_by_breaker"
    PAUSED = "paused"
    NOT_RUN = "not_run_yet"
    WAITS = "waits_for_its_window"
    DEFERRED = "deferred"
    PLANNED = "planned"
    CERTIFIED = "certified"

    @property
    def words(self) -> str:
        """What people read."""
        if self is Standing.STOPPED:
            return "task is stopped"
        return self.value.replace("_", " ")

    @property
    def weight(self) -> int:
        """0 for the worst."""
        return list(Standing).index(self)

    @property
    def needs_a_person(self) -> bool:
        """Whether a person must look."""
        return self in (Standing.STOPPED, Standing.FAILED, Standing.ROLLED_BACK, Standing.REFUSED)

    @property
    def is_failing(self) -> bool:
        """Whether monitoring reports it: a person must look, or a run was cut off."""
        return self.needs_a_person or self is Standing.UNFINISHED

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to say of it."""
        return self is Standing.CERTIFIED


_OF_OUTCOME = {
    Outcome.TASK_STOPPED: Standing.STOPPED,
    Outcome.FAILED: Standing.FAILED,
    Outcome.ROLLED_BACK: Standing.ROLLED_BACK,
    Outcome.REFUSED: Standing.REFUSED,
    Outcome.DEFERRED: Standing.DEFERRED,
    Outcome.PLANNED: Standing.PLANNED,
    Outcome.CERTIFIED: Standing.CERTIFIED,
}


@dataclass(frozen=True)
class Left:
    """What a run that has ended left for the next one to finish.

    Attributes:
        tasks: those that are stopped for the source, without those that wait for a restart.
        has_log: there is an undo log: a change that is neither proven nor rolled back.
        since: since when the first task is stopped, or since the claim of that run.
        is_stuck: its run has the source for longer than any needs, whether it still runs or not.
    """

    tasks: tuple[Pause, ...]
    has_log: bool
    since: datetime | None
    is_stuck: bool = False

    @property
    def words(self) -> str:
        """What people read."""
        if self.is_stuck and not self.tasks and not self.has_log:
            return "a run has it, and should have ended by itself"
        parts = [f"{counted(len(self.tasks), 'task')} stopped"] if self.tasks else []
        parts += ["a change neither proven nor rolled back"] if self.has_log else []
        return f"a run was cut off: {', '.join(parts)}"


@dataclass(frozen=True)
class Stands:
    """A source and how it stands.

    Attributes:
        since: since when its task is stopped; otherwise when the last run ended.
        left: what a run that was cut off has left; ``None``: nothing, or it still runs.
        cause: the finding that matters most; ``None``: there is none.
        days_left: to the first expiry.
    """

    state: SourceState
    standing: Standing
    since: datetime | None
    cause: Finding | None
    days_left: int | None
    left: Left | None = None

    @property
    def name(self) -> str:
        """The source."""
        return self.state.name


def stands(
    state: SourceState,
    pauses: Iterable[Pause],
    now: datetime,
    *,
    has_log: bool = False,
    is_running: bool = False,
) -> Stands:
    """Return how a source stands.

    Args:
        pauses: every task that we stopped and that does not run again.
        has_log: the source has an undo log.
        is_running: the execution that has its claim runs, and finishes what it began.
    """
    pauses = tuple(pauses)
    left = left_by_a_run(state, pauses, has_log=has_log)
    if state.claim is not None and state.claim.is_stuck(now):
        left = replace(left or Left((), has_log=False, since=state.claim.since), is_stuck=True)
    elif is_running:
        left = None
    standing = standing_of(state)
    since = state.on_hold.since if state.on_hold else state.recorded_at
    if standing is Standing.STOPPED:
        ours = [pause.since for pause in pauses if pause.task_arn in state.pending_restarts]
        since = min(ours, default=since)
    elif left is not None:
        standing, since = Standing.UNFINISHED, left.since
    return Stands(
        state=state,
        standing=standing,
        since=since,
        cause=cause_of(state, standing),
        days_left=None if state.expires_at is None else (state.expires_at - now).days,
        left=left,
    )


def left_by_a_run(state: SourceState, pauses: Iterable[Pause], *, has_log: bool) -> Left | None:
    """Return what is begun for a source and not finished; ``None`` when nothing is."""
    tasks = tuple(
        pause
        for pause in pauses
        if state.name in pause.sources and pause.task_arn not in state.pending_restarts
    )
    if not tasks and not has_log:
        return None
    begun = state.claim.since if state.claim is not None else None
    return Left(tasks, has_log, min((pause.since for pause in tasks), default=begun))


def standing_of(state: SourceState) -> Standing:
    """Return the word for a source as the last run left it."""
    if state.pending_restarts:
        return Standing.STOPPED
    if state.on_hold is not None:
        return Standing.PAUSED
    if state.held_by_breaker:
        return Standing.HELD
    if state.outcome is None:
        return Standing.NOT_RUN
    if state.outcome is Outcome.PLANNED and state.opens_at is not None:
        return Standing.WAITS
    return _OF_OUTCOME[state.outcome]


def cause_of(state: SourceState, standing: Standing) -> Finding | None:
    """Return the finding that matters most: of a stopped task, why it does not start.

    The findings are those of the last run that ended: they say nothing of one that was cut off.
    """
    if standing is Standing.UNFINISHED:
        return None
    if standing is Standing.STOPPED:
        for found in state.findings:
            if found.cause is Cause.TASK_NOT_RESTARTED:
                return found
    return weightiest(state.findings)


def worst_first(fleet: Iterable[Stands]) -> list[Stands]:
    """Return sources, those first that a person must look at."""
    far = timedelta(days=36500)

    def left(each: Stands) -> timedelta:
        return timedelta(days=each.days_left) if each.days_left is not None else far

    return sorted(fleet, key=lambda each: (each.standing.weight, left(each), each.name))


def expiring(fleet: Iterable[Stands], within_days: int) -> list[Stands]:
    """Return the sources of which something expires within so many days, the first ones first."""
    soon = [each for each in fleet if each.days_left is not None and each.days_left < within_days]
    return sorted(soon, key=lambda each: (each.days_left or 0, each.name))


FOLDED = 3
"""So many sources with the same standing and cause, and more, are one line."""


def folded(fleet: Sequence[Stands]) -> list[list[Stands]]:
    """Return the same sources in their order, those with an equal reason together."""
    groups: dict[tuple[str, str], list[Stands]] = {}
    for each in fleet:
        cause = each.cause.cause.value if each.cause else ""
        alone = each.standing in (Standing.STOPPED, Standing.UNFINISHED)
        groups.setdefault((each.standing.value, each.name if alone else cause), []).append(each)
    lines: list[list[Stands]] = []
    for group in groups.values():
        lines += [group] if len(group) >= FOLDED else [[each] for each in group]
    order = {each.name: number for number, each in enumerate(fleet)}
    return sorted(lines, key=lambda group: order[group[0].name])
