"""Bundles of CA certificates: which of them can be used."""

from dataclasses import dataclass
from datetime import datetime

from certifier.certificate.canonical import bundle_digest, canonical
from certifier.certificate.chain import TOO_MUCH, Graph
from certifier.certificate.facts import CertificateFacts, facts_of
from certifier.certificate.field import Field, read_field
from certifier.certificate.reading import Certificate
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.text import instant
from certifier.vocabulary import Cause, Severity, Witness


@dataclass(frozen=True)
class Bundle:
    """What can be used of a CA bundle.

    Attributes:
        pem: the usable CAs, canonical; empty when there are none.
        digest: of ``pem``, see :func:`~certifier.certificate.canonical.bundle_digest`.
        anchors: the facts of the self-signed ones, in which a chain can end.
        certificates: what is in ``pem``.
        findings: what was left out, and what is wrong. Refuse when one is an error.
    """

    pem: str
    digest: str
    anchors: tuple[CertificateFacts, ...]
    certificates: tuple[Certificate, ...]
    findings: tuple[Finding, ...]


def trust_bundle(pem: bytes, now: datetime, *, place: Witness = Witness.INTAKE) -> Bundle:
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
    certificate: Certificate, graph: Graph, now: datetime, place: Witness
) -> tuple[bool, list[Finding]]:
    """Return whether a certificate is dropped from use, and what is to be said of it."""

    def reported(cause: Cause, seen: str, severity: Severity | None = None) -> list[Finding]:
        return [finding(cause, place=place, seen=seen, severity=severity)]

    name = certificate.title
    own = graph.self_signed(certificate)
    if not certificate.is_ca and not own:
        return True, reported(
            Cause.CHAIN_REPAIRED, f"{name} was left out of the CA bundle: it is not a CA"
        )
    if certificate.not_after is None or certificate.not_before is None:
        return True, reported(
            Cause.CERTIFICATE_REJECTED, f"{name} has dates that cannot be read", Severity.WARNING
        )
    if now.replace(microsecond=0) > certificate.not_after:
        return True, reported(
            Cause.CA_EXPIRED_DROPPED,
            f"{name} expired on {instant(certificate.not_after)} and was left out of the CA bundle",
        )
    if not own and not graph.issuers(certificate):
        if graph.namesakes(certificate):
            return True, reported(
                Cause.SIGNATURE_INVALID,
                f"{name} was left out of the CA bundle: its signature was not made by"
                f" {certificate.issuer}, so it may be damaged",
                Severity.WARNING,
            )
        return False, reported(
            Cause.CHAIN_INCOMPLETE,
            f"{name} is an intermediate CA whose issuer {certificate.issuer} is not in the CA"
            " bundle, so its signature could not be checked",
            Severity.ADVICE,
        )
    found = []
    if not certificate.is_ca:
        found += reported(
            Cause.SELF_SIGNED,
            f"{name} is not a CA and signed itself: it vouches for itself alone",
            Severity.WARNING,
        )
    if not certificate.valid_at(now):
        found += reported(
            Cause.CERTIFICATE_NOT_YET_VALID,
            f"{name} is valid from {instant(certificate.not_before)} on",
            Severity.WARNING,
        )
    return False, found
