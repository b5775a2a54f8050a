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


LEAST = timedelta(hours=1)
"""How long a window is open at least, however the clocks change, unless it is meant to be less."""
_SECOND = timedelta(seconds=1)


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

    An end that is not after the start lies on the next day. Changes of the clock follow the zone. A
    time that is skipped is the moment of the skip; of a time that comes twice, a window opens at
    the second and closes at the first after its opening. So while it is open, a clock on the wall
    shows a time between the two, but for two exceptions: a window that is skipped as a whole is
    open for as long as it was meant to be, right after the skip; and one that a skip cuts short is
    open for ``LEAST``, or for as long as it was meant to be, if that is less.
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
        start, end = datetime.combine(date, self.opens), datetime.combine(last, self.closes)
        opens = max(self._moments(start))
        moments = self._moments(end)
        closes = min((moment for moment in moments if moment > opens), default=max(moments))
        length = end - start
        least = length if closes <= opens else min(length, LEAST)
        return opens, max(closes, opens + least)

    def _moments(self, wall: datetime) -> tuple[datetime, ...]:
        """Return the instants (UTC) at which the zone's clock shows a time, or skips it."""
        early, late = sorted(
            wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1)
        )
        if self._shown(early) == wall:
            return (early,) if early == late else (early, late)
        while late - early > _SECOND:  # the clock is put forward between them
            middle = early + (late - early) // 2
            if self._shown(middle) < wall:
                early = middle
            else:
                late = middle
        return (late.replace(microsecond=0),)

    def _shown(self, at: datetime) -> datetime:
        """Return what the zone's clock shows at an instant."""
        return at.astimezone(self.zone).replace(tzinfo=None, fold=0)

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
