"""CAs that the bundle has let go of are not trusted for ever where nobody sees the served chain."""

from datetime import UTC, datetime, timedelta

import pytest

from certifier.certificate import bundle_digest, certificates_in
from certifier.run.documents import Material, Trusted, Union
from certifier.run.old_anchors import KEPT, MANY, bounded, left_since
from certifier.vocabulary import Cause
from sandbox.pki import Authority

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def pem(*authorities: Authority) -> str:
    return "".join(each.certificate_pem.decode() for each in authorities)


def material(new: Authority, *old: Authority) -> tuple[Material, Union]:
    both = pem(new, *old)
    trusted = Trusted(arn="arn:cert", digest=bundle_digest(both), pem=both)
    found = Material(trusted=trusted, bundle_pem=pem(new), bundle_digest=bundle_digest(pem(new)))
    return found, Union(both, bundle_digest(both))


@pytest.fixture(scope="module")
def new() -> Authority:
    return Authority.root("New CA")


@pytest.fixture(scope="module")
def old() -> Authority:
    return Authority.root("Old CA")


@pytest.mark.shows("old_anchors_dropped")
def test_an_anchor_stays_for_ninety_days_after_the_bundle_has_let_go_of_it(
    new: Authority, old: Authority
) -> None:
    """Since when that is so is remembered from run to run."""
    found, both = material(new, old)
    left = left_since(found, {}, NOW)
    assert list(left.values()) == [NOW]
    later = NOW + KEPT - DAY
    left = left_since(found, left, later)
    assert bounded(both, found, left, later).union == both
    after = bounded(both, found, left, NOW + KEPT)
    assert after.union is not None
    assert certificates_in(after.union.pem) == certificates_in(pem(new))
    (dropped,) = after.findings
    assert dropped.cause is Cause.OLD_ANCHORS_DROPPED
    assert "Old CA" in dropped.seen


def test_an_anchor_that_has_expired_goes_at_once(new: Authority) -> None:
    """No certificate can be verified with it any more."""
    expired = Authority.root("Expired CA", not_before=NOW - 20 * DAY, not_after=NOW - DAY)
    found, both = material(new, expired)
    after = bounded(both, found, left_since(found, {}, NOW), NOW)
    assert after.union is not None
    assert certificates_in(after.union.pem) == certificates_in(pem(new))
    assert "expired on" in after.findings[0].seen


def test_one_that_the_bundle_holds_again_begins_anew(new: Authority, old: Authority) -> None:
    """Only what the endpoint trusts and the bundle does not hold is remembered."""
    found, _ = material(new, old)
    left = left_since(found, {}, NOW)
    again = found.model_copy(update={"bundle_pem": pem(new, old)})
    assert left_since(again, left, NOW + DAY) == {}


@pytest.mark.shows("many_old_anchors")
def test_more_than_renewals_explain_is_a_finding(new: Authority) -> None:
    """They are kept, and a person is notified."""
    many = [Authority.root(f"Old CA {i}") for i in range(MANY + 1)]
    found, both = material(new, *many)
    after = bounded(both, found, left_since(found, {}, NOW), NOW)
    assert after.union == both
    assert [each.cause for each in after.findings] == [Cause.MANY_OLD_ANCHORS]
