"""What time it is, as AWS's answers say: ages and due times are AWS's, not those of a laptop."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

_TOLERATED = timedelta(seconds=5)
"""``Date`` has whole seconds and is written before the answer arrives: this much does not count."""
_YEARS = range(2000, 2200)
"""What a clock of AWS can say. By more than that, what is added to a time would overflow."""


class ServiceClock:
    """The clock of whoever answered last; the machine's own until somebody has."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC) + self._ahead

    def hear(self, http_response: Any = None, **_: Any) -> None:
        """Read the header ``Date`` of an answer: botocore's event ``after-call``."""
        headers = getattr(http_response, "headers", None) or {}
        then = _read(str(headers.get("date", "")))
        if then is None:
            return
        ahead = then - datetime.now(UTC)
        self._ahead = ahead if abs(ahead) > _TOLERATED else timedelta()


def _read(date: str) -> datetime | None:
    """Return the instant that a header ``Date`` names; ``None``: none, or none of our time."""
    try:
        then = parsedate_to_datetime(date)
        if then.tzinfo is None:  # "-0000": a time in UTC, whose sender does not say where it is
            then = then.replace(tzinfo=UTC)
        then = then.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
    return then if then.year in _YEARS else None
