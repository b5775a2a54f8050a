"""What Certifier sends and what the stand-ins answer has the shapes that AWS wrote down."""

from collections.abc import Iterator

import boto3
import pytest

from sandbox.aws import shapes
from sandbox.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# DMS shows the type in capitals, whatever its model says: all recorded answers do.
AS_AWS_DOES = (".EndpointType: not one of the enum's values",)


@pytest.fixture(scope="module")
def differences() -> Iterator[set[str]]:
    """What differed in a life: created, unchanged, rotated under a task, rolled back, killed."""
    with World.start() as world, shapes.observed() as found:
        world.onboard(restart_tasks=True)
        assert world.outcome() == "certified"
        world.recertify()
        world.add_task()
        world.renew()
        assert world.outcome() == "certified"
        world.issue()
        world.cloud.dms.fail_after_change("orders-source")
        world.announce()
        assert world.outcome() == "rolled_back"
        world.cloud.dms.judge = lambda _: None
        world.cloud.stop_child_at("Test connection")
        world.serve()
        world.recertify()
        world.cloud.tick()
        assert {call.service for call in world.cloud.calls.of("acm", "dms")} == {"acm", "dms"}
        yield found


@pytest.mark.parametrize("service", ["acm", "dms"])
def test_the_stand_ins_answer_in_the_shapes_of_the_model(
    differences: set[str], service: str
) -> None:
    """No unknown member, none missing, no other type, enum, pattern or length."""
    found = {d for d in differences if d.startswith(f"{service} ") and " answered " in d}
    assert sorted(d for d in found if not d.endswith(AS_AWS_DOES)) == []


def test_what_certifier_sends_fits_the_model(differences: set[str]) -> None:
    """Patterns, enums and lengths too, which botocore does not check."""
    assert sorted(d for d in differences if " sent " in d) == []


def test_a_planted_difference_is_found() -> None:
    """Each kind of difference has its words, and the value itself is in none of them."""
    model = boto3.Session(region_name="eu-west-1").client("dms").meta.service_model
    shape = model.operation_model("DescribeEndpoints").output_shape
    assert shape is not None
    value = {"Endpoints": [{"SslMode": "hunter2", "Port": "x", "Novel": 1}], "Marker": 3}
    assert sorted(shapes.problems(shape, value)) == [
        "DescribeEndpointsResponse.Endpoints[].Port: str, not a number",
        "DescribeEndpointsResponse.Endpoints[].SslMode: not one of the enum's values",
        "DescribeEndpointsResponse.Endpoints[]: has an unknown Novel",
        "DescribeEndpointsResponse.Marker: int, not a string",
    ]
