"""Whose test is it? When the result of a DMS connection test is believed.

Connections carry no timestamp, ModifyEndpoint starts a hidden test of its own, and DMS may go on
showing the verdict of before while our own test is under way. So a verdict counts only when our
own test was accepted for these very settings (the marker), and something proves that the verdict is
not older than that: since our start DMS has shown ``testing``, or no connection at all, or another
verdict before this one. The same verdict again proves nothing, however often it is read.

A test can end while DMS still shows the verdict of before. When nothing else proves a verdict new,
the connection is deleted and, once DMS shows none, tested anew: decision 7 says why also that of a
source which is not changed.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from certifier.endpoint.facts import Connection
from certifier.run.state import Marker

PROMPT = timedelta(seconds=5)
"""A first look within this time is expected to show ``testing``: DMS takes longer to connect."""

UNPROVEN_AFTER = timedelta(minutes=2)
"""How long the verdict of before may be shown until something is done about it.

The longest test that was seen is that of a host which never answers: 60 s (aws-facts 4.1).
"""

MISSING_AFTER = timedelta(seconds=60)
"""How long a connection may be missing before it counts as deleted."""

VERDICTS = ("successful", "failed")


class Move(StrEnum):
    """What to do about one test."""

    START = "start"
    WAIT = "wait"
    BELIEVE = "believe"
    MISSING = "missing"
    FORGET = "forget"  # delete the connection, and with it the verdict that may be an old one


def next_move(
    marker: Marker | None,
    connection: Connection | None,
    *,
    digest: str,
    now: datetime,
) -> tuple[Move, Marker | None]:
    """Return what to do about a test, and the marker with what this read has added to it.

    Args:
        marker: of the last test that this run started from this instance; one of other settings
            counts as none.
        connection: as DMS shows it now; ``None``: DMS shows none.
        digest: settings digest of the endpoint that is tested.
    """
    if marker is None or marker.settings_digest != digest:
        waits = connection is not None and connection.status not in VERDICTS
        return (Move.WAIT if waits else Move.START), None
    since = now - marker.accepted_at
    if connection is None:
        return _none_shown(marker, since)
    if connection.status not in VERDICTS:
        seen = marker.testing_seen or connection.status == "testing"
        return Move.WAIT, marker.model_copy(update={"testing_seen": seen})
    if marker.forgotten:
        if marker.none_seen:
            return Move.START, marker  # somebody else's test came first
        return (Move.FORGET if since > UNPROVEN_AFTER else Move.WAIT), marker
    if marker.testing_seen or marker.none_seen:
        return Move.BELIEVE, marker
    verdict = verdict_of(connection)
    if marker.first is None:
        if since > PROMPT:
            return Move.START, marker  # nobody has looked in time to tell old from new
        return Move.WAIT, marker.model_copy(update={"first": verdict})
    if verdict != marker.first:
        return Move.BELIEVE, marker
    if since <= UNPROVEN_AFTER:
        return Move.WAIT, marker
    if marker.failures and connection.status == "failed":
        return Move.BELIEVE, marker  # a failure was proven, and nothing has come since
    return Move.FORGET, marker


def _none_shown(marker: Marker, since: timedelta) -> tuple[Move, Marker]:
    """No verdict of before is left, so that the next one is new."""
    seen = marker.model_copy(update={"none_seen": True})
    if marker.forgotten:
        return Move.START, seen
    return (Move.MISSING if since > MISSING_AFTER else Move.WAIT), seen


def verdict_of(connection: Connection) -> str:
    """Return what tells one verdict from another: its status, and what DMS says of a failure."""
    digest = hashlib.sha256((connection.message or "").encode()).hexdigest()
    return f"{connection.status} {digest[:16]}"
