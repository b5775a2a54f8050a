"""When an expiry is near: by days, and by the share of a certificate's life that is left.

Public certificates live 200 days at most since March 2026, 100 from March 2027 and 47 from 2029
(CA/Browser Forum ballot SC-081v3); some live 45 or 6. A window of fixed days would be always open
for the short ones, so a window is never longer than a share of the life. Pure: ``now`` is an
argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

URGENT = timedelta(days=14)
"""How long before its end a certificate that is still not renewed is late, at the most."""

WARNING_SHARE, URGENT_SHARE = 3, 6
"""A third of the life is left when a renewal usually begins; with a sixth it has been missed."""

STEPS = (14, 7, 3, 1, 0)
"""Days left at which people are notified again, besides the day on which the window opens."""


@dataclass(frozen=True)
class Lifetime:
    """From when until when a certificate is valid. ``starts`` is ``None`` where nobody knows."""

    starts: datetime | None
    ends: datetime

    @property
    def whole(self) -> timedelta | None:
        """How long it is valid in all."""
        if self.starts is None or self.starts >= self.ends:
            return None
        return self.ends - self.starts

    def _at_most(self, window: timedelta, share: int) -> timedelta:
        return window if self.whole is None else min(window, self.whole / share)

    def window(self, warning_days: int) -> timedelta:
        """Return how long before its end the expiry is reported: a third of its life at most."""
        return self._at_most(timedelta(days=warning_days), WARNING_SHARE)

    def expires_soon(self, now: datetime, warning_days: int) -> bool:
        """Whether the window is open; also once it has expired."""
        return self.ends - now <= self.window(warning_days)

    def is_late(self, now: datetime) -> bool:
        """Whether a renewal was missed: 14 days are left, or a sixth of its life."""
        return self.ends - now <= self._at_most(URGENT, URGENT_SHARE)

    def share_left(self, now: datetime) -> float | None:
        """Return how much of its life is left, from 1 to 0; ``None`` where nobody knows."""
        if self.whole is None:
            return None
        return max(0.0, min(1.0, (self.ends - now) / self.whole))

    def step(self, now: datetime, warning_days: int) -> str | None:
        """Return how near the expiry is, as a word that changes when people are notified again.

        ``None`` before the window opens; then ``window``, and the days of ``STEPS`` that lie inside
        it, as they are reached.
        """
        if not self.expires_soon(now, warning_days):
            return None
        left, window = self.ends - now, self.window(warning_days)
        reached: Sequence[int] = [
            days for days in STEPS if left <= timedelta(days=days) and timedelta(days=days) < window
        ]
        return f"{min(reached)}d" if reached else "window"
