"""The pair that is meant, the CA on the endpoint, the certificate that answers: who differs."""

from datetime import UTC, datetime

import pytest

from certifier.certificate import CertificateFacts
from certifier.certificate.facts import Leaf
from certifier.diagnosis import finding
from certifier.models import Finding
from certifier.run.documents import Answering
from certifier.run.drift import acm_behind, answering, endpoint_ca_differs
from certifier.vocabulary import Cause, Severity, Witness
from sandbox.pki import Authority, bundle

A, B, C = "a" * 64, "b" * 64, "c" * 64
DIFFERS = finding(Cause.SERVED_CERTIFICATE_DIFFERS, place=Witness.PROBE, seen="as the probe says")
OLD, NEW = Authority.root("Old"), Authority.root("New")


def facts(*authorities: Authority) -> list[CertificateFacts]:
    return [CertificateFacts.of(one.certificate) for one in authorities]


def causes(findings: tuple[Finding, ...]) -> list[Cause]:
    return [found.cause for found in findings]


# -- who answers


@pytest.mark.parametrize(
    ("served", "before", "intended", "expected"),
    [
        (A, A, B, Cause.SERVED_CERTIFICATE_DIFFERS),  # the server waits for its reload
        (A, None, B, Cause.SERVED_CERTIFICATE_DIFFERS),  # nobody has looked before
        (C, A, B, Cause.DIFFERENT_NODE_ANSWERS),
        (None, A, B, Cause.SERVED_CERTIFICATE_DIFFERS),
    ],
)
def test_a_strange_certificate_is_not_one_that_waits_for_a_reload(
    served: str | None, before: str | None, intended: str, expected: Cause
) -> None:
    """What is served is one of two things: the former certificate, or one that nobody knows."""
    found = answering(
        (DIFFERS,), Answering(served), Answering(before), intended=intended, writes=False
    )
    assert causes(found) == [expected]


@pytest.mark.parametrize(("served", "intended"), [(B, B), (C, None)])
def test_the_intended_certificate_and_an_unknown_intention_say_nothing(
    served: str, intended: str | None
) -> None:
    """A server that renews by itself (RDS) may serve a new certificate at any time."""
    assert answering((), Answering(served), Answering(A), intended=intended, writes=False) == ()


@pytest.mark.parametrize(
    ("now", "before", "writes", "words"),
    [
        (True, False, False, "a standby answers, and a primary did"),
        (False, True, False, "a primary answers, and a standby did"),
        (True, None, True, "a standby answers (pg_is_in_recovery), to which DMS cannot write"),
        (True, True, True, "to which DMS cannot write"),
        (True, True, False, None),
        (True, None, False, None),
        (False, False, True, None),
        (None, False, True, None),
    ],
)
def test_a_standby_in_the_place_of_a_primary_is_another_node(
    now: bool | None, before: bool | None, writes: bool, words: str | None
) -> None:
    """A failover behind the name shows; reading from a standby on purpose is nobody's business."""
    found = answering((), Answering(A, now), Answering(A, before), intended=A, writes=writes)
    assert causes(found) == ([Cause.DIFFERENT_NODE_ANSWERS] if words else [])
    assert (words or "") in "".join(f.seen for f in found)


# -- the CA on the endpoint


def differs(*trusted: Authority, repaired: bool = False) -> Finding | None:
    issuing = NEW.intermediate("Issuing")
    served = [CertificateFacts.of(issuing.issue(dns=["a"]).certificate), *facts(issuing)]
    pem = bundle(*trusted).decode()
    return endpoint_ca_differs(pem, served=served, anchor=facts(NEW)[0], repaired=repaired)


def test_an_endpoint_that_does_not_trust_the_served_chain_is_said() -> None:
    """Both CAs are named; while nothing repairs it, it is a warning."""
    found = differs(OLD)
    assert found is not None
    assert (found.cause, found.severity) == (Cause.ENDPOINT_CA_DIFFERS, Severity.WARNING)
    assert "CN=Old" in found.seen
    assert "CN=New" in found.seen
    repaired = differs(OLD, repaired=True)
    assert repaired is not None
    assert repaired.severity is Severity.ADVICE


def test_an_anchor_in_another_issue_and_a_cross_signed_chain_are_covered() -> None:
    """The same CA renewed, or the CA above a cross-signed intermediate, vouches as well."""
    assert differs(OLD, NEW) is None
    assert differs(Authority.root("New", private_key=NEW.private_key)) is None
    crossed = CertificateFacts.of(OLD.cross_sign(NEW).certificate)
    leaf = CertificateFacts.of(NEW.issue(dns=["a"]).certificate)
    old = OLD.certificate_pem.decode()
    assert (
        endpoint_ca_differs(old, served=[leaf, crossed], anchor=facts(NEW)[0], repaired=False)
        is None
    )


def test_a_ca_that_was_made_anew_under_its_old_name_does_not_cover() -> None:
    """The name is the same, the key is not."""
    assert differs(Authority.root("New", fresh=True)) is not None


def test_without_an_anchor_nothing_is_claimed() -> None:
    """The chain did not verify, or the endpoint has no CA."""
    assert endpoint_ca_differs("", served=[], anchor=facts(NEW)[0], repaired=False) is None
    pem = OLD.certificate_pem.decode()
    assert endpoint_ca_differs(pem, served=[], anchor=None, repaired=False) is None


# -- ACM


def test_acm_is_behind_when_it_holds_another_certificate() -> None:
    """The finding names both; it weighs less when another one says why."""
    copy = Leaf(sha256=A, subject="CN=x", not_after=datetime(2026, 12, 1, tzinfo=UTC))
    found = acm_behind(copy, B, tried=False)
    assert found is not None
    assert (found.cause, found.severity) == (Cause.ACM_BEHIND, Severity.WARNING)
    for word in (A[:16], B[:16], "2026-12-01"):
        assert word in found.seen
    tried = acm_behind(copy, B, tried=True)
    assert tried is not None
    assert tried.severity is Severity.ADVICE
    assert acm_behind(copy, A, tried=False) is None
    assert acm_behind(None, A, tried=False) is None
    assert acm_behind(copy, None, tried=False) is None
