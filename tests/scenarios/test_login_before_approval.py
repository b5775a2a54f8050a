"""What a CA that nobody has approved may not bring about: a password on the way to its server."""

from collections.abc import Iterator

import pytest

from certifier.aws.store import Store
from sandbox.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start(settings={"new_anchor_needs_consent": True}) as one:
        yield one


def test_nobody_logs_in_on_the_word_of_a_ca_that_waits_for_approval(world: World) -> None:
    """Who wrote the bundle and answers as the server learns no password; approved, it is sent."""
    world.onboard()
    assert (world.outcome(), logged_in(world)) == ("certified", True)
    world.renew()
    assert (world.outcome(), logged_in(world)) == ("refused", False)
    assert "anchor_not_approved" in world.causes()
    world.recertify()
    assert (world.outcome(), logged_in(world)) == ("refused", False)
    store = Store(world.cloud.client("dynamodb"), world.cloud.table)
    store.approve_anchors("orders", world.cloud.clock.now())
    world.cloud.tick()
    assert (world.outcome(), logged_in(world)) == ("certified", True)


def test_a_bundle_that_is_written_first_and_served_later_brings_no_login_either(
    world: World,
) -> None:
    """The server still serves the old chain, which the second look verifies: with both CAs."""
    world.onboard()
    assert world.outcome() == "certified"
    world.issue()
    world.announce()
    assert (world.outcome(), logged_in(world)) == ("refused", False)


def logged_in(world: World) -> bool:
    """Whether the probe of the last run logged in, or tried to."""
    evidence = world.record()["probe"]["evidence"]
    return evidence["login"] is not None
