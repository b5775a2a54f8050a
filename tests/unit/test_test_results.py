"""A DMS test result is believed only when it is known to be ours, for these very settings."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.endpoint.connection_test import (
    MISSING_AFTER,
    PROMPT,
    UNPROVEN_AFTER,
    Move,
    next_move,
)
from certifier.endpoint.facts import Connection
from certifier.run.state import Marker

START = datetime(2026, 1, 4, 12, tzinfo=UTC)


def shown(status: str, message: str | None = None) -> Connection:
    return Connection(endpoint_arn="arn:e", instance_arn="arn:r", status=status, message=message)


def marker(**changes: Any) -> Marker:
    return Marker(**{"settings_digest": "d", "accepted_at": START, **changes})


def move(
    of: Marker | None,
    connection: Connection | None,
    after: timedelta = timedelta(0),
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


@pytest.mark.parametrize("status", ["successful", "failed"])
def test_the_verdict_of_before_is_never_believed(status: str) -> None:
    """However often it is read, it may be older than our test."""
    _, noted = move(marker(), shown(status))
    for seconds in range(0, 120, 15):
        decided, noted = move(noted, shown(status), timedelta(seconds=seconds))
        assert decided is Move.WAIT


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (shown("successful"), shown("failed")),
        (shown("failed"), shown("successful")),
        (shown("failed", "wrong CA"), shown("failed", "timeout expired")),
    ],
)
def test_another_verdict_than_before_is_believed(first: Connection, then: Connection) -> None:
    """DMS has shown the old one, so what follows it is new; nobody saw the test itself."""
    _, noted = move(marker(), first)
    assert move(noted, then)[0] is Move.BELIEVE


def test_a_first_verdict_is_believed_where_there_was_none() -> None:
    """A new endpoint has no verdict of before."""
    decided, noted = move(marker(), None)
    assert decided is Move.WAIT
    assert move(noted, shown("successful"))[0] is Move.BELIEVE


def test_a_verdict_that_nobody_looked_at_in_time_proves_nothing() -> None:
    """Cut off after its start, the run cannot tell old from new, so it tests once more."""
    late = PROMPT + timedelta(seconds=1)
    assert move(marker(), shown("successful"), late)[0] is Move.START


def test_a_verdict_that_nothing_proves_is_deleted() -> None:
    """So that there is no verdict of before, and what comes next is known to be new."""
    _, noted = move(marker(), shown("successful"))
    late = UNPROVEN_AFTER + timedelta(seconds=1)
    assert move(noted, shown("successful"), late)[0] is Move.FORGET


def test_a_failure_that_was_proven_stands_until_something_else_is_shown() -> None:
    """It was tested again to be sure; an old failure is a failure all the same."""
    _, noted = move(marker(failures=1), shown("failed"))
    late = UNPROVEN_AFTER + timedelta(seconds=1)
    assert move(noted, shown("failed"), late)[0] is Move.BELIEVE
    _, noted = move(marker(failures=1), shown("successful"))
    assert move(noted, shown("successful"), late)[0] is Move.FORGET


def test_a_verdict_is_believed_once_the_old_one_was_deleted() -> None:
    """Only when DMS shows that it is gone, and only that of a test of our own."""
    forgotten = marker(forgotten=True)
    assert move(forgotten, shown("successful"))[0] is Move.WAIT
    decided, noted = move(forgotten, None)
    assert (decided, noted) == (Move.START, marker(forgotten=True, none_seen=True))
    assert move(noted, shown("successful"))[0] is Move.START
    assert move(marker(none_seen=True), shown("successful"))[0] is Move.BELIEVE


def test_a_deletion_that_does_not_show_is_asked_for_again() -> None:
    """Whatever has become of the first one."""
    late = UNPROVEN_AFTER + timedelta(seconds=1)
    assert move(marker(forgotten=True), shown("successful"), late)[0] is Move.FORGET


def test_a_marker_of_another_version_can_be_read() -> None:
    """A deployment finds what a run that was cut off has left."""
    left = {"settings_digest": "d", "accepted_at": START, "equal_reads": 1, "last_status": None}
    assert Marker.model_validate(left) == marker()


def test_a_connection_that_stays_away_is_missing() -> None:
    """Somebody has deleted it; a moment without it is nothing yet."""
    assert move(marker(), None, MISSING_AFTER)[0] is Move.WAIT
    assert move(marker(), None, MISSING_AFTER + timedelta(seconds=1))[0] is Move.MISSING
