"""The sources of docs/guide.md that stand for RDS, a public CA and a private CA are certified."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from certifier.roots import Roots
from sandbox.pki import Authority
from sandbox.rds import unreachable
from sandbox.world import PAIR, TRUST_BUCKET, World
from tests.docs.markdown import ROOT, blocks, read

SOURCES: Mapping[str, dict[str, Any]] = {
    source["name"]: source
    for source in map(json.loads, blocks(read(ROOT / "docs/guide.md"), "json"))
}
REGION_ROOT = Authority.root("Amazon RDS eu-west-1 Root CA RSA2048 G1")
PUBLIC = Authority.root("Public root", organization="Owner")
ROOTS = Roots(
    read_public=lambda: (PUBLIC.certificate_pem, "test store"),
    read_rds=lambda: REGION_ROOT.certificate_pem,
    fetch=unreachable,
)


AUTHORITIES = {
    "orders-rds": REGION_ROOT,
    "orders-public": PUBLIC,
    "orders-private": Authority.root("Private CA"),
}


def test_no_source_of_the_guide_is_left_out() -> None:
    """``orders`` is run by tests/scenarios/test_guide.py, with every command beside it."""
    assert {*AUTHORITIES, "orders"} == SOURCES.keys()


@pytest.mark.parametrize(("name", "authority"), AUTHORITIES.items())
def test_a_whole_source_of_the_guide_is_certified(name: str, authority: Authority) -> None:
    """As it stands, but for what every account has its own of: ARNs, port, instance."""
    source = dict(SOURCES[name])
    with World.start(roots=ROOTS, settings={"bundle_buckets": TRUST_BUCKET}) as world:
        world.cloud.hosts[source["host"]] = world.server.host
        world.host, world.authority = source["host"], authority
        world.issue(new_authority=False)
        world.serve()
        world.server.execute("CREATE DATABASE orders")
        world.put_pair()
        world.put_bundle("databases/root.pem", authority.certificate_pem)
        source |= {
            "credentials": world.put_credentials(),
            "port": world.server.port,
            "replication_instances": [world.instance],
        }
        if "server_certificate" in source:
            source["server_certificate"] = world.arn(PAIR)
        run = world.cloud.run({"sources": [source]})
        assert run.child(name).outcome == "certified"
        assert world.trusted(source["endpoint"]) == authority.certificate_pem.decode()
