"""What a platform team decides about its installation, from the CDK context.

Every setting is one context key: ``"certifier:batch": 50`` in ``cdk.json``, or
``-c certifier:batch=50`` on the command line, where a list is written with commas.
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from certifier.errors import InvalidSettings
from certifier.outcome import Cause

__all__ = ["InvalidSettings", "Settings"]

PREFIX = "certifier:"

# The retentions that CloudWatch Logs takes, in days, and the CDK's name for each.
LOG_DAYS = MappingProxyType(
    {
        1: "ONE_DAY",
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        60: "TWO_MONTHS",
        90: "THREE_MONTHS",
        180: "SIX_MONTHS",
        365: "ONE_YEAR",
        400: "THIRTEEN_MONTHS",
        731: "TWO_YEARS",
        1096: "THREE_YEARS",
        1827: "FIVE_YEARS",
        3653: "TEN_YEARS",
    }
)


def _split(value: object) -> object:
    """``-c key=a,b`` arrives as one string."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _retention(days: int) -> int:
    if days not in LOG_DAYS:
        raise ValueError(f"must be one of {', '.join(map(str, LOG_DAYS))}")
    return days


SecretPrefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@!-]{1,512}$")]
Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
KeyArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$")]
Email = Annotated[str, Field(pattern=r"^[^@\s,]+@[^@\s,]+\.[^@\s,]+$")]
SubnetId = Annotated[str, Field(pattern=r"^subnet-(?:[0-9a-f]{8}|[0-9a-f]{17})$")]
SecurityGroupId = Annotated[str, Field(pattern=r"^sg-(?:[0-9a-f]{8}|[0-9a-f]{17})$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.*:_-]{1,255}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseModel):
    """One installation. Every default is what we would deploy ourselves.

    Attributes:
        stack: the stack's name; another one makes a second, independent installation.
        secret_prefixes: the names of the secrets that the steps and DMS may read begin with one of
            these, and only these secrets' events start a run.
        kms_keys: the customer managed KMS keys under which those secrets and bundles are encrypted.
        bundle_buckets: the buckets from which a source may take its CA bundle.
        notify: e-mail addresses that are notified of what needs a person; each must confirm its
            subscription.
        batch: sources that one tick of the schedule (every ten minutes) takes at most.
        max_concurrency: sources certified at a time; DMS allows the account 8 calls a second.
        poll_seconds: seconds between two looks at DMS.
        breaker_limit: changes that end badly within 24 hours before no further one begins.
        warning_days: days before an expiry from which it is a finding.
        min_rsa_bits: smaller RSA keys are a finding.
        signature_hashes: other hashes are a finding.
        max_validity_days: server certificates that are valid for longer are a finding.
        raise_to_error: policy findings that refuse a source instead of warning, by their cause.
        alarm_days: alarm when a certificate of any source has fewer days left than this.
        probe_subnets, probe_security_groups: where the probe runs; without them, outside any VPC.
        probe_hosts: the only hosts that may be probed, as patterns such as ``*.db.example.com``;
            none means any.
        probe_ports: the only ports that may be probed; none means any.
        probe_local: whether loopback, link-local and metadata addresses may be probed. Only the
            sandbox sets it, where PostgreSQL listens there.
        log_days: days for which function and machine logs are kept.
        record_days: days for which the records and reports of certifications are kept.
        retain_data: whether table and bucket outlive the stack.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,127}$")] = "Certifier"
    secret_prefixes: Annotated[
        tuple[SecretPrefix, ...], BeforeValidator(_split), Field(min_length=1, max_length=20)
    ]
    kms_keys: Annotated[tuple[KeyArn, ...], BeforeValidator(_split)] = ()
    bundle_buckets: Annotated[tuple[Bucket, ...], BeforeValidator(_split)] = ()
    notify: Annotated[tuple[Email, ...], BeforeValidator(_split)] = ()

    batch: Annotated[int, Field(ge=1, le=500)] = 50
    max_concurrency: Annotated[int, Field(ge=1, le=20)] = 5
    poll_seconds: Annotated[int, Field(ge=5, le=60)] = 15
    breaker_limit: Annotated[int, Field(ge=1, le=100)] = 3

    warning_days: Annotated[int, Field(ge=1, le=365)] = 30
    min_rsa_bits: Annotated[int, Field(ge=1024, le=16384)] = 2048
    signature_hashes: Annotated[
        tuple[Literal["sha1", "sha224", "sha256", "sha384", "sha512"], ...],
        BeforeValidator(_split),
        Field(min_length=1),
    ] = ("sha256", "sha384", "sha512")
    max_validity_days: Annotated[int, Field(ge=1, le=36500)] = 398
    raise_to_error: Annotated[tuple[Cause, ...], BeforeValidator(_split)] = ()
    alarm_days: Annotated[int, Field(ge=1, le=365)] = 14

    probe_subnets: Annotated[tuple[SubnetId, ...], BeforeValidator(_split)] = ()
    probe_security_groups: Annotated[tuple[SecurityGroupId, ...], BeforeValidator(_split)] = ()
    probe_hosts: Annotated[tuple[Host, ...], BeforeValidator(_split)] = ()
    probe_ports: Annotated[tuple[Port, ...], BeforeValidator(_split)] = ()
    probe_local: bool = False

    log_days: Annotated[int, AfterValidator(_retention)] = 90
    record_days: Annotated[int, Field(ge=30, le=3650)] = 400
    retain_data: bool = True

    @model_validator(mode="after")
    def _subnets_and_groups_together(self) -> Self:
        if bool(self.probe_subnets) != bool(self.probe_security_groups):
            raise ValueError(
                "probe_subnets and probe_security_groups are given together or not at all"
            )
        return self

    def policy(self) -> dict[str, object]:
        """Return the certificate policy, as the steps read it from POLICY."""
        fields = {"warning_days", "min_rsa_bits", "signature_hashes", "max_validity_days"}
        return self.model_dump(mode="json", include={*fields, "raise_to_error"})

    def probe_addresses(self) -> dict[str, object]:
        """Return where the probe may connect to, as it reads it from PROBE_ADDRESSES."""
        return {"local": self.probe_local, "hosts": self.probe_hosts, "ports": self.probe_ports}

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Self:
        """Return the settings in a CDK context, whose other keys are not ours.

        Raises:
            InvalidSettings: with one sentence for every key that is unknown, missing or wrong.
        """
        ours = {k.removeprefix(PREFIX): v for k, v in context.items() if k.startswith(PREFIX)}
        try:
            return cls.model_validate(ours)
        except ValidationError as error:
            raise InvalidSettings(*(_sentence(mistake) for mistake in error.errors())) from None


def _sentence(mistake: ErrorDetails) -> str:
    """One mistake, by its context key, with what is allowed there."""
    key = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, Settings.model_fields, n=1)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else ", ".join(Settings.model_fields)
        return f"{PREFIX}{key}: there is no such setting: {hint}"
    text = mistake["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{key}: {text}" if key else text
