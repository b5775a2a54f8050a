"""The day on which the tests run: another one than the machine's when CERTIFIER_DAYS asks for it.

CERTIFIER_DAYS is a list such as ``+40,+400,29-feb``. A process believes one of them, the one at
place CERTIFIER_TURN or else the first; ``tests.on_days`` starts a process for each. With
CERTIFIER_TURNS, a test whose day hardly matters runs on one of the days only, or one of its cases
on each, when they are many.
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


_TURN: Final = pytest.StashKey["Turn"]()

ANOTHER_PROCESS: Final = pytest.mark.real_clock(
    "it asks other processes, which have the machine's clock"
)


class Turn(StrEnum):
    """On which days a test runs."""

    EACH_DAY = "each day"
    ONE_DAY = "one day"
    CASE_A_DAY = "one of its cases on each day"
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


def chosen(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the tests that run on the day of this process; each is asked for its `turn` later."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    found = []
    for cases in tests.values():
        for number, item in enumerate(cases):
            item.stash[_TURN] = _turn(item, len(cases))
            if not days() or runs(turn(item), item.nodeid, number, len(cases)):
                found.append(item)
    return found


def turn(item: pytest.Item) -> Turn:
    """Return on which days a test runs when they take turns."""
    return item.stash[_TURN]


def runs(turn: Turn, nodeid: str, number: int, cases: int) -> bool:
    """Return whether a test runs on the day of this process.

    Args:
        number: which of its cases it is, from 0.
        cases: how many cases it has.
    """
    if turn is Turn.REAL_CLOCK or not os.environ.get("CERTIFIER_TURNS"):
        return turn is not Turn.REAL_CLOCK
    match turn:
        case Turn.ONE_DAY:
            return place(nodeid, len(days())) == _place()
        case Turn.CASE_A_DAY:
            return number == _place() * cases // len(days())
    return True


def _turn(item: pytest.Item, cases: int) -> Turn:
    return turn_of(
        path=item.path.relative_to(item.config.rootpath).as_posix(),
        names=vars(getattr(item, "module", item)),
        marks={mark.name for mark in item.iter_markers()},
        cases=cases,
    )


def turn_of(*, path: str, names: Container[str], marks: Container[str], cases: int = 1) -> Turn:
    """Return on which days a test runs when they take turns.

    Args:
        path: the file of the test, from the root of the repository.
        names: what its module has at its top level.
        marks: the marks of the test.
        cases: how many cases it has.
    """
    if "real_clock" in marks:
        return Turn.REAL_CLOCK
    if "datetime" not in names:
        return Turn.CASE_A_DAY if cases > max(len(days()), 1) else Turn.ONE_DAY
    long = "slow" in marks or "given" in names  # Hypothesis: hundreds of calls
    return Turn.EACH_DAY if path.startswith(_PURE) and not long else Turn.ONE_DAY


def place(nodeid: str, count: int) -> int:
    """Return which of so many days has the turn of this test, always the same one."""
    return zlib.crc32(nodeid.encode()) % count


def _place() -> int:
    return int(os.environ.get("CERTIFIER_TURN", "0"))
