"""A look at every node behind a host name: TLS alone, nobody logs in, and each more than once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import monotonic

from certifier import probe
from certifier.evidence import Address
from certifier.probe import ProbeRequest, Resolve, addresses_of
from certifier.run.documents import NodeLook
from certifier.source import Source, node_of
from certifier.vocabulary import Cause

CONNECTIONS = 3
"""How often each address is connected to: behind it there may be several servers, too."""

NODES = 48
"""How many addresses are looked at; with more, not every node was."""

SECONDS, EACH = 30.0, 3.0
"""Seconds for all of it, and for one connection."""


def look_at_nodes(
    source: Source, request: ProbeRequest, addresses: Iterable[Address], resolve: Resolve
) -> tuple[NodeLook, ...]:
    """Return what each address of the host, and each node of the source, serves.

    Every one is asked for the certificate of the source's host.

    Args:
        request: the look at the host, with the source's own CAs.
        addresses: of the host, as they were resolved.
    """
    request = replace(
        request, user=None, password=None, probe_plaintext=False, older_clients=False, timeout=EACH
    )
    until = monotonic() + SECONDS
    seen: set[tuple[str, int]] = set()
    looks: list[NodeLook] = []
    for where in _places(source, request, addresses, resolve):
        if isinstance(where, NodeLook):
            looks.append(where)
            continue
        if where in seen:
            continue
        seen.add(where)
        ip, port = where
        if len(seen) > NODES:
            more = f"more than {NODES} addresses are not looked at"
            return (*looks, NodeLook(node=f"{ip}:{port}", reached=False, seen=more))
        look = _look(replace(request, address=ip, port=port), until)
        looks += [] if look is None else [look]
    return tuple(looks)


def _places(
    source: Source, request: ProbeRequest, addresses: Iterable[Address], resolve: Resolve
) -> Iterator[tuple[str, int] | NodeLook]:
    """Yield addresses and ports; of a node that has none, why."""
    yield from ((each.ip, source.port) for each in addresses)
    for node in source.nodes:
        host, port = node_of(node, source.port)
        found = addresses_of(host, port, request.policy, resolve)
        if isinstance(found, str):
            yield NodeLook(node=node, reached=False, seen=found)
        else:
            yield from ((ip, port) for ip in found)


def _look(request: ProbeRequest, until: float) -> NodeLook | None:
    """Return what an address serves; ``None``: it is IPv6, and there is no way to that from here.

    DMS may have one; but it leads to a server that has other addresses, too.
    """
    name = f"{request.address}:{request.port}"
    for _ in range(CONNECTIONS):
        if monotonic() > until:
            return NodeLook(node=name, reached=False, seen="there was no time left for it")
        report = probe.probe(request)
        verdict = report.verdicts.verify_ca
        if report.evidence.chain and not verdict.passed:
            return NodeLook(node=name, reached=True, needs_old=True, seen=verdict.seen)
        if not verdict.passed:
            if verdict.cause is Cause.HOST_UNREACHABLE and ":" in str(request.address):
                return None
            return NodeLook(node=name, reached=False, seen=verdict.seen)
    return NodeLook(node=name, reached=True, seen="it serves the new chain")
