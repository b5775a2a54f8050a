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

from certifier.certificate.trust_sets import TrustWord
from certifier.models import Fact
from certifier.ownership import is_reserved
from certifier.rds_names import rds_name
from certifier.text import printable
from certifier.vocabulary import SslMode
from certifier.window import Window, WindowError

Engine = Literal["postgres", "aurora-postgresql", "aurora-postgresql-serverless"]
"""The engines of an endpoint that Certifier keeps, in DMS's words."""

_PARTITION = r"arn:aws[a-z-]*"
_ENDPOINT_ARN = re.compile(_PARTITION + r":dms:[a-z0-9-]+:[0-9]{12}:endpoint:[A-Za-z0-9-]+")
_INSTANCE_ARN = re.compile(_PARTITION + r":dms:[a-z0-9-]+:[0-9]{12}:rep:[A-Za-z0-9-]+")
_SECRET_ARN = re.compile(
    _PARTITION + r":secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+-[A-Za-z0-9]{6}"
)
_ACM_ARN = re.compile(_PARTITION + r":acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]{1,64}")
_S3_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([^\x00-\x1f\x7f]{1,1024})")
_NAME = re.compile(r"(?!.*--)[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_IDENTIFIER = re.compile(r"(?!.*--)[A-Za-z]([A-Za-z0-9-]{0,253}[A-Za-z0-9])?")
_NODE = re.compile(r"(\[(?P<inside>[^\[\]]+)\]|(?P<host>[^\[\]:]+))(:(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}")

ARN_LENGTH = 2048
"""The longest ARN (AWS General Reference), and so the longest text of a source."""
_WINDOW_LENGTH = 100
_KEY_SHOWN = 60  # characters of a key that nobody knows

_SEPARATORS = ";{}="
_ENDS_A_VALUE = _SEPARATORS + " '\"\\"

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


def is_name(text: str) -> bool:
    """Whether a source can have this name."""
    return _NAME.fullmatch(text) is not None


def _endpoint(value: str) -> str:
    if value.startswith("arn:"):
        if not _ENDPOINT_ARN.fullmatch(value):
            raise _wrong("must be the ARN of a DMS endpoint (arn:aws:dms:...:endpoint:...)")
    elif not _IDENTIFIER.fullmatch(value):
        raise _wrong(
            "must be an endpoint's ARN, or an identifier: a letter first, then letters, digits and "
            "single hyphens, at most 255, the last no hyphen"
        )
    if is_reserved(value):
        raise _wrong(
            "must not begin with certifier-: such names are kept for what Certifier makes to "
            "rehearse, and deletes"
        )
    return value


def _host(value: str) -> str:
    try:
        if "%" in value:  # a zone, which may be any text to Python and means nothing to DMS
            raise ValueError
        ip_address(value)
    except ValueError:
        labels = value.removesuffix(".").split(".")
        if not _HOST.fullmatch(value) or ":" in value or not all(0 < len(x) < 64 for x in labels):
            raise _wrong(
                "must be a host name or an IP address, without scheme, port, brackets or spaces"
            ) from None
    return value


def is_database(name: str) -> bool:
    """Whether a source can name this database: nothing in it ends a value in a connection string.

    How DMS quotes for libpq and ODBC is not documented. A name that ended its own value there would
    send the owner's login to a host that nobody has vouched for.
    """
    plain = name.isprintable() and "://" not in name
    return plain and not any(sign in _ENDS_A_VALUE for sign in name)


def _database(value: str) -> str:
    if not is_database(value):
        raise _wrong(
            "must not hold blanks, control characters, quotes, backslashes, ://, or one of "
            f"{' '.join(_SEPARATORS)}, since what follows could be read as another setting"
        )
    return value


def node_of(value: str, port: int) -> tuple[str, int]:
    """Return host and port of a node; without a port of its own, that of the source.

    Raises:
        ValueError: it is neither of the two.
    """
    if value.count(":") > 1 and not value.startswith("["):
        return value, port  # an IPv6 address without a port
    found = _NODE.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return found["inside"] or found["host"], int(found["port"] or port)


def _is_node(value: str) -> str:
    try:
        host, port = node_of(value, 1)
        _host(host)
    except (ValueError, PydanticCustomError):
        port = 0
    if not 1 <= port <= 65535:
        raise _wrong(
            "must be a host name or an IP address, or one with a port: host:port, [address]:port"
        )
    return value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


_Node = Annotated[str, AfterValidator(_is_node), Field(max_length=270)]


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
            "must be a Secrets Manager ARN; this is a certificate in ACM, which "
            "server_certificate takes"
        )
    if not _SECRET_ARN.fullmatch(value):
        raise _wrong(
            "must be the full ARN of a secret, with its six-character suffix "
            "(arn:aws:secretsmanager:...:secret:name-AbCdEf)"
        )
    return value


_WORDS = ", ".join(TrustWord)


def _bundle(value: str) -> str:
    if value in set(TrustWord) or _S3_URI.fullmatch(value) or _SECRET_ARN.fullmatch(value):
        return value
    raise _wrong(
        f"must be one of the words {_WORDS}; or s3://bucket/key; or the full ARN of a secret"
    )


def _server_certificate(value: str) -> str:
    if _ACM_ARN.fullmatch(value):
        return value
    if value.startswith("arn:") and ":acm:" in value:
        raise _wrong("must be the whole ARN of a certificate in ACM (arn:aws:acm:...:certificate/)")
    return _secret(value)


def word_mistake(word: TrustWord, host: str, *, verify_full: bool) -> str | None:
    """Return why a word cannot stand for the CAs of this host; ``None``: it can.

    Args:
        verify_full: the mode is verify-full.
    """
    if word is TrustWord.PUBLIC and not verify_full:
        return (
            "public is for verify-full alone: with public CAs, verify-ca lets every server of the "
            "Internet in (libpq's sslrootcert=system says the same)"
        )
    if word is not TrustWord.RDS:
        return None
    name = rds_name(host)
    if name is None:
        return (
            "rds is for hosts of RDS, whose name says the Region (*.REGION.rds.amazonaws.com); for "
            "an alias of such a host give the name that RDS has given it, or the bundle itself"
        )
    if name.is_proxy:
        return "rds is not for an RDS Proxy, whose certificate is of Amazon's public CA: use amazon"
    return None


def _restart(value: object) -> object:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or len(value) > _WINDOW_LENGTH:
        raise _wrong(
            "must be true, false, or a weekly window such as 'sun 02:00-04:00 Europe/Berlin'"
        )
    try:
        Window.parse(value)
    except WindowError as error:
        raise _wrong(str(error)) from None
    return value


SecretArn = Annotated[str, AfterValidator(_secret), Field(max_length=ARN_LENGTH)]


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

    # Each description says what the field means, then, where the type alone does not say it, what
    # is allowed. docs/reference/source.md is generated from these.
    name: Annotated[
        str,
        _matches(
            _NAME,
            "must match [a-z][a-z0-9-]{0,39}, without '--' and without a hyphen at the end",
        ),
        Field(max_length=40),
    ] = Field(
        description="The name of the source, unique in the installation: in the table, in records "
        "and notices, and in the name of its canary endpoint. Allowed: a lower-case letter, then "
        "at most 39 lower-case letters, digits and single hyphens; the last is not a hyphen.",
        examples=["orders"],
    )
    endpoint: Annotated[str, AfterValidator(_endpoint), Field(max_length=ARN_LENGTH)] = Field(
        description="The DMS endpoint. One that exists is adopted: only the fields that the source "
        "names are changed. An identifier that does not exist is created, once. Allowed: the ARN "
        "of an endpoint, or an identifier: a letter, then letters, digits and single hyphens; at "
        "most 255 characters; the last is not a hyphen.",
        examples=["orders-source", "arn:aws:dms:eu-west-1:111122223333:endpoint:ABCDEF"],
    )
    endpoint_type: Literal["source", "target"] = Field(
        default="source",
        description="Whether DMS reads from this database or writes to it. Must be that of an "
        "endpoint that exists.",
        examples=["target"],
    )
    engine: Engine = Field(
        default="postgres",
        description="The engine of the endpoint. Must be that of an endpoint that exists: it is "
        "never changed. aurora-postgresql-serverless is an engine of targets alone.",
        examples=["aurora-postgresql"],
    )
    host: Annotated[str, AfterValidator(_host), Field(max_length=255)] = Field(
        description="The host that is connected to, and that the certificate must name under "
        "verify-full. Allowed: a host name or an IP address, without scheme, port, brackets or "
        "spaces.",
        examples=["orders.db.example.com", "10.0.12.7"],
    )
    port: StrictInt = Field(
        default=5432, ge=1, le=65535, description="The TCP port.", examples=[6432]
    )
    nodes: Annotated[tuple[_Node, ...], AfterValidator(_each_once)] = Field(
        default=(),
        max_length=16,
        description="The servers behind the host, where the name alone does not lead to all of "
        "them (a failover, a load balancer). Before an old CA is dropped, each of them must serve "
        "a chain that no longer needs it, for the host's name. They are looked at over TLS alone: "
        "nobody logs in there. Allowed: host names or IP addresses, each with a port of its own "
        "where that is another one (host:port, [address]:port); at most 16.",
        examples=[["db1.example.com", "10.0.12.8:6432"]],
    )
    database: (
        Annotated[str, AfterValidator(_database), Field(min_length=1, max_length=63)] | None
    ) = Field(
        default=None,
        description="The name of the database. Required to create an endpoint; the probe logs in "
        "to it too (without one, to the database named like the user). Allowed: at most 63 "
        "characters, without blanks, control characters, quotes, backslashes, ://, or one of "
        "; { } =, since what follows could be read as another setting.",
        examples=["orders"],
    )
    ssl_mode: Annotated[SslMode, BeforeValidator(_ssl_mode)] = Field(
        description="The ssl_mode of the endpoint. libpq's word disable means none; libpq's allow "
        "and prefer are refused, because DMS has no opportunistic mode and such a connection can "
        "silently be plain text. A mode weaker than that of the endpoint needs allow_downgrade.",
        examples=["verify-full"],
    )
    credentials: SecretArn | None = Field(
        default=None,
        description="The secret with username and password, and with host and port in "
        "credentials_mode secret, where DMS reads it itself. Required to create an endpoint. "
        "Allowed: the full ARN of a secret, with its six-character suffix.",
        examples=["arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-AbCdEf"],
    )
    credentials_mode: CredentialsMode = Field(
        default=CredentialsMode.SECRET,
        description="How the endpoint gets user and password. secret: the endpoint refers to the "
        "secret, and DMS reads it. inline: the values are set on the endpoint, and set again when "
        "the secret has a new version.",
        examples=["inline"],
    )
    server_certificate: (
        Annotated[str, AfterValidator(_server_certificate), Field(max_length=ARN_LENGTH)] | None
    ) = Field(
        default=None,
        description="The certificate that PostgreSQL is meant to serve, with which the served one "
        "is compared. A secret with certificate and key: they are imported into ACM, and a CA in "
        "the secret stands in for ca_bundle. A certificate in ACM (issued there, or exported from "
        "there to the host): leaf and chain are read, and nothing is imported. Allowed: the full "
        "ARN of a secret, with its six-character suffix, or of a certificate in ACM.",
        examples=[
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-tls-GhIjKl",
            "arn:aws:acm:eu-west-1:111122223333:certificate/11111111-2222-3333-4444-555555555555",
        ],
    )
    ca_bundle: Annotated[str, AfterValidator(_bundle), Field(max_length=ARN_LENGTH)] | None = Field(
        default=None,
        description="The CA certificates that DMS is to trust. Required for verify-ca and "
        "verify-full unless the secret of server_certificate holds a CA. Allowed: a word that "
        "stands for roots that Certifier knows; s3://bucket/key in a bucket that the installation "
        "allows; or the full ARN of a secret. The words: rds, the roots of the host's Region; "
        "public, as libpq's sslrootcert=system, for verify-full alone: DMS gets the root that the "
        "served chain ends in and its owner's other roots; letsencrypt, amazon (ACM, RDS Proxy) "
        "and azure, the roots of these.",
        examples=["rds", "public", "s3://platform-trust/rds/eu-west-1-bundle.pem"],
    )
    ca_bundle_sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="The SHA-256 of the file that ca_bundle names, in lower-case hex. Another file "
        "in its place is refused.",
        examples=["e5bb2084ccf45087bda1c9bffdea0eb15ee67f0b91646106e466714f9de3c7e3"],
    )
    ca_overlap: StrictBool = Field(
        default=True,
        description="Whether the old CA stays trusted until the server's chain no longer needs it. "
        "false switches to the new CA at once: for a CA that is compromised.",
        examples=[False],
    )
    replication_instances: tuple[
        Annotated[
            str,
            _matches(
                _INSTANCE_ARN, "must be the ARN of a replication instance (arn:aws:dms:...:rep:...)"
            ),
            Field(max_length=ARN_LENGTH),
        ],
        ...,
    ] = Field(
        default=(),
        max_length=60,
        description="The replication instances that must be able to connect. Without any: those "
        "that have a connection or a task on the endpoint. Allowed: ARNs of replication instances.",
        examples=[["arn:aws:dms:eu-west-1:111122223333:rep:ABCDEF"]],
    )
    restart_tasks: Annotated[bool | str, BeforeValidator(_restart)] = Field(
        default=False,
        description="Whether running tasks may be stopped for a change, and started again after "
        "it. DMS changes no endpoint under a running task. Allowed: true, false, or a weekly "
        "window: a day of the week, from when to when, and the time zone.",
        examples=["sun 02:00-04:00 Europe/Berlin", True],
    )
    probe: ProbePolicy = Field(
        default=ProbePolicy.REQUIRED,
        description="What a failure of our own probe means. required: the source is refused. "
        "advisory: network and login errors become warnings once DMS itself connects; what is "
        "wrong with TLS stays an error. off: there is no probe, and DMS alone decides.",
        examples=["advisory"],
    )
    probe_login: StrictBool | None = Field(
        default=None,
        description="Whether the probe logs in, after TLS has been verified. Without it: when "
        "credentials are given and ssl_mode verifies the server (verify-ca or verify-full). On a "
        "connection that is not verified the probe then names the user and looks how the server "
        "asks for the password, without answering; false: not even that.",
        examples=[False],
    )
    probe_plaintext: StrictBool = Field(
        default=False,
        description="Whether the probe also checks, on a connection of its own, that the server "
        "refuses a login without TLS. Needs a probe that logs in.",
        examples=[True],
    )
    allow_downgrade: StrictBool = Field(
        default=False,
        description="Permits a change to a weaker ssl_mode than the endpoint has; otherwise it is "
        "refused as would_weaken.",
        examples=[True],
    )
    allow_irreversible: StrictBool = Field(
        default=False,
        description="Permits a change that cannot be rolled back, such as replacing a password "
        "that no secret holds; otherwise it is refused as irreversible.",
        examples=[True],
    )

    replaces: StrictInt | None = Field(
        default=None,
        ge=1,
        le=2**53,
        exclude=True,  # of the registration, not of what is registered
        description="The version of the registered source that this one replaces, as its "
        "newest record shows it. Needed only to register a source again with another host, port, "
        "database or endpoint, or a weaker ssl_mode, or to name a database that it left out once "
        "it has an endpoint: whoever does that must have read what was there. It is not stored.",
        examples=[3],
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        secret = self.server_certificate and self.acm_certificate is None
        if self.ssl_mode.verifies and self.ca_bundle is None and not secret:
            raise _wrong(
                f"ca_bundle: {self.ssl_mode.value} needs a CA: give ca_bundle, or a "
                "server_certificate whose secret holds one"
            )
        if self.ca_bundle_sha256 is not None and self.ca_bundle is None:
            raise _wrong("ca_bundle_sha256: needs ca_bundle")
        if self.engine == "aurora-postgresql-serverless" and self.endpoint_type != "target":
            raise _wrong('engine: aurora-postgresql-serverless needs "endpoint_type": "target"')
        self._word_fits()
        if self.probe_login and self.credentials is None:
            raise _wrong("probe_login: needs credentials")
        if self.probe_plaintext and not self.logs_in:
            raise _wrong("probe_plaintext: needs credentials, and a probe that logs in with them")
        if self.credentials_mode is CredentialsMode.INLINE and self.credentials is None:
            raise _wrong("credentials_mode: inline needs credentials")
        return self

    def _word_fits(self) -> None:
        word = self.trust_word
        if word is None:
            return
        full = self.ssl_mode is SslMode.VERIFY_FULL
        if (mistake := word_mistake(word, self.host, verify_full=full)) is not None:
            raise _wrong(f"ca_bundle: {mistake}")
        if word is TrustWord.PUBLIC and self.probe is ProbePolicy.OFF:
            raise _wrong("ca_bundle: public needs a probe, which sees the root that is served")
        if self.ca_bundle_sha256 is not None:
            raise _wrong(f"ca_bundle_sha256: is of a file, and {word.value} is not one")

    @property
    def trust_word(self) -> TrustWord | None:
        """The word that stands for the CAs; ``None``: there is a bundle, or nothing."""
        return TrustWord(self.ca_bundle) if self.ca_bundle in set(TrustWord) else None

    @property
    def acm_certificate(self) -> str | None:
        """The ARN of the intended certificate, when it lives in ACM."""
        arn = self.server_certificate
        return arn if arn is not None and _ACM_ARN.fullmatch(arn) else None

    @property
    def logs_in(self) -> bool:
        """Whether the probe logs in.

        On a connection that is not verified only if the source says so: a stranger who answers in
        the server's place gets no proof of the password, at which to guess in peace.
        """
        if self.probe_login is not None:
            return self.probe_login
        return self.credentials is not None and self.ssl_mode.verifies

    @property
    def secrets(self) -> tuple[str, ...]:
        """The ARNs of the secrets that it names, as often as it names them."""
        named = (self.credentials, self.server_certificate, self.ca_bundle)
        return tuple(arn for arn in named if arn is not None and _SECRET_ARN.fullmatch(arn))

    @property
    def window(self) -> Window | None:
        """The weekly window in which tasks may be paused, if the source has one."""
        return Window.parse(self.restart_tasks) if isinstance(self.restart_tasks, str) else None


class InvalidSource(ValueError):
    """The data is not a source. ``problems``: a sentence for every mistake, without a value."""

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
        where = ".".join(printable(str(part), _KEY_SHOWN) for part in mistake["loc"])
        match mistake["type"]:
            case "missing":
                what = "is required"
            case "extra_forbidden":
                import difflib  # noqa: PLC0415 - for people who mistype; no run of a Lambda does

                key = str(mistake["loc"][-1])[:_KEY_SHOWN]
                close = difflib.get_close_matches(key, known, n=1)
                what = "is not a known field" + (f" (did you mean {close[0]}?)" if close else "")
            case _:
                said = mistake["msg"].removeprefix("Value error, ")
                what = said[0].lower() + said[1:]
        sentences.append(f"{where}: {what}" if where else what)
    return tuple(sentences)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a source."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Source.model_json_schema()}
