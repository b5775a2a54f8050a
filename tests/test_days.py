"""On which day the tests run, and what is said when one of them had no day."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests import days
from tests.days import Turn
from tests.on_days import Day, summary, wrong

NAMES = ("+40", "29-feb")
MACHINE = datetime.now(UTC)
DATED, OTHER, PROBED = "tests/unit/a.py::dated", "tests/aws/b.py::other", "tests/aws/b.py::probed"
CASES = tuple(f"tests/aws/b.py::many[{number}]" for number in range(9))
TURNS = {
    DATED: Turn.EACH_DAY,
    OTHER: Turn.ONE_DAY,
    PROBED: Turn.REAL_CLOCK,
    **dict.fromkeys(CASES, Turn.CASE_A_DAY),
}
FORTY = Day("+40", 0, MACHINE + timedelta(days=40), TURNS, frozenset({DATED, CASES[0]}))
LEAP = Day(
    "29-feb",
    0,
    MACHINE + days.ahead("29-feb", MACHINE),
    TURNS,
    frozenset({DATED, OTHER, CASES[4]}),
)


def test_the_process_believes_its_day() -> None:
    """Its clock is as far ahead as asked; that of a child, which is the machine's, stays."""
    answer = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    machine = datetime.fromtimestamp(float(answer.stdout), UTC)
    here = datetime.now(UTC)
    assert abs(here - machine - days.moved_by()) < timedelta(seconds=60)
    assert (days.moved_by() != timedelta(0)) == bool(days.days())


@pytest.mark.parametrize(
    ("now", "day", "then"),
    [
        ("2026-11-29T14:00", "+40", "2027-01-08T14:00"),
        ("2026-11-29T14:00", "29-feb", "2028-02-29T23:30"),
        ("2028-02-29T14:00", "29-feb", "2028-02-29T23:30"),
        ("2096-03-01T00:00", "29-feb", "2104-02-29T23:30"),
    ],
)
def test_a_day_is_found(now: str, day: str, then: str) -> None:
    """A number of days ahead, or the next 29 February, even where a leap year is left out."""
    start = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert start + days.ahead(day, start) == datetime.fromisoformat(then).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "names", "marks", "expected"),
    [
        ("tests/unit/test_window.py", {"datetime"}, {"parametrize"}, Turn.EACH_DAY),
        ("tests/test_days.py", {"datetime"}, set(), Turn.EACH_DAY),
        ("tests/unit/test_address.py", set(), set(), Turn.ONE_DAY),
        (
            "tests/unit/test_certificate_properties.py",
            {"datetime", "given"},
            set(),
            Turn.ONE_DAY,
        ),
        ("tests/unit/test_fleet_page.py", {"datetime"}, {"slow"}, Turn.ONE_DAY),
        ("tests/aws/test_record.py", {"datetime"}, set(), Turn.ONE_DAY),
        ("tests/unit/test_window.py", {"datetime"}, {"real_clock"}, Turn.REAL_CLOCK),
    ],
)
def test_what_knows_dates_and_is_quick_runs_on_each_day(
    path: str, names: set[str], marks: set[str], expected: Turn
) -> None:
    """All others run on one; what needs the machine's clock on none."""
    assert days.turn_of(path=path, names=names, marks=marks) is expected


@pytest.mark.parametrize(
    ("names", "marks", "cases", "expected"),
    [
        (set(), set(), 2, Turn.ONE_DAY),
        (set(), set(), 3, Turn.CASE_A_DAY),
        ({"datetime"}, set(), 300, Turn.ONE_DAY),
        (set(), {"real_clock"}, 300, Turn.REAL_CLOCK),
    ],
)
def test_of_many_cases_that_know_no_dates_one_a_day_is_enough(
    monkeypatch: pytest.MonkeyPatch, names: set[str], marks: set[str], cases: int, expected: Turn
) -> None:
    """More cases than days are many."""
    monkeypatch.setenv("CERTIFIER_DAYS", ",".join(NAMES))
    path = "tests/aws/test_store.py"
    assert days.turn_of(path=path, names=names, marks=marks, cases=cases) is expected


def test_each_day_has_its_share_of_the_others() -> None:
    """Of 4,000 tests every one of four days gets about a quarter."""
    places = [days.place(f"tests/aws/test_a.py::test[{number}]", 4) for number in range(4000)]
    assert all(900 < places.count(place) < 1100 for place in range(4))


@pytest.mark.parametrize("cases", [5, 6, 7, 8, 580])
def test_of_many_cases_each_day_has_one(monkeypatch: pytest.MonkeyPatch, cases: int) -> None:
    """From all parts of the list; without turns, each day has all."""
    monkeypatch.setenv("CERTIFIER_DAYS", "+40,+400,+4000,29-feb")
    monkeypatch.setenv("CERTIFIER_TURNS", "1")
    ran = []
    for day in range(4):
        monkeypatch.setenv("CERTIFIER_TURN", str(day))
        ran += [
            number
            for number in range(cases)
            if days.runs(Turn.CASE_A_DAY, f"a.py::test[{number}]", number, cases)
        ]
    assert len(set(ran)) == len(ran) == 4
    assert ran[0] == 0
    assert ran[-1] >= cases // 2
    monkeypatch.delenv("CERTIFIER_TURNS")
    assert all(
        days.runs(Turn.CASE_A_DAY, "a.py::test[1]", number, cases) for number in range(cases)
    )


@pytest.mark.parametrize(("asked", "enough"), [("", (800, 1)), ("+40", (133, 1))])
def test_a_share_is_enough_on_another_day(
    monkeypatch: pytest.MonkeyPatch, asked: str, enough: tuple[int, int]
) -> None:
    """On the machine's own all is drawn; on another a sixth, and never nothing."""
    monkeypatch.setenv("CERTIFIER_DAYS", asked)
    assert (days.share(800), days.share(1)) == enough
    assert days.some("abcdefgh") == (["a", "g"] if asked else [*"abcdefgh"])


def test_days_that_have_shown_everything_are_good() -> None:
    """The summary counts what ran."""
    assert wrong([FORTY, LEAP], NAMES, MACHINE) == []
    assert summary([FORTY, LEAP]) == (
        "5 runs on 2 days; tests that know dates, on each: 1; others, on one: 1,"
        " and with a case on each: 1; left to the machine's clock: 1"
    )


@pytest.mark.parametrize("minutes", [-15, 0, 30])
def test_a_leap_day_may_end_while_its_tests_run(minutes: int) -> None:
    """It was the last one when they began, and is four years ahead when they are judged."""
    midnight = datetime(2028, 3, 1, tzinfo=UTC)
    began = midnight - timedelta(minutes=20)
    seen = [
        replace(FORTY, clock=began + timedelta(days=40)),
        replace(LEAP, clock=began + days.ahead("29-feb", began)),
    ]
    assert wrong(seen, NAMES, midnight + timedelta(minutes=minutes)) == []


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        ([LEAP], ["+40: ended before its tests", f"{DATED}: ran on 29-feb, not on each"]),
        ([replace(FORTY, status=1), LEAP], ["+40: status 1"]),
        (
            [replace(FORTY, clock=MACHINE), LEAP],
            [f"+40: the clock of its process was at {MACHINE}"],
        ),
        ([FORTY, replace(LEAP, begun=frozenset({DATED, CASES[8]}))], [f"{OTHER}: ran on no day"]),
        (
            [replace(FORTY, begun=frozenset(CASES)), LEAP],
            [f"{DATED}: ran on 29-feb, not on each"],
        ),
        (
            [FORTY, replace(LEAP, begun=frozenset({DATED, OTHER}))],
            ["tests/aws/b.py::many: none of its cases ran on 29-feb"],
        ),
        (
            [
                replace(FORTY, turns={**TURNS, "tests/unit/a.py::of[2027-01-08]": Turn.EACH_DAY}),
                LEAP,
            ],
            ["tests/unit/a.py::of[2027-01-08]: ran on no day, not on each"],
        ),
    ],
)
def test_what_the_days_have_not_shown_is_named(seen: list[Day], found: list[str]) -> None:
    """A day that is missing, red or not moved; a test that had no turn, or is another each day."""
    assert wrong(seen, NAMES, MACHINE) == found
