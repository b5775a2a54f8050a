"""A look at every node behind a host name: TLS alone, nobody logs in, and each more than once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from time import monotonic

from certifier import probe
from certifier.evidence import Address
from certifier.probe import ProbeRequest, Resolve, addresses_of
from certifier.run.documents import NodeLook
from certifier.source import Source
from certifier.source_values import node_of
from certifier.vocabulary import Cause

CONNECTIONS = 3
"""How often each address is connected to: behind it there may be several servers, too."""

NODES = 48
"""How many addresses are looked at; with more, not every node was."""

SECONDS, EACH = 30.0, 3.0
"""Seconds for all of it, and for one connection."""

_NO_TIME = "there was no time left for it"


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
    for name, places in _servers(source, request, addresses, resolve, until):
        if isinstance(places, str):
            looks.append(NodeLook(node=name, reached=False, seen=places))
            continue
        new = [each for each in dict.fromkeys(places) if each not in seen]
        if len(seen) + len(new) > NODES:
            more = f"more than {NODES} addresses are not looked at"
            return (*looks, NodeLook(node=name, reached=False, seen=more))
        seen.update(new)
        looks += _forgiven(
            [_look(replace(request, address=ip, port=port), until) for ip, port in new]
        )
    return tuple(looks)


def _servers(
    source: Source,
    request: ProbeRequest,
    addresses: Iterable[Address],
    resolve: Resolve,
    until: float,
) -> Iterator[tuple[str, list[tuple[str, int]] | str]]:
    """Yield the host and each node, with addresses and ports; of a node that has none, why."""
    yield source.host, [(each.ip, source.port) for each in addresses]
    for node in source.nodes:
        seconds = until - monotonic()
        if seconds <= 0:
            yield node, _NO_TIME
            continue
        host, port = node_of(node, source.port)
        found = addresses_of(host, port, request.policy, resolve, seconds=seconds)
        yield node, found if isinstance(found, str) else [(ip, port) for ip in found]


def _forgiven(looks: list[NodeLook]) -> list[NodeLook]:
    """Return the looks at one server, without those at IPv6 addresses to which there is no way.

    From here, that is: DMS may have one. They lead to a server that has other addresses too, and
    where none of these was reached, nothing is known of it.
    """
    reached = any(look.reached for look in looks)
    return [look for look in looks if not (reached and look.no_way and not look.reached)]


def _look(request: ProbeRequest, until: float) -> NodeLook:
    """Return what an address serves."""
    name = f"{request.address}:{request.port}"
    for _ in range(CONNECTIONS):
        if monotonic() > until:
            return NodeLook(node=name, reached=False, seen=_NO_TIME)
        report = probe.probe(request)
        verdict = report.verdicts.verify_ca
        if report.evidence.chain and not verdict.passed:
            return NodeLook(node=name, reached=True, needs_old=True, seen=verdict.seen)
        if not verdict.passed:
            no_way = verdict.cause is Cause.HOST_UNREACHABLE and ":" in str(request.address)
            return NodeLook(node=name, reached=False, no_way=no_way, seen=verdict.seen)
    return NodeLook(node=name, reached=True, seen="it serves the new chain")
