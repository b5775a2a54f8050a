"""Standard output and standard error whose reader may leave: ``certifier status | head``.

That nobody reads on is not an error, and changes nothing of what a command does or of its exit
status: what it writes from then on goes nowhere.
"""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class _Pipe(io.FileIO):
    """A file that takes whatever is written once nobody reads it any more."""

    left = False

    def write(self, data: object, /) -> int:
        if not self.left:
            try:
                return super().write(data)  # type: ignore[arg-type]  # a buffer, as in typeshed
            except BrokenPipeError:
                self.left = True
        return len(memoryview(data))  # type: ignore[arg-type]


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """Let a broken pipe raise nothing, as far as the streams are the process's own."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _patient(sys.stdout), _patient(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def nobody_reads() -> bool:
    """Whether whoever read standard output has left: what would go on for long can end then."""
    pipe = _raw(sys.stdout)
    return isinstance(pipe, _Pipe) and pipe.left


def _raw(stream: object) -> object:
    """Return the file under a stream; Python leaves its buffer out with ``-u``."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def _patient(stream: TextIO) -> TextIO:
    """Return a stream over the same file; one that somebody has put there stays as it is."""
    raw = _raw(stream)
    if type(stream) is not io.TextIOWrapper or type(raw) is not io.FileIO:
        return stream
    pipe = _Pipe(raw.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        pipe if stream.write_through else io.BufferedWriter(pipe),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
