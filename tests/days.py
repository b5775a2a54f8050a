"""The day on which the tests run: another one than the machine's when CERTIFIER_DAYS asks for it.

CERTIFIER_DAYS is a list such as ``+40,+400,29-feb``. Every worker of xdist believes one of these
days, so that ``--dist=each`` runs the tests on all of them; a process without workers takes the
first. With CERTIFIER_TURNS, what takes long runs on one of the days only.
"""

import os
import zlib
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
import time_machine

DAYS: Final = tuple(filter(None, os.environ.get("CERTIFIER_DAYS", "").split(",")))
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def ahead(day: str, now: datetime) -> timedelta:
    """Return how far ahead it is: so many days, or up to the last hour of the next 29 February."""
    if day != "29-feb":
        return timedelta(days=int(day))
    then = now
    while (then.month, then.day) != (2, 29):
        then += timedelta(days=1)
    return then.replace(hour=23, minute=30) - now


def _moved_by() -> timedelta:
    return ahead(DAYS[_WORKER % len(DAYS)], datetime.now(UTC)) if DAYS else timedelta(0)


MOVED_BY: Final = _moved_by()


def travel() -> None:
    """Move the clock of this process, and of nobody else, for as long as the process lives."""
    if DAYS:
        time_machine.travel(datetime.now(UTC) + MOVED_BY).start()


def runs(item: pytest.Item) -> bool:
    """Whether a test runs on the day of this worker."""
    if not DAYS:
        return True
    if item.get_closest_marker("real_clock"):
        return False
    if not os.environ.get("CERTIFIER_TURNS") or not _takes_long(item):
        return True
    return zlib.crc32(item.nodeid.encode()) % len(DAYS) == _WORKER % len(DAYS)


def _takes_long(item: pytest.Item) -> bool:
    """Whether it is more than a few pure calls in a module that knows dates."""
    names = vars(getattr(item, "module", item))
    pure = item.path.is_relative_to(item.config.rootpath / "tests" / "unit")
    return not pure or "datetime" not in names or "given" in names  # Hypothesis, hundreds of calls
