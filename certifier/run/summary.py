"""How an execution over several sources ended."""

from collections.abc import Mapping
from datetime import datetime

from certifier.models import Fact
from certifier.run.event import Problem
from certifier.vocabulary import Mode, Origin, Outcome

# -- how an execution over several sources ended


def failure(
    outcomes: Mapping[str, Outcome],
    *,
    direct: bool,
    planned: bool,
    problem: Problem | None,
    reasons: Mapping[str, str],
) -> str:
    """Return why an execution failed, naming who it concerns; empty when it did not.

    Args:
        outcomes: of every source of the execution.
        direct: a person or a pipeline started it, and wants every source to be certified.
        planned: in plan mode, where a source that is not refused is ``planned``.
        reasons: the cause behind an outcome, by source.
    """
    if problem is not None:
        return f"{problem.error}: {problem.cause}" if problem.cause else problem.error
    if not direct:
        return ""
    good = {Outcome.PLANNED} if planned else {Outcome.CERTIFIED}
    others = [
        f"{name}: {outcome.value}" + (f" ({reasons[name]})" if name in reasons else "")
        for name, outcome in sorted(outcomes.items())
        if outcome not in good
    ]
    shown = "; ".join(others[:_NAMED])
    return shown + (f"; and {len(others) - _NAMED} more" if len(others) > _NAMED else "")


_NAMED = 20


SUMMARY_FORMAT = "certifier.summary/1"


class Line(Fact):
    """One source in the summary of an execution."""

    name: str
    outcome: Outcome
    cause: str | None = None
    seen: str | None = None
    ssl_mode: str | None = None
    days_left: int | None = None
    owed: int = 0
    record: str | None = None


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
