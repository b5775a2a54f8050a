"""Everything in one thread, so that a process can fork in the middle of an execution.

moto runs each execution, and each attempt of a task, in a thread of its own; a fork copies only the
thread that asks for it. Inside :func:`installed` a thread runs when it is started, and its starter
goes on when it has ended. The children of a Map run one after the other, or one inside the other:
:meth:`Workers.run_next`, called while one of them waits, lets the next one run to its end first.
Or they run side by side, when somebody takes turns with them (``Workers.beside``).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.backend import execution_worker

from sandbox.aws import maps


class _Now:
    """A thread that has ended when ``start`` returns.

    One that would wait for a task token does nothing: nothing here sends any, and what ends a
    nested execution (``nested.py``) is that it has ended.
    """

    def __init__(
        self,
        target: Callable[..., object],
        args: tuple[Any, ...] = (),
        *,
        name: str = "",
        **_: object,
    ) -> None:
        self._target = target
        self._args = args
        self._waits = name.startswith("WaitForTaskToken")

    def start(self) -> None:
        if not self._waits:
            self._target(*self._args)

    def join(self, timeout: float | None = None) -> None:
        """It has ended already."""

    def is_alive(self) -> bool:
        return False


class Workers:
    """The workers of Maps: each runs when it is joined, unless it was run before.

    Attributes:
        beside: lets a worker run from its start on, and returns what waits for its end.
    """

    def __init__(self) -> None:
        self.beside: Callable[[Callable[..., object]], Callable[[], object]] | None = None
        self._waiting: deque[_Later] = deque()

    def run_next(self) -> bool:
        """Run the next worker to its end; say whether there was one."""
        if not self._waiting:
            return False
        self._waiting.popleft().run()
        return True

    def run(self, worker: "_Later") -> None:
        """Run that one to its end, unless it was run before."""
        if worker in self._waiting:
            self._waiting.remove(worker)
            worker.run()

    def thread(self, target: Callable[..., object], **_: object) -> "_Later | _Beside":
        """Take the place of ``threading.Thread`` in ``maps``."""
        if self.beside is not None:
            return _Beside(self.beside, target)
        self._waiting.append(_Later(self, target))
        return self._waiting[-1]


class _Later:
    def __init__(self, workers: Workers, target: Callable[..., object]) -> None:
        self._workers = workers
        self.run = target

    def start(self) -> None:
        """It waits for its turn."""

    def join(self) -> None:
        """Nobody waits any longer: it is its turn."""
        self._workers.run(self)


class _Beside:
    def __init__(
        self,
        beside: Callable[[Callable[..., object]], Callable[[], object]],
        target: Callable[..., object],
    ) -> None:
        self._start = partial(beside, target)
        self._ended: Callable[[], object] | None = None

    def start(self) -> None:
        self._ended = self._start()

    def join(self) -> None:
        if self._ended is not None:
            self._ended()


@contextmanager
def installed() -> Iterator[Workers]:
    """Run every thread at once, in the thread that starts it."""
    workers = Workers()

    class Threads:
        """The module ``threading``, as a Map sees it."""

        Thread = staticmethod(workers.thread)
        Lock = threading.Lock

    with ExitStack() as stack:
        for target, name, replacement in (
            (threading, "Thread", _Now),
            (execute_state, "Thread", _Now),
            (execution_worker, "Thread", _Now),
            (maps, "threading", Threads),
        ):
            stack.enter_context(patch.object(target, name, replacement))
        yield workers
