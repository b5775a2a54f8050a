"""What we would rather not see in a certificate, although it verifies. Never part of a verdict."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from certifier.certificate.facts import CertificateFacts
from certifier.certificate.lifetime import Lifetime
from certifier.diagnosis import finding
from certifier.models import Finding, Policy
from certifier.vocabulary import Cause, Witness

RDS_ISSUER = "CN=Amazon RDS "
"""In the issuer of what RDS puts on an instance, for 12 or 36 months, without a choice of days."""


def policy_findings(
    chain: Sequence[CertificateFacts], policy: Policy, now: datetime, place: Witness
) -> tuple[Finding, ...]:
    """Return what the policy says of a chain, leaf first. Facts that could not be read are not
    judged.

    Not looked at: whether anything has expired already, which is a verdict.
    """
    return tuple(
        finding(cause, place=place, seen=seen, severity=policy.severity(cause))
        for position, facts in enumerate(chain)
        for cause, seen in _judged(facts, policy, now, is_leaf=position == 0)
    )


def _judged(
    facts: CertificateFacts, policy: Policy, now: datetime, *, is_leaf: bool
) -> Iterator[tuple[Cause, str]]:
    name = facts.title
    if facts.not_after is not None and now <= facts.not_after:
        life = Lifetime(facts.not_before, facts.not_after)
        if life.expires_soon(now, policy.warning_days):
            yield (
                Cause.CERTIFICATE_EXPIRES_SOON,
                f"{name} expires on {facts.not_after:%Y-%m-%d %H:%M} UTC,"
                f" in {(facts.not_after - now).days} days; {_window(life, policy)}",
            )
    if _small(facts, policy):
        yield (
            Cause.KEY_TOO_SMALL,
            f"{name} has a key of {facts.key_bits} bits;"
            f" at least {policy.min_rsa_bits} are asked for",
        )
    if (
        facts.signature_hash is not None
        and facts.signature_hash not in policy.signature_hashes
        and not facts.self_signed
    ):
        yield (
            Cause.SIGNATURE_HASH_WEAK,
            f"{name} is signed with {facts.signature_hash};"
            f" allowed: {', '.join(policy.signature_hashes)}",
        )
    chosen = RDS_ISSUER not in (facts.issuer or "")
    if is_leaf and chosen and facts.not_before is not None and facts.not_after is not None:
        validity = facts.not_after - facts.not_before
        if validity > timedelta(days=policy.max_validity_days):
            yield (
                Cause.VALIDITY_TOO_LONG,
                f"{name} is valid for {validity.days} days;"
                f" at most {policy.max_validity_days} are asked for",
            )
    if facts.strict_violations:
        yield (
            Cause.CA_NOT_STRICT,
            f"{name}: {', '.join(facts.strict_violations)};"
            " clients that check strictly, such as Python 3.13, refuse it",
        )


def _window(life: Lifetime, policy: Policy) -> str:
    """Say how long the warning window is, and why when it is not the setting's."""
    window = life.window(policy.warning_days)
    if life.whole is None or window == timedelta(days=policy.warning_days):
        return f"the warning window is {policy.warning_days} days"
    of = f"a third of its {life.whole.days} days"
    return f"the warning window is {of}"


def _small(facts: CertificateFacts, policy: Policy) -> bool:
    counted = facts.key is not None and facts.key.startswith(("RSA", "DSA"))
    return counted and facts.key_bits is not None and facts.key_bits < policy.min_rsa_bits
