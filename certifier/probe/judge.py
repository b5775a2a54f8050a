"""From what was seen to the verdicts and findings. Pure: no socket, no clock."""

import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from certifier.certificate import CertificateFacts, policy_findings
from certifier.diagnosis import finding
from certifier.evidence import DmsReading, Evidence, RequireVerdict, Verdict, Verdicts
from certifier.models import Finding
from certifier.probe import differences, rejected
from certifier.probe.between import ends_before
from certifier.probe.failure import StageFailed
from certifier.probe.request import ProbeRequest
from certifier.probe.seen import Observations
from certifier.text import brief, listed, printable
from certifier.vocabulary import Cause, Severity, SslMode, Stage, Witness

NAMES_SHOWN = 20
_ROOT_MISSING = (
    "root certificate file does not exist\nEither provide the file, use the system's trusted roots"
    " with sslrootcert=system, or change sslmode to disable server certificate verification."
)
# Verify codes that say: the issuer of something in the chain was not found.
_ISSUER_NOT_FOUND = frozenset({20, 21})
_NEWER_SIGNATURES = re.compile(r"ecdsa-with-SHA3-|ML-DSA-")
_INTERMEDIATE = re.compile(
    r"\b(int|intermediate|issuing|sub(ordinate)?[ -]?ca|ica)\b", re.IGNORECASE
)
_ROOT = re.compile(r"\broot\b", re.IGNORECASE)


def verdicts(request: ProbeRequest, seen: Observations, now: datetime) -> Verdicts:
    """The verdicts of all three modes."""
    found = _verdicts(request, seen, now)
    if not request.system_trust:
        return found
    # libpq reads its options before anything else (``pqConnectOptions2``).
    require, verify_ca = (_weak(mode) for mode in (SslMode.REQUIRE, SslMode.VERIFY_CA))
    return _assembled(require, verify_ca, found.verify_full, found.require.dms_reading)


def _weak(mode: SslMode) -> Verdict:
    return Verdict(
        passed=False,
        cause=Cause.CA_BUNDLE_INVALID,
        seen=f"libpq takes the CAs of the system in verify-full alone, and the mode is {mode}",
        libpq=f'weak sslmode "{mode}" may not be used with sslrootcert=system (use "verify-full")',
    )


def _verdicts(request: ProbeRequest, seen: Observations, now: datetime) -> Verdicts:
    if seen.unreached is not None:
        failed = _of_failure(seen.unreached)
        dms = DmsReading(passed=False, cause=failed.cause, seen=failed.seen, differs=False)
        # libpq reads the CA file once the server has agreed to TLS, and before it begins with it.
        trust = _trust_verdict(request, seen) if seen.unreached.stage is Stage.TLS else None
        require = trust or failed if request.verifies else failed
        return _assembled(require, trust or failed, trust or failed, dms)
    chain = _chain_verdict(request, seen, now)
    require = chain
    if not request.verifies:
        require = Verdict(
            passed=True, seen="the connection is encrypted; without a CA file nothing is verified"
        )
    full = chain if not chain.passed else _name_verdict(request, seen)
    require, chain, full = (_unless_turned_away(one, seen) for one in (require, chain, full))
    return _assembled(require, chain, full, _dms_reading(require, seen))


def _unless_turned_away(verdict: Verdict, seen: Observations) -> Verdict:
    away = verdict.passed and seen.turned_away
    return _of_failure(away) if away else verdict


def _assembled(
    require: Verdict, verify_ca: Verdict, verify_full: Verdict, dms: DmsReading
) -> Verdicts:
    return Verdicts(
        require=RequireVerdict(**require.model_dump(), dms_reading=dms),
        verify_ca=verify_ca,
        verify_full=verify_full,
    )


def _of_failure(failure: StageFailed) -> Verdict:
    return Verdict(
        passed=False,
        cause=failure.cause,
        seen=printable(failure.seen),
        libpq=None if failure.libpq is None else _by_line(failure.libpq),
    )


def _by_line(text: str) -> str:
    """Printable, but for the line ends, since libpq's hints are lines of their own."""
    return "\n".join(map(printable, text.split("\n")))


def _dms_reading(require: Verdict, seen: Observations) -> DmsReading:
    failure = seen.unverified_failure or seen.turned_away
    if failure is not None:
        return DmsReading(
            passed=False, cause=failure.cause, seen=failure.seen, differs=require.passed
        )
    return DmsReading(
        passed=True,
        seen="the connection is encrypted, which is all that DMS documents for require",
        differs=not require.passed,
    )


def _trust_verdict(request: ProbeRequest, seen: Observations) -> Verdict | None:
    """Why nothing can be verified, whatever the server serves; None when something can."""
    if not request.verifies:
        return Verdict(
            passed=False,
            cause=Cause.CA_BUNDLE_MISSING,
            seen="no CA file was given, and this mode verifies against one",
            libpq=_ROOT_MISSING,
        )
    if seen.trust_problem is not None:
        return Verdict(
            passed=False,
            cause=Cause.CA_BUNDLE_INVALID,
            seen=f"the CA file cannot be loaded: {seen.trust_problem}"
            + (f" ({seen.trust_content})" if seen.trust_content else ""),
            # It prints OpenSSL's first complaint; "PEM lib" is what is left of one that is gone.
            libpq=None
            if seen.trust_problem.endswith(" lib")
            else f"could not read root certificate file: {seen.trust_problem}",
        )
    return None


def _chain_verdict(request: ProbeRequest, seen: Observations, now: datetime) -> Verdict:
    trust = _trust_verdict(request, seen)
    if trust is not None:
        return trust
    if seen.chain_failure is not None:
        cause, text = _why_unverified(request, seen.chain_failure, seen, now)
        return Verdict(
            passed=False,
            cause=cause,
            seen=text + _perhaps_not_understood(seen),
            # Of what it could not make sense of, OpenSSL has a first complaint, which libpq prints.
            libpq=None
            if cause is Cause.CERTIFICATE_UNREADABLE or _passed_over(seen.chain_failure, seen)
            else seen.chain_failure.libpq,
        )
    return Verdict(passed=True, seen=f"the chain leads to a CA of {_trust(request)}")


def _name_verdict(request: ProbeRequest, seen: Observations) -> Verdict:
    if seen.match is not None and seen.match.matched:
        return Verdict(
            passed=True,
            seen=printable(
                f"the chain leads to a CA of {_trust(request)}, and the certificate names"
                f" {request.host}"
            ),
        )
    names = seen.names.spelled() if seen.names else ()
    more = f", and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    shown = (", ".join(map(brief, names[:NAMES_SHOWN])) or "nothing") + more
    return Verdict(
        passed=False,
        cause=Cause.HOSTNAME_MISMATCH,
        seen=printable(
            f"the host is {request.host}, and the certificate names {shown}"
            f"{nearly(request.host, names)}"
        ),
        libpq=printable(seen.match.libpq) if seen.match and seen.match.libpq else None,
    )


def nearly(host: str, names: Sequence[str]) -> str:
    """Return what keeps a name from being the host's that to the eye is; empty when none nearly is.

    Rules of libpq's ``pq_verify_peer_name_matches_certificate`` and ``wildcard_certificate_match``.

    Args:
        names: of the certificate, each behind its kind and a colon.
    """
    plain = {name.partition(":")[2].lower() for name in names}
    if host.lower() in plain:
        return "; libpq looks at the CN only where the SAN names no host"
    if host.lower().strip(". ") in {name.strip(". ") for name in plain}:
        return "; to libpq a blank or a final dot is a part of a name"
    if any("*" in name for name in plain):
        return "; libpq takes a * as the whole first label alone, and for one label"
    return ""


# ---- why a chain did not verify


def _trust(request: ProbeRequest) -> str:
    return "this system" if request.system_trust else "the CA file"


def _why_unverified(
    request: ProbeRequest, failure: StageFailed, seen: Observations, now: datetime
) -> tuple[Cause, str]:
    involved = (*seen.chain, *seen.bundle)
    match failure.cause:
        case Cause.CERTIFICATE_EXPIRED:
            ends = [(f.title, f.not_after) for f in involved if f.not_after]
            dated = [
                f"{title} expired on {end:%Y-%m-%d %H:%M} UTC" for title, end in ends if end < now
            ]
        case Cause.CERTIFICATE_NOT_YET_VALID:
            begins = [(f.title, f.not_before) for f in involved if f.not_before]
            dated = [
                f"{title} is not valid before {begin:%Y-%m-%d %H:%M} UTC"
                for title, begin in begins
                if begin > now
            ]
        case Cause.SELF_SIGNED if seen.chain:
            return failure.cause, (
                f"{seen.chain[0].title} is signed by its own key, and is not in {_trust(request)}"
            )
        case Cause.UNKNOWN_AUTHORITY if seen.chain:
            return _issuer_missing(request, failure, seen)
        case Cause.CERTIFICATE_REJECTED if failure.verify_code is not None:
            words = (failure.raw or "").partition(" (verify code")[0]
            why = rejected.why_rejected(failure.verify_code, words, seen.chain, seen.bundle)
            return failure.cause, printable(why)
        case _:
            dated = []
    return failure.cause, listed(tuple(dict.fromkeys(dated))) or failure.seen


def _perhaps_not_understood(seen: Observations) -> str:
    """What OpenSSL 3.0 cannot check and libpq's can: then the verdict is this machine's alone."""
    signatures = {f.signature or "" for f in (*seen.chain, *seen.bundle)}
    newer = sorted(filter(_NEWER_SIGNATURES.match, signatures))
    if not newer:
        return ""
    return (
        f"; but {', '.join(newer)} is a signature that {ssl.OPENSSL_VERSION}, used here, may"
        " not know, and libpq may"
    )


def _passed_over(failure: StageFailed, seen: Observations) -> bool:
    """Whether OpenSSL did not find an issuer that is in the CA file, and has signed."""
    return failure.verify_code in _ISSUER_NOT_FOUND and seen.namesake is True


def _issuer_missing(
    request: ProbeRequest, failure: StageFailed, seen: Observations
) -> tuple[Cause, str]:
    trust = _trust(request)
    trusted = listed([f.title for f in seen.bundle], separator=", ", room=400) or "no certificate"
    if request.system_trust:
        trusted = "the CAs of its maker"
    if failure.verify_code == 2:
        stub = next((f for f in seen.bundle if not f.self_signed), None)
        name = f"{stub.title} without its issuer, {stub.issuer_title}" if stub else trusted
        return Cause.UNKNOWN_AUTHORITY, (
            f"{trust} holds {name}: libpq accepts only a chain that ends in a self-signed root"
        )
    end = top(seen.chain)
    if seen.namesake and end.unreadable:
        return Cause.CERTIFICATE_UNREADABLE, (
            f"{end.title} cannot be read in full ({'; '.join(end.unreadable)}), so that OpenSSL"
            f" does not find that {end.issuer_title} signed it"
        )
    if _passed_over(failure, seen):
        return Cause.UNKNOWN_AUTHORITY, (
            f"{end.issuer_title} of {trust} signed {end.title}, but OpenSSL does not take it for"
            " the issuer: its usages do not allow that, or an extension of one of them is invalid"
        )
    if seen.namesake is False:
        return Cause.UNKNOWN_AUTHORITY, (
            f"{trust} holds {end.issuer_title}, but another CA of that name signed {end.title}: its"
            " key is not the same, as after a CA was made anew"
        )
    if end.self_signed:
        return Cause.UNKNOWN_AUTHORITY, (
            f"the chain ends in {end.title}, which is not in {trust}; that holds {trusted}"
        )
    if failure.verify_code in _ISSUER_NOT_FOUND and _looks_intermediate(end, seen.bundle):
        return Cause.CHAIN_INCOMPLETE, (
            f"the server does not send {end.issuer_title}, the issuer of {end.title}, and it is not"
            f" in {trust} either; that holds {trusted}"
        )
    return Cause.UNKNOWN_AUTHORITY, (
        f"{end.issuer_title}, the issuer of {end.title}, is not in {trust}, which holds {trusted};"
        " if it is an intermediate, the server must send it"
    )


def top(chain: Sequence[CertificateFacts]) -> CertificateFacts:
    """The last certificate on the way up from the leaf, by names."""
    top = chain[0]
    for _ in chain:
        above = next((f for f in chain if f.subject == top.issuer and f is not top), None)
        if above is None or top.self_signed:
            break
        top = above
    return top


def _looks_intermediate(top: CertificateFacts, bundle: Sequence[CertificateFacts]) -> bool:
    """Whether the missing issuer is an intermediate under a CA of the bundle, rather than a root.

    A guess, because nothing in a certificate says what is above its issuer: the words in the
    issuer's name decide, else whether a CA of the bundle that calls itself a root is of the same
    organisation. Without that word, two CAs of one organisation may just as well both be roots.
    """
    issuer = top.issuer or ""
    if any(facts.subject == issuer for facts in bundle) or _ROOT.search(issuer):
        return False
    if _INTERMEDIATE.search(issuer):
        return True
    organisation = _organisation(issuer)
    return organisation is not None and any(
        _organisation(facts.subject or "") == organisation and _ROOT.search(facts.subject or "")
        for facts in bundle
    )


def _organisation(name: str) -> str | None:
    found = re.search(r"(?:^|,)O=((?:[^,\\]|\\.)+)", name)
    return found.group(1) if found else None


# ---- findings


def of_problems(problems: Iterable[StageFailed]) -> tuple[Finding, ...]:
    """What went wrong besides the TLS verdicts: login, query, the plain-text connection."""
    return tuple(
        finding(
            one.cause,
            place=Witness.PROBE,
            seen=one.seen,
            raw=one.raw,
            stage=one.stage,
            severity=one.severity,
            remedy=one.remedy,
        )
        for one in problems
    )


def passes(
    request: ProbeRequest,
    seen: Observations,
    found: Verdicts,
    evidence: Evidence,
    problems: Iterable[Finding],
) -> bool:
    """Whether a connection in the mode that was asked for would succeed, as far as it was tried."""
    if any(problem.severity is Severity.ERROR for problem in problems):
        return False
    if request.ssl_mode is not SslMode.NONE:
        return found.of(request.ssl_mode).passed
    if evidence.plaintext is not None:
        return evidence.plaintext.accepted
    # Without a user nothing but the answer to the SSL request says that PostgreSQL is there.
    return seen.unreached is None or seen.unreached.cause is Cause.SSL_OFF


def findings(
    request: ProbeRequest,
    seen: Observations,
    found: Verdicts,
    evidence: Evidence,
    *,
    problems: Iterable[Finding],
    now: datetime,
) -> tuple[Finding, ...]:
    """Everything worth saying, errors first. `problems` come from :func:`of_problems`."""
    collected = [
        *_of_verdict(request, seen, found),
        *problems,
        *_of_trust(request, seen),
        *differences.findings(request, seen),
        *_of_evidence(request, evidence),
        *_of_unreadable(seen),
        *policy_findings(seen.walked, request.certificate_policy, now, Witness.PROBE),
        *_of_path(seen),
        *_of_anchor(request, evidence, now),
        *_raisable(request, found),
    ]
    return tuple(sorted(collected, key=lambda one: one.severity.weight))


def _of_verdict(request: ProbeRequest, seen: Observations, found: Verdicts) -> Iterator[Finding]:
    if request.ssl_mode is SslMode.NONE:
        verdict: Verdict = found.require
        if verdict.cause is Cause.SSL_OFF or seen.unreached is None:
            return
    else:
        verdict = found.of(request.ssl_mode)
    if verdict.cause is None:
        return
    failure = seen.unreached or seen.chain_failure or seen.turned_away
    remedy = None
    if verdict.cause in (Cause.CA_BUNDLE_MISSING, Cause.CA_BUNDLE_INVALID):
        failure = None
        remedy = seen.trust_step if verdict.cause is Cause.CA_BUNDLE_INVALID else None
    elif failure is not None and failure.cause is verdict.cause:
        remedy = failure.remedy
        if verdict.cause is Cause.CERTIFICATE_REJECTED and failure.verify_code is not None:
            remedy = rejected.remedy(failure.verify_code)
    yield finding(
        verdict.cause,
        place=Witness.PROBE,
        seen=verdict.seen,
        raw=failure.raw if failure else seen.trust_problem,
        stage=failure.stage if failure else Stage.TLS,
        remedy=remedy,
    )


def _of_trust(request: ProbeRequest, seen: Observations) -> Iterator[Finding]:
    if seen.crl_problem is not None and request.crl is not None:
        yield finding(
            Cause.CRL_INVALID,
            place=Witness.PROBE,
            seen=f"the CRL file cannot be loaded ({seen.crl_problem}); libpq goes on without it",
            stage=Stage.TLS,
            severity=Severity.WARNING,
        )


def _of_path(seen: Observations) -> Iterator[Finding]:
    """Trust that hangs on a root which another one has signed."""
    for facts in seen.walked[1:]:
        twin = any(
            one.self_signed
            and one.subject == facts.subject
            and one.spki_sha256 == facts.spki_sha256
            for one in seen.chain
        )
        if facts.self_signed or not (twin or _ROOT.search(facts.subject or "")):
            continue
        until = f"{facts.not_after:%Y-%m-%d}" if facts.not_after else "a date that is unreadable"
        yield finding(
            Cause.TRUST_BY_CROSS_SIGN,
            place=Witness.PROBE,
            seen=f"{facts.title} is a root that is trusted only because {facts.issuer_title} has"
            f" signed it too, until {until}",
            stage=Stage.TLS,
        )


def _of_unreadable(seen: Observations) -> Iterator[Finding]:
    """What OpenSSL let pass, and others may not."""
    for facts in seen.chain:
        if facts.unreadable:
            yield finding(
                Cause.CERTIFICATE_UNREADABLE,
                place=Witness.PROBE,
                seen=f"parts of {facts.title} cannot be read: {'; '.join(facts.unreadable)}",
                stage=Stage.TLS,
                severity=Severity.WARNING,
            )


def _of_evidence(request: ProbeRequest, evidence: Evidence) -> Iterator[Finding]:
    if evidence.served_intended is False:
        yield finding(
            Cause.SERVED_CERTIFICATE_DIFFERS,
            place=Witness.PROBE,
            seen=f"the server serves the certificate {(evidence.leaf_sha256 or '')[:16]}…, and is "
            f"meant to serve {(request.intended_leaf_sha256 or '')[:16]}… (SHA-256)",
            stage=Stage.TLS,
        )
    if evidence.login is not None and evidence.login.min_tls in ("TLSv1", "TLSv1.1"):
        yield finding(
            Cause.TLS_VERSION_OLD,
            place=Witness.PROBE,
            seen=f"the server accepts {evidence.login.min_tls}: ssl_min_protocol_version",
            severity=request.certificate_policy.severity(Cause.TLS_VERSION_OLD),
            stage=Stage.QUERY,
        )
    if (between := ends_before(evidence)) is not None:
        yield finding(
            Cause.TLS_ENDS_AT_PROXY,
            place=Witness.PROBE,
            seen=between.seen,
            stage=Stage.QUERY,
            remedy=between.remedy,
        )
    if request.ssl_mode is not SslMode.NONE and evidence.plaintext and evidence.plaintext.accepted:
        yield finding(
            Cause.PLAINTEXT_ACCEPTED,
            place=Witness.PROBE,
            seen=f"a login without TLS was not refused: {evidence.plaintext.seen}",
            stage=Stage.STARTUP,
        )


def _of_anchor(request: ProbeRequest, evidence: Evidence, now: datetime) -> Iterator[Finding]:
    """The CA in use ends soon. What else it is like was known to whoever chose to trust it."""
    anchor = evidence.anchor
    if anchor is None or anchor.sha256 in {facts.sha256 for facts in evidence.chain}:
        return
    for one in policy_findings((anchor,), request.certificate_policy, now, Witness.PROBE):
        if one.cause is Cause.CERTIFICATE_EXPIRES_SOON:
            yield one


def _raisable(request: ProbeRequest, found: Verdicts) -> Iterator[Finding]:
    mode = request.ssl_mode
    if mode is not SslMode.NONE and not found.of(mode).passed:
        return
    stronger = [m for m in SslMode if m.strength > mode.strength and found.of(m).passed]
    if stronger:
        yield finding(
            Cause.MODE_COULD_BE_RAISED,
            place=Witness.PROBE,
            seen=f"the mode is {mode}, and {stronger[-1]} would pass today",
        )
