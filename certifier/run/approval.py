"""What an approval means: the CAs that a person has compared, and no other.

A bundle may be replaced between the notice that a person has read and their command.
"""

from collections.abc import Sequence

SHORTEST = 16
"""Digits of a fingerprint that stand for it: nobody makes a CA with 64 bits of another's."""


def chosen(
    waiting: Sequence[str], compared: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which fingerprints of those that wait are meant, and which are not.

    None is meant when one of ``compared`` does not wait.

    Args:
        compared: their beginnings, in lower case; none: all are meant.
    """
    if not all(any(one.startswith(begin) for one in waiting) for begin in compared):
        return (), tuple(waiting)
    meant = tuple(one for one in waiting if not compared or one.startswith(tuple(compared)))
    return meant, tuple(one for one in waiting if one not in meant)
