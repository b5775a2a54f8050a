"""How the last runs of a source ended, in a size that never grows: STATE holds it.

The last runs one by one, and for a quarter of a year each day's worst ending as one letter, so that
a source that is tried again every ten minutes fills neither.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType

from pydantic import AwareDatetime, ConfigDict

from certifier.models import Fact
from certifier.vocabulary import Outcome

RUNS = 14
"""How many runs are kept one by one."""
DAYS = 90
"""How many days are kept, as one letter each."""
NO_RUN = "-"
LETTERS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.CERTIFIED: "c",
        Outcome.PLANNED: "p",
        Outcome.DEFERRED: "d",
        Outcome.REFUSED: "r",
        Outcome.ROLLED_BACK: "b",
        Outcome.FAILED: "f",
        Outcome.TASK_STOPPED: "s",
    }
)
"""By weight: of two runs on one day, the later row of this table is kept."""
_WEIGHT = NO_RUN + "".join(LETTERS.values())


class PastRun(Fact):
    """One run: when it was recorded, how it ended, and the cause that mattered most.

    ``record``: key of its record in the bucket, without its suffix.
    """

    model_config = ConfigDict(extra="ignore")

    at: AwareDatetime
    outcome: Outcome
    cause: str | None = None
    record: str | None = None


class History(Fact):
    """The last runs of a source, the latest one last.

    Attributes:
        runs: at most ``RUNS``.
        days: one letter for each of at most ``DAYS`` days (UTC): the worst ending of that day, by
            ``LETTERS``, or ``NO_RUN``. The last letter is for the day of the last run.
    """

    model_config = ConfigDict(extra="ignore")

    runs: tuple[PastRun, ...] = ()
    days: str = ""

    def after(self, run: PastRun) -> "History":
        """Return the history once ``run`` has ended."""
        return History(runs=(*self.runs, run)[-RUNS:], days=self._days_after(run)[-DAYS:])

    def _days_after(self, run: PastRun) -> str:
        letter = LETTERS[run.outcome]
        if not self.days or not self.runs:
            return letter
        # A clock that goes back changes the last day, not an earlier one.
        passed = max(0, (_day(run.at) - _day(self.runs[-1].at)).days)
        if passed:
            return self.days + NO_RUN * (min(passed, DAYS) - 1) + letter
        return self.days[:-1] + max(self.days[-1], letter, key=_WEIGHT.find)

    def letter_of(self, day: date) -> str:
        """Return the letter of a day; ``NO_RUN`` for one that is not kept."""
        if not self.runs or not self.days:
            return NO_RUN
        ago = (_day(self.runs[-1].at) - day).days
        return self.days[-1 - ago] if 0 <= ago < len(self.days) else NO_RUN


def _day(when: datetime) -> date:
    return when.astimezone(UTC).date()
