"""How long a task was stopped is said as people say it, wherever it is shown."""

from datetime import UTC, datetime

import pytest

from certifier.cli.endings import _seconds
from certifier.fleet.digest import Digest
from certifier.report import certification_page
from certifier.report.fleet import fleet_html
from certifier.run.record import Certification, TaskRecord
from sandbox.fleet import fleet
from tests.unit.test_fleet_page import a_page, a_source

TASK = "arn:aws:dms:eu-west-1:111122223333:task:ABCDEF"
SECONDS = 5423.0


def a_record(tasks: TaskRecord) -> Certification:
    record = next(one.record for one in fleet(5, datetime.now(UTC)) if one.record is not None)
    return record.model_copy(update={"tasks": tasks, "names": {TASK: "orders-to-lake"}})


@pytest.mark.parametrize("paused", [(), (TASK,)])
def test_a_record_says_hours_and_minutes_and_the_name(paused: tuple[str, ...]) -> None:
    """Nobody divides 5,423 by 3,600, or knows a task by the letters of its ARN."""
    tasks = TaskRecord(paused=paused, resumed=(TASK,), stopped_seconds=SECONDS)
    page = certification_page(a_record(tasks))
    assert "the longest was stopped for 1 h 30 min" in page
    assert "5423" not in page
    assert "<code>orders-to-lake</code>" in page


def test_so_does_the_sheet_of_a_source() -> None:
    """On the page of the fleet."""
    seen = Digest(record="r", paused=1, stopped_seconds=SECONDS)
    assert "1 task was paused for it, the longest for 1 h 30 min" in fleet_html(
        a_page(a_source("a", digest=seen))
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0.4 s"), (42.0, "42 s"), (SECONDS, "1 h 30 min")]
)
def test_so_does_certify_of_its_states(seconds: float, words: str) -> None:
    """How long each state of a run took."""
    assert _seconds(seconds) == words
