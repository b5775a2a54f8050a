"""The main job, end to end: onboard, recertify, rotate, renew ahead, refuse."""

import json
from collections.abc import Iterator

import pytest

from sandbox.pki import Authority
from sandbox.world import ENDPOINT, NAME, World
from tests.scenarios.live import connected

POLLS = 4
"""At most so many looks at a test of an unchanged source."""
CONSENT = 1
"""One look at the tags of the endpoint: whether its owner still consents."""


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


def test_a_verify_full_source_is_onboarded_and_certified(world: World) -> None:
    """The endpoint exists with its mode and CA, proven by probe, rehearsal and DMS test."""
    run = world.onboard()
    assert run.status == "SUCCEEDED"
    assert run.child(NAME).output == {"name": NAME, "outcome": "certified"}
    endpoint = world.endpoint()
    assert endpoint is not None
    assert (endpoint["SslMode"], endpoint["EndpointType"]) == ("verify-full", "SOURCE")
    assert world.trusted().strip() == world.authority.certificate_pem.decode().strip()
    record = world.record()
    assert connected(record) == {"probe": True, "rehearsal": True, "dms_test": True}
    assert record["probe"]["evidence"]["tls"]["version"] == "TLSv1.3"
    assert record["endpoint"]["created"] is True
    assert world.unfinished() == []


def test_an_unchanged_source_costs_no_write(world: World) -> None:
    """Recertifying stays within the design's bounds for calls and transitions."""
    world.onboard()
    before = len(world.cloud.calls)
    run = world.cloud.tick(minutes=24 * 60)
    child = run.child(NAME)
    assert child.outcome == "certified"
    calls = world.cloud.calls
    writes = calls.of("dms", "acm", "secretsmanager", writes=True, since=before)
    assert {call.operation for call in writes} == {"TestConnection"}
    polls = calls.of("dms", operation="DescribeConnections", since=before)
    assert len(polls) <= POLLS
    of_source = [c for c in calls.of("dms", since=before) if c.caller not in ("tidy", "report")]
    assert len(of_source) <= 2 + 1 + CONSENT + len(polls)
    assert child.transitions <= 12 + 3 * len(polls)


def test_plan_mode_writes_nothing_but_its_record(world: World) -> None:
    """No write to ACM, DMS or Secrets Manager, no test, and the table stays as it was."""
    world.onboard()
    world.issue()
    world.put_pair()
    before, items = len(world.cloud.calls), world.cloud.items()
    run = world.recertify(mode="plan")
    assert run.child(NAME).outcome == "planned"
    assert world.cloud.calls.of("dms", "acm", "secretsmanager", writes=True, since=before) == []
    assert world.cloud.items() == items
    assert [change["field"] for change in world.record()["changes"]] == ["certificate"]


def test_plan_mode_of_a_new_source_registers_nothing(world: World) -> None:
    """It says what it would create, and leaves no trace in the table."""
    run = world.cloud.run({"sources": [world.source()], "mode": "plan"})
    assert run.status == "SUCCEEDED"
    assert run.child(NAME).outcome == "planned"
    assert world.cloud.items() == []
    assert world.cloud.dms.endpoints() == []


def test_a_rotation_is_started_by_the_secrets_event(world: World) -> None:
    """A new CA and leaf: the endpoint gets the new CA, is tested, certified.

    A person hears of the CA, which nobody has trusted before.
    """
    world.onboard()
    (run,) = world.renew()
    assert run.child(NAME).outcome == "certified"
    assert world.authority.certificate_pem.decode().strip() in world.trusted()
    assert set(world.causes()) == {"new_trust_anchor", "endpoint_ca_differs", "overlap_pending"}
    (notice,) = world.cloud.notices
    assert notice[0] == "Certifier eu-west-1: orders certified: new_trust_anchor"


def test_a_renewal_ahead_of_the_server_trusts_old_and_new_until_it_follows(world: World) -> None:
    """No connection fails in between, and nobody has to do anything."""
    world.onboard()
    old = world.authority.certificate_pem.decode().strip()
    world.issue()
    (run,) = world.announce()
    assert run.child(NAME).outcome == "certified"
    assert {"overlap_pending", "served_certificate_differs"} <= set(world.causes())
    new = world.authority.certificate_pem.decode().strip()
    assert old in world.trusted()
    assert new in world.trusted()
    world.serve()
    run = world.cloud.tick()
    assert run.child(NAME).outcome == "certified"
    assert world.causes() == ["overlap_pending"]
    assert old in world.trusted()
    run = world.cloud.tick(minutes=24 * 60)
    assert run.child(NAME).outcome == "certified"
    assert world.trusted().strip() == new
    assert world.causes() == []


def test_a_wrong_ca_is_refused_by_the_probe_and_nothing_is_made(world: World) -> None:
    """Cause and remedy are in the record; the direct start fails and says which source."""
    pair = {**world.pair(), "ca": Authority.root("Another CA").certificate_pem.decode()}
    world.cloud.put_secret("dms/orders-tls", pair)
    run = world.onboard()
    assert run.status == "FAILED"
    assert NAME in str(run.cause)
    assert world.outcome() == "refused"
    assert world.cloud.dms.endpoints() == []
    assert world.cloud.dms.certificates() == []


def test_a_host_that_dms_cannot_reach_is_refused_by_the_rehearsal(world: World) -> None:
    """The record holds what DMS said, and that our probe connected."""
    world.cloud.dms.resolve = {}
    run = world.onboard()
    assert run.status == "FAILED"
    assert world.outcome() == "refused"
    assert {"dns_failed", "dms_differs_from_probe"} <= set(world.causes())
    found = next(f for f in world.record()["findings"] if f["cause"] == "dns_failed")
    assert found["place"] == "rehearsal"
    assert "could not translate host name" in found["raw"]
    assert world.cloud.dms.endpoints() == []
    assert world.unfinished() == []


def test_every_mistake_of_a_source_is_said_at_once_and_nothing_is_stored(world: World) -> None:
    """One error with all wrong fields; no call to DMS, no item in the table."""
    run = world.cloud.run({"sources": [world.source(port="x", ssl_mode="prefer", nmae="a")]})
    assert run.status == "FAILED"
    assert run.cause is not None
    for field in ("port", "ssl_mode", "nmae"):
        assert field in run.cause
    assert world.cloud.items() == []
    assert world.cloud.calls.of("dms") == []


@pytest.mark.parametrize(
    "event", [{"surces": []}, {"source": "aws.ec2", "detail-type": "x"}, {"names": ["nobody"]}]
)
def test_an_unknown_event_is_one_clear_error(world: World, event: dict[str, object]) -> None:
    """Nothing is touched."""
    run = world.cloud.run(event)
    assert run.status == "FAILED"
    assert run.cause
    assert world.cloud.items() == []


@pytest.mark.parametrize(
    ("secret", "value", "cause", "key"),
    [
        ("dms/orders", {"username": "u", "host": "h", "port": 1}, "secret_incomplete", "password"),
        ("dms/orders", "no JSON at all", "secret_incomplete", "dms/orders"),
        ("dms/orders-tls", {"certificate": "x"}, "secret_incomplete", "private key"),
    ],
)
def test_a_secret_that_lacks_something_names_secret_and_key(
    world: World, secret: str, value: object, cause: str, key: str
) -> None:
    """The finding names both, never a value."""
    source = world.source()
    world.cloud.put_secret(secret, value if isinstance(value, str) else json.dumps(value))
    world.cloud.run({"sources": [source]})
    assert world.outcome() == "refused"
    found = [f for f in world.record()["findings"] if f["cause"] == cause]
    assert any(key in f["seen"] and secret in f["seen"] for f in found)


def test_a_secret_that_is_gone_is_unreadable(world: World) -> None:
    """Its name is said."""
    source = world.source()
    world.cloud.client("secretsmanager").delete_secret(
        SecretId="dms/orders", ForceDeleteWithoutRecovery=True
    )
    world.cloud.run({"sources": [source]})
    assert world.outcome() == "refused"
    assert "secret_unreadable" in world.causes()


def test_only_the_due_sources_run_on_a_tick(world: World) -> None:
    """Right after a certification, nothing is due for a day."""
    world.onboard()
    assert world.cloud.tick().children == []
    assert world.endpoint(ENDPOINT) is not None
