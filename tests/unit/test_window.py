"""A weekly window opens and closes when a person in that time zone would say so."""

from datetime import UTC, datetime

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
