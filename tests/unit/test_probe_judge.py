"""From what a probe saw to causes: pure values, no connection."""

from datetime import UTC, datetime, timedelta

import pytest

from certifier.certificate import CertificateFacts, certificate_facts
from certifier.probe import ProbeRequest
from certifier.probe.failure import Deadline, StageFailed
from certifier.probe.judge import nearly, of_problems, verdicts
from certifier.probe.seen import Observations
from certifier.vocabulary import Cause, Severity, SslMode, Stage
from sandbox.pki import Authority, Leaf

_NOW = datetime.now(UTC)
_HOST = "db.example.com"


def facts(*holders: Authority | Leaf) -> tuple[CertificateFacts, ...]:
    return tuple(CertificateFacts.of(holder.certificate) for holder in holders)


def unverified(code: int, cause: Cause) -> StageFailed:
    return StageFailed(Stage.TLS, cause, "it did not verify", verify_code=code)


def judged(
    failure: StageFailed,
    chain: tuple[CertificateFacts, ...],
    bundle: tuple[CertificateFacts, ...],
) -> tuple[Cause | None, str]:
    seen = Observations(chain_failure=failure, chain=chain, bundle=bundle)
    found = verdicts(ProbeRequest(_HOST, ca_bundle=b"a file"), seen, _NOW).verify_ca
    return found.cause, found.seen


@pytest.mark.parametrize(
    ("issuer", "trusted", "same_organisation", "cause"),
    [
        ("Example intermediate", "Example root", True, Cause.CHAIN_INCOMPLETE),
        ("Example Issuing CA 3", "Example root", False, Cause.CHAIN_INCOMPLETE),
        ("ACME Sub CA", "ACME", False, Cause.CHAIN_INCOMPLETE),
        ("ACME Int CA", "ACME", False, Cause.CHAIN_INCOMPLETE),
        ("Server CA 1", "ACME Root", True, Cause.CHAIN_INCOMPLETE),
        ("Orders CA", "Another team's CA", True, Cause.UNKNOWN_AUTHORITY),
        ("Server CA 1", "ACME", False, Cause.UNKNOWN_AUTHORITY),
        ("Old root", "New root", True, Cause.UNKNOWN_AUTHORITY),
        ("Old Root CA G2", "New Root CA G3", False, Cause.UNKNOWN_AUTHORITY),
    ],
)
def test_a_missing_intermediate_differs_from_an_unknown_root(
    issuer: str, trusted: str, same_organisation: bool, cause: Cause
) -> None:
    """Nothing says what is above a missing issuer; its name, or its organisation, does."""
    authority = Authority.root(issuer, organization="ACME")
    known = Authority.root(trusted, organization="ACME" if same_organisation else "Others")
    found, text = judged(
        unverified(20, Cause.UNKNOWN_AUTHORITY), facts(authority.issue(dns=[_HOST])), facts(known)
    )
    assert found is cause
    assert issuer in text
    assert trusted in text


def test_the_top_of_the_served_chain_counts() -> None:
    """What is missing is the issuer of the last certificate that the server sends."""
    root = Authority.root("The missing root")
    upper = root.intermediate("Upper CA")
    lower = upper.intermediate("Lower CA")
    leaf = lower.issue(dns=[_HOST])
    found, text = judged(
        unverified(20, Cause.UNKNOWN_AUTHORITY),
        facts(leaf, upper, lower),
        facts(Authority.root("Another root")),
    )
    assert found is Cause.UNKNOWN_AUTHORITY
    assert text.startswith("CN=The missing root")
    assert "Upper CA" in text


def test_an_expired_anchor_is_named_too() -> None:
    """The certificate that expired may be the one in the CA file, which the server never sends."""
    day = timedelta(days=1)
    root = Authority.root("Example root", not_before=_NOW - 900 * day, not_after=_NOW - 2 * day)
    leaf = root.issue(dns=[_HOST], not_before=_NOW - 9 * day, not_after=_NOW + 9 * day)
    found, text = judged(unverified(10, Cause.CERTIFICATE_EXPIRED), facts(leaf), facts(root))
    assert found is Cause.CERTIFICATE_EXPIRED
    assert f"{root.certificate.not_valid_after_utc:%Y-%m-%d}" in text
    assert "Example root" in text
    assert "db.example.com" not in text


def test_a_cause_without_evidence_keeps_its_sentence() -> None:
    """When the second look showed no certificate, what OpenSSL said is all there is."""
    for code, cause in ((10, Cause.CERTIFICATE_EXPIRED), (18, Cause.SELF_SIGNED)):
        assert judged(unverified(code, cause), (), ()) == (cause, "it did not verify")


def test_a_chain_in_a_circle_ends() -> None:
    """Certificates that name each other as issuer do not hold the judge."""
    leaf = certificate_facts(b"")
    one = leaf.model_copy(update={"subject": "CN=a", "issuer": "CN=b"})
    two = leaf.model_copy(update={"subject": "CN=b", "issuer": "CN=a"})
    found, _text = judged(unverified(20, Cause.UNKNOWN_AUTHORITY), (one, two), ())
    assert found is Cause.UNKNOWN_AUTHORITY


def test_what_failed_before_tls_fails_every_mode() -> None:
    """And DMS's reading of require does not differ then."""
    seen = Observations(unreached=StageFailed(Stage.TCP, Cause.CONNECTION_REFUSED, "refused"))
    found = verdicts(ProbeRequest(_HOST), seen, _NOW)
    modes = list(SslMode)[1:]
    assert {found.of(mode).cause for mode in modes} == {Cause.CONNECTION_REFUSED}
    assert not found.require.dms_reading.differs
    with pytest.raises(ValueError, match="none"):
        found.of(SslMode.NONE)


def test_libpq_reads_the_ca_file_before_it_begins_with_tls() -> None:
    """A handshake that fails hides nothing: without a CA file that is what libpq complains of."""
    seen = Observations(
        unreached=StageFailed(Stage.TLS, Cause.TLS_NO_SHARED_PROTOCOL, "no version")
    )
    found = verdicts(ProbeRequest(_HOST), seen, _NOW)
    assert found.require.cause is Cause.TLS_NO_SHARED_PROTOCOL
    assert found.verify_ca.cause is Cause.CA_BUNDLE_MISSING
    broken = verdicts(
        ProbeRequest(_HOST, ca_bundle=b"x"),
        Observations(unreached=seen.unreached, trust_problem="bad end line"),
        _NOW,
    )
    assert broken.require.cause is Cause.CA_BUNDLE_INVALID


def test_the_severity_of_a_problem_is_its_own_or_the_catalogues() -> None:
    """What a server says is an error, whatever its words are taken for."""
    ours = StageFailed(Stage.LOGIN, Cause.UNSAFE_PASSWORD_REQUEST, "asked")
    theirs = StageFailed(
        Stage.LOGIN, Cause.UNSAFE_PASSWORD_REQUEST, "said", severity=Severity.ERROR
    )
    severities = [finding.severity for finding in of_problems([ours, theirs])]
    assert severities == [Severity.WARNING, Severity.ERROR]


def test_a_deadline_is_an_instant() -> None:
    """It is passed down, and says at which stage it passed."""
    clock = iter([10.0, 11.5, 13.0])
    deadline = Deadline.after(2.0, lambda: next(clock))
    assert deadline.left(Stage.TCP) == pytest.approx(0.5)
    with pytest.raises(StageFailed) as caught:
        deadline.left(Stage.TLS)
    assert (caught.value.cause, caught.value.stage) == (Cause.CONNECTION_TIMEOUT, Stage.TLS)


def test_a_signature_that_our_openssl_may_not_know_is_named() -> None:
    """OpenSSL 3.0 verifies no ECDSA with SHA-3, and libpq's does; the verdict says so."""
    (served,) = facts(Authority.root().issue(dns=[_HOST]))
    newer = served.model_copy(update={"signature": "ecdsa-with-SHA3-256"})
    failure = unverified(20, Cause.UNKNOWN_AUTHORITY)
    assert "ecdsa-with-SHA3-256 is a signature that" in judged(failure, (newer,), (served,))[1]
    assert "is a signature that" not in judged(failure, (served,), (served,))[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("db.example.com.", "a final dot is a part of a name"),
        (" db.example.com", "a blank or a final dot"),
        ("d*.example.com", "as the whole first label"),
        ("*.com", "for one label"),
        ("other.example.com", None),
    ],
)
def test_a_name_that_nearly_is_the_host_s_says_what_it_lacks(name: str, words: str | None) -> None:
    """At night nobody sees a dot."""
    seen = nearly("db.example.com", (f"DNS:{name}", "CN:x"))
    assert words in seen if words else not seen


def test_a_cn_beside_a_san_is_said_not_to_count() -> None:
    """A certificate with the host in its CN looks right to whoever reads its subject."""
    seen = nearly("db.example.com", ("DNS:db-1.example.com", "CN:db.example.com"))
    assert "only where the SAN names no host" in seen
