"""One secret that many sources share: its event runs as many as a tick does."""

from collections.abc import Iterator

import pytest

from sandbox.world import PAIR, World

MANY = 7
BATCH = 3


@pytest.fixture
def world() -> Iterator[World]:
    with World.start(settings={"batch": BATCH}) as started:
        yield started


def test_the_event_of_a_shared_secret_is_paced_as_the_schedule_is(world: World) -> None:
    """A batch at once, the others at the next ticks, each once."""
    names = [f"s{number}" for number in range(MANY)]
    specs = [world.source(name=name, endpoint=f"{name}-source") for name in names]
    assert world.cloud.run({"sources": specs}).status == "SUCCEEDED"
    world.issue(new_authority=False)
    world.serve()
    (run,) = world.announce()
    assert [child.outcome for child in run.children] == ["certified"] * BATCH
    taken = [str(child.name) for child in run.children]
    for left in (BATCH, MANY - 2 * BATCH):
        run = world.cloud.tick()
        assert [child.outcome for child in run.children] == ["certified"] * left
        taken += [str(child.name) for child in run.children]
    assert sorted(taken) == names
    assert world.cloud.tick().children == []
    seen = {world.record(name)["intended_leaf_sha256"] for name in names}
    assert seen == {world.leaf.fingerprint}


def test_two_events_of_a_shared_secret_run_two_batches(world: World) -> None:
    """The second one goes on where the first has stopped, and whoever asks by name is not paced."""
    names = [f"s{number}" for number in range(MANY)]
    specs = [world.source(name=name, endpoint=f"{name}-source") for name in names]
    assert world.cloud.run({"sources": specs}).status == "SUCCEEDED"
    world.issue(new_authority=False)
    world.serve()
    (first,) = world.announce()
    (second,) = world.cloud.emit_secret_label(PAIR)
    taken = [str(child.name) for run in (first, second) for child in run.children]
    assert len(set(taken)) == 2 * BATCH
    assert len(world.cloud.run({"names": names}).children) == MANY
