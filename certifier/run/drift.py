"""Three-way identity: the pair that is meant, the CA that DMS trusts, the certificate that answers.

Each way in which they differ has its own finding. That the server was not reloaded is seen by the
probe alone (``served_certificate_differs``); what is here needs to remember earlier runs, ACM, or
the CA on the endpoint. Pure decisions over values.
"""

from collections.abc import Iterable

from certifier.certificate import CertificateFacts, certificate_facts, certificates_in
from certifier.certificate.facts import Leaf
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Answering
from certifier.text import listed
from certifier.vocabulary import Cause, Severity, Stage, Witness

_SHOWN = 5


def answering(
    findings: tuple[Finding, ...],
    now: Answering,
    before: Answering,
    *,
    intended: str | None,
    writes: bool,
) -> tuple[Finding, ...]:
    """Return the probe's findings, with what shows that another node answers than is meant.

    A served certificate that is neither the intended one nor the one of the last run is not that of
    a server which waits for its reload. A name that leads to a standby, where it led to a primary,
    has failed over; a target that cannot be written to is never right.

    Args:
        before: what earlier runs saw.
        intended: SHA-256 of the certificate in the secret, if there is one.
        writes: DMS will write there: the endpoint is a target.
    """
    if None not in (now.leaf, before.leaf, intended) and now.leaf not in (before.leaf, intended):
        seen = (
            f"the server serves the certificate {_short(now.leaf)}, which is neither the intended"
            f" one, {_short(intended)}, nor the one that it served before, {_short(before.leaf)}:"
            " another node answers, or somebody has installed another certificate"
        )
        findings = tuple(f for f in findings if f.cause is not Cause.SERVED_CERTIFICATE_DIFFERS)
        findings += (_node(seen, Stage.TLS),)
    if now.in_recovery and writes:
        seen = "a standby answers (pg_is_in_recovery), to which DMS cannot write"
        return (*findings, _node(seen, Stage.QUERY))
    if None not in (now.in_recovery, before.in_recovery) and now.in_recovery != before.in_recovery:
        kinds = ("a primary", "a standby")
        seen = f"{kinds[bool(now.in_recovery)]} answers, and {kinds[bool(before.in_recovery)]} did"
        return (*findings, _node(f"{seen} in the last run (pg_is_in_recovery)", Stage.QUERY))
    return findings


def not_served_yet(findings: tuple[Finding, ...], *, in_acm: bool) -> tuple[Finding, ...]:
    """Return the findings, with another cause where the intended certificate lives in ACM.

    There a renewal happens by itself, and the way to the host is somebody else's: to reload the
    server does not help before the new pair is there.
    """
    if not in_acm:
        return findings
    return tuple(
        finding(
            Cause.RENEWED_NOT_SERVED,
            place=one.place,
            seen=f"{one.seen}: renewed in ACM, not served yet",
            stage=one.stage,
        )
        if one.cause is Cause.SERVED_CERTIFICATE_DIFFERS
        else one
        for one in findings
    )


def _short(sha256: str | None) -> str:
    """Return as much of a fingerprint as a person compares."""
    return f"{(sha256 or '')[:16]}…"


def _node(seen: str, stage: Stage) -> Finding:
    return finding(Cause.DIFFERENT_NODE_ANSWERS, place=Witness.PROBE, seen=seen, stage=stage)


def endpoint_ca_differs(
    trusted: str | None,
    *,
    served: Iterable[CertificateFacts],
    anchor: CertificateFacts | None,
    repaired: bool,
) -> Finding | None:
    """Return that the CA on the endpoint does not cover the served chain; ``None`` when it does.

    A CA covers it that is the anchor, in whatever issue, or that issued something of the chain
    under another name (a cross-signed intermediate).

    Args:
        trusted: the PEM of the CAs on an endpoint that verifies.
        anchor: the CA in which the served chain was found to end; ``None``: it did not verify.
        repaired: this run is going to change the endpoint, so that nobody has to do anything.
    """
    on_endpoint = [certificate_facts(der) for der in certificates_in(trusted or "")]
    if anchor is None or not on_endpoint:
        return None
    issuers = {facts.issuer for facts in served} - {anchor.subject}
    if any(_same(one, anchor) or one.subject in issuers for one in on_endpoint):
        return None
    return finding(
        Cause.ENDPOINT_CA_DIFFERS,
        place=Witness.PLAN,
        seen=f"the endpoint trusts {_titles(on_endpoint)}, and the served chain ends in"
        f" {anchor.title}: DMS cannot verify the server until the endpoint is changed",
        severity=Severity.ADVICE if repaired else None,
    )


def _same(one: CertificateFacts, other: CertificateFacts) -> bool:
    return (one.subject, one.spki_sha256) == (other.subject, other.spki_sha256)


def acm_behind(copy: Leaf | None, intended: str | None, *, tried: bool) -> Finding | None:
    """Return that ACM holds another certificate than the one in the secret; ``None`` otherwise.

    Args:
        copy: what the last import left in ACM.
        tried: this run has tried to import; why it did not work is a finding of its own, which
            carries the weight.
    """
    if copy is None or intended is None or copy.sha256 == intended:
        return None
    until = f", valid until {copy.not_after:%Y-%m-%d}" if copy.not_after else ""
    return finding(
        Cause.ACM_BEHIND,
        place=Witness.WORKFLOW,
        seen=f"ACM holds the certificate {_short(copy.sha256)}{until}; the one in the secret is"
        f" {_short(intended)}",
        severity=Severity.ADVICE if tried else None,
    )


def _titles(certificates: list[CertificateFacts]) -> str:
    return listed([one.title for one in certificates], separator=", ", most=_SHOWN)
