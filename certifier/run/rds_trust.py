"""The roots of RDS for one Region: what is known here, what RDS lists, what AWS publishes.

Pure decisions over values. RDS (``rds:DescribeCertificates``) names its CAs by the SHA-1 of the
root; that is its word, and good enough to recognise a certificate that came over another way.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from certifier.certificate import certificates_in
from certifier.certificate.canonical import canonical
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.vocabulary import Cause, Severity, Witness

_SHOWN = 5


@dataclass(frozen=True)
class RdsTrust:
    """The roots for a Region as a canonical bundle; ``None`` when there are none to trust."""

    pem: str | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Unknown:
    """Something could not be asked for, and why."""

    why: str


def thumbprint(der: bytes) -> str:
    """Return the SHA-1 of a certificate in lower-case hex, as RDS writes it."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


def lacking(known: Iterable[bytes], listed: frozenset[str] | Unknown) -> frozenset[str]:
    """Return the thumbprints that RDS lists and that the data does not hold."""
    if isinstance(listed, Unknown):
        return frozenset()
    return listed - {thumbprint(der) for der in known}


def rds_trust(
    region: str,
    known: Sequence[bytes],
    listed: frozenset[str] | Unknown,
    published: bytes | Unknown | None,
) -> RdsTrust:
    """Return what to trust for a Region, and what could not be checked.

    A root that was fetched counts only when RDS lists it. A root of the data that RDS does not
    list stays (not every Region offers every key type), unless RDS lists none of the data at all.

    Args:
        known: the Region's roots in the data, in DER.
        listed: thumbprints of the CAs that RDS has in the Region.
        published: AWS's bundle of the Region; ``None``: it was not needed.
    """
    if isinstance(listed, Unknown):
        if not known:
            why = f"the data has no root of RDS for {region}, and RDS could not be asked"
            return RdsTrust(None, (_unavailable(f"{why}: {listed.why}"),))
        seen = f"the roots of RDS for {region} were not compared with what RDS lists: {listed.why}"
        return RdsTrust(canonical(known), (_found(Cause.TRUST_UNCHECKED, seen),))
    missing = lacking(known, listed)
    fetched = {
        der
        for der in certificates_in(published if isinstance(published, bytes) else b"")
        if thumbprint(der) in listed
    }
    kept = set(known) if len(missing) < len(listed) else set()
    trusted = kept | fetched
    still = missing - {thumbprint(der) for der in fetched}
    findings: tuple[Finding, ...] = ()
    if still or not trusted:
        findings = (_unavailable(_why_missing(region, still, published), partly=bool(trusted)),)
    return RdsTrust(canonical(trusted) or None, findings)


def _why_missing(region: str, still: frozenset[str], published: bytes | Unknown | None) -> str:
    named = ", ".join(sorted(still)[:_SHOWN]) or "none"
    why = "RDS lists no CA there"
    if isinstance(published, Unknown):
        why = f"AWS's trust store did not help: {published.why}"
    elif still:
        why = "what AWS's trust store publishes has no such thumbprint"
    return f"RDS has roots in {region} that are not known here (SHA-1 {named}): {why}"


def _unavailable(seen: str, *, partly: bool = False) -> Finding:
    """An error, unless there are other roots of the Region: then the chain will say."""
    return _found(Cause.TRUST_UNAVAILABLE, seen, Severity.WARNING if partly else None)


def _found(cause: Cause, seen: str, severity: Severity | None = None) -> Finding:
    return finding(cause, place=Witness.INTAKE, seen=seen, severity=severity)
