"""Calling a parser that may meet anything."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def guarded(read: Callable[[], T]) -> tuple[T | None, str]:
    """Return what ``read`` returns, or ``None`` and what kind of error it met, never the error's text.

    ``cryptography`` meets odd input with ValueError, TypeError, UnsupportedAlgorithm, InvalidVersion,
    and, when its parser itself gives up, with a PanicException, which is no Exception. The text of
    any of them may carry input, and input may be a private key.
    """
    try:
        return read(), ""
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001 - the library's panics derive from it
        return None, f"cannot be read ({type(error).__name__})"
