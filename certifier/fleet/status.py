"""In which words and colours the page says how a source or a certificate stands. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from certifier.certificate.lifetime import Lifetime
from certifier.models import Policy
from certifier.vocabulary import Outcome

WARNING_DAYS = Policy().warning_days
"""The page knows no settings: how long before its end a certificate is due is the default's."""
T = TypeVar("T")


class Tone(StrEnum):
    """How much something asks for attention; also the class that colours it."""

    BAD = "bad"
    WARN = "warn"
    CALM = "calm"
    GOOD = "good"


class Lateness(StrEnum):
    """How close a certificate is to its expiry, measured by its own lifetime."""

    EXPIRED = "expired"
    LATE = "late"
    DUE = "due"
    FINE = "fine"

    @property
    def tone(self) -> Tone:
        """Its colour."""
        return _LATENESS_TONES[self]


_LATENESS_TONES = {
    Lateness.EXPIRED: Tone.BAD,
    Lateness.LATE: Tone.BAD,
    Lateness.DUE: Tone.WARN,
    Lateness.FINE: Tone.GOOD,
}


def lateness(not_before: datetime | None, not_after: datetime, now: datetime) -> Lateness:
    """Return how late the renewal of a certificate is; the rule is that of the notices."""
    life = Lifetime(not_before, not_after)
    if not_after < now:
        return Lateness.EXPIRED
    if life.is_late(now):
        return Lateness.LATE
    return Lateness.DUE if life.expires_soon(now, WARNING_DAYS) else Lateness.FINE


class Status(StrEnum):
    """Where a source stands, the worst first."""

    TASK = "task stopped"
    UNFINISHED = "unfinished"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    DEFERRED = "deferred"
    PLANNED = "planned"
    NEW = "not run yet"
    CERTIFIED = "certified"

    @property
    def tone(self) -> Tone:
        """Its colour."""
        return _STATUS_TONES[self]

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Status).index(self)


_STATUS_TONES = {
    Status.TASK: Tone.BAD,
    Status.UNFINISHED: Tone.BAD,
    Status.FAILED: Tone.BAD,
    Status.ROLLED_BACK: Tone.WARN,
    Status.REFUSED: Tone.WARN,
    Status.DEFERRED: Tone.CALM,
    Status.PLANNED: Tone.CALM,
    Status.NEW: Tone.CALM,
    Status.CERTIFIED: Tone.GOOD,
}
OF_OUTCOME = {
    Outcome.TASK_STOPPED: Status.TASK,
    Outcome.CERTIFIED: Status.CERTIFIED,
    Outcome.REFUSED: Status.REFUSED,
    Outcome.ROLLED_BACK: Status.ROLLED_BACK,
    Outcome.FAILED: Status.FAILED,
    Outcome.PLANNED: Status.PLANNED,
    Outcome.DEFERRED: Status.DEFERRED,
}


@dataclass(frozen=True)
class Count:
    """How many sources, under which word and in which colour."""

    word: str
    count: int
    tone: Tone


def counted(found: Iterable[T], order: Iterable[T], tone: Callable[[T], Tone]) -> tuple[Count, ...]:
    """Return how often each word of ``order`` was found; those that were not are left out."""
    counts = Counter(found)
    return tuple(Count(str(word), counts[word], tone(word)) for word in order if counts[word])


def so_many_sources(count: int) -> str:
    """Return ``1 source``, ``2 sources``."""
    return "1 source" if count == 1 else f"{count} sources"
