"""Which expiry matters: the first one after which a connection would fail.

A bundle is not as old as its oldest CA, and a served chain may hold certificates that no client
walks over. What counts is the way from the served leaf to the anchor in use, as the endpoint trusts
it; and beside it what is meant to take over: the pair in the secret, and its copy in ACM.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from certifier.certificate.facts import CertificateFacts
from certifier.certificate.lifetime import Lifetime
from certifier.models import Fact


class Role(StrEnum):
    """What a certificate is for."""

    LEAF = "served certificate"
    INTERMEDIATE = "intermediate CA"
    ANCHOR = "trusted CA"
    BUNDLE = "CA on the DMS endpoint"
    INTENDED = "certificate in the secret"
    ACM = "certificate in ACM"


class Expiring(Fact):
    """One certificate that matters, and from when to the last second at which it is valid."""

    role: Role
    title: str
    not_before: datetime | None = None
    not_after: datetime

    @property
    def what(self) -> str:
        """Role and name, for a sentence."""
        return f"{self.role.value} {self.title}"

    @property
    def life(self) -> Lifetime:
        """When its expiry is near."""
        return Lifetime(self.not_before, self.not_after)

    def days_left(self, now: datetime) -> int:
        """Return the whole days until it expires; negative afterwards."""
        return (self.not_after - now).days


def share_left(ends: Sequence[Expiring], now: datetime) -> float | None:
    """Return the least share of its life, from 1 to 0, that one of them has left."""
    shares = [share for one in ends if (share := one.life.share_left(now)) is not None]
    return round(min(shares), 4) if shares else None


def expiring(
    *,
    served: Sequence[CertificateFacts] = (),
    anchor: CertificateFacts | None = None,
    trusted: Sequence[CertificateFacts] = (),
    intended: CertificateFacts | None = None,
    acm: CertificateFacts | None = None,
) -> tuple[Expiring, ...]:
    """Return what expires and matters, the earliest first.

    Args:
        served: the chain as served, leaf first.
        anchor: the CA in which it was found to end; ``None`` when it was not verified.
        trusted: the CAs that the endpoint trusts. When they hold the anchor in another issue (the
            same name and key), it is their last one whose end counts. Without an anchor, nobody
            knows which of them is in use: the end of the last one counts.
        intended, acm: the leaf in the secret, and ACM's copy; left out when they are the served
            one.

    Certificates whose dates could not be read are left out.
    """
    found = list(_of_chain(served, anchor, trusted))
    known = {facts.sha256 for facts in served[:1]}
    for role, facts in ((Role.INTENDED, intended), (Role.ACM, acm)):
        if facts is not None and facts.sha256 not in known:
            known.add(facts.sha256)
            found.extend(_one(role, facts))
    return tuple(sorted(found, key=lambda one: one.not_after))


def _of_chain(
    served: Sequence[CertificateFacts],
    anchor: CertificateFacts | None,
    trusted: Sequence[CertificateFacts],
) -> Iterator[Expiring]:
    for position, facts in enumerate(walked(served, anchor)):
        yield from _one(Role.INTERMEDIATE if position else Role.LEAF, facts)
    issues = [facts for facts in trusted if anchor is None or _same_authority(facts, anchor)]
    if anchor is not None and not issues:
        issues = [anchor]
    dated = [(facts.not_after, facts) for facts in issues if facts.not_after is not None]
    if dated:
        last = max(dated, key=lambda pair: pair[0])[1]
        in_use = anchor is not None and last.sha256 == anchor.sha256
        yield from _one(Role.ANCHOR if in_use else Role.BUNDLE, last)


def walked(
    served: Sequence[CertificateFacts], anchor: CertificateFacts | None
) -> Sequence[CertificateFacts]:
    """Return the part of the served chain between leaf and anchor; all of it without an anchor."""
    if anchor is None or not served:
        return served
    way = [served[0]]
    while way[-1].issuer != anchor.subject and way[-1].sha256 != anchor.sha256:
        above = next(
            (facts for facts in served if facts.subject == way[-1].issuer and facts not in way),
            None,
        )
        if above is None:
            return served  # the way is not in the names: count everything
        way.append(above)
    return [facts for facts in way if facts.sha256 != anchor.sha256] or way


def _same_authority(one: CertificateFacts, other: CertificateFacts) -> bool:
    return (
        one.spki_sha256 is not None
        and one.spki_sha256 == other.spki_sha256
        and one.subject == other.subject
    )


def _one(role: Role, facts: CertificateFacts) -> Iterator[Expiring]:
    if facts.not_after is not None:
        yield Expiring(
            role=role, title=facts.title, not_before=facts.not_before, not_after=facts.not_after
        )
