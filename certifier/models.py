"""What everybody shares: the frozen value, the finding, and the certificate policy."""

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from certifier.vocabulary import Cause, Severity, Stage, Witness


class Fact(BaseModel):
    """A frozen value. Errors never show the input, which may be a secret put in the wrong field."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


Hash = Literal["sha1", "sha224", "sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"]

POLICY_CAUSES: Final = (
    Cause.CERTIFICATE_EXPIRES_SOON,
    Cause.KEY_TOO_SMALL,
    Cause.SIGNATURE_HASH_WEAK,
    Cause.VALIDITY_TOO_LONG,
    Cause.CA_NOT_STRICT,
    Cause.TLS_VERSION_OLD,
)


def _of_policy(cause: Cause) -> Cause:
    if cause not in POLICY_CAUSES:
        raise ValueError(f"{cause} is not a policy cause; allowed: {', '.join(POLICY_CAUSES)}")
    return cause


class Policy(Fact):
    """What we would rather not see, although it verifies. Never part of a verdict.

    The one definition of these settings: the CDK app takes them with these bounds, and the steps
    read them.

    Attributes:
        min_rsa_bits: the smallest RSA (or DSA) key that passes.
        signature_hashes: the hashes that a signature may use. A root's own signature proves nothing
            and is not looked at.
        max_validity_days: the longest validity of a leaf (398 is what browsers accept). Of one
            that Amazon RDS has issued nobody can choose it.
        warning_days: how many days before its end an expiry is reported; a third of the
            certificate's life at most (``certificate.lifetime``).
        raise_to_error: policy causes that refuse a source instead of warning.
    """

    min_rsa_bits: Annotated[int, Field(ge=1024, le=16384)] = 2048
    signature_hashes: Annotated[tuple[Hash, ...], Field(min_length=1)] = (
        "sha256",
        "sha384",
        "sha512",
    )
    max_validity_days: Annotated[int, Field(ge=1, le=36500)] = 398
    warning_days: Annotated[int, Field(ge=1, le=365)] = 30
    raise_to_error: tuple[Annotated[Cause, AfterValidator(_of_policy)], ...] = ()

    def severity(self, cause: Cause) -> Severity | None:
        """Return how much a policy finding weighs here; ``None``: as the catalogue has it."""
        return Severity.ERROR if cause in self.raise_to_error else None


class Finding(Fact):
    """One cause, how much it weighs, what was seen, where, and what to do next.

    Made by :func:`certifier.diagnosis.finding`, which fills in the catalogue's remedy.

    Attributes:
        seen: one sentence in our words, with the names, dates and numbers that matter.
        raw: the text of the server or service behind it, control characters escaped, at most 1 KiB.
        stage: how far the connection came, for a finding of the probe or about a connection.
    """

    cause: Cause
    severity: Severity
    seen: str
    remedy: str
    place: Witness
    raw: str | None = None
    stage: Stage | None = None


_GRAVEST = frozenset({Cause.TASK_NOT_RESTARTED, Cause.BROKEN_AFTER_ROLLBACK, Cause.BROKEN_BEFORE})


def errors_in(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that stop a certification."""
    return tuple(found for found in findings if found.severity is Severity.ERROR)


def errors_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by weight, and within one weight in the order in which they were made.

    Of errors those come first that say what does not run: the rule for "the cause", everywhere.
    """
    return tuple(
        sorted(findings, key=lambda found: (found.severity.weight, found.cause not in _GRAVEST))
    )


def weightiest(findings: tuple[Finding, ...]) -> Finding | None:
    """Return the finding that matters most, advice left out: the one rule for "the cause"."""
    weighty = [found for found in findings if found.severity is not Severity.ADVICE]
    return next(iter(errors_first(weighty)), None)
