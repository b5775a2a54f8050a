"""What a platform team decides about its installation, from the CDK context.

Every setting is one context key: ``"certifier:batch": 50`` in ``cdk.json``, or
``-c certifier:batch=50`` on the command line, where a list is written with commas.
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from certifier.errors import InvalidSettings
from certifier.models import Policy

__all__ = ["InvalidSettings", "Settings"]

PREFIX = "certifier:"

# The retentions that CloudWatch Logs takes, in days, and the CDK's name for each.
LOG_DAYS = MappingProxyType(
    {
        1: "ONE_DAY",
        3: "THREE_DAYS",
        5: "FIVE_DAYS",
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        60: "TWO_MONTHS",
        90: "THREE_MONTHS",
        120: "FOUR_MONTHS",
        150: "FIVE_MONTHS",
        180: "SIX_MONTHS",
        365: "ONE_YEAR",
        400: "THIRTEEN_MONTHS",
        545: "EIGHTEEN_MONTHS",
        731: "TWO_YEARS",
        1096: "THREE_YEARS",
        1827: "FIVE_YEARS",
        2192: "SIX_YEARS",
        2557: "SEVEN_YEARS",
        2922: "EIGHT_YEARS",
        3288: "NINE_YEARS",
        3653: "TEN_YEARS",
    }
)


def _split(value: object) -> object:
    """``-c key=a,b`` arrives as one string. What is named twice means the same as once."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list | tuple) and all(isinstance(part, str | int) for part in value):
        return [*dict.fromkeys(value)]
    return value


def _together(most: int) -> AfterValidator:
    """Bound the characters of a whole list: what it becomes part of has a bound itself."""

    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        if (length := sum(map(len, values))) > most:
            raise ValueError(
                f"{length} characters in all, at most {most}: AWS limits the policy, event pattern "
                "or environment that they are part of"
            )
        return values

    return AfterValidator(check)


def _retention(days: int) -> int:
    if days not in LOG_DAYS:
        raise ValueError(f"must be one of {', '.join(map(str, LOG_DAYS))}")
    return days


SecretPrefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@!-]{1,512}$")]
Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
KeyArn = Annotated[
    str,
    Field(pattern=r"^arn:aws[a-z-]{0,10}:kms:[a-z0-9-]{1,20}:\d{12}:key/[A-Za-z0-9-]{1,36}$"),
]
Email = Annotated[str, Field(pattern=r"^[^@\s,]+@[^@\s,]+\.[^@\s,]+$")]
# A name, or an ARN with one at its end (EventBridge API, PutEvents; at most 256 in a name).
EventBus = Annotated[
    str,
    Field(
        pattern=r"^(arn:aws[a-z-]{0,10}:events:[a-z0-9-]{1,20}:\d{12}:event-bus/)?"
        r"[A-Za-z0-9._-][A-Za-z0-9._/-]{0,255}$"
    ),
]
# What DMS takes as a key (botocore: dms#Tag.Key), without the words of other scripts.
TagKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9 _.:/=+-]{0,128}$")]
SubnetId = Annotated[str, Field(pattern=r"^subnet-(?:[0-9a-f]{8}|[0-9a-f]{17})$")]
SecurityGroupId = Annotated[str, Field(pattern=r"^sg-(?:[0-9a-f]{8}|[0-9a-f]{17})$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.*:_-]{1,255}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(Policy):
    """One installation, its certificate policy among the rest.

    Every default is what we would deploy ourselves.

    Lists are bounded by what AWS takes of what they become part of: 10,240 characters of policies
    of a role, 2,048 of an event pattern, 4 KB of environment of a function.

    Attributes:
        stack: the stack's name; another one makes a second, independent installation.
        secret_prefixes: the names of the secrets that the steps and DMS may read begin with one of
            these, and only these secrets' events start a run.
        kms_keys: the customer managed KMS keys under which those secrets and bundles are encrypted.
        bundle_buckets: the buckets from which a source may take its CA bundle.
        notify: e-mail addresses that are notified of what needs a person; each must confirm its
            subscription.
        docs_url: where these documents are published, for the links in notices and alarms, and on
            the dashboard; without it they name the path in the repository.
        event_bus: the EventBridge bus that gets an event for each certification, by its name, or by
            its ARN when it is another account's or Region's.
        group_tag: the tag of an endpoint that names the group of its source, on the fleet page and
            for ``certifier status --group``; without a tag, the source's name begins with it.
        batch: sources that one tick of the schedule (every ten minutes) takes at most; so does one
            event.
        max_concurrency: sources certified at a time; DMS allows the account 8 calls a second.
        poll_seconds: seconds between two looks at DMS; under twelve, the history of a run whose
            every call is retried could outgrow what an execution may have.
        breaker_limit: sources whose changes end badly within 24 hours before no further change
            begins.
        warning_days: days before an expiry from which it is a finding.
        min_rsa_bits: smaller RSA keys are a finding.
        signature_hashes: other hashes are a finding.
        max_validity_days: server certificates that are valid for longer are a finding.
        raise_to_error: policy findings that refuse a source instead of warning, by their cause.
        dashboard: whether there is one; the first three of an account are free.
        probe_subnets, probe_security_groups: where the probe runs; without them, outside any VPC.
        probe_hosts: the only hosts that a source may name, for the probe and for DMS, as patterns
            such as ``*.db.example.com``; none means any.
        probe_ports: the only ports that a source may name; none means any.
        probe_local: whether a source may lead to loopback, link-local and metadata addresses. Only
            the sandbox sets it, where PostgreSQL listens there.
        new_anchor_needs_consent: whether a CA that was never in a source's bundle waits until the
            source names the bundle's SHA-256 or somebody runs ``certifier approve``. Until then
            nobody logs in either: the password is not sent on the word of that CA. With
            ``ca_bundle`` ``public`` the login rests on all public roots, and comes before.
        shrink_after_hours: hours for which every node of a host must have served the new chain in
            every look before the old CA is dropped; 0: one look is enough.
        log_days: days for which function and machine logs are kept.
        record_days: days for which the records and reports of certifications are kept.
        retain_data: whether the table outlives the stack; the bucket always does, since one with
            versions in it cannot be deleted with its stack.
    """

    stack: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,127}$")] = "Certifier"
    secret_prefixes: Annotated[
        tuple[SecretPrefix, ...],
        Field(min_length=1, max_length=20),
        BeforeValidator(_split),
        _together(1340),
    ]
    kms_keys: Annotated[tuple[KeyArn, ...], Field(max_length=8), BeforeValidator(_split)] = ()
    bundle_buckets: Annotated[
        tuple[Bucket, ...], Field(max_length=10), BeforeValidator(_split)
    ] = ()
    notify: Annotated[tuple[Email, ...], Field(max_length=20), BeforeValidator(_split)] = ()

    docs_url: Annotated[str, Field(pattern=r"^(https://[A-Za-z0-9._~:/-]{1,200})?$")] = ""
    event_bus: EventBus = "default"
    group_tag: TagKey = "team"

    batch: Annotated[int, Field(ge=1, le=500)] = 50
    max_concurrency: Annotated[int, Field(ge=1, le=20)] = 5
    poll_seconds: Annotated[int, Field(ge=12, le=60)] = 15
    breaker_limit: Annotated[int, Field(ge=1, le=100)] = 3

    dashboard: bool = True

    # Lambda takes so many.
    probe_subnets: Annotated[
        tuple[SubnetId, ...], Field(max_length=16), BeforeValidator(_split)
    ] = ()
    probe_security_groups: Annotated[
        tuple[SecurityGroupId, ...], Field(max_length=5), BeforeValidator(_split)
    ] = ()
    probe_hosts: Annotated[
        tuple[Host, ...], Field(max_length=50), BeforeValidator(_split), _together(1500)
    ] = ()
    probe_ports: Annotated[tuple[Port, ...], Field(max_length=20), BeforeValidator(_split)] = ()
    probe_local: bool = False

    new_anchor_needs_consent: bool = False
    shrink_after_hours: Annotated[int, Field(ge=0, le=720)] = 24

    log_days: Annotated[int, AfterValidator(_retention)] = 90
    record_days: Annotated[int, Field(ge=30, le=3650)] = 400
    retain_data: bool = True

    @property
    def runbook(self) -> str:
        """Where the people on call find the runbook."""
        return f"{self.docs_url.rstrip('/') or 'docs'}/operate/runbook.md"

    @field_validator("signature_hashes", "raise_to_error", mode="before")
    @classmethod
    def _split_policy(cls, value: object) -> object:
        return _split(value)

    @model_validator(mode="after")
    def _subnets_and_groups_together(self) -> Self:
        if bool(self.probe_subnets) != bool(self.probe_security_groups):
            raise ValueError(
                "probe_subnets and probe_security_groups are given together or not at all"
            )
        return self

    def policy(self) -> dict[str, object]:
        """Return the certificate policy, as the steps read it from POLICY."""
        return self.model_dump(mode="json", include=set(Policy.model_fields))

    def probe_addresses(self) -> dict[str, object]:
        """Return where the probe may connect to, as it reads it from PROBE_ADDRESSES."""
        return {"local": self.probe_local, "hosts": self.probe_hosts, "ports": self.probe_ports}

    def probe_place(self) -> str:
        """Return where the probe runs, for people."""
        return " ".join(self.probe_subnets) or "outside any VPC"

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
