"""What one server may cost: how much is read from it in all, and in how many pieces.

A server chooses what it sends, and so how much work reading it is. The bounds are generous to any
PostgreSQL: a login takes a few kilobytes in twenty pieces, the longest chain that OpenSSL reads is
100 KiB. They hold for all connections of one probe together.
"""

from dataclasses import dataclass

from certifier.probe.failure import StageFailed
from certifier.vocabulary import Cause, Stage

BYTES = 512 * 1024
PIECES = 4096  # each costs a system call and its share of Python, however short it is


@dataclass
class Allowance:
    """What is left to read from one server."""

    bytes_left: int = BYTES
    pieces_left: int = PIECES

    def take(self, size: int, stage: Stage) -> None:
        """Count a piece of `size` bytes. Raises StageFailed when it was one too many."""
        self.bytes_left -= size
        self.pieces_left -= 1
        if self.bytes_left < 0:
            raise _too_much(f"more than {BYTES} bytes", stage)
        if self.pieces_left < 0:
            raise _too_much(f"its answers in more than {PIECES} pieces", stage)


def _too_much(what: str, stage: Stage) -> StageFailed:
    return StageFailed(
        stage, Cause.PROTOCOL_VIOLATION, f"the server sent {what}; a login takes a few thousand"
    )
