"""A named set gains a root while an old CA is on its way out, and no task may stop for either."""

import pytest

from sandbox.pki import Authority
from sandbox.world import World
from tests.scenarios.live import DAY
from tests.scenarios.test_named_trust import (
    RDS_HOST,
    Store,
    onboard,
    owned,
    rds_root,
    serve,
    trusted,
    world_of,
)


def knows_more(world: World) -> None:
    """Forget what was read of the roots: the installation has been updated."""
    for kept in ("_public", "_rds"):
        world.cloud.roots.__dict__.pop(kept, None)


@pytest.mark.shows("growth_waits", "shrink_waits")
def test_a_grown_set_and_an_old_ca_wait_together_for_running_tasks() -> None:
    """The served chain needs neither the new root nor the old CA, so nothing is refused."""
    first, second = owned("Root 1", "One"), owned("Root 2", "One")
    store = Store(public=(first,))
    with world_of(store) as world:
        old = Authority.root("Private Root")
        serve(world, old)
        world.put_pair()
        world.onboard()
        serve(world, first)
        onboard(world, ca_bundle="public")
        assert trusted(world, old, first) == [True, True]
        world.add_task()
        store.public = (first, second)
        knows_more(world)
        for _ in range(2):
            world.cloud.tick(minutes=DAY)
        assert world.outcome() == "certified", world.causes()
        assert {"growth_waits", "shrink_waits"} <= set(world.causes())
        assert trusted(world, old, first, second) == [True, True, False]
        for task in world.cloud.dms.tasks():
            world.cloud.client("dms").stop_replication_task(
                ReplicationTaskArn=task["ReplicationTaskArn"]
            )
        world.cloud.dms.settle()
        world.cloud.tick(minutes=DAY)
        assert world.outcome() == "certified"
        assert trusted(world, old, first, second) == [False, True, True]


@pytest.mark.shows("growth_waits")
def test_a_grown_set_waits_where_nobody_looks_at_the_served_chain() -> None:
    """DMS's own test shows that what the endpoint trusts is enough."""
    first, second = rds_root("RSA2048"), rds_root("ECC384")
    store = Store(rds=(first,))
    with world_of(store, RDS_HOST) as world:
        serve(world, first)
        onboard(world, ca_bundle="rds", probe="off")
        assert world.outcome() == "certified", world.causes()
        world.add_task()
        store.rds = (first, second)
        knows_more(world)
        world.cloud.tick(minutes=DAY)
        assert world.outcome() == "certified", world.causes()
        assert "growth_waits" in world.causes()
        assert trusted(world, first, second) == [True, False]


@pytest.mark.shows("growth_waits")
def test_a_grown_set_that_dms_needs_leads_the_mail() -> None:
    """Nobody saw that the chain ends in a new root; the remedy is to let the tasks restart."""
    first, second = rds_root("RSA2048"), rds_root("ECC384")
    store = Store(rds=(first,))
    with world_of(store, RDS_HOST) as world:
        serve(world, first)
        onboard(world, ca_bundle="rds", probe="off")
        assert world.outcome() == "certified", world.causes()
        world.add_task()
        store.rds = (first, second)
        knows_more(world)
        serve(world, second)
        world.cloud.tick(minutes=DAY)
        assert world.outcome() == "failed"
        subject, message = world.cloud.notices[-1]
        assert subject.endswith("growth_waits")
        assert message.index("Set restart_tasks") < message.index("certificate_rejected")
        onboard(world, ca_bundle="rds", probe="off", restart_tasks=True)
        assert world.outcome() == "certified", world.causes()
        assert trusted(world, first, second) == [True, True]
