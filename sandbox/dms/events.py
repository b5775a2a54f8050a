"""DescribeEvents: what happened to tasks (answers recorded of real DMS)."""

from datetime import datetime
from typing import Any

from sandbox.dms.world import Operations, World, invalid, page

_HOUR, _DAYS_KEPT = 60, 14
"""Minutes that are shown unless others are asked for, and for how many days events are kept."""


class Events:
    """Describe."""

    def __init__(self, dms: World) -> None:
        self._dms = dms

    def operations(self) -> Operations:
        """The API operations that are answered here."""
        return {"DescribeEvents": self._describe}

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        minutes = params.get("Duration", _HOUR)
        if not 1 <= minutes <= _DAYS_KEPT * 24 * 60:
            raise invalid(f"Duration must be between 1 and {_DAYS_KEPT * 24 * 60}")
        now = self._dms.now()
        # No event has a date that another one has: the last ones may be dated a moment ahead.
        until = _seconds(params.get("EndTime"), now + 1)
        since = _seconds(params.get("StartTime"), min(until, now) - minutes * 60)
        wanted = frozenset(params.get("EventCategories") or ())
        found = [
            event
            for event in self._dms.state.events
            if since <= event["Date"].timestamp() <= until
            and params.get("SourceIdentifier", event["SourceIdentifier"])
            == event["SourceIdentifier"]
            and params.get("SourceType", event["SourceType"]) == event["SourceType"]
            and (not wanted or wanted & {*event["EventCategories"]})
        ]
        return page(params, "Events", found)


def _seconds(given: Any, default: float) -> float:
    """Seconds since the epoch of a time as clients send it: a number, or ISO 8601.

    Raises:
        JsonRESTError: it is neither.
    """
    if given is None:
        return default
    if isinstance(given, int | float):
        return float(given)
    try:
        return datetime.fromisoformat(str(given)).timestamp()
    except ValueError:
        raise invalid(f"not a time: {given}") from None
