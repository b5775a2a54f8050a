"""Calling a parser that may meet anything."""

import warnings
from collections.abc import Callable
from typing import TypeVar

from cryptography.utils import CryptographyDeprecationWarning

T = TypeVar("T")

# What is odd about a certificate is said in findings, not on standard error.
warnings.filterwarnings(
    "ignore", category=CryptographyDeprecationWarning, module=r"certifier\.certificate\."
)


def guarded(read: Callable[[], T]) -> tuple[T | None, str]:
    """Return what ``read`` returns, or ``None`` and what kind of error it met.

    ``cryptography`` meets odd input with ValueError, TypeError, UnsupportedAlgorithm or
    InvalidVersion, and with a PanicException, not an Exception, when its parser gives up. The text
    of any of them may carry input, and input may be a private key: it is never passed on.
    """
    try:
        return read(), ""
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001 - the library's panics derive from it
        return None, f"cannot be read ({type(error).__name__})"
