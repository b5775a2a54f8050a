"""What is measured of a certification and of a tick."""

from datetime import timedelta

import pytest

from certifier.run.measures import of_certification, of_tick
from certifier.run.state import Pause
from certifier.vocabulary import Metric, Outcome
from tests.unit.test_announcement import NOW, record


def pause(name: str, minutes: int) -> Pause:
    return Pause(task_arn=name, sources=("orders",), since=NOW - timedelta(minutes=minutes))


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_counted_under_its_own_name(outcome: Outcome) -> None:
    """One of them for each certification."""
    counted = of_certification(record(outcome), (), NOW)
    assert counted[Metric(outcome.value.capitalize())] == 1
    assert len({Metric(o.value.capitalize()) for o in Outcome} & counted.keys()) == 1


def test_the_longest_wait_for_a_restart_is_measured_while_there_is_one() -> None:
    """In seconds, from when the task was meant to stop."""
    waiting = of_certification(record(), (pause("a", 5), pause("b", 90)), NOW)
    assert waiting[Metric.RESTART_WAIT] == 90 * 60
    assert waiting[Metric.PENDING_RESTARTS] == 2
    none = of_certification(record(), (), NOW)
    assert Metric.RESTART_WAIT not in none
    assert none[Metric.PENDING_RESTARTS] == 0


def test_a_source_counts_once_however_many_of_its_certificates_are_late() -> None:
    """The sum of a day is the number of sources that somebody has to look at."""
    for late in ((), ("leaf",), ("leaf", "trusted CA")):
        counted = of_certification(record(late=late), (), NOW)
        assert counted[Metric.LATE_CERTIFICATES] == bool(late)


def test_what_is_not_known_is_not_measured() -> None:
    """A missing value counts as nothing: zero would be the least."""
    counted = of_certification(record(), (), NOW)
    assert Metric.DAYS_LEFT not in counted
    assert Metric.SHARE_LEFT not in counted


def test_a_tick_says_how_many_it_left() -> None:
    """Never fewer than none: what has a claim is taken beside the batch."""
    assert of_tick(due=120, taken=50)[Metric.SOURCES_NOT_TAKEN] == 70
    assert of_tick(due=3, taken=5)[Metric.SOURCES_NOT_TAKEN] == 0
    assert of_tick(due=0, taken=0)[Metric.TICKS] == 1
