"""``ca_bundle`` as a word, end to end: nobody finds, uploads or allows a bundle."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certifier.roots import Roots
from certifier.run.documents import Probed
from certifier.run.rds_trust import thumbprint
from sandbox.aws import Kind
from sandbox.pki import Authority
from sandbox.rds import unreachable
from sandbox.world import World
from tests.scenarios.live import DAY, connected

REGION = "eu-west-1"
RDS_HOST = "orders.abc123.eu-west-1.rds.amazonaws.com"


def rds_root(kind: str, region: str = REGION) -> Authority:
    return Authority.root(f"Amazon RDS {region} Root CA {kind} G1", organization="Test RDS")


def der(authority: Authority) -> bytes:
    return authority.certificate.public_bytes(Encoding.DER)


def pem(*authorities: Authority) -> bytes:
    return b"".join(one.certificate_pem for one in authorities)


@dataclass
class Store:
    """Stands in for certifi, the packaged roots of RDS, and AWS's trust store."""

    public: tuple[Authority, ...] = ()
    rds: tuple[Authority, ...] = ()
    published: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def roots(self) -> Roots:
        return Roots(
            read_public=lambda: (pem(*self.public), "test store 1"),
            read_rds=lambda: pem(*self.rds),
            fetch=self._fetch,
        )

    def _fetch(self, region: str) -> bytes:
        self.fetched.append(region)
        return self.published.get(region) or unreachable(region)


@contextmanager
def world_of(store: Store, host: str | None = None, **cloud: Any) -> Iterator[World]:
    """A world whose installation knows the roots of the store."""
    with World.start(roots=store.roots(), **cloud) as world:
        if host is not None:
            world.cloud.hosts[host] = world.cloud.hosts[world.host]
            world.host = host
            world.put_credentials()
        yield world


def serve(world: World, authority: Authority) -> None:
    """Let PostgreSQL serve a certificate of that authority for the host."""
    world.authority = authority
    world.issue(new_authority=False)
    world.serve()


def onboard(world: World, **changes: Any) -> None:
    """Onboard the source without a pair of its own: only what is served counts."""
    world.onboard(**{"server_certificate": None, **changes})


# -- rds


@pytest.fixture
def rds() -> Iterator[tuple[World, Store]]:
    store = Store(rds=(rds_root("RSA2048"), rds_root("ECC384"), rds_root("RSA2048", "us-east-1")))
    with world_of(store, RDS_HOST) as world:
        serve(world, store.rds[0])
        yield world, store


def test_rds_trusts_the_roots_of_the_hosts_region(rds: tuple[World, Store]) -> None:
    """Certified with the Region's roots alone, checked against what RDS lists, none fetched."""
    world, store = rds
    onboard(world, ca_bundle="rds")
    assert world.outcome() == "certified"
    assert set(world.trusted().split("-----BEGIN")) >= set(
        store.rds[0].certificate_pem.decode().split("-----BEGIN")
    )
    assert world.trusted().count("BEGIN CERTIFICATE") == 2
    assert connected(world.record()) == {"probe": True, "rehearsal": True, "dms_test": True}
    assert world.record()["versions"]["ca_bundle"] == "roots of RDS in eu-west-1"
    assert [c.operation for c in world.cloud.calls.of("rds")] == ["DescribeCertificates"]
    assert store.fetched == []
    assert world.record()["spec"]["ca_bundle"] == "rds"


def test_an_unchanged_rds_source_is_not_written(rds: tuple[World, Store]) -> None:
    """A day later the same roots are found, and nothing changes."""
    world, _ = rds
    onboard(world, ca_bundle="rds")
    before = len(world.cloud.calls)
    world.cloud.tick(minutes=24 * 60)
    writes = world.cloud.calls.of("dms", "acm", "secretsmanager", writes=True, since=before)
    assert {call.operation for call in writes} == {"TestConnection"}
    assert world.outcome() == "certified"


@pytest.mark.shows("trust_unchecked")
def test_what_rds_may_not_be_asked_is_a_warning(rds: tuple[World, Store]) -> None:
    """Without rds:DescribeCertificates the data of the installation counts."""
    world, _ = rds
    denied = {"Effect": "Deny", "Action": "rds:DescribeCertificates", "Resource": "*"}
    world.cloud._rights._of_role("read_material").append(denied)
    onboard(world, ca_bundle="rds")
    assert world.outcome() == "certified"
    assert "trust_unchecked" in world.causes()


def test_a_region_in_which_rds_does_not_answer_is_not_a_failed_run(
    rds: tuple[World, Store],
) -> None:
    """RDS is asked to be sure; the data counts while it is away."""
    world, _ = rds
    world.cloud.faults.inject("rds", "DescribeCertificates", Kind.BEFORE)
    onboard(world, ca_bundle="rds")
    assert world.outcome() == "certified"
    assert "trust_unchecked" in world.causes()


@pytest.mark.parametrize("listed", [True, False])
def test_a_region_that_the_data_lacks_is_fetched_and_must_be_listed(listed: bool) -> None:
    """What AWS publishes counts only when RDS lists its thumbprint."""
    host = "orders.abc123.ap-southeast-6.rds.amazonaws.com"
    root, other = rds_root("RSA2048", "ap-southeast-6"), rds_root("ECC384", "ap-southeast-6")
    store = Store(rds=(rds_root("RSA2048"),), published={"ap-southeast-6": pem(root)})
    with world_of(store, host) as world:
        serve(world, root)
        world.cloud.rds.listed["ap-southeast-6"] = (der(root if listed else other),)
        onboard(world, ca_bundle="rds")
        assert store.fetched == ["ap-southeast-6"]
        assert world.outcome() == ("certified" if listed else "refused")
        if listed:
            assert world.trusted() == root.certificate_pem.decode()
            return
        (found,) = [f for f in world.record()["findings"] if f["cause"] == "trust_unavailable"]
        assert thumbprint(der(other)) in found["seen"]
        assert "make trust" in found["remedy"]
        assert world.endpoint() is None


@pytest.mark.shows("trust_unavailable")
def test_a_region_that_nobody_knows_says_what_to_do() -> None:
    """Neither the data nor AWS's trust store has it."""
    host = "orders.abc123.ap-southeast-6.rds.amazonaws.com"
    with world_of(Store(), host) as world:
        world.cloud.rds.listed["ap-southeast-6"] = (der(rds_root("RSA2048")),)
        onboard(world, ca_bundle="rds")
        assert (world.outcome(), world.causes()[0]) == ("refused", "trust_unavailable")


# -- public


def owned(name: str, owner: str) -> Authority:
    return Authority.root(name, organization=owner)


@pytest.fixture
def public() -> Iterator[tuple[World, Store]]:
    store = Store(
        public=(
            owned("Public Root 1", "Honest Ahmed"),
            owned("Public Root 2", "Honest Ahmed"),
            owned("Other Root", "Somebody else"),
        )
    )
    with world_of(store) as world:
        serve(world, store.public[0])
        yield world, store


def test_public_brings_the_roots_of_one_owner_to_dms(public: tuple[World, Store]) -> None:
    """Not all of the store: the root that the served chain ends in, and its owner's others."""
    world, store = public
    onboard(world, ca_bundle="public")
    assert world.outcome() == "certified"
    trusted = world.trusted()
    assert [one.certificate_pem.decode() in trusted for one in store.public] == [True, True, False]
    assert len(world.record()["trust"]["anchors"]) == 2
    assert "new_trust_anchor" not in world.causes()


def test_a_renewal_under_a_sibling_root_changes_nothing(public: tuple[World, Store]) -> None:
    """DMS trusts the sibling already, so its task runs on and no endpoint is written."""
    world, store = public
    onboard(world, ca_bundle="public")
    serve(world, store.public[1])
    before = len(world.cloud.calls)
    world.cloud.tick(minutes=24 * 60)
    assert world.outcome() == "certified"
    writes = world.cloud.calls.of("dms", writes=True, since=before)
    assert {call.operation for call in writes} == {"TestConnection"}
    described = world.cloud.calls.of("dms", operation="DescribeCertificates", since=before)
    assert not [call for call in described if call.caller == "read_material"]


def trusted(world: World, *authorities: Authority) -> list[bool]:
    """Return which of those CAs the endpoint trusts."""
    pem = world.trusted()
    return [one.certificate_pem.decode().strip() in pem for one in authorities]


def probed(world: World) -> Probed:
    """Return what the probe of the newest run has left."""
    key = f"runs/{world.record()['run'].rpartition(':')[2]}/probe_tls.json"
    return Probed.model_validate_json(world.cloud.objects(key)[key])


def test_a_chain_of_another_owner_is_a_new_anchor(public: tuple[World, Store]) -> None:
    """The endpoint follows, people are notified, and the old owner's roots stay for a day."""
    world, store = public
    onboard(world, ca_bundle="public")
    serve(world, store.public[2])
    world.cloud.tick(minutes=DAY)
    assert world.outcome() == "certified"
    assert trusted(world, *store.public) == [True, True, True]
    assert {"new_trust_anchor", "overlap_pending"} <= set(world.causes())
    assert [look.needs_old for look in probed(world).nodes] == [False]
    world.cloud.tick(minutes=DAY + 60)
    assert world.outcome() == "certified"
    assert world.trusted() == store.public[2].certificate_pem.decode()
    assert not {"new_trust_anchor", "overlap_pending"} & set(world.causes())


def test_a_failover_to_a_node_under_the_old_owner_changes_nothing(
    public: tuple[World, Store],
) -> None:
    """DMS trusts both owners, and the day begins anew."""
    world, store = public
    onboard(world, ca_bundle="public")
    serve(world, store.public[2])
    world.cloud.tick(minutes=DAY)
    serve(world, store.public[0])
    before = len(world.cloud.calls)
    world.cloud.tick(minutes=60)
    assert world.outcome() == "certified"
    writes = world.cloud.calls.of("dms", writes=True, since=before)
    assert {call.operation for call in writes} == {"TestConnection"}
    serve(world, store.public[2])
    world.cloud.tick(minutes=DAY)
    assert trusted(world, *store.public) == [True, True, True]
    world.cloud.tick(minutes=DAY + 60)
    assert trusted(world, *store.public) == [False, False, True]


def test_two_owners_stay_while_the_probe_is_away(public: tuple[World, Store]) -> None:
    """What it does not see cannot end the day."""
    world, store = public
    onboard(world, ca_bundle="public", probe="advisory")
    serve(world, store.public[2])
    world.cloud.tick(minutes=DAY)
    del world.cloud.hosts[world.host]
    world.cloud.dms.resolve = {world.host: world.server.host}
    for _ in range(2):
        world.cloud.tick(minutes=DAY)
    assert world.outcome() == "certified"
    assert trusted(world, *store.public) == [True, True, True]


def private_then_public(world: World, store: Store) -> Authority:
    """Let a source with a private CA move to public trust, and return that CA."""
    private = Authority.root("Private Root")
    serve(world, private)
    world.put_pair()
    world.onboard()
    assert (world.outcome(), trusted(world, private)) == ("certified", [True])
    serve(world, store.public[2])
    onboard(world, ca_bundle="public")
    assert world.outcome() == "certified"
    assert trusted(world, private, *store.public) == [True, False, False, True]
    assert "overlap_pending" in world.causes()
    return private


def test_a_private_ca_stays_for_a_day_after_the_move_to_public(
    public: tuple[World, Store],
) -> None:
    """A node that still serves the private chain is connected to meanwhile."""
    world, store = public
    private = private_then_public(world, store)
    serve(world, private)
    world.cloud.tick(minutes=60)
    assert world.outcome() == "certified"
    assert trusted(world, private, *store.public) == [True, False, False, True]
    serve(world, store.public[2])
    world.cloud.tick(minutes=60)
    assert trusted(world, private, *store.public) == [True, False, False, True]
    world.cloud.tick(minutes=DAY + 60)
    assert trusted(world, private, *store.public) == [False, False, False, True]
    assert world.outcome() == "certified"


def test_a_private_ca_that_public_trust_has_dropped_comes_back_and_stays(
    public: tuple[World, Store],
) -> None:
    """For as long as a node serves its chain, not for one run."""
    world, store = public
    private = private_then_public(world, store)
    world.cloud.tick(minutes=DAY + 60)
    assert trusted(world, private, *store.public) == [False, False, False, True]
    serve(world, private)
    world.cloud.tick(minutes=DAY)
    assert world.outcome() == "certified"
    assert "different_node_answers" in world.causes()
    assert trusted(world, private, *store.public) == [True, False, False, True]
    for _ in range(2):
        world.cloud.tick(minutes=DAY)
    assert world.outcome() == "certified"
    assert trusted(world, private, *store.public) == [True, False, False, True]


def test_a_chain_of_another_owner_waits_for_consent_where_that_is_asked() -> None:
    """With new_anchor_needs_consent the endpoint stays as it is until somebody approves."""
    store = Store(public=(owned("Root 1", "One"), owned("Root 2", "Two")))
    settings = {"new_anchor_needs_consent": True}
    with world_of(store, settings=settings) as world:
        serve(world, store.public[0])
        onboard(world, ca_bundle="public")
        assert world.outcome() == "certified"
        serve(world, store.public[1])
        world.cloud.tick(minutes=24 * 60)
        assert world.outcome() == "refused"
        assert "anchor_not_approved" in world.causes()
        assert world.trusted() == store.public[0].certificate_pem.decode()


def test_a_private_chain_is_not_public(public: tuple[World, Store]) -> None:
    """A root that the store does not hold is refused, whatever it calls itself."""
    world, _ = public
    serve(world, owned("Public Root 1", "Honest Ahmed's twin"))
    onboard(world, ca_bundle="public")
    assert world.outcome() == "refused"
    assert world.endpoint() is None


def test_without_a_served_chain_public_is_not_guessed(public: tuple[World, Store]) -> None:
    """An advisory probe that reaches nobody cannot say which root is needed."""
    world, _ = public
    world.cloud.hosts.clear()
    onboard(world, ca_bundle="public", probe="advisory")
    assert world.outcome() == "refused"
    assert "trust_unavailable" in world.causes()


def test_a_known_owner_stays_while_the_probe_is_away(public: tuple[World, Store]) -> None:
    """Once certified, an advisory source goes on with the owner's roots that it trusts."""
    world, _ = public
    onboard(world, ca_bundle="public", probe="advisory")
    assert world.outcome() == "certified"
    trusted = world.trusted()
    del world.cloud.hosts[world.host]
    world.cloud.dms.resolve = {world.host: world.server.host}
    world.cloud.tick(minutes=24 * 60)
    assert (world.outcome(), world.trusted()) == ("certified", trusted)


@pytest.mark.shows("growth_waits")
def test_roots_that_the_set_gains_wait_for_running_tasks() -> None:
    """A newer store never makes a working source fail for the tasks that run on it."""
    first, second = owned("Root 1", "One"), owned("Root 2", "One")
    store = Store(public=(first,))
    with world_of(store) as world:
        serve(world, first)
        onboard(world, ca_bundle="public")
        world.add_task()
        store.public = (first, second)
        world.cloud.roots.__dict__.pop("_public")  # what was read before the installation's update
        world.cloud.tick(minutes=24 * 60)
        assert world.outcome() == "certified"
        assert "growth_waits" in world.causes()
        assert probed(world).nodes == ()
        assert world.trusted() == first.certificate_pem.decode()
        for task in world.cloud.dms.tasks():
            world.cloud.client("dms").stop_replication_task(
                ReplicationTaskArn=task["ReplicationTaskArn"]
            )
        world.cloud.dms.settle()
        world.cloud.tick(minutes=24 * 60)
        assert world.outcome() == "certified"
        assert second.certificate_pem.decode() in world.trusted()


# -- proposals


@pytest.mark.shows("named_trust_fits")
def test_a_source_without_a_ca_learns_the_word(rds: tuple[World, Store]) -> None:
    """An encrypted but unverified source learns that `rds` would do."""
    world, _ = rds
    onboard(world, ssl_mode="require")
    assert world.outcome() == "certified"
    (found,) = [f for f in world.record()["findings"] if f["cause"] == "named_trust_fits"]
    assert (found["severity"], "the word rds" in found["seen"]) == ("advice", True)
    assert '"ca_bundle": "rds"' in found["remedy"]
