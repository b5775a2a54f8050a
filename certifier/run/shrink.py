"""When a CA that the served chain no longer needs may go: not while a node of the name may need it.

One look at a host name shows one node. Behind the name there may be others (Patroni, Multi-AZ, a
load balancer), which have not been reloaded yet: after a failover to one of these DMS would not
connect any more. So the old CA stays until every node has served the new chain in every look for
some hours, and it is remembered for a while after: a node that needs it again gets it back. Pure
decisions over values.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from certifier.certificate import certificate_facts, certificates_in, union
from certifier.certificate.canonical import to_pem
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Material, NodeLook, Probed
from certifier.run.state import DroppedAnchor, NewChain
from certifier.source import Source
from certifier.vocabulary import Cause, Stage, Witness

REMEMBERED = timedelta(days=30)
"""How long a dropped CA can come back by itself. Later, or a compromised one, a person decides."""

MANY, ROOM = 10, 100_000
"""How many dropped CAs are remembered, and bytes of their PEM: the newest."""

_SHOWN = 3


def new_chain(
    source: Source,
    material: Material | None,
    probed: Probed | None,
    before: NewChain | None,
    now: datetime,
) -> NewChain | None:
    """Return since when every look has shown that nothing but the source's bundle is needed.

    A look that saw nothing proves nothing; one that reached only some of the nodes does not begin
    the time, and does not end it. ``None``: there is nothing to drop, or a node needs it.
    """
    if not droppable(source, material):
        return None
    assert material is not None
    of = _looked_at(source, material)
    same = before if before is not None and before.of == of else None
    if probed is None or not probed.served.seen:
        return same
    if not probed.served.by_bundle or any(look.needs_old for look in probed.nodes):
        return None
    if same is None and all(look.reached for look in probed.nodes):
        return NewChain(of=of, since=now)
    return same


def _looked_at(source: Source, material: Material) -> str:
    """Return a digest of all that the time belongs to: another bundle or node begins it anew."""
    whole = [material.bundle_digest, source.host, source.port, *source.nodes]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


def why_not_dropped(
    source: Source,
    material: Material,
    probed: Probed,
    before: NewChain | None,
    *,
    now: datetime,
    after: timedelta,
) -> str | None:
    """Return why the CAs on the endpoint stay trusted besides the bundle; ``None``: they may go.

    Args:
        before: as earlier looks have left it (``new_chain``).
        after: for how long every node must have served the new chain; zero: this look is enough.
    """
    if not droppable(source, material) or not (probed.served.seen and probed.served.by_bundle):
        return None  # nothing to drop, or it stays for another reason
    if needy := [look for look in probed.nodes if look.needs_old]:
        return f"a node still serves a chain that needs the old CA: {_named(needy)}"
    if missed := [look for look in probed.nodes if not look.reached]:
        return f"not every node could be looked at: {_named(missed)}"
    since = new_chain(source, material, probed, before, now)
    if since is None or now - since.since < after:
        begun = now if since is None else since.since
        until = f"{begun + after:%Y-%m-%d %H:%M} UTC"
        return f"every node that was seen serves the new chain, and must do so until {until}"
    return None


def droppable(source: Source, material: Material | None) -> bool:
    """Whether the endpoint trusts what the bundle does not hold, and overlap is wanted.

    Of public trust, a question to the settled material (``certifier.run.public_trust``).
    """
    if material is None or not source.ca_overlap or not source.ssl_mode.verifies:
        return False
    trusted = material.trusted
    if trusted is None or trusted.pem is None or material.bundle_pem is None:
        return False
    return not set(certificates_in(trusted.pem)) <= set(certificates_in(material.bundle_pem))


def _named(looks: list[NodeLook]) -> str:
    more = f" and {len(looks) - _SHOWN} more" if len(looks) > _SHOWN else ""
    return "; ".join(f"{look.node} ({look.seen})" for look in looks[:_SHOWN]) + more


def dropped(
    source: Source,
    material: Material | None,
    probed: Probed | None,
    *,
    trusts: str | None,
    before: Mapping[str, DroppedAnchor],
    now: datetime,
) -> Mapping[str, DroppedAnchor]:
    """Return the CAs that were dropped because no node needed them, by SHA-256.

    Only what a look has shown to be unneeded: what had its time without one is gone, and so is all
    where the source forbids overlap.

    Args:
        trusts: the PEM of the CAs on the endpoint after a run that was certified.
    """
    if not source.ca_overlap or trusts is None:
        return {}
    now_trusted = set(certificates_in(trusts))
    kept = {
        sha256: one
        for sha256, one in before.items()
        if _is_remembered(one, source, now) and not set(certificates_in(one.pem)) & now_trusted
    }
    trusted = material.trusted if material else None
    if probed is not None and probed.served.seen and trusted is not None and trusted.pem:
        for der in certificates_in(trusted.pem):
            facts = certificate_facts(der)
            alive = facts.not_after is None or facts.not_after > now
            if der not in now_trusted and alive:
                kept[facts.sha256] = DroppedAnchor(pem=to_pem(der), at=now, host=source.host)
    return _newest(kept)


def _newest(dropped: Mapping[str, DroppedAnchor]) -> Mapping[str, DroppedAnchor]:
    """Return as many as are remembered; what has no room is dropped for good."""
    room, newest = ROOM, dict[str, DroppedAnchor]()
    for sha256, one in sorted(dropped.items(), key=lambda item: item[1].at, reverse=True)[:MANY]:
        room -= len(one.pem)
        if room >= 0:
            newest[sha256] = one
    return dict(reversed(newest.items()))


def _is_remembered(one: DroppedAnchor, source: Source, now: datetime) -> bool:
    return now - one.at < REMEMBERED and one.host == source.host


def with_dropped(
    source: Source, material: Material, before: Mapping[str, DroppedAnchor], now: datetime
) -> str | None:
    """Return the CAs of bundle and endpoint with what was dropped; ``None``: nothing was."""
    if not (source.ca_overlap and source.ssl_mode.verifies) or material.bundle_pem is None:
        return None
    old = [one.pem for one in before.values() if _is_remembered(one, source, now)]
    if not old:
        return None
    trusted = material.trusted.pem if material.trusted and material.trusted.pem else ""
    return union(material.bundle_pem, trusted + "".join(old))


def needed_again(dropped_at: datetime) -> Finding:
    """Return that a node serves a chain for which a CA had to come back."""
    seen = (
        "the served chain verifies only against a CA that was dropped on "
        f"{dropped_at:%Y-%m-%d %H:%M} UTC, when every node that was seen no longer needed it: "
        "another node answers, and that CA is trusted again"
    )
    return finding(Cause.DIFFERENT_NODE_ANSWERS, place=Witness.PROBE, seen=seen, stage=Stage.TLS)
