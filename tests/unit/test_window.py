"""A weekly window opens and closes when a person in that time zone would say so."""

from datetime import UTC, datetime, timedelta

import pytest

from certifier.window import Window, WindowError


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_window_is_open_between_its_two_wall_times() -> None:
    """Sunday 02:00 to 04:00 in Berlin is 01:00 to 03:00 UTC in winter, the end excluded."""
    window = Window.parse("sun 02:00-04:00 Europe/Berlin")
    assert [
        window.is_open(at(f"2026-01-04T{clock}"))
        for clock in ("00:59:59", "01:00", "02:59:59", "03:00")
    ] == [False, True, True, False]


def test_a_window_follows_daylight_saving() -> None:
    """In summer the same window opens an hour earlier in UTC."""
    window = Window.parse("sun 02:00-04:00 Europe/Berlin")
    assert window.is_open(at("2026-07-05T00:30"))
    assert not window.is_open(at("2026-07-05T02:30"))


def test_a_window_may_end_on_the_next_day() -> None:
    """Saturday 23:00 to 01:00 is open at half past midnight on Sunday."""
    window = Window.parse("sat 23:00-01:00 UTC")
    assert window.is_open(at("2026-01-04T00:30"))
    assert not window.is_open(at("2026-01-03T00:30"))


def test_a_window_over_the_end_of_the_week_is_open_on_monday() -> None:
    """Sunday night's window is still open on Monday morning."""
    window = Window.parse("sun 22:00-02:00 UTC")
    assert window.is_open(at("2026-01-05T01:00"))


def test_a_window_that_the_clocks_skip_opens_after_the_skip() -> None:
    """On 29 March 2026 it is never half past two in Berlin; the window is the hour after."""
    window = Window.parse("sun 02:00-03:00 Europe/Berlin")
    assert window.is_open(at("2026-03-29T01:30"))
    assert not window.is_open(at("2026-03-29T00:59"))
    assert not window.is_open(at("2026-03-29T02:00"))
    half = Window.parse("sun 02:30-03:00 Europe/Berlin")
    assert half.next_opening(at("2026-03-28T00:00")) == at("2026-03-29T01:00")
    assert half.is_open(at("2026-03-29T01:29"))
    assert not half.is_open(at("2026-03-29T01:30"))


@pytest.mark.parametrize("text", ["sun 02:00-03:00 Europe/Berlin", "sat 23:30-02:30 Europe/Berlin"])
def test_no_week_is_lost(text: str) -> None:
    """Whatever the clocks do, the window opens once in each week, and closes after that."""
    window = Window.parse(text)
    opening = window.next_opening(at("2026-01-01T00:00"))
    for _ in range(52):
        assert window.is_open(opening)
        following = window.next_opening(opening)
        assert timedelta(days=6, hours=23) <= following - opening <= timedelta(days=7, hours=1)
        opening = following


def test_a_change_begins_ahead_of_the_opening() -> None:
    """What stops nothing does not need the window."""
    window = Window.parse("sun 02:00-02:10 UTC")
    assert window.may_begin(at("2026-01-04T01:45"))
    assert not window.may_begin(at("2026-01-04T01:44"))
    assert window.may_begin(at("2026-01-04T02:09"))
    assert not window.may_begin(at("2026-01-04T02:10"))


def test_the_next_opening_lies_after_now() -> None:
    """While a window is open, the next opening is a week away; before it, it is this week's."""
    window = Window.parse("sun 02:00-04:00 UTC")
    assert window.next_opening(at("2026-01-03T00:00")) == at("2026-01-04T02:00")
    assert window.next_opening(at("2026-01-04T02:00")) == at("2026-01-11T02:00")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sunday", "must look like"),
        ("day 02:00-04:00 UTC", "the day must be one of"),
        ("sun 25:00-26:00 UTC", "between 00:00 and 23:59"),
        ("sun 02:00-02:00 UTC", "must not open and close at the same time"),
        ("sun 02:00-04:00 Mars/Base", "IANA name"),
        ("sun 02:00-04:00 ../etc", "must look like"),
    ],
)
def test_a_text_that_is_not_a_window_says_what_is_allowed(text: str, said: str) -> None:
    """Each mistake has its own sentence."""
    with pytest.raises(WindowError, match=said):
        Window.parse(text)
