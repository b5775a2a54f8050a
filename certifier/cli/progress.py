"""How far a command is that takes its time: one line on the terminal of whoever waits.

It goes to standard error and is drawn over, so that the answer stays clean; where standard error is
not a terminal, nothing is written.
"""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from rich.status import Status
from rich.text import Text

from certifier.cli.terminal import Terminal
from certifier.text import printable

T = TypeVar("T")


class ProgressLine:
    """The line, for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        terminal = Terminal.on_stderr()
        self._status = Status("", console=terminal.console) if terminal.is_live else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, words: str) -> None:
        """Say what is being done now."""
        if self._status is not None:
            self._status.update(Text(printable(words)))

    def counted(self, what: str, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Yield the items, and say how many there have been, of ``total`` where that is known."""
        of = "" if total is None else f" of {total}"
        self.show(f"{what} …")
        for number, item in enumerate(items, 1):
            self.show(f"{what}: {number}{of}")
            yield item
