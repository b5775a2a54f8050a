"""Whoever starts an execution names it, and where its report lies follows from the name."""

import json
import time
from collections.abc import Iterator

import pytest

from certifier.fleet.digest import Digests
from certifier.run.summary import Summary
from sandbox.aws import Execution
from sandbox.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as one:
        one.onboard()
        yield one


def started(world: World, name: str) -> Execution:
    arn = world.cloud.client("stepfunctions").start_execution(
        stateMachineArn=world.cloud.machine_arn, name=name, input=json.dumps({"names": ["orders"]})
    )["executionArn"]
    return Execution(arn, world.cloud).wait()


def test_an_execution_that_is_called_as_the_page_of_the_fleet_replaces_nothing(
    world: World,
) -> None:
    """It has its report, the fleet its page, and what was read of the records is kept."""
    execution = started(world, "latest")
    assert execution.status == "SUCCEEDED"
    objects = world.cloud.objects("reports/latest")
    assert set(objects) == {
        "reports/latest.html",
        "reports/latest.json",
        "reports/latest~.html",
        "reports/latest~.json",
    }
    kept = Digests.read(objects["reports/latest.json"])
    assert set(kept.of) == {"orders"}
    assert kept.report == "reports/latest~"
    summary = Summary.model_validate_json(objects["reports/latest~.json"])
    assert [line.name for line in summary.lines] == ["orders"]
    assert "latest~.html" in objects["reports/latest.html"].decode()


def test_a_name_that_is_used_again_reports_nothing_of_the_last_time(world: World) -> None:
    """Step Functions lets it be used again after 90 days, and what lies there is kept longer."""
    old = json.dumps({"name": "orders", "outcome": "failed", "run": "arn", "cause": "unknown"})
    for name in ("orders.failed", "forgotten.refused"):
        world.cloud.client("s3").put_object(
            Bucket=world.cloud.bucket,
            Key=f"runs/nightly/outcomes/{name}",
            Body=old.replace("orders", name.partition(".")[0]).encode(),
        )
    time.sleep(1.1)  # S3 dates objects by the second
    execution = started(world, "nightly")
    report = world.cloud.objects("reports/nightly.json")["reports/nightly.json"]
    summary = Summary.model_validate_json(report)
    assert [(line.name, line.outcome) for line in summary.lines] == [("orders", "certified")]
    assert execution.status == "SUCCEEDED"
