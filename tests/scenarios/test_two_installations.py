"""Two installations in one account: same names, same CA, and neither touches what the other has."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from certifier.ownership import SOURCE_TAG, STACK_TAG, canary_prefix, certificate_identifier
from sandbox.aws import Execution
from sandbox.aws.deploy import STACK
from sandbox.aws.machine import Where
from sandbox.world import NAME, World

OTHER = "certifier-staging"
STAGING = "staging-source"


@pytest.fixture
def worlds() -> Iterator[tuple[World, World]]:
    """Each registers a source ``orders``, for an endpoint of its own on the same server."""
    with World.start() as ours:
        yield ours, ours.in_stack(OTHER)


def tags(world: World, arn: str) -> Mapping[str, str]:
    return world.cloud._tags_of(arn)


def certificate(world: World, endpoint: str) -> Mapping[str, Any]:
    """Return the DMS certificate of an endpoint."""
    arn = (world.endpoint(endpoint) or {})["CertificateArn"]
    (found,) = (c for c in world.cloud.dms.certificates() if c["CertificateArn"] == arn)
    return found


def test_each_makes_its_own_and_tags_it(worlds: tuple[World, World]) -> None:
    """Endpoint, DMS certificate and the pair in ACM, with the same source name and the same CA."""
    ours, theirs = worlds
    ours.onboard()
    theirs.onboard(endpoint=STAGING)
    assert (ours.outcome(), theirs.outcome()) == ("certified", "certified")
    assert ours.cloud.table != theirs.cloud.table
    made = {}
    for world, stack, name in ((ours, STACK, "orders-source"), (theirs, OTHER, STAGING)):
        endpoint, ca = world.endpoint(name) or {}, certificate(world, name)
        acm = world.state()["acm_arn"]
        assert tags(world, endpoint["EndpointArn"]) == {SOURCE_TAG: NAME, STACK_TAG: stack}
        assert tags(world, ca["CertificateArn"])[STACK_TAG] == stack
        assert tags(world, acm) == {SOURCE_TAG: NAME, STACK_TAG: stack}
        digest = world.state()["certificate_digest"]
        assert ca["CertificateIdentifier"] == certificate_identifier(stack, digest)
        made[stack] = (ca["CertificateArn"], acm, digest)
    assert made[STACK][2] == made[OTHER][2]
    assert not {*made[STACK][:2]} & {*made[OTHER][:2]}


def test_each_measures_itself(worlds: tuple[World, World]) -> None:
    """An alarm of one counts nothing of the other; the name is that of the stack as deployed."""
    for world, stack in zip(worlds, (STACK, OTHER), strict=True):
        since = len(world.cloud.log)
        world.cloud.tick()
        lines = [json.loads(line) for line in world.cloud.log[since:] if '"_aws"' in line]
        assert {line["service"] for line in lines} == {stack}


def test_they_rehearse_at_the_same_time(worlds: tuple[World, World]) -> None:
    """Each has a canary of its own for its source of that name."""
    ours, theirs = worlds
    ours.onboard(ssl_mode="verify-ca")
    theirs.onboard(endpoint=STAGING, ssl_mode="verify-ca")
    runs: list[Execution] = []
    canaries: set[str] = set()

    def look(where: Where) -> None:
        if where.state != "Rehearse: wait":
            return
        known = {one["EndpointIdentifier"] for one in ours.cloud.dms.endpoints()}
        canaries.update(name for name in known if "canary" in name)
        if not runs and canaries:
            runs.append(theirs.onboard(endpoint=STAGING))

    ours.cloud.on_state(look)
    ours.onboard()
    assert (ours.outcome(), theirs.outcome()) == ("certified", "certified")
    ours_, theirs_ = canary_prefix(STACK, NAME), canary_prefix(OTHER, NAME)
    assert {name.rpartition("-")[0] + "-" for name in canaries} == {ours_, theirs_}
    left = {one["EndpointIdentifier"] for one in ours.cloud.dms.endpoints()}
    assert left == {"orders-source", STAGING}


def test_tidy_deletes_what_its_own_installation_has_left(worlds: tuple[World, World]) -> None:
    """A CA that both trusted, and that no endpoint has any more: each lets go of its own."""
    ours, theirs = worlds
    ours.onboard()
    theirs.onboard(endpoint=STAGING)
    old = {certificate(ours, name)["CertificateArn"] for name in ("orders-source", STAGING)}
    ours.issue()
    ours.serve()
    theirs.authority, theirs.leaf = ours.authority, ours.leaf
    ours.put_pair()
    for world in worlds:
        world.recertify()
        assert world.outcome() == "certified"
    ours.cloud.clock.advance(days=1)  # for so long the old CA is kept beside the new one
    for world in worlds:
        world.recertify()
        world.recertify()
    mine, other = (certificate(ours, n)["CertificateArn"] for n in ("orders-source", STAGING))
    for _ in range(9):
        ours.cloud.clock.advance(days=1)
        ours.recertify()
    left = {one["CertificateArn"] for one in ours.cloud.dms.certificates()}
    assert {mine, other} <= left
    assert len(left & old) == 1, "the other installation has not tidied yet"
    assert all(tags(ours, arn)[STACK_TAG] == OTHER for arn in left & old)
    for _ in range(9):
        ours.cloud.clock.advance(days=1)
        theirs.recertify()
    assert {one["CertificateArn"] for one in ours.cloud.dms.certificates()} == {mine, other}
