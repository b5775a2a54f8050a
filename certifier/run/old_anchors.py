"""How long a CA stays trusted that the source's bundle does not hold any more.

Without a look at the served chain (the probe is off, or does not reach the host) nothing proves
that an old CA is no longer needed, so that each renewal would add one, for ever. What has expired,
and what the bundle has not held for a season, goes; DMS rehearses that as it does every change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from certifier.certificate import CertificateFacts, bundle_digest, union
from certifier.certificate.canonical import canonical, certificates_in
from certifier.certificate.facts import certificate_facts
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Material, Union
from certifier.text import listed
from certifier.vocabulary import Cause, Witness

KEPT = timedelta(days=90)
"""How long an anchor stays after the source's bundle has let go of it."""

MANY = 20
"""How many anchors besides those of the bundle are more than renewals explain."""


@dataclass(frozen=True)
class Bounded:
    """What is still trusted besides the bundle, and what there is to say about it."""

    union: Union | None
    findings: tuple[Finding, ...] = ()


def left_since(
    material: Material | None, before: Mapping[str, datetime], now: datetime
) -> Mapping[str, datetime]:
    """Return since when the source's bundle does not hold CAs that the endpoint trusts, by SHA-256.

    Args:
        before: as the last run has said it.
    """
    return {facts.sha256: before.get(facts.sha256, now) for facts, _ in _old(material)}


def bounded(
    both: Union | None, material: Material, left: Mapping[str, datetime], now: datetime
) -> Bounded:
    """Return ``both`` without the anchors that have had their time.

    Args:
        both: the source's CAs and the endpoint's.
        left: since when the bundle does not hold them, by SHA-256 (``left_since``).
    """
    if both is None or material.bundle_pem is None:
        return Bounded(both)
    old = _old(material)
    gone = {facts.sha256: why for facts, _ in old if (why := _over(facts, left, now)) is not None}
    kept = [der for facts, der in old if facts.sha256 not in gone]
    findings: tuple[Finding, ...] = ()
    if gone:
        names = listed([f"{f.title} ({gone[f.sha256]})" for f, _ in old if f.sha256 in gone])
        findings += (_found(Cause.OLD_ANCHORS_DROPPED, f"no longer trusted: {names}"),)
        pem = union(material.bundle_pem, canonical(kept))
        both = Union(pem, bundle_digest(pem))
    if len(kept) > MANY:
        seen = f"the endpoint trusts {len(kept)} CAs that the source's bundle does not hold"
        findings += (_found(Cause.MANY_OLD_ANCHORS, seen),)
    return Bounded(both, findings)


def _old(material: Material | None) -> tuple[tuple[CertificateFacts, bytes], ...]:
    """Return the CAs that the endpoint trusts and the source's bundle does not hold."""
    trusted = material.trusted if material else None
    if material is None or trusted is None or trusted.pem is None or material.bundle_pem is None:
        return ()
    wanted = set(certificates_in(material.bundle_pem))
    ders = (der for der in certificates_in(trusted.pem) if der not in wanted)
    return tuple((certificate_facts(der), der) for der in ders)


def _over(facts: CertificateFacts, left: Mapping[str, datetime], now: datetime) -> str | None:
    if facts.not_after is not None and facts.not_after < now:
        return f"expired on {facts.not_after:%Y-%m-%d}"
    since = left.get(facts.sha256, now)
    return f"not in the bundle since {since:%Y-%m-%d}" if now - since >= KEPT else None


def _found(cause: Cause, seen: str) -> Finding:
    return finding(cause, place=Witness.PLAN, seen=seen)
