"""Whose test is it? When the result of a DMS connection test is believed.

Connections carry no timestamp, ModifyEndpoint starts a hidden test of its own, and an old
``successful`` may still be shown after a new test was accepted. So a result counts only when our
own test was accepted for these very settings (the marker), and either ``testing`` was seen since,
or two reads well after the acceptance say the same.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from certifier.endpoint.facts import Connection
from certifier.run.state import Marker

SETTLED = timedelta(seconds=10)
"""How long after its acceptance a result that never showed ``testing`` may be believed."""

EQUAL_READS = 2
"""How many reads in a row must say the same, when ``testing`` was never seen."""

MISSING_AFTER = timedelta(seconds=60)
"""How long a connection may be missing before it counts as deleted."""


class Move(StrEnum):
    """What to do about one test."""

    START = "start"
    WAIT = "wait"
    BELIEVE = "believe"
    MISSING = "missing"


def next_move(
    marker: Marker | None, connection: Connection | None, *, digest: str, now: datetime
) -> tuple[Move, Marker | None]:
    """Return what to do about a test, and the marker with what this read has added to it.

    Args:
        marker: of the last test that this run started from this instance; one of other settings
            counts as none.
        connection: as DMS shows it now; ``None``: DMS shows none.
        digest: settings digest of the endpoint that is tested.
    """
    if marker is None or marker.settings_digest != digest:
        waits = connection is not None and connection.status in ("testing", "deleting")
        return (Move.WAIT if waits else Move.START), None
    if connection is None:
        return (Move.MISSING if now - marker.accepted_at > MISSING_AFTER else Move.WAIT), marker
    status = connection.status
    if status not in ("successful", "failed"):
        seen = marker.testing_seen or status == "testing"
        return Move.WAIT, marker.model_copy(
            update={"testing_seen": seen, "last_status": None, "equal_reads": 0}
        )
    if marker.testing_seen:
        return Move.BELIEVE, marker
    if now - marker.accepted_at < SETTLED:
        return Move.WAIT, marker
    reads = marker.equal_reads + 1 if marker.last_status == status else 1
    marker = marker.model_copy(update={"last_status": status, "equal_reads": reads})
    return (Move.BELIEVE if reads >= EQUAL_READS else Move.WAIT), marker
