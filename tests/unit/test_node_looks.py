"""Which servers behind a host are looked at, and what a look that saw nothing counts for."""

import time
from typing import Any

import pytest

from certifier.probe import AddressPolicy, ProbeRequest, system_resolver
from certifier.run.documents import NodeLook
from certifier.source import Source, parse_source
from certifier.steps import node_looks
from certifier.steps.node_looks import look_at_nodes
from sandbox.pki import Authority

REQUEST = ProbeRequest(
    host="orders.example.com",
    policy=AddressPolicy.anywhere(),
    ca_bundle=Authority.root("Example root").certificate_pem,
)


def source(*nodes: str) -> Source:
    return parse_source(
        {
            "name": "orders",
            "host": "orders.example.com",
            "database": "orders",
            "endpoint": "orders",
            "ssl_mode": "verify-full",
            "ca_bundle": "public",
            "nodes": nodes,
        }
    )


def looks(*nodes: str, resolve: Any = system_resolver) -> tuple[NodeLook, ...]:
    return look_at_nodes(source(*nodes), REQUEST, (), resolve)


def test_a_node_that_has_only_ipv6_is_not_passed_over() -> None:
    """There may be no way to it from here; then nothing is known of what it serves."""
    (look,) = looks("[100::1]:5432")  # the prefix that discards everything (RFC 6666)
    assert not look.reached


def test_resolving_takes_no_longer_than_all_of_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that hangs must not take the time of the whole step."""
    asked = []

    def slow(host: str, port: int, **_: Any) -> Any:
        asked.append(host)
        time.sleep(0.2)
        raise OSError("it does not resolve")

    monkeypatch.setattr(node_looks, "SECONDS", 0.5)
    found = looks(*(f"db{number}.example.com" for number in range(16)), resolve=slow)
    assert len(asked) <= 4
    assert len(found) == 16
    assert not any(look.reached for look in found)
    assert found[-1].seen == "there was no time left for it"
