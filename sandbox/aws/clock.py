"""Time in the sandbox: it stops until somebody waits, and then it has passed."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that only moves forward, and mostly by being waited on.

    Handlers read it, the DMS stand-in counts its durations on it, and the machine's Wait states and
    retries move it instead of sleeping. Children that run side by side share it: when one has
    waited, the time has passed for all.

    Args:
        start: what the clock shows at first; default the present, since certificates and libpq go
            by the real time.
        speed: virtual seconds in a real one. None never sleeps; a number lets people watch.
        sleep: how real time passes.
    """

    def __init__(
        self,
        start: datetime | None = None,
        *,
        speed: float | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._now = start or datetime.now(UTC)
        self._speed = speed
        self._sleep = sleep
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time on this clock, aware, in UTC."""
        with self._lock:
            return self._now

    def time(self) -> float:
        """Return the time on this clock in seconds since the epoch."""
        return self.now().timestamp()

    def advance(self, seconds: float = 0, **more: float) -> datetime:
        """Let time pass at once: ``advance(5)``, ``advance(minutes=10)``, ``advance(days=1)``."""
        with self._lock:
            self._now += timedelta(seconds=seconds, **more)
            return self._now

    def wait(self, seconds: float) -> None:
        """Be there in that many seconds. What others have waited meanwhile counts."""
        until = self.now() + timedelta(seconds=seconds)
        if self._speed is not None:
            self._sleep(seconds / self._speed)
        with self._lock:
            self._now = max(self._now, until)
