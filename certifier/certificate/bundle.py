"""Bundles of CA certificates: one canonical form, its digest, and which of them can be used.

Two bundles are the same when they hold the same certificates, whatever their order, comments and
line breaks. So the canonical form is the certificates in DER, without duplicates, sorted, in plain
PEM, and the digest is SHA-256 over that DER, one after another.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from certifier.certificate.chain import TOO_MUCH, Graph
from certifier.certificate.facts import CertificateFacts, facts_of
from certifier.certificate.field import Field, instant, read_field
from certifier.certificate.pem import CERTIFICATE_LABELS, read_pem
from certifier.certificate.reading import Certificate
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.outcome import Cause, Place, Severity


def certificates_in(pem: bytes | str) -> tuple[bytes, ...]:
    """Return the DER of every certificate in a text, each once, sorted; without damaged blocks."""
    blocks = read_pem(pem).blocks
    return tuple(sorted({block.der for block in blocks if block.label in CERTIFICATE_LABELS}))


def to_pem(der: bytes) -> str:
    """Return one certificate in PEM, with lines of 64 characters (RFC 7468, section 2)."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


def canonical(ders: Iterable[bytes]) -> str:
    """Return certificates in canonical form."""
    return "".join(to_pem(der) for der in sorted(set(ders)))


def bundle_digest(pem: bytes | str) -> str:
    """Return the digest of a bundle, in lower-case hex.

    A text without any certificate has the digest of nothing; such a bundle is never imported.
    """
    return hashlib.sha256(b"".join(certificates_in(pem))).hexdigest()


def union(*pems: bytes | str) -> str:
    """Return all certificates of some bundles as one canonical bundle: what CA overlap trusts."""
    return canonical(der for pem in pems for der in certificates_in(pem))


@dataclass(frozen=True)
class Bundle:
    """What can be used of a CA bundle.

    Attributes:
        pem: the usable CAs, canonical; empty when there are none.
        digest: of ``pem``, see :func:`bundle_digest`.
        anchors: the facts of the self-signed ones, in which a chain can end.
        certificates: what is in ``pem``.
        findings: what was left out, and what is wrong. Refuse when one is an error.
    """

    pem: str
    digest: str
    anchors: tuple[CertificateFacts, ...]
    certificates: tuple[Certificate, ...]
    findings: tuple[Finding, ...]


def trust_bundle(pem: bytes, now: datetime, *, place: Place = Place.INTAKE) -> Bundle:
    """Return what can be used of a CA bundle at ``now``, and why the rest cannot. Never raises.

    Kept are CAs, and certificates that signed themselves, which vouch for themselves alone. An
    error is what leaves nothing to trust, and what shows that the file is damaged. libpq follows a
    chain up to a self-signed root, so a bundle of intermediates alone is an error as well.
    """
    field = read_field("CA bundle", pem, place)
    findings = list(field.findings)
    graph = Graph(field.certificates)
    kept: list[Certificate] = []
    for certificate in field.certificates:
        dropped, found = _judged(certificate, graph, now, place)
        findings.extend(found)
        if not dropped:
            kept.append(certificate)
    if field.private_keys or field.encrypted_keys:
        findings.append(
            finding(
                Cause.CA_BUNDLE_INVALID,
                place=place,
                seen="the CA bundle holds a private key, which belongs nowhere near it",
                severity=Severity.WARNING,
            )
        )
    findings.extend(field.ignored_findings(place))
    if not any(graph.self_signed(certificate) for certificate in kept):
        why = _why_nothing(field, kept)
        if why is not None:
            findings.append(finding(Cause.NO_USABLE_CA, place=place, seen=why))
    if graph.exhausted:
        findings.append(
            finding(
                Cause.MATERIAL_TOO_LARGE,
                place=place,
                seen=f"the CA bundle: {TOO_MUCH}",
            )
        )
    text = canonical(certificate.der for certificate in kept)
    return Bundle(
        pem=text,
        digest=bundle_digest(text),
        anchors=tuple(facts_of(c) for c in kept if graph.self_signed(c)),
        certificates=tuple(kept),
        findings=tuple(findings),
    )


def _why_nothing(field: Field, kept: list[Certificate]) -> str | None:
    if kept:
        missing = sorted({certificate.issuer or "its issuer" for certificate in kept})
        return (
            "the CA bundle holds no root, only intermediate CAs; libpq follows a chain up to a"
            f" root: add {'; '.join(missing)}"
        )
    if field.certificates:
        return "the CA bundle holds nothing that can sign a server certificate today"
    if field.findings:
        return None  # what it holds instead has been said
    return f"the CA bundle holds no certificate{field.held_instead()}"


def _judged(
    certificate: Certificate, graph: Graph, now: datetime, place: Place
) -> tuple[bool, list[Finding]]:
    """Return whether a certificate is dropped from use, and what is to be said of it."""

    def said(cause: Cause, seen: str, severity: Severity | None = None) -> list[Finding]:
        return [finding(cause, place=place, seen=seen, severity=severity)]

    name = certificate.title
    own = graph.self_signed(certificate)
    if not certificate.is_ca and not own:
        return True, said(
            Cause.CHAIN_REPAIRED, f"{name} was left out of the CA bundle: it is no CA"
        )
    if certificate.not_after is None or certificate.not_before is None:
        return True, said(
            Cause.CERTIFICATE_REJECTED, f"{name} has dates that cannot be read", Severity.WARNING
        )
    if now.replace(microsecond=0) > certificate.not_after:
        return True, said(
            Cause.CA_EXPIRED_DROPPED,
            f"{name} expired on {instant(certificate.not_after)} and was left out of the CA bundle",
        )
    if not own and not graph.issuers(certificate):
        if graph.namesakes(certificate):
            return True, said(
                Cause.SIGNATURE_INVALID,
                f"{name} was left out of the CA bundle: its signature was not made by"
                f" {certificate.issuer}, so it may be damaged",
                Severity.WARNING,
            )
        return False, said(
            Cause.CHAIN_INCOMPLETE,
            f"{name} is an intermediate CA whose issuer {certificate.issuer} is not in the CA"
            " bundle, so its signature could not be checked",
            Severity.ADVICE,
        )
    found = []
    if not certificate.is_ca:
        found += said(
            Cause.SELF_SIGNED,
            f"{name} is no CA and signed itself: it vouches for itself alone",
            Severity.WARNING,
        )
    if not certificate.valid_at(now):
        found += said(
            Cause.CERTIFICATE_NOT_YET_VALID,
            f"{name} is valid from {instant(certificate.not_before)} on",
            Severity.WARNING,
        )
    return False, found
