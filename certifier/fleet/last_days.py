"""How many sources ended in which way on each of the last days. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from certifier.fleet.row import SourceRow
from certifier.run.history import DAYS, LETTERS, NO_RUN
from certifier.vocabulary import Outcome

_GOOD = frozenset(LETTERS[o] for o in (Outcome.CERTIFIED, Outcome.PLANNED, Outcome.DEFERRED))


_WARN = frozenset(LETTERS[o] for o in (Outcome.REFUSED, Outcome.ROLLED_BACK))


@dataclass(frozen=True)
class DayBar:
    """One day: how many sources had their worst run end in which way; ``good`` counts the rest."""

    day: date
    good: int
    warn: int
    bad: int

    @property
    def ran(self) -> int:
        return self.good + self.trouble

    @property
    def trouble(self) -> int:
        """How many were refused, rolled back, or failed."""
        return self.warn + self.bad


def last_days(rows: Sequence[SourceRow], now: datetime) -> tuple[DayBar, ...]:
    today = now.astimezone(UTC).date()
    found = []
    for ago in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=ago)
        letters = Counter(row.state.history.letter_of(day) for row in rows)
        letters.pop(NO_RUN, None)
        good = sum(count for letter, count in letters.items() if letter in _GOOD)
        warn = sum(count for letter, count in letters.items() if letter in _WARN)
        bad = sum(letters[LETTERS[each]] for each in (Outcome.FAILED, Outcome.TASK_STOPPED))
        found.append(DayBar(day=day, good=good, warn=warn, bad=bad))
    return tuple(found)
