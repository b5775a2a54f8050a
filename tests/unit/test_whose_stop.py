"""Whose stop is it? Only a stop that DMS took from us is ours to undo."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.endpoint.facts import ReplicationTask
from certifier.run.state import Pause
from certifier.run.whose_stop import not_ours

SINCE = datetime(2026, 1, 4, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return SINCE + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("pause", "task", "why"),
    [
        ({"stop_date": at(9)}, {"stop_date": at(9)}, None),
        ({"stop_date": at(9)}, {"stop_date": at(12)}, None),
        ({"stop_date": at(9)}, {"stop_date": at(60)}, "stopped it again"),
        ({"stop_taken": True}, {"stop_date": at(9)}, None),
        ({}, {"stop_date": at(9)}, None),
        ({}, {"stop_date": at(-60)}, "stopped before"),
        ({}, {"stop_date": at(300), "start_date": at(200)}, "started it and stopped it again"),
        ({"started_at": at(100)}, {"stop_date": at(300), "start_date": at(200)}, None),
        ({}, {"stop_date": at(9), "start_date": at(-900)}, None),
        ({"stop_taken": False}, {"stop_date": at(9)}, "before we did"),
        ({}, {"status": "failed"}, "it failed"),
        ({"started_at": at(100)}, {"status": "failed"}, None),
        ({}, {"stop_reason": "Stop Reason FATAL_ERROR"}, "its stop reason"),
        ({}, {}, None),
    ],
)
def test_whose_stop_it_is(pause: dict[str, Any], task: dict[str, Any], why: str | None) -> None:
    """By the StopDate that was noted; else by what DMS answered, and when the task was started."""
    ours = Pause(task_arn="arn:t", sources=("orders",), since=SINCE, **pause)
    shown = ReplicationTask(
        arn="arn:t",
        identifier="t",
        source_endpoint_arn="arn:s",
        target_endpoint_arn="arn:d",
        instance_arn="arn:r",
        migration_type="cdc",
        **{"status": "stopped", **task},
    )
    reason = not_ours(ours, shown)
    assert reason is None if why is None else why in str(reason)
