"""A DMS test result is believed only when it is known to be ours, for these very settings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.endpoint.connection_test import MISSING_AFTER, SETTLED, Move, next_move
from certifier.endpoint.facts import Connection
from certifier.run.state import Marker

START = datetime(2026, 1, 4, 12, tzinfo=UTC)


def shown(status: str) -> Connection:
    return Connection(endpoint_arn="arn:e", instance_arn="arn:r", status=status)


def marker(**changes: Any) -> Marker:
    return Marker(**{"settings_digest": "d", "accepted_at": START, **changes})


def move(
    of: Marker | None, connection: Connection | None, after: timedelta = timedelta(0)
) -> tuple[Move, Marker | None]:
    return next_move(of, connection, digest="d", now=START + after)


@pytest.mark.parametrize("status", ["successful", "failed"])
def test_an_old_result_does_not_count(status: str) -> None:
    """Without a test of our own, whatever DMS shows belongs to somebody else."""
    assert move(None, shown(status))[0] is Move.START


def test_a_result_for_other_settings_does_not_count() -> None:
    """The endpoint has changed since that test was accepted."""
    assert move(marker(settings_digest="other"), shown("successful"))[0] is Move.START


@pytest.mark.parametrize("status", ["testing", "deleting"])
def test_a_strange_test_is_waited_for(status: str) -> None:
    """DMS tests by itself after a modify; ours cannot start before that has ended."""
    assert move(None, shown(status))[0] is Move.WAIT


def test_a_result_after_testing_was_seen_is_believed() -> None:
    """The connection went through ``testing`` since we were accepted."""
    decided, noted = move(marker(), shown("testing"))
    assert decided is Move.WAIT
    assert move(noted, shown("failed"))[0] is Move.BELIEVE


def test_a_result_soon_after_the_start_may_be_the_old_one() -> None:
    """DMS may still show what was there before."""
    decided, noted = move(marker(), shown("successful"), SETTLED / 2)
    assert (decided, noted) == (Move.WAIT, marker())


def test_two_equal_reads_well_after_the_start_are_believed() -> None:
    """The test was so quick that nobody saw it."""
    decided, noted = move(marker(), shown("successful"), SETTLED)
    assert decided is Move.WAIT
    assert move(noted, shown("successful"), SETTLED)[0] is Move.BELIEVE


def test_two_different_reads_are_not_believed() -> None:
    """What changes between two reads is still on its way."""
    _, noted = move(marker(), shown("successful"), SETTLED)
    assert move(noted, shown("failed"), SETTLED)[0] is Move.WAIT


def test_a_connection_that_stays_away_is_missing() -> None:
    """Somebody has deleted it; a moment without it is nothing yet."""
    assert move(marker(), None, MISSING_AFTER)[0] is Move.WAIT
    assert move(marker(), None, MISSING_AFTER + timedelta(seconds=1))[0] is Move.MISSING
