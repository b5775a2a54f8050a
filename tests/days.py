"""The day on which the tests run: another one than the machine's when CERTIFIER_DAYS asks for it.

CERTIFIER_DAYS is a list such as ``+40,+400,29-feb``. A process believes one of them, the one at
place CERTIFIER_TURN or else the first; ``tests.on_days`` starts a process for each. With
CERTIFIER_TURNS, a test whose day hardly matters runs on one of the days only.
"""

import os
import zlib
from collections.abc import Container, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Final, TypeVar

import pytest

Case = TypeVar("Case")

# The folders and files whose tests are pure: some thousand of them take a few seconds.
_PURE: Final = ("tests/unit", "tests/test_days.py")


ANOTHER_PROCESS: Final = pytest.mark.real_clock(
    "it asks other processes, which have the machine's clock"
)


class Turn(StrEnum):
    """On which days a test runs."""

    EACH_DAY = "each day"
    ONE_DAY = "one day"
    REAL_CLOCK = "the machine's clock"


def days() -> tuple[str, ...]:
    """Return the days that were asked for, in their order; empty for the machine's own."""
    return tuple(filter(None, os.environ.get("CERTIFIER_DAYS", "").split(",")))


def ahead(day: str, now: datetime) -> timedelta:
    """Return how far ahead it is: so many days, or up to the last hour of the next 29 February."""
    if day != "29-feb":
        return timedelta(days=int(day))
    then = now
    while (then.month, then.day) != (2, 29):
        then += timedelta(days=1)
    return then.replace(hour=23, minute=30) - now


@cache
def moved_by() -> timedelta:
    """Return how far ahead of the machine's this process's clock is, once for its whole life."""
    return ahead(days()[_place()], datetime.now(UTC)) if days() else timedelta(0)


def travel() -> None:
    """Move the clock of this process, and of nobody else, for as long as the process lives."""
    if days():
        import time_machine  # pytest wants to rewrite it first

        time_machine.travel(datetime.now(UTC) + moved_by()).start()


def share(count: int) -> int:
    """Return how many of so many are enough: all, or a sixth of them on another day.

    For examples that are drawn, and for fleets that are large so that something is seen to be
    bounded: neither knows a date.
    """
    return max(count // 6, 1) if days() else count


def some(cases: Iterable[Case]) -> list[Case]:
    """Return the cases that are enough: all, or every sixth of them on another day.

    For the same act under each of many names, of which none is a date.
    """
    return list(cases)[:: 6 if days() else 1]


def runs(item: pytest.Item) -> bool:
    """Whether a test runs on the day of this process."""
    if not days():
        return True
    match turn(item):
        case Turn.REAL_CLOCK:
            return False
        case Turn.ONE_DAY if os.environ.get("CERTIFIER_TURNS"):
            return place(item.nodeid, len(days())) == _place()
    return True


def turn(item: pytest.Item) -> Turn:
    """Return on which days a test runs when they take turns."""
    return turn_of(
        path=item.path.relative_to(item.config.rootpath).as_posix(),
        names=vars(getattr(item, "module", item)),
        marks={mark.name for mark in item.iter_markers()},
    )


def turn_of(*, path: str, names: Container[str], marks: Container[str]) -> Turn:
    """Return on which days a test runs when they take turns.

    Args:
        path: the file of the test, from the root of the repository.
        names: what its module has at its top level.
        marks: the marks of the test.
    """
    if "real_clock" in marks:
        return Turn.REAL_CLOCK
    knows_dates = path.startswith(_PURE) and "datetime" in names
    long = "slow" in marks or "given" in names  # Hypothesis: hundreds of calls
    return Turn.EACH_DAY if knows_dates and not long else Turn.ONE_DAY


def place(nodeid: str, count: int) -> int:
    """Return which of so many days has the turn of this test, always the same one."""
    return zlib.crc32(nodeid.encode()) % count


def _place() -> int:
    return int(os.environ.get("CERTIFIER_TURN", "0"))
