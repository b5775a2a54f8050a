"""What a command says of a write that AWS has not answered: it may have been made."""

from collections.abc import Iterator
from contextlib import contextmanager

from certifier.cli.reasons import reason
from certifier.errors import Throttled, Unavailable


class PerhapsDoneError(Exception):
    """Nobody knows whether a write was made; the text says what may be true, and what shows it."""


@contextmanager
def perhaps(done: str, see: str) -> Iterator[None]:
    """Say of the writes within, if AWS does not answer them, that they may have been made.

    A throttle may be the answer to the second attempt of a call whose first one was made.

    Args:
        done: what is true if they were.
        see: the command that shows it.

    Raises:
        PerhapsDoneError: with the reason of the last attempt.
    """
    try:
        yield
    except (Unavailable, Throttled) as error:
        raise PerhapsDoneError(
            f"{reason(error)}\n  It may have been done all the same: {done}. See what is true now:"
            f" {see}"
        ) from None
