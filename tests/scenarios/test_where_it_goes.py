"""Attacks with a host: a source leads DMS nowhere that our own probe may not go."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from certifier.probe import AddressPolicy, objection_to
from sandbox.world import CREDENTIALS, HOST, World

POLICY = {"local": False, "hosts": ["*.db.example.com", "10.*", "169.254.*", "127.*"], "ports": []}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An installation as in AWS, where PostgreSQL does not listen on loopback."""
    with World.start(environment={"PROBE_ADDRESSES": json.dumps(POLICY)}) as one:
        yield one


@pytest.mark.shows("address_forbidden")
@pytest.mark.parametrize("probe", ["required", "advisory", "off"])
@pytest.mark.parametrize("ssl_mode", ["none", "verify-full"])
@pytest.mark.parametrize("host", ["169.254.169.254", "127.1", HOST, "db.example.org"])
def test_no_source_leads_where_the_probe_may_not_go(
    world: World, probe: str, ssl_mode: str, host: str
) -> None:
    """The metadata service, loopback, by address or by name, and hosts outside the patterns."""
    since = len(world.cloud.calls)
    world.onboard(host=host, probe=probe, ssl_mode=ssl_mode)
    assert world.outcome() == "refused"
    found = {each["cause"]: each["severity"] for each in world.record()["findings"]}
    assert found == {"address_forbidden": "error"}
    read = world.cloud.calls.of("secretsmanager", since=since)
    assert [call.operation for call in read if call.operation == "GetSecretValue"] == []
    assert world.cloud.dms.endpoints() == []
    assert world.arn(CREDENTIALS)


@pytest.mark.parametrize("node", ["169.254.169.254", "db.example.org", "[::1]:5432"])
def test_no_node_leads_where_the_probe_may_not_go(world: World, node: str) -> None:
    """A node is held to what the host is held to, before anything connects to either."""
    world.onboard(host="10.0.0.1", nodes=["10.0.0.2", node])
    assert world.outcome() == "refused"
    assert {each["cause"] for each in world.record()["findings"]} == {"address_forbidden"}
    assert world.cloud.dms.endpoints() == []


def test_a_name_that_resolves_only_in_the_probes_network_is_let_pass() -> None:
    """There the probe looks again; and a resolver that hangs holds nobody up for long."""

    def nothing(*_: Any, **__: Any) -> Any:
        raise OSError("no such name")

    def metadata(_: str, port: int, **__: Any) -> Any:
        return [(2, 1, 6, "", ("169.254.169.254", port))]

    assert objection_to("db.internal", 5432, AddressPolicy(), nothing) is None
    assert "link-local" in (objection_to("db.internal", 5432, AddressPolicy(), metadata) or "")
