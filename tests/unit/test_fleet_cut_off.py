"""A run that was cut off is on the fleet page, from the table alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certifier.fleet.status import Status
from certifier.report.fleet import fleet_html
from certifier.run.state import Claim
from tests.unit.test_fleet_page import NOW, a_page, a_source

SINCE = NOW - timedelta(minutes=15)


@pytest.mark.parametrize(("minutes", "status"), [(5, Status.CERTIFIED), (15, Status.UNFINISHED)])
def test_an_undo_log_whose_rescue_is_due(minutes: int, status: Status) -> None:
    """Before that the run that wrote it may still be at work."""
    since = NOW - timedelta(minutes=minutes)
    claim = Claim(execution="arn:run", since=since, due_at=since + timedelta(minutes=10))
    page = a_page(replace(a_source("a", claim=claim), has_log=True), a_source("b"))
    assert {row.name: row.status for row in page.rows}["a"] is status
    assert page.needing == (status is Status.UNFINISHED)


def test_a_run_that_has_the_source_without_an_undo_log_is_at_work() -> None:
    """It has changed nothing yet."""
    claim = Claim(execution="arn:run", since=SINCE, due_at=SINCE + timedelta(minutes=10))
    (row,) = a_page(a_source("a", claim=claim)).rows
    assert row.status is Status.CERTIFIED


def test_it_is_said_what_happens_next() -> None:
    """The schedule finishes it; what to look at if it does not."""
    claim = Claim(execution="arn:run", since=SINCE, due_at=SINCE + timedelta(minutes=10))
    page = a_page(replace(a_source("a", claim=claim), has_log=True))
    (need,) = page.needs
    assert (need.status, need.title) == (Status.UNFINISHED, "A run was cut off")
    assert "The next tick of the schedule finishes it" in need.next
    shown = fleet_html(page)
    assert "A run was cut off" in shown
    assert ">unfinished</b>" in shown
    assert "<small>running</small>" not in shown
