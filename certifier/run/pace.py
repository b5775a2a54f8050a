"""How often events may run one source: whoever makes many must not keep others from their turn.

Whoever may write a secret makes an event with each version, and DMS takes a few calls a second for
the whole account. A source that has run often is only due then: the next tick runs it once, however
many events there were. A person or a pipeline that starts it by its name is not kept waiting.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from certifier.run.state import SourceState

RUNS: Final = 5
"""How many runs of a source, within ``WITHIN``, events may add to."""
WITHIN: Final = timedelta(minutes=10)
"""About one tick of the schedule."""


_NEVER = datetime.min.replace(tzinfo=UTC)


def last_run(state: SourceState | None) -> datetime:
    """Return when a source was claimed or recorded last; one that never was comes first."""
    if state is None:
        return _NEVER
    seen = (state.claim.since if state.claim else None, state.recorded_at)
    return max((moment for moment in seen if moment is not None), default=_NEVER)


def waits_for_tick(state: SourceState | None, now: datetime) -> bool:
    """Whether a source has run so often of late that an event does not run it at once."""
    runs = () if state is None else state.history.runs
    return sum(timedelta() <= now - run.at < WITHIN for run in runs) >= RUNS
