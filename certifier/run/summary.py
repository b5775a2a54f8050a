"""How an execution over several sources ended."""

from collections.abc import Collection, Mapping
from datetime import datetime

from certifier.errors import InvalidEvent
from certifier.models import Fact, weightiest
from certifier.run.event import Problem
from certifier.run.record import Certification
from certifier.run.settled import still_open
from certifier.run.state import SourceState
from certifier.vocabulary import Cause, Mode, Origin, Outcome


def failure(
    outcomes: Mapping[str, Outcome],
    *,
    direct: bool,
    planned: bool,
    problem: Problem | None,
    reasons: Mapping[str, str],
    waiting: Collection[str] = (),
) -> str:
    """Return why an execution failed, naming who it concerns; empty when it did not.

    Args:
        outcomes: of every source of the execution.
        direct: a person or a pipeline started it, and wants every source to be certified.
        planned: in plan mode, where a source that is not refused is ``planned``.
        reasons: the cause behind an outcome, by source.
        waiting: the sources whose change waits for the window that their owner has set.
    """
    if problem is not None:
        return f"{problem.error}: {problem.cause}" if problem.cause else problem.error
    if not direct:
        return ""
    good = {Outcome.PLANNED} if planned else {Outcome.CERTIFIED}
    others = [
        f"{name}: {outcome.value}" + (f" ({reasons[name]})" if name in reasons else "")
        for name, outcome in sorted(outcomes.items())
        if outcome not in good and name not in waiting
    ]
    shown = "; ".join(others[:_NAMED])
    return shown + (f"; and {len(others) - _NAMED} more" if len(others) > _NAMED else "")


_NAMED = 20


def of_the_caller(failed: str, problem: Problem | None, *, silent: Collection[str] = ()) -> bool:
    """Whether an execution failed because of what its caller asked for, not by the machinery.

    Either the input was refused, or not every source of a direct start is certified.

    Args:
        silent: the sources whose child has written no outcome: even *Record* did not end.
    """
    if problem is not None:
        return bool(failed) and problem.error == InvalidEvent.__name__
    return bool(failed) and not silent


SUMMARY_FORMAT = "certifier.summary/2"


class Line(Fact):
    """One source in the summary of an execution. ``opens_at``: the window that it waits for."""

    name: str
    outcome: Outcome
    cause: str | None = None
    seen: str | None = None
    ssl_mode: str | None = None
    endpoint_arn: str | None = None
    certificate_arn: str | None = None
    days_left: int | None = None
    pending_restarts: int = 0
    record: str | None = None
    opens_at: datetime | None = None
    next_due: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether its change waits for its window."""
        return self.outcome is Outcome.PLANNED and self.opens_at is not None


class Summary(Fact):
    """What one execution did with all its sources. ``failed``: why the execution itself fails."""

    format: str = SUMMARY_FORMAT
    execution: str
    mode: Mode | None = None
    origin: Origin | None = None
    reported_at: datetime
    problem: Problem | None = None
    failed: str = ""
    lines: tuple[Line, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many sources ended in each way, in the order of ``Outcome``."""
        words = [line.outcome for line in self.lines]
        return {o.value: words.count(o) for o in Outcome if o in words}


class ChildOutcome(Fact):
    """How one child execution ended, for the report of its parent.

    Attributes:
        cause, seen: the finding that matters most; ``None`` when there is none.
        record: key of the record in the bucket, without its suffix.
        opens_at: the window that its change waits for; never of a plan that was only asked for.
        next_due: when the source is due again.
    """

    name: str
    outcome: Outcome
    run: str
    cause: Cause | None = None
    seen: str | None = None
    record: str | None = None
    ssl_mode: str | None = None
    endpoint_arn: str | None = None
    certificate_arn: str | None = None
    days_left: int | None = None
    pending_restarts: int = 0
    opens_at: datetime | None = None
    next_due: datetime | None = None


def child_outcome(record: Certification, key: str) -> ChildOutcome:
    """Return what the report of the parent execution needs to know of a recorded run."""
    weighty = weightiest(still_open(record.findings, record.settled))
    waits = record.mode is Mode.APPLY and record.outcome is Outcome.PLANNED
    endpoint = record.endpoint
    return ChildOutcome(
        name=record.source,
        outcome=record.outcome,
        run=record.run,
        cause=weighty.cause if weighty else None,
        seen=weighty.seen if weighty else None,
        record=key,
        ssl_mode=endpoint.fields.ssl_mode if endpoint else None,
        endpoint_arn=endpoint.arn if endpoint else None,
        certificate_arn=endpoint.fields.certificate_arn if endpoint else None,
        days_left=record.days_left,
        pending_restarts=len(record.tasks.pending_restarts),
        opens_at=record.opens_at if waits else None,
        next_due=record.next_due,
    )


def child_outcome_again(run: str, state: SourceState, now: datetime) -> ChildOutcome:
    """Return the same of a run that was recorded before, from what the table remembers of it."""
    weighty = weightiest(state.findings)
    return ChildOutcome(
        name=state.name,
        outcome=state.outcome or Outcome.FAILED,
        run=run,
        cause=weighty.cause if weighty else None,
        seen=weighty.seen if weighty else None,
        record=state.record,
        ssl_mode=state.ssl_mode,
        endpoint_arn=state.endpoint_arn,
        certificate_arn=state.certificate_arn,
        days_left=None if state.expires_at is None else (state.expires_at - now).days,
        pending_restarts=len(state.pending_restarts),
        opens_at=state.opens_at if state.outcome is Outcome.PLANNED else None,
        next_due=state.due_at,
    )
