"""How often events may run one source."""

from datetime import UTC, datetime, timedelta

import pytest

from certifier.run.history import History, PastRun
from certifier.run.pace import RUNS, WITHIN, waits_for_tick
from certifier.run.state import SourceState
from certifier.vocabulary import Outcome

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def state(*ago: timedelta) -> SourceState:
    runs = tuple(PastRun(at=NOW - each, outcome=Outcome.CERTIFIED) for each in ago)
    return SourceState(name="orders", history=History(runs=runs))


@pytest.mark.parametrize(
    ("ago", "waits"),
    [
        ([timedelta(minutes=1)] * RUNS, True),
        ([timedelta(minutes=1)] * (RUNS - 1), False),
        ([WITHIN] * RUNS, False),
        ([timedelta(0)] * RUNS, True),
        ([-timedelta(days=1)] * RUNS, False),
        ([], False),
    ],
)
def test_only_what_has_run_often_of_late_waits(ago: list[timedelta], waits: bool) -> None:
    """A run of the future, by a clock that was wrong, keeps nobody waiting."""
    assert waits_for_tick(state(*ago), NOW) is waits


def test_what_never_ran_does_not_wait() -> None:
    """There is nothing to count."""
    assert not waits_for_tick(None, NOW)
