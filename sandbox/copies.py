"""Play the same moment again and again: in a copy of the process, account, clock and all.

Preparing a world takes longer than what a scenario then does in it. A scenario that tries one fault
after the other prepares once, and plays each fault in a copy, which is gone afterwards::

    with World.start() as world:
        world.onboard()
        for fault in faults:
            end = in_copy(lambda: rotate_with(world, fault))

What lies outside the process is shared: a PostgreSQL server that a copy reloads stays reloaded.
"""

import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class CopyError(Exception):
    """What was done in a copy failed. The text is the copy's traceback, or says how it ended."""


def in_copy(work: Callable[[], T], *, timeout: float = 120) -> T:
    """Return what ``work`` returns when it is done in a copy of this process.

    No execution may be under way: a copy has this thread only. What comes back is pickled.

    Raises:
        CopyError: it raised, died, or was not done after ``timeout`` real seconds.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work(work, writing)
    os.close(writing)
    try:
        answer = _read(reading, time.monotonic() + timeout)
    finally:
        os.close(reading)
        if not _ended(pid):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if answer is None:
        raise CopyError(f"not done after {timeout:g} s")
    if not answer:
        raise CopyError("the copy died without an answer")
    worked, value = pickle.loads(answer)  # noqa: S301  (from our own copy)
    if not worked:
        raise CopyError(value)
    result: T = value
    return result


def _work(work: Callable[[], T], writing: int) -> None:
    """Be the copy: work, answer, and end without any of the original's clean-up."""
    try:
        answer = pickle.dumps((True, work()))
    except BaseException:  # noqa: BLE001  (whatever it is, the original wants to read it)
        answer = pickle.dumps((False, traceback.format_exc()))
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(answer)
    os._exit(0)


def _read(reading: int, deadline: float) -> bytes | None:
    """Return everything that comes, or ``None`` when the deadline comes first."""
    parts: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            part = os.read(reading, 1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None


def _ended(pid: int) -> bool:
    """Whether the copy ends within a second of having closed its pipe; it is then reaped."""
    for _ in range(100):
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.01)
    return False
