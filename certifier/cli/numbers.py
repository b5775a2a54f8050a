"""Numbers of the command line: a wrong one is named, with what is allowed."""

import argparse
import math
from collections.abc import Callable


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number of these, for ``type=``."""

    def read(text: str) -> int:
        digits = text[:20].removeprefix("-")
        number = int(text[:20]) if digits.isascii() and digits.isdigit() else least - 1
        if not least <= number <= most:
            said = f"{text!r} is not a whole number from {least:,} to {most:,}"
            raise argparse.ArgumentTypeError(said)
        return number

    return read


def amount(most: int) -> Callable[[str], float]:
    """Return what reads a number from 0 to ``most``, for ``type=``."""

    def read(text: str) -> float:
        try:
            number = float(text[:20])
        except ValueError:
            number = math.nan
        if not 0 <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {most:,}")
        return number

    return read


FOLLOWED = amount(7 * 24 * 60)
"""Minutes for which a command follows an execution."""
