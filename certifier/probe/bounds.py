"""What one server may cost: how much is read from it in all, in how many pieces, and the work.

A server chooses what it sends, and so how much work reading it is. The bounds are generous to any
PostgreSQL: a login takes a few kilobytes in twenty pieces and a hundredth of a second, the longest
chain that OpenSSL reads is 100 KiB. They hold for all connections of one probe together: what a
chain, a login and renewed keys may cost one by one is too much in a row.
"""

import contextlib
import gc
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from certifier.probe.failure import Clock, StageFailed
from certifier.vocabulary import Cause, Stage

BYTES = 512 * 1024
PIECES = 4096  # each costs a system call and its share of Python, however short it is
WORK = 0.25  # seconds of processor time after which nothing more is read
WORK_IN_ALL = 0.5  # with what is known beforehand


class _Collections(threading.local):
    """How long this thread has collected garbage, in seconds of processor time."""

    total = 0.0
    begun = 0.0

    def __call__(self, phase: str, _info: Mapping[str, int]) -> None:
        """Note a collection (``gc.callbacks``); it runs in the thread that set it off."""
        if phase == "start":
            self.begun = time.thread_time()
        else:
            self.total += time.thread_time() - self.begun


_collections = _Collections()
gc.callbacks.append(_collections)


def work_time() -> float:
    """Return the processor time of this thread without what the collection of garbage has taken.

    That depends on all objects of the process, and not on what the server sends.
    """
    return time.thread_time() - _collections.total


@dataclass
class Allowance:
    """What is left to read from one server.

    Work counts from the first piece on: what came before, the CA file for one, the server did not
    choose. `clock` gives the processor time of this thread, in seconds; see `work_time`.
    """

    bytes_left: int = BYTES
    pieces_left: int = PIECES
    clock: Clock = work_time
    _since: float | None = None

    def take(self, size: int, stage: Stage) -> None:
        """Count a piece of `size` bytes. Raises StageFailed when it was one too many, or when
        those before it were too much work."""
        self.bytes_left -= size
        self.pieces_left -= 1
        if self.bytes_left < 0:
            raise _too_much(f"more than {BYTES} bytes", stage)
        if self.pieces_left < 0:
            raise _too_much(f"its answers in more than {PIECES} pieces", stage)
        if self._spent() > WORK:
            raise _too_much_work(stage)

    @contextlib.contextmanager
    def known_work(self, seconds: float, stage: Stage) -> Iterator[None]:
        """Work that takes about so long, and that no piece after it is counted for.

        Raises StageFailed, before it begins, when it is too much beside what was done.
        """
        if self._spent() + seconds > WORK_IN_ALL:
            raise _too_much_work(stage)
        begin = self.clock()
        yield
        self._since = (self._since or begin) + self.clock() - begin

    def _spent(self) -> float:
        if self._since is None:
            self._since = self.clock()
        return self.clock() - self._since


def _too_much(what: str, stage: Stage) -> StageFailed:
    return StageFailed(
        stage, Cause.PROTOCOL_VIOLATION, f"the server sent {what}; a login takes a few thousand"
    )


def _too_much_work(stage: Stage) -> StageFailed:
    return StageFailed(
        stage,
        Cause.PROTOCOL_VIOLATION,
        f"what the server sent takes more work than {WORK:g} seconds of processor time; a login"
        " takes a hundredth of a second",
    )
