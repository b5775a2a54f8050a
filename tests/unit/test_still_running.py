"""Which runs that have begun a change still run, and who finishes what the others have left."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.cli.unfinished import finished_by, still_running
from certifier.errors import Refused
from certifier.run.state import Claim, OnHold, SourceState
from certifier.vocabulary import Cause

RUN = "arn:aws:states:eu-west-1:123456789012:execution:machine/Source:child-1"
NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def claimed(name: str, minutes: float, **more: Any) -> SourceState:
    since = NOW - timedelta(minutes=minutes)
    claim = Claim(execution=RUN, since=since, due_at=since + timedelta(minutes=10))
    return SourceState(name=name, claim=claim, due_at=claim.due_at, **more)


def test_who_may_not_ask_goes_by_the_time_of_the_rescue() -> None:
    """Ten minutes after its claim a run counts as cut off."""

    def denied(_: Claim) -> None:
        raise Refused(Cause.AWS_DENIED, seen="DescribeExecution: no")

    assert still_running(denied, [claimed("a", 9), claimed("b", 11)], NOW) == {"a"}


def test_what_has_just_ended_may_have_been_recorded() -> None:
    """The table was read before: half a minute is left for that."""

    def ended(claim: Claim) -> datetime:
        return claim.since + timedelta(minutes=1)

    assert still_running(ended, [claimed("a", 1.2), claimed("b", 2)], NOW) == {"a"}


def test_however_many_are_begun_few_are_asked_for() -> None:
    """One call each for twenty, and none for the rest."""
    asked: list[Claim] = []

    def ended(claim: Claim) -> datetime:
        asked.append(claim)
        return NOW - timedelta(hours=1)

    many = [claimed(f"s-{number}", 11) for number in range(100)]
    assert not still_running(ended, many, NOW)
    assert len(asked) == 20


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "the next tick finishes it"),
        ({"due_at": None}, "certify it by its name to finish it"),
        (
            {"on_hold": OnHold(by="kim", why="moving", since=NOW)},
            "after unpause, the next tick finishes it",
        ),
    ],
)
def test_who_finishes_it(more: dict[str, Any], says: str) -> None:
    """The schedule, unless it does not take the source."""
    assert finished_by(claimed("orders", 11).model_copy(update=more)) == says
