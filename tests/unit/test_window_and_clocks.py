"""A weekly window in every zone of the world, over every change of its clocks, against zoneinfo."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from certifier.window import DAYS, LEAST, Window, WindowError
from tests.days import share

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "near", "opens", "closes"),
    [
        # Berlin's clocks go from 2 to 3 on 29 March 2026, and from 3 to 2 on 25 October.
        ("sun 02:30-03:45 Europe/Berlin", "2026-03-28", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("sun 02:30-03:10 Europe/Berlin", "2026-03-28", "2026-03-29T01:00", "2026-03-29T01:40"),
        ("sun 02:00-04:00 Europe/Berlin", "2026-03-28", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("sun 01:00-02:30 Europe/Berlin", "2026-03-28", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("sun 01:55-02:30 Europe/Berlin", "2026-03-28", "2026-03-29T00:55", "2026-03-29T01:30"),
        ("sun 02:00-03:00 Europe/Berlin", "2026-10-24", "2026-10-25T01:00", "2026-10-25T02:00"),
        ("sun 02:30-03:30 Europe/Berlin", "2026-10-24", "2026-10-25T01:30", "2026-10-25T02:30"),
        ("sun 01:30-02:30 Europe/Berlin", "2026-10-24", "2026-10-24T23:30", "2026-10-25T00:30"),
        ("sun 01:00-04:00 Europe/Berlin", "2026-10-24", "2026-10-24T23:00", "2026-10-25T03:00"),
        # Half an hour on Lord Howe, from 2 to half past on 4 October 2026; two hours at Troll.
        (
            "sun 02:00-02:30 Australia/Lord_Howe",
            "2026-10-03",
            "2026-10-03T15:30",
            "2026-10-03T16:00",
        ),
        ("sun 01:00-03:00 Antarctica/Troll", "2026-03-28", "2026-03-29T01:00", "2026-03-29T03:00"),
        ("sun 02:45-03:45 Pacific/Chatham", "2026-09-26", "2026-09-26T14:00", "2026-09-26T15:00"),
        # Samoa had no 30 December 2011, a Friday.
        ("fri 02:00-06:00 Pacific/Apia", "2011-12-29", "2011-12-30T10:00", "2011-12-30T14:00"),
        # At midnight in Beirut: Sunday begins at one o'clock.
        ("sun 00:00-01:00 Asia/Beirut", "2026-03-28", "2026-03-28T22:00", "2026-03-28T23:00"),
    ],
)
def test_a_window_over_a_change_of_the_clocks(
    text: str, near: str, opens: str, closes: str
) -> None:
    """Neither cut to minutes nor open at a time that the owner has not named, in turn."""
    window = Window.parse(text)
    assert window.next_opening(at(near)) == at(opens)
    assert window.is_open(at(opens))
    assert not window.is_open(at(opens) - MINUTE)
    assert window.is_open(at(closes) - MINUTE)
    assert not window.is_open(at(closes))


@cache
def zones() -> tuple[str, ...]:
    """Every zone that a window may name."""
    return tuple(sorted(name for name in available_timezones() if taken(name)))


def taken(name: str) -> bool:
    try:
        Window.parse(f"sun 02:00-04:00 {name}")
    except WindowError:
        return False
    return True


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The days (UTC) before which the zone's offset changes, 1993 to 2040."""
    zone, found = ZoneInfo(name), []
    day = datetime(1993, 1, 1, tzinfo=UTC)
    offset = day.astimezone(zone).utcoffset()
    while day.year < 2041:
        day += DAY
        if (now := day.astimezone(zone).utcoffset()) != offset:
            found.append(day)
            offset = now
    return tuple(found)


def closing(window: Window, opens: datetime) -> datetime:
    """Return when a window that has opened closes, to the minute."""
    low, high = 0, 26 * 60
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if window.is_open(opens + middle * MINUTE) else (low, middle)
    return opens + high * MINUTE


@settings(max_examples=share(200))
@given(data=st.data())
def test_near_every_change_in_every_zone_a_window_is_what_the_wall_says(
    data: st.DataObject,
) -> None:
    """It opens once in each week, for long enough, and while a clock on the wall says so."""
    name = data.draw(st.sampled_from(zones()))
    days = changes(name) or (datetime(2026, 1, 1, tzinfo=UTC),)
    change = data.draw(st.sampled_from(days))
    near = change.astimezone(ZoneInfo(name))
    day = (near.weekday() + data.draw(st.integers(-2, 2))) % 7
    minutes = st.integers(0, 24 * 4 - 1).map(lambda quarter: divmod(quarter * 15, 60))
    start, end = (
        data.draw(minutes.map(lambda m: time(*m))),
        data.draw(minutes.map(lambda m: time(*m))),
    )
    if start == end:
        return
    window = Window.parse(f"{DAYS[day]} {start:%H:%M}-{end:%H:%M} {name}")
    check(window, change - 10 * DAY, weeks=3)


@example("Pacific/Apia", 4)
@settings(max_examples=share(25))
@given(name=st.sampled_from(zones()), day=st.integers(0, 6))
def test_years_of_the_usual_windows_in_any_zone(name: str, day: int) -> None:
    """No week is lost, and none has two, from 2011 on."""
    for hours in ("02:00-03:00", "23:30-02:30"):
        check(Window.parse(f"{DAYS[day]} {hours} {name}"), at("2011-11-01"), weeks=160)


def check(window: Window, since: datetime, *, weeks: int) -> None:
    """Hold a window against the wall clock of its zone."""
    start, end = (each.hour * 60 + each.minute for each in (window.opens, window.closes))
    meant = (end - start) % (24 * 60) * MINUTE
    opens = window.next_opening(since)
    for _ in range(weeks):
        closes = closing(window, opens)
        assert window.is_open(opens)
        assert not window.is_open(opens - MINUTE)
        assert closes - opens >= min(meant, LEAST)
        if not inside(window, opens, closes):
            skipped = not inside(window, opens, opens + MINUTE)
            assert closes - opens == (meant if skipped else min(meant, LEAST))
        following = window.next_opening(opens)
        assert timedelta(days=5, hours=23) <= following - opens <= timedelta(days=8, hours=1)
        opens = following


def shown(window: Window, when: datetime) -> datetime:
    return when.astimezone(window.zone).replace(tzinfo=None)


def inside(window: Window, opens: datetime, closes: datetime) -> bool:
    """Whether the wall shows a time of the window at each of its minutes."""
    late = window.closes < window.opens
    while opens < closes:
        now = shown(window, opens).time()
        begun, over = now >= window.opens, now >= window.closes
        if not (begun or not over if late else begun and not over):
            return False
        opens += 5 * MINUTE
    return True
