"""A source, as a person or a pipeline writes it: one PostgreSQL database and its DMS endpoint.

Validation is strict: unknown keys are rejected, every mistake is reported at once, and no value is
echoed, since a password may have been put into the wrong field.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from certifier.models import Fact
from certifier.vocabulary import SslMode
from certifier.window import Window, WindowError

_PARTITION = r"arn:aws[a-z-]*"
_ENDPOINT_ARN = re.compile(_PARTITION + r":dms:[a-z0-9-]+:\d{12}:endpoint:[A-Za-z0-9-]+")
_INSTANCE_ARN = re.compile(_PARTITION + r":dms:[a-z0-9-]+:\d{12}:rep:[A-Za-z0-9-]+")
_SECRET_ARN = re.compile(
    _PARTITION + r":secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}"
)
_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\x00-\x1f\x7f]{1,1024})")
_NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_IDENTIFIER = re.compile(r"(?!.*--)[A-Za-z]([A-Za-z0-9-]{0,253}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}")

_OPPORTUNISTIC = ("allow", "prefer")


class CredentialsMode(StrEnum):
    """How the endpoint gets its user and password."""

    SECRET = "secret"  # the endpoint refers to the secret
    INLINE = "inline"  # the values are set on the endpoint


class ProbePolicy(StrEnum):
    """What a failure of our own probe means for the source."""

    REQUIRED = "required"
    ADVISORY = "advisory"  # network and login faults are warnings, once DMS itself connects
    OFF = "off"


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{message}", {"message": message})


def _matches(pattern: re.Pattern[str], allowed: str) -> Any:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise _wrong(allowed)
        return value

    return AfterValidator(check)


def _endpoint(value: str) -> str:
    if value.startswith("arn:"):
        if not _ENDPOINT_ARN.fullmatch(value):
            raise _wrong("must be the ARN of a DMS endpoint (arn:aws:dms:...:endpoint:...)")
    elif not _IDENTIFIER.fullmatch(value):
        raise _wrong(
            "must be an endpoint's ARN, or an identifier: a letter first, then letters, digits and "
            "single hyphens, at most 255, the last no hyphen"
        )
    return value


def _host(value: str) -> str:
    try:
        ip_address(value)
    except ValueError:
        labels = value.removesuffix(".").split(".")
        if not _HOST.fullmatch(value) or ":" in value or not all(0 < len(x) < 64 for x in labels):
            raise _wrong(
                "must be a host name or an IP address, without scheme, port, brackets or spaces"
            ) from None
    return value


def _ssl_mode(value: object) -> object:
    if value in _OPPORTUNISTIC:
        raise _wrong(
            "allow and prefer are refused: DMS has no opportunistic mode, and such a connection "
            "can silently be plain text; use require, verify-ca or verify-full"
        )
    return SslMode.NONE if value == "disable" else value


def _secret(value: str) -> str:
    if value.startswith("arn:") and ":acm:" in value:
        raise _wrong(
            "must be a Secrets Manager ARN; this is a certificate in ACM, whose key "
            "cannot be read back"
        )
    if not _SECRET_ARN.fullmatch(value):
        raise _wrong(
            "must be the full ARN of a secret, with its six-character suffix "
            "(arn:aws:secretsmanager:...:secret:name-AbCdEf)"
        )
    return value


def _bundle(value: str) -> str:
    if not _S3_URI.fullmatch(value) and not _SECRET_ARN.fullmatch(value):
        raise _wrong("must be s3://bucket/key, or the full ARN of a secret")
    return value


def _restart(value: object) -> object:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise _wrong(
            "must be true, false, or a weekly window such as 'sun 02:00-04:00 Europe/Berlin'"
        )
    try:
        Window.parse(value)
    except WindowError as error:
        raise _wrong(str(error)) from None
    return value


SecretArn = Annotated[str, AfterValidator(_secret)]


class Source(Fact):
    """What a source is: where PostgreSQL answers, which endpoint reaches it, how TLS must be.

    ``endpoint`` is the identifier or ARN of an existing endpoint (adopted: only the fields that the
    source names are ours), or the identifier of one to create; to create one, ``database`` and
    ``credentials`` are needed too.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        title="Certifier source",
    )

    name: Annotated[
        str,
        _matches(
            _NAME,
            "must match [a-z][a-z0-9-]{0,39}, without '--' and without a hyphen at the end",
        ),
    ] = Field(description="Names the source everywhere: table, records, canary endpoint.")
    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="Identifier or ARN of the DMS endpoint; an unknown identifier is created once."
    )
    endpoint_type: Literal["source", "target"] = "source"
    engine: Literal["postgres", "aurora-postgresql"] = "postgres"
    host: Annotated[str, AfterValidator(_host)] = Field(
        description="Host name (or IP address) that is dialled and that the certificate must name."
    )
    port: StrictInt = Field(default=5432, ge=1, le=65535)
    database: str | None = Field(default=None, min_length=1, max_length=63, pattern=r"^[^\x00]+$")
    ssl_mode: Annotated[SslMode, BeforeValidator(_ssl_mode)] = Field(
        description="none (or disable), require, verify-ca, verify-full."
    )
    credentials: SecretArn | None = Field(
        default=None, description="Secret with username and password (and host, port for DMS)."
    )
    credentials_mode: CredentialsMode = CredentialsMode.SECRET
    server_certificate: SecretArn | None = Field(
        default=None, description="Secret with the pair that PostgreSQL serves; imported into ACM."
    )
    ca_bundle: Annotated[str, AfterValidator(_bundle)] | None = Field(
        default=None, description="s3://bucket/key or a secret: the CAs that DMS shall trust."
    )
    ca_bundle_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    ca_overlap: StrictBool = Field(
        default=True, description="false switches to the new CA at once (a compromised old CA)."
    )
    replication_instances: tuple[
        Annotated[
            str,
            _matches(
                _INSTANCE_ARN, "must be the ARN of a replication instance (arn:aws:dms:...:rep:...)"
            ),
        ],
        ...,
    ] = Field(default=(), max_length=60)
    restart_tasks: Annotated[bool | str, BeforeValidator(_restart)] = Field(
        default=False,
        description="Whether running tasks may be paused for a change: true, false or a window.",
    )
    probe: ProbePolicy = ProbePolicy.REQUIRED
    probe_login: StrictBool | None = Field(
        default=None, description="Whether the probe logs in; default: when credentials are given."
    )
    probe_plaintext: StrictBool = Field(
        default=False, description="Also check that a login without TLS is refused."
    )
    allow_downgrade: StrictBool = False
    allow_irreversible: StrictBool = False

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if self.ssl_mode.verifies and self.ca_bundle is None and self.server_certificate is None:
            raise _wrong(
                f"ca_bundle: {self.ssl_mode.value} needs a CA: give ca_bundle, or a "
                "server_certificate whose secret holds one"
            )
        if self.ca_bundle_sha256 is not None and self.ca_bundle is None:
            raise _wrong("ca_bundle_sha256: needs ca_bundle")
        if self.probe_login and self.credentials is None:
            raise _wrong("probe_login: needs credentials")
        if self.probe_plaintext and not self.logs_in:
            raise _wrong("probe_plaintext: needs credentials, and a probe that logs in with them")
        if self.credentials_mode is CredentialsMode.INLINE and self.credentials is None:
            raise _wrong("credentials_mode: inline needs credentials")
        return self

    @property
    def logs_in(self) -> bool:
        """Whether the probe logs in."""
        return self.credentials is not None if self.probe_login is None else self.probe_login

    @property
    def window(self) -> Window | None:
        """The weekly window in which tasks may be paused, if the source has one."""
        return Window.parse(self.restart_tasks) if isinstance(self.restart_tasks, str) else None


class InvalidSource(ValueError):
    """The data is no source. ``problems`` has one sentence for every mistake, without any value."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def parse_source(data: object) -> Source:
    """Return the source that ``data`` (decoded JSON) describes.

    Raises:
        InvalidSource: with every mistake at once; each problem names the field and what is allowed.
    """
    if not isinstance(data, Mapping):
        raise InvalidSource("a source must be a JSON object")
    try:
        return Source.model_validate(dict(data))
    except ValidationError as error:
        raise InvalidSource(*problems_of(error, tuple(Source.model_fields))) from None


def problems_of(error: ValidationError, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return one sentence for each mistake in ``error``: the field, and what is allowed.

    No value is echoed. A key that is not allowed is named, with the known field it resembles.
    """
    sentences = []
    for mistake in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in mistake["loc"])
        match mistake["type"]:
            case "missing":
                what = "is required"
            case "extra_forbidden":
                import difflib  # noqa: PLC0415 - for people who mistype; no run of a Lambda does

                close = difflib.get_close_matches(str(mistake["loc"][-1]), known, n=1)
                what = "is not a known field" + (f" (did you mean {close[0]}?)" if close else "")
            case _:
                said = mistake["msg"].removeprefix("Value error, ")
                what = said[0].lower() + said[1:]
        sentences.append(f"{where}: {what}" if where else what)
    return tuple(sentences)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a source."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Source.model_json_schema()}
