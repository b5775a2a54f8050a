"""Bundles of CA certificates: which of them can be used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certifier.certificate.canonical import bundle_digest, canonical
from certifier.certificate.chain import TOO_MUCH, Graph
from certifier.certificate.facts import CertificateFacts, facts_of
from certifier.certificate.field import Field, read_field
from certifier.certificate.keys import key_kind
from certifier.certificate.reading import Certificate
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.text import instant, listed
from certifier.vocabulary import Cause, Severity, Witness


@dataclass(frozen=True)
class Bundle:
    """What can be used of a CA bundle.

    Attributes:
        pem: the usable CAs, canonical; empty when there are none.
        digest: of ``pem``, see :func:`~certifier.certificate.canonical.bundle_digest`.
        anchors: the facts of the self-signed ones, in which a chain can end.
        certificates: what is in ``pem``.
        findings: what was left out, and what is wrong; one for all certificates of which the same
            is to be said. Refuse when one is an error.
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
    remarks: dict[_Kind, list[Certificate]] = {}
    for certificate in field.certificates:
        kinds = _judged(certificate, graph, now)
        for kind in kinds:
            remarks.setdefault(kind, []).append(certificate)
        if not any(kind.dropped for kind in kinds):
            kept.append(certificate)
    findings.extend(kind.finding(group, place) for kind, group in remarks.items())
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
        nothing = _why_nothing(field, kept, remarks)
        if nothing is not None:
            why, remedy = nothing
            findings.append(finding(Cause.NO_USABLE_CA, place=place, seen=why, remedy=remedy))
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


@dataclass(frozen=True)
class _Kind:
    """What may be said of a certificate in a bundle, of one alone and of many together.

    Attributes:
        dropped: it is not brought to DMS.
        one: the sentence about one certificate, with ``{name}``, ``{end}``, ``{begin}`` and
            ``{issuer}``.
        many: the sentence about ``{count}`` of them, which their names follow.
        detail: what is said of each behind its name when they are many.
    """

    cause: Cause
    one: str
    many: str
    dropped: bool = True
    severity: Severity | None = None
    detail: str = ""

    def finding(self, certificates: Sequence[Certificate], place: Witness) -> Finding:
        """One finding, however many certificates it is about."""
        if len(certificates) == 1:
            seen = _filled(self.one, certificates[0])
        else:
            names = [_filled(f"{{name}}{self.detail}", one) for one in certificates]
            seen = f"{self.many.format(count=len(certificates))}: {listed(names, most=_SHOWN)}"
        return finding(self.cause, place=place, seen=seen, severity=self.severity)


_SHOWN: Final = 5  # names in one sentence, which has room for
_ROOM: Final = 600  # characters of them
_NO_CA = _Kind(
    Cause.CHAIN_REPAIRED,
    "{name} was left out of the CA bundle: it is not a CA",
    "{count} certificates were left out of the CA bundle, since they are not CAs",
)
_NO_DATES = _Kind(
    Cause.CERTIFICATE_REJECTED,
    "{name} has dates that cannot be read",
    "{count} certificates of the CA bundle have dates that cannot be read",
    severity=Severity.WARNING,
)
_EXPIRED = _Kind(
    Cause.CA_EXPIRED_DROPPED,
    "{name} expired on {end} and was left out of the CA bundle",
    "{count} CAs have expired and were left out of the CA bundle",
    detail=" (on {end})",
)
_NOT_SIGNED = _Kind(
    Cause.SIGNATURE_INVALID,
    "{name} was left out of the CA bundle: its signature was not made by {issuer}, so it may be"
    " damaged",
    "{count} CAs were left out of the CA bundle: the issuers that are there did not sign them, so"
    " they may be damaged",
    severity=Severity.WARNING,
)
_NOT_CHECKED = _Kind(
    Cause.KEY_UNSUPPORTED,
    "{name} was left out of the CA bundle: its signature cannot be checked, since the key of"
    " {issuer} {key}",
    "{count} CAs were left out of the CA bundle: their issuers' keys are of a kind that is not"
    " supported, so their signatures cannot be checked",
    severity=Severity.WARNING,
)
_NO_ISSUER = _Kind(
    Cause.CHAIN_INCOMPLETE,
    "{name} is an intermediate CA whose issuer {issuer} is not in the CA bundle, so its signature"
    " could not be checked",
    "{count} intermediate CAs have issuers that are not in the CA bundle, so their signatures could"
    " not be checked",
    dropped=False,
    severity=Severity.ADVICE,
)
_OWN_WITNESS = _Kind(
    Cause.SELF_SIGNED,
    "{name} is not a CA and signed itself: it vouches for itself alone",
    "{count} certificates are not CAs and signed themselves: each vouches for itself alone",
    dropped=False,
    severity=Severity.WARNING,
)
_TOO_EARLY = _Kind(
    Cause.CERTIFICATE_NOT_YET_VALID,
    "{name} is valid from {begin} on",
    "{count} CAs of the bundle are not valid yet",
    dropped=False,
    severity=Severity.WARNING,
    detail=" (from {begin} on)",
)


def _filled(sentence: str, certificate: Certificate) -> str:
    begin, end = certificate.not_before, certificate.not_after
    return sentence.format(
        name=certificate.title,
        issuer=certificate.issuer_title,
        key=_key(certificate),
        begin="" if begin is None else instant(begin),
        end="" if end is None else instant(end),
    )


def _key(certificate: Certificate) -> str:
    """Return what is wrong with the key behind its signature: its own, as far as that is known."""
    if not certificate.self_issued or certificate.spki_raw is None:
        return _UNKNOWN_KEY
    return key_kind(certificate.spki_raw)[1] or _UNKNOWN_KEY


_UNKNOWN_KEY: Final = "is of a kind that is not supported"
_ROOT: Final = "Supply the root CA that the server's chain ends in, in PEM"


def _why_nothing(
    field: Field, kept: list[Certificate], remarks: Mapping[_Kind, Sequence[Certificate]]
) -> tuple[str, str | None] | None:
    """Return why nothing is left to trust, and the remedy; ``None`` when that has been said."""
    if kept:
        missing = sorted({_issuer(certificate) for certificate in kept})
        roots = listed(missing, most=_SHOWN, room=_ROOM)
        return (
            "the CA bundle holds no root, only intermediate CAs; libpq follows a chain up to a"
            f" root: add {roots}",
            f"Add the root to the bundle, in PEM: {roots}.",
        )
    reasons = [
        (len(remarks[kind]), what, remedy)
        for kind, what, remedy in (
            (
                _EXPIRED,
                "expired",
                "Fetch the CA's current root (of RDS: the bundle of the Region), and replace the"
                " bundle by it; the server may need a certificate of the new CA too.",
            ),
            (
                _NO_CA,
                "not a CA",
                f"{_ROOT}: {_issuers(remarks.get(_NO_CA, ()))}. The server's own certificate"
                " does not belong there.",
            ),
            (
                _NO_DATES,
                "not readable",
                f"{_ROOT}: what is there cannot be read. Export it anew.",
            ),
            (
                _NOT_SIGNED,
                "of a signature that its issuer did not make",
                f"{_ROOT}, as its owner publishes it: what is there may be damaged.",
            ),
            (
                _NOT_CHECKED,
                "of a key that is not supported",
                "Use a CA with a key of RSA 2048 or more, or ECDSA P-256, P-384 or P-521, and"
                " have it sign the server's certificate.",
            ),
        )
        if kind in remarks
    ]
    if reasons:
        counts = " and ".join(f"{count} {what}" for count, what, _remedy in reasons)
        alone = f"all {reasons[0][0]} are {reasons[0][1]}" if len(reasons) == 1 else counts
        if len(field.certificates) == 1:
            alone = f"its only one is {reasons[0][1]}"
        return (
            f"no certificate of the CA bundle can sign a server certificate today: {alone}",
            " ".join(remedy for _count, _what, remedy in reasons),
        )
    if any(found.cause is Cause.PEM_DAMAGED for found in field.findings):
        return (
            "no certificate of the CA bundle can be read",
            f"{_ROOT}, from BEGIN CERTIFICATE to END CERTIFICATE: none of what is there can be"
            " read. Download or export it anew.",
        )
    if field.findings:
        return None  # what it holds instead has been said
    return f"the CA bundle holds no certificate{field.held_instead()}", field.step_instead()


def _issuer(certificate: Certificate) -> str:
    return certificate.issuer_title if certificate.issuer else "its issuer"


def _issuers(certificates: Sequence[Certificate]) -> str:
    names = sorted({_issuer(one) for one in certificates if not one.self_issued})
    return listed(names, most=_SHOWN, room=_ROOM) or "the one that signed the server's certificate"


def _unsigned(namesakes: Sequence[Certificate]) -> _Kind:
    """Return what is to be said of a CA that none of these is known to have signed."""
    if any(one.key_kind is None for one in namesakes):
        return _NOT_CHECKED
    return _NOT_SIGNED if namesakes else _NO_ISSUER


def _judged(certificate: Certificate, graph: Graph, now: datetime) -> tuple[_Kind, ...]:
    """Return what is to be said of a certificate."""
    own = graph.self_signed(certificate)
    if not certificate.is_ca and not own:
        return (_NO_CA,)
    if certificate.not_after is None or certificate.not_before is None:
        return (_NO_DATES,)
    if now.replace(microsecond=0) > certificate.not_after:
        return (_EXPIRED,)
    if not own and not graph.issuers(certificate):
        return (_unsigned(graph.namesakes(certificate)),)
    return (
        *(() if certificate.is_ca else (_OWN_WITNESS,)),
        *(() if certificate.valid_at(now) else (_TOO_EARLY,)),
    )
