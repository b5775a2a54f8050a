"""A weekly window of time, as a source writes it: ``sun 02:00-04:00 Europe/Berlin``."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHAPE = re.compile(r"(\w{3}) (\d{2}):(\d{2})-(\d{2}):(\d{2}) ([\w+/-]+)", re.ASCII)
_OF_THE_MACHINE = frozenset({"Factory", "localtime", "posix", "posixrules", "right"})
"""Files beside those of the zones: the machine's own time, and zones that count leap seconds."""
EXAMPLE = "sun 02:00-04:00 Europe/Berlin"


class WindowError(ValueError):
    """The text is not a window. The message says what is allowed."""


AHEAD = timedelta(minutes=15)
"""How long before its opening a change begins: probe and rehearsal stop nothing.

The schedule wakes every ten minutes, so a change has at least five of these; Pause tasks waits for
the opening with what is left of them.
"""


@dataclass(frozen=True)
class Window:
    """A window that opens once a week, on ``day`` (0 is Monday) in the zone's own wall time.

    An end that is not after the start lies on the next day. Daylight saving follows the zone: wall
    times that a change of the clock skips or repeats are read as ``zoneinfo`` reads them. A window
    that is skipped as a whole opens right after the skip, for as long as it was meant to.
    """

    day: int
    opens: time
    closes: time
    zone: ZoneInfo

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Return the window that ``text`` describes.

        Raises:
            WindowError: naming the part that is wrong and what is allowed.
        """
        match = _SHAPE.fullmatch(text.strip())
        if match is None:
            raise WindowError(f"must look like '{EXAMPLE}'")
        day, *digits, zone = match.groups()
        if day.lower() not in DAYS:
            raise WindowError(f"the day must be one of {', '.join(DAYS)}")
        try:
            opens = time(int(digits[0]), int(digits[1]))
            closes = time(int(digits[2]), int(digits[3]))
        except ValueError:
            raise WindowError("times must lie between 00:00 and 23:59") from None
        if opens == closes:
            raise WindowError("the window must not open and close at the same time")
        try:
            if zone.partition("/")[0] in _OF_THE_MACHINE:
                raise ValueError(zone)
            info = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise WindowError(
                "the zone must be an IANA name such as Europe/Berlin or UTC"
            ) from None
        return cls(DAYS.index(day.lower()), opens, closes, info)

    def _span(self, week_of: datetime) -> tuple[datetime, datetime]:
        """Return the opening and closing instants (UTC) in the week of a local date."""
        date = (week_of + timedelta(days=self.day - week_of.weekday())).date()
        last = date if self.closes > self.opens else date + timedelta(days=1)
        opens = datetime.combine(date, self.opens, self.zone).astimezone(UTC)
        closes = datetime.combine(last, self.closes, self.zone).astimezone(UTC)
        if closes <= opens:  # the clocks skip all of it, once a year: it comes after the skip
            length = datetime.combine(last, self.closes) - datetime.combine(date, self.opens)
            closes = opens + length
        return opens, closes

    def is_open(self, now: datetime) -> bool:
        """Whether ``now`` (aware) lies in the window; the closing instant does not."""
        local = now.astimezone(self.zone)
        spans = (self._span(local + timedelta(weeks=weeks)) for weeks in (-1, 0))
        return any(opens <= now < closes for opens, closes in spans)

    def may_begin(self, now: datetime) -> bool:
        """Whether a change may be begun: the window is open, or opens by the time it needs it."""
        return self.is_open(now) or self.next_opening(now) - now <= AHEAD

    def next_opening(self, now: datetime) -> datetime:
        """Return the first opening instant (UTC) that lies after ``now`` (aware)."""
        local = now.astimezone(self.zone)
        openings = (self._span(local + timedelta(weeks=weeks))[0] for weeks in (0, 1, 2))
        return next(opens for opens in openings if opens > now)
