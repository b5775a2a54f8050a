"""Tasks that do not run, and claims that nobody ends, are on the fleet page with what to do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from certifier.cli.unfinished import finished_by
from certifier.fleet.facts import InstallationFacts
from certifier.fleet.page import fleet_page
from certifier.fleet.status import Status, Tone
from certifier.report.fleet import fleet_html
from certifier.run.standing import Standing, stands
from certifier.run.state import Claim, Pause
from tests.unit.test_fleet_page import NOW, a_page, a_source

TASK = "arn:aws:dms:eu-west-1:111122223333:task:ABCDEF"
HOUR = timedelta(hours=1)


def claimed(ago: timedelta) -> Claim:
    return Claim(execution="arn:run", since=NOW - ago, due_at=NOW - ago + timedelta(minutes=10))


def stopped(ago: timedelta, *names: str) -> Pause:
    return Pause(task_arn=TASK, sources=names, since=NOW - ago)


def test_a_task_that_is_stopped_without_an_undo_log_needs_a_person() -> None:
    """The run died between Pause tasks and Configure endpoint."""
    left = replace(a_source("a", claim=claimed(HOUR)), pauses=(stopped(HOUR, "a"),))
    page = a_page(left, a_source("b"))
    (need,) = page.needs
    assert (need.status, need.title) == (Status.UNFINISHED, "A run was cut off")
    assert need.seen == "1 task of DMS is stopped since 2026-11-24 08:00:00 UTC: ABCDEF"
    assert "The next tick of the schedule finishes it" in need.next
    assert (page.needing, page.tone, page.stopped_tasks) == (1, Tone.BAD, 1)
    shown = fleet_html(page)
    assert '<b class="bad">1 stopped</b>' in shown
    assert f"<code>{TASK}</code> since" in shown


def test_a_task_that_a_run_has_just_stopped_is_its_own_work() -> None:
    """Nobody is needed, and the task is not counted as one that does not run."""
    soon = timedelta(minutes=5)
    page = a_page(replace(a_source("a", claim=claimed(soon)), pauses=(stopped(soon, "a"),)))
    assert (page.needing, page.stopped_tasks) == (0, 0)


def test_a_task_of_two_sources_is_one_task() -> None:
    """Both wait for it."""
    both = stopped(HOUR, "a", "b")
    rows = [replace(a_source(name), pauses=(both,)) for name in ("a", "b")]
    assert a_page(*rows).stopped_tasks == 1


@pytest.mark.parametrize(("hours", "needing"), [(2, 0), (4, 1), (40, 1)])
def test_a_claim_that_nobody_ends_is_overdue(hours: int, needing: int) -> None:
    """A run ends within an hour and three quarters, or a tick takes it over."""
    page = a_page(a_source("a", claim=claimed(hours * HOUR)))
    assert page.needing == needing
    assert len(page.waiting) == needing
    if needing:
        (need,) = page.needs
        assert need.title == "A run does not end"
        assert "since" in need.seen
        assert "stop-execution" in need.next
        assert "arn:run" in fleet_html(page)


def test_a_task_that_no_source_waits_for_is_said_first() -> None:
    """Nobody starts it again but a person, who gets the command."""
    facts = InstallationFacts("Certifier", str, (a_source("a"),), abandoned=(TASK,))
    page = fleet_page([facts], NOW)
    shown = fleet_html(page)
    assert page.tone is Tone.BAD
    assert page.stopped_tasks == 1
    assert "1 task is stopped and is not started again" in shown
    assert "aws dms start-replication-task" in shown
    assert f"--replication-task-arn {TASK}" in shown


@pytest.mark.parametrize("is_running", [False, True])
def test_status_says_it_too(is_running: bool) -> None:
    """Whether Step Functions still shows the run or not: `status --check` fails."""
    state = a_source("a", claim=claimed(4 * HOUR), due_at=NOW - 3 * HOUR).state
    each = stands(state, (), NOW, is_running=is_running)
    assert each.standing is Standing.UNFINISHED
    assert each.standing.is_failing
    assert each.left is not None
    assert each.left.words == "a run has it, and should have ended by itself"
    assert "schedule" in finished_by(state, is_stuck=each.left.is_stuck)
    fresh = a_source("a", claim=claimed(HOUR)).state
    assert stands(fresh, (), NOW, is_running=is_running).standing is Standing.CERTIFIED
