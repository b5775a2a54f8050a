"""Several servers behind one host name: an old CA stays for as long as one of them may need it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.pki import Leaf
from sandbox.postgres import Postgres
from sandbox.world import PASSWORD, USER
from tests.scenarios.live import DAY, Live


@dataclass
class Renewed:
    """A source and its task, and what PostgreSQL served before and after a renewal."""

    live: Live
    old: Leaf
    new: Leaf
    old_ca: str
    new_ca: str

    @classmethod
    def of(cls, live: Live, **leaf: Any) -> "Renewed":
        """Renew CA and certificate; the server serves the new one at once."""
        world = live.world
        old, old_ca = world.leaf, world.authority.certificate_pem.decode().strip()
        world.renew(**leaf)
        return cls(live, old, world.leaf, old_ca, world.authority.certificate_pem.decode().strip())

    @property
    def trusted(self) -> tuple[bool, bool]:
        """Whether the endpoint trusts the old CA, and the new one."""
        pem = self.live.world.trusted()
        return self.old_ca in pem, self.new_ca in pem

    @property
    def well(self) -> bool:
        """Whether the source is certified, its task runs, and nothing is open."""
        live = self.live
        return (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])

    def answers(self, leaf: Leaf) -> None:
        """Let a node with that certificate answer as the host."""
        self.live.world.server.use_tls(leaf)


BOTH, NEW_ALONE = (True, True), (False, True)


@pytest.fixture
def renewed(live: Live) -> Renewed:
    return Renewed.of(live.certified(ssl_mode="verify-full"))


@pytest.fixture
def standby(live: Live) -> Iterator[Postgres]:
    """A second server behind the host, which has the certificate that the first one serves now."""
    with Postgres.start(tls=live.world.leaf, users={USER: PASSWORD}) as second:
        yield second


def test_an_old_ca_stays_for_a_day_after_it_was_last_served(renewed: Renewed) -> None:
    """What answers is one node; another one may still have the old chain."""
    assert renewed.well
    assert renewed.trusted == BOTH
    assert "overlap_pending" in renewed.live.causes
    renewed.live.tick(6, minutes=60)
    assert renewed.trusted == BOTH
    renewed.live.tick(minutes=DAY)
    assert renewed.well
    assert renewed.trusted == NEW_ALONE
    assert "overlap_pending" not in renewed.live.causes


def test_after_a_failover_to_a_node_with_the_old_chain_dms_connects(renewed: Renewed) -> None:
    """Nothing is written for it; and the day begins anew."""
    live = renewed.live
    live.tick(3, minutes=60)
    renewed.answers(renewed.old)
    since = live.now
    live.tick(minutes=61)
    assert renewed.well
    assert live.asked(since) == []
    renewed.answers(renewed.new)
    live.tick(minutes=DAY)
    assert renewed.trusted == BOTH
    live.tick(2, minutes=DAY)
    assert renewed.trusted == NEW_ALONE
    assert renewed.well


@pytest.mark.shows("different_node_answers")
def test_a_node_that_needs_a_dropped_ca_gets_it_back(renewed: Renewed) -> None:
    """Nobody has seen it for a day; then it answers. The CA that it needs is remembered."""
    live = renewed.live
    live.tick(2, minutes=DAY)
    assert renewed.trusted == NEW_ALONE
    renewed.answers(renewed.old)
    live.tick(minutes=DAY)
    assert renewed.well
    assert renewed.trusted == BOTH
    assert {"different_node_answers", "overlap_pending"} <= live.causes
    assert "is trusted again" in live.found("different_node_answers")["seen"]
    renewed.answers(renewed.new)
    live.tick(3, minutes=DAY)
    assert renewed.trusted == NEW_ALONE
    assert renewed.well


@pytest.mark.shows("unknown_authority")
def test_a_ca_that_was_dropped_as_compromised_does_not_come_back(renewed: Renewed) -> None:
    """``ca_overlap: false`` forgets it."""
    live = renewed.live
    live.world.onboard(restart_tasks=True, ca_overlap=False)
    assert renewed.trusted == NEW_ALONE
    live.world.onboard(restart_tasks=True)
    renewed.answers(renewed.old)
    live.tick(minutes=DAY)
    assert live.outcome == "refused"
    assert renewed.trusted == NEW_ALONE


def test_a_node_that_is_named_keeps_the_old_ca_until_it_is_reloaded(
    live: Live, standby: Postgres
) -> None:
    """The name leads to the primary alone; the standby has not been reloaded for days."""
    nodes = [f"127.0.0.1:{standby.port}"]
    live.certified(ssl_mode="verify-full", nodes=nodes)
    renewed = Renewed.of(live)
    live.tick(3, minutes=DAY)
    assert renewed.well
    assert renewed.trusted == BOTH
    assert nodes[0] in live.found("overlap_pending")["seen"]
    standby.use_tls(renewed.new)
    live.tick(minutes=DAY)
    assert renewed.trusted == BOTH
    live.tick(2, minutes=DAY)
    assert renewed.well
    assert renewed.trusted == NEW_ALONE


def test_a_node_that_cannot_be_reached_keeps_the_old_ca(live: Live, standby: Postgres) -> None:
    """It may serve anything when it is back."""
    nodes = [f"127.0.0.1:{standby.port}"]
    live.certified(ssl_mode="verify-full", nodes=nodes)
    standby.stop()
    renewed = Renewed.of(live)
    live.tick(3, minutes=DAY)
    assert renewed.well
    assert renewed.trusted == BOTH
    assert "could be looked at" in live.found("overlap_pending")["seen"]


def test_a_node_that_is_never_reached_keeps_the_old_ca_for_ninety_days(
    live: Live, standby: Postgres
) -> None:
    """An address that answers nobody must not gather one CA after another."""
    live.certified(ssl_mode="verify-full", nodes=[f"127.0.0.1:{standby.port}"])
    standby.stop()
    renewed = Renewed.of(live, not_after=datetime.now(UTC) + timedelta(days=300))
    live.tick(3, minutes=29 * DAY)
    assert renewed.trusted == BOTH
    live.tick(3, minutes=2 * DAY)
    assert renewed.trusted == NEW_ALONE
    assert renewed.well
