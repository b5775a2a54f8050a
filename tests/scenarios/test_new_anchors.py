"""A CA that was never there, where the installation lets none be trusted without consent."""

import hashlib
from collections.abc import Iterator

import pytest

from certifier.aws.store import Store
from sandbox.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start(settings={"new_anchor_needs_consent": True}) as one:
        yield one


@pytest.mark.shows("anchor_not_approved")
def test_whoever_writes_the_bundle_makes_dms_trust_nobody(world: World) -> None:
    """It waits, however often it is tried, until a person has approved what they looked at."""
    world.onboard()
    assert world.outcome() == "certified"
    before = world.trusted()
    world.renew()
    for _ in range(2):
        assert world.outcome() == "refused"
        assert "anchor_not_approved" in world.causes()
        assert world.trusted() == before
        world.recertify()
    store = Store(world.cloud.client("dynamodb"), world.cloud.table)
    (approved,), left = store.approve_anchors("orders", world.cloud.clock.now())
    assert left == ()
    (found,) = (f for f in world.record()["findings"] if f["cause"] == "anchor_not_approved")
    assert approved in found["seen"]
    world.cloud.tick()
    assert world.outcome() == "certified"
    assert store.approve_anchors("orders", world.cloud.clock.now()) == ((), ())


def test_a_bundle_that_the_source_names_by_its_digest_needs_no_other_consent(world: World) -> None:
    """The registrant has looked at that very file."""
    world.onboard()
    world.issue()
    world.serve()
    pem = world.authority.certificate_pem
    bundle = world.put_bundle("orders.pem", pem)
    world.onboard(ca_bundle=bundle, server_certificate=None)
    assert world.outcome() == "refused"
    digest = hashlib.sha256(pem).hexdigest()
    world.onboard(ca_bundle=bundle, server_certificate=None, ca_bundle_sha256=digest)
    assert world.outcome() == "certified", world.record()["findings"]
