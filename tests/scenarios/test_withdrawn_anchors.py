"""A CA that waited for consent, left the bundle without it, and comes again: it waits again."""

from collections.abc import Iterator

import pytest

from sandbox.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start(settings={"new_anchor_needs_consent": True}) as one:
        yield one


def test_a_ca_that_was_withdrawn_before_anybody_approved_it_is_new_again(world: World) -> None:
    """Whoever writes the bundle puts it in, takes it out, and waits for a good run in between."""
    world.onboard()
    assert world.outcome() == "certified"
    before, good = world.trusted(), (world.authority, world.leaf)
    world.issue()
    bad = (world.authority, world.leaf)
    for _ in range(2):
        world.authority, world.leaf = bad
        world.announce()
        assert world.outcome() == "refused"
        assert "anchor_not_approved" in world.causes()
        assert world.trusted() == before
        world.authority, world.leaf = good
        world.announce()
        assert world.outcome() == "certified", world.causes()
        assert world.trusted() == before
