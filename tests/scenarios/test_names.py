"""People read the names of tasks and instances; the end of an ARN only where there is no name."""

from datetime import UTC, datetime

from certifier.fleet.facts import SourceFacts
from certifier.run.past import past
from certifier.run.record import Certification
from certifier.run.state import Pause, SourceState
from tests.scenarios.live import Live, is_canary

TASK = "orders-to-warehouse"


def record_of(live: Live) -> Certification:
    return Certification.model_validate(live.world.record())


def test_a_record_names_the_task_and_the_instance(live: Live) -> None:
    """Of a task that was stopped and restarted, and of every DMS test."""
    live.certified()
    live.change()
    record = record_of(live)
    assert record.tasks.resumed == (live.task,)
    assert record.name_of(live.task) == TASK
    instances = {live.world.instance}
    assert {test.instance_arn for test in record.tests} == instances
    assert {record.name_of(arn) for arn in instances} == {"replication-1"}


def test_a_task_that_an_earlier_run_has_stopped_is_named(live: Live) -> None:
    """The run that restarts it made no plan for it: the name was noted with the pause."""
    live.certified()
    live.cloud.stop_child_at("Configure endpoint")
    live.change()
    live.tick(3)
    assert record_of(live).name_of(live.task) == TASK


def test_history_names_the_instance_that_could_not_connect(live: Live) -> None:
    """As the replication instance is called, where the rehearsal has failed."""
    live.certified()
    live.fails("timeout expired", is_canary)
    live.change()
    (line,) = past([record_of(live)])
    assert "from replication-1" in line.what
    assert live.outcome == "refused"


def test_what_was_not_noted_is_the_end_of_the_arn() -> None:
    """As in what an earlier version has left."""
    arn = "arn:aws:dms:eu-west-1:111122223333:task:ABC"
    old = Pause(task_arn=arn, sources=("a",), since=datetime(2026, 11, 24, tzinfo=UTC))
    assert (old.name, old.name_and_arn) == ("ABC", arn)
    new = old.model_copy(update={"identifier": TASK})
    assert (new.name, new.name_and_arn) == (TASK, f"{TASK} ({arn})")
    waiting = SourceState(name="a", pending_restarts=(arn,))
    facts = SourceFacts("a", None, 1, waiting, pauses=(new,))
    assert (facts.stopped, facts.name_of(arn), facts.name_of("x:y")) == ((), TASK, "y")
