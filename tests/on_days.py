"""Tests on each of the days in CERTIFIER_DAYS: ``python -m tests.on_days PATH...``.

Each day has a process of its own, because modules make certificates while they are imported. To
import moto, botocore and our own modules takes longer than many of the tests, so it is done once
and the processes are forked off. Where a fork is not safe, each process imports them by itself.

It fails when a test fails, and also when a clock was not moved or a test had its turn on no day.
"""

import contextlib
import gc
import importlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests import days
from tests.days import Turn

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("certifier", "lambdas", "sandbox")  # none reads a clock while it is imported
FORKS = sys.platform == "linux"
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Day:
    """What became of one day.

    Attributes:
        clock: what the clock of its process showed when all tests were collected.
        turns: each test that was collected, also if this is not its day.
        begun: the tests that ran.
    """

    name: str
    status: int
    clock: datetime
    turns: dict[str, Turn] = field(default_factory=dict)
    begun: frozenset[str] = frozenset()


def wrong(seen: Sequence[Day], names: Sequence[str], now: datetime) -> list[str]:
    """Return what these days have not shown.

    Args:
        seen: the days that came to an end.
        names: the days that were asked for.
        now: the machine's clock, at most an hour after the tests were collected.
    """
    found = [f"{name}: ended before its tests" for name in names if name not in _named(seen)]
    for day in seen:
        if day.status:
            found.append(f"{day.name}: status {day.status}")
        elif not any(_is_on(day, since) for since in (now, now - HOUR)):
            found.append(f"{day.name}: the clock of its process was at {day.clock}")
    for test, turn in sorted(_turns(seen).items()):
        on = [day.name for day in seen if test in day.begun]
        if turn is Turn.EACH_DAY and len(on) < len(names):
            found.append(f"{test}: ran on {', '.join(on) or 'no day'}, not on each")
        elif turn is Turn.ONE_DAY and not on:
            found.append(f"{test}: ran on no day")
    return found + _without_a_case(seen)


def _is_on(day: Day, now: datetime) -> bool:
    """Whether its clock was where it belongs at that time; a 29 February may have ended since."""
    return abs(now + days.ahead(day.name, now) - day.clock) <= HOUR


def _without_a_case(seen: Sequence[Day]) -> list[str]:
    """Return the tests of many cases of which none ran on some day."""
    turns = _turns(seen)
    many = {_test(case) for case, turn in turns.items() if turn is Turn.CASE_A_DAY}
    return [
        f"{test}: none of its cases ran on {day.name}"
        for day in seen
        for test in sorted(many - {_test(case) for case in day.begun})
    ]


def _test(case: str) -> str:
    return case.partition("[")[0]


def summary(seen: Sequence[Day]) -> str:
    """Return how many tests ran how often."""
    turns = list(_turns(seen).values())
    each, one, real = (turns.count(turn) for turn in (Turn.EACH_DAY, Turn.ONE_DAY, Turn.REAL_CLOCK))
    many = {_test(case) for case, turn in _turns(seen).items() if turn is Turn.CASE_A_DAY}
    runs = sum(len(day.begun) for day in seen)
    return (
        f"{runs} runs on {len(seen)} days; tests that know dates, on each: {each};"
        f" others, on one: {one}, and with a case on each: {len(many)};"
        f" left to the machine's clock: {real}"
    )


def main(arguments: Sequence[str]) -> int:
    """Run the tests on all days at once; show what pytest says of a day that is not green."""
    if FORKS:
        _import_all()
    names, seen = days.days(), list[Day]()
    with tempfile.TemporaryDirectory() as folder:
        printed = {name: Path(folder, str(place)) for place, name in enumerate(names)}
        ends = {_started(place, arguments, printed[name]): name for place, name in enumerate(names)}
        while ends:
            for end in wait(list(ends)):
                assert isinstance(end, Connection)
                name = ends.pop(end)
                with contextlib.suppress(EOFError):  # it died; `wrong` says so
                    seen.append(end.recv())
                _show(name, printed[name], seen)
    found = wrong(seen, names, datetime.now(UTC))
    print(summary(seen), *found, sep="\n")
    return 1 if found else 0


def _started(place: int, arguments: Sequence[str], printed: Path) -> Connection:
    """Start the process of one day, and return where its answer comes from."""
    process: type[BaseProcess] = (
        multiprocessing.get_context("fork").Process
        if FORKS
        else multiprocessing.get_context("spawn").Process
    )
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process(target=_run, args=(place, tuple(arguments), printed, theirs)).start()
    theirs.close()  # so that a process that dies is an end of file
    return ours


class _Witness:
    """A plugin of pytest that looks on."""

    def __init__(self) -> None:
        self.clock = datetime.now(UTC)
        self.turns: dict[str, Turn] = {}
        self.begun: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.clock = datetime.now(UTC)
        self.pytest_deselected(session.items)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.turns.update((item.nodeid, days.turn(item)) for item in items)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.begun.add(nodeid)


def _run(place: int, arguments: Sequence[str], printed: Path, answer: Connection) -> None:
    """Run the tests of one day, in a process of its own."""
    with printed.open("wb") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    os.environ["CERTIFIER_TURN"] = str(place)
    looks_on = _Witness()
    given = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
    status = int(pytest.main(given, plugins=[looks_on]))
    day = Day(
        name=days.days()[place],
        status=status,
        clock=looks_on.clock,
        turns=looks_on.turns,
        begun=frozenset(looks_on.begun),
    )
    answer.send(day)


def _import_all() -> None:
    """Import what the tests need, and let no collection of garbage look at it again."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if path.name != "__main__.py":
                importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _show(name: str, printed: Path, seen: Sequence[Day]) -> None:
    lines = printed.read_text("utf-8", "replace").splitlines()
    green = any(day.name == name and not day.status for day in seen)
    print(f"{name}:", *(lines[-1:] if green else ["", *lines]), sep=" " if green else "\n")


def _named(seen: Sequence[Day]) -> frozenset[str]:
    return frozenset(day.name for day in seen)


def _turns(seen: Sequence[Day]) -> dict[str, Turn]:
    return {test: turn for day in seen for test, turn in day.turns.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
