"""A fleet that is due all at once, on the sandbox's clock, under DMS's own throttle."""

from collections.abc import Iterator

import pytest

from certifier.vocabulary import Metric
from sandbox.world import World
from stacks.settings import Settings

MANY = 12
BATCH = 4
TICK_SECONDS = 600
DMS_CALLS_A_SECOND = 8.0


@pytest.fixture
def world() -> Iterator[World]:
    with World.start(settings={"batch": BATCH}) as started:
        yield started


def test_a_fleet_that_is_suddenly_due_stays_inside_half_of_what_dms_allows(world: World) -> None:
    """Every source follows its new certificate; none fails, and DMS throttles nobody."""
    names = [f"s{number:02}" for number in range(MANY)]
    specs = [world.source(name=name, endpoint=f"{name}-source") for name in names]
    assert world.cloud.run({"sources": specs}).status == "SUCCEEDED"
    world.issue()
    world.serve()
    world.put_pair()
    taken: list[str] = []
    deployed = int(Settings.model_fields["batch"].default)
    minutes = 24.0 * 60
    for _ in range(MANY // BATCH):
        since = len(world.cloud.calls)
        run = world.cloud.tick(minutes=minutes)
        minutes = 10
        children = run.children
        assert [child.outcome for child in children] == ["certified"] * BATCH
        calls = world.cloud.calls.of("dms", since=since)
        of_a_tick = len(calls) / BATCH * deployed
        assert of_a_tick <= TICK_SECONDS * DMS_CALLS_A_SECOND / 2
        taken += [str(child.name) for child in children]
    assert sorted(taken) == names
    assert not [line for line in world.cloud.log if Metric.DMS_THROTTLES in line]
    bundle = world.authority.certificate_pem.decode().strip()
    assert all(bundle in world.trusted(f"{name}-source") for name in names)
