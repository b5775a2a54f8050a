"""What CloudWatch is given over a life: read from the lines that the functions log."""

import json
from collections.abc import Iterator

import pytest

from certifier.triggers import LABEL_UPDATED
from certifier.vocabulary import Metric
from sandbox.aws import Kind
from sandbox.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World.start(settings={"batch": 2}) as started:
        yield started


def measured(world: World, since: int = 0) -> dict[str, list[float]]:
    """The values of each metric from that line of the log on."""
    found: dict[str, list[float]] = {}
    for line in world.cloud.log[since:]:
        if '"_aws"' not in line:
            continue
        read = json.loads(line)
        for directive in read["_aws"]["CloudWatchMetrics"]:
            assert directive["Dimensions"] == [["service"]]
            for metric in directive["Metrics"]:
                assert metric["Name"] in {*Metric}
                found.setdefault(metric["Name"], []).extend(read[metric["Name"]])
    return found


def test_a_tick_counts_what_is_due_and_what_it_leaves(world: World) -> None:
    """Five are due, two are taken: three wait for the next tick."""
    names = [f"s{n}" for n in range(5)]
    specs = [world.source(name=name, endpoint=f"{name}-source") for name in names]
    assert world.cloud.run({"sources": specs}).status == "SUCCEEDED"
    since = len(world.cloud.log)
    world.cloud.tick(minutes=24 * 60)
    found = measured(world, since)
    assert found[Metric.TICKS] == [1]
    assert found[Metric.SOURCES_DUE] == [5]
    assert found[Metric.SOURCES_NOT_TAKEN] == [3]
    assert found[Metric.CERTIFIED] == [1, 1]
    since = len(world.cloud.log)
    world.cloud.tick()
    world.cloud.tick()
    assert measured(world, since)[Metric.SOURCES_NOT_TAKEN] == [1, 0]


def test_an_idle_tick_is_a_tick(world: World) -> None:
    """That is how one knows that the schedule works."""
    world.cloud.tick()
    assert measured(world) == {"Ticks": [1], "SourcesDue": [0], "SourcesNotTaken": [0]}


def test_calls_that_dms_refuses_are_counted_though_they_are_tried_again(world: World) -> None:
    """One attempt of three is refused: the step goes on, and the metric says so."""
    world.onboard()
    since = len(world.cloud.log)
    world.cloud.faults.inject("dms", "DescribeEndpoints", Kind.THROTTLE, attempts=2)
    run = world.recertify()
    assert run.status == "SUCCEEDED"
    assert measured(world, since)[Metric.DMS_THROTTLES] == [2]


def test_without_throttles_there_is_no_such_metric(world: World) -> None:
    """It costs only in the hours in which it is written."""
    world.onboard()
    assert Metric.DMS_THROTTLES not in measured(world)


def test_a_start_that_is_refused_is_counted_as_the_callers(world: World) -> None:
    """A typo, and a source that is not certified: both fail with their error, and ring nothing.

    The alarm takes this count off that of the failed executions.
    """
    typo = world.cloud.run({"names": ["nosuch"]})
    assert (typo.status, typo.error) == ("FAILED", "InvalidEvent")
    assert measured(world)[Metric.STARTS_REFUSED] == [1]
    since = len(world.cloud.log)
    secret = world.cloud.put_secret("dms/payroll-tls", world.pair(), tags={})
    run = world.cloud.run({"sources": [world.source(server_certificate=secret)]})
    assert (run.status, run.error) == ("FAILED", "NotCertified")
    assert measured(world, since)[Metric.STARTS_REFUSED] == [1]


def test_what_nobody_has_asked_for_is_not_counted_as_a_callers(world: World) -> None:
    """A tick whose source is refused succeeds; a broken function, and an event that has not the
    shape of its rule, fail and ring.
    """
    world.onboard()
    since = len(world.cloud.log)
    world.issue()  # the server presents what the bundle does not hold
    world.serve()
    assert world.cloud.tick(minutes=25 * 60).status == "SUCCEEDED"
    assert world.outcome() == "refused"
    event = {
        "source": "aws.secretsmanager",
        "detail-type": LABEL_UPDATED,
        "detail": {},
    }
    run = world.cloud.run(event)
    assert (run.status, run.error) == ("FAILED", "UnreadableEvent")
    world.cloud.faults.inject("s3", "PutObject", Kind.BEFORE, caller="select_sources")
    for _ in range(12):
        world.cloud.faults.inject("s3", "PutObject", Kind.BEFORE, caller="select_sources")
    broken = world.recertify()
    assert broken.status == "FAILED"
    assert broken.error not in ("InvalidEvent", "NotCertified")
    assert Metric.STARTS_REFUSED not in measured(world, since)
