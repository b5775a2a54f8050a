"""Time in the sandbox: it stops until somebody waits, and then it has passed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


class RunningClock(Clock):
    """A clock that runs by itself, ``speed`` seconds in a real one, and can be moved ahead.

    Whoever waits on it sleeps for as long as that takes, unless the clock is moved past the end, or
    :meth:`skipping`: then waits take no time, and move it ahead instead.
    """

    def __init__(self, *, speed: float = 1.0) -> None:
        super().__init__(speed=speed)
        self.speed = speed
        self._began = self._now
        self._monotonic = time.monotonic()
        self._skipped = timedelta()
        self._moved = threading.Condition(self._lock)
        self._skips = False
        self._over = False

    def now(self) -> datetime:
        """Return the time on this clock, aware, in UTC."""
        with self._moved:
            return self._reading()

    def advance(self, seconds: float = 0, **more: float) -> datetime:
        """Move it ahead, and wake whoever waited for a time that has come now."""
        with self._moved:
            self._skipped += timedelta(seconds=seconds, **more)
            self._moved.notify_all()
            return self._reading()

    def wait(self, seconds: float) -> None:
        """Be there in that many seconds of this clock."""
        with self._moved:
            until = self._reading() + timedelta(seconds=seconds)
            while not self._over:
                left = (until - self._reading()).total_seconds()
                if left <= 0:
                    return
                if self._skips:
                    self._skipped += timedelta(seconds=left)
                    return
                self._moved.wait(left / self.speed)

    @contextmanager
    def skipping(self) -> Iterator[None]:
        """Let waits take no time while the context lasts."""
        with self._moved:
            self._skips = True
            self._moved.notify_all()
        try:
            yield
        finally:
            with self._moved:
                self._skips = False

    def end(self) -> None:
        """Let nobody wait any more, now or later."""
        with self._moved:
            self._over = True
            self._moved.notify_all()

    def _reading(self) -> datetime:
        passed = (time.monotonic() - self._monotonic) * self.speed
        return self._began + timedelta(seconds=passed) + self._skipped
