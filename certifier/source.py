"""A source, as a person or a pipeline writes it: one PostgreSQL database and its DMS endpoint.

Validation is strict: unknown keys are rejected, every mistake is reported at once, and no value is
echoed, since a password may have been put into the wrong field.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from certifier.certificate.trust_sets import TrustWord
from certifier.mistakes import what_is_allowed
from certifier.models import Fact
from certifier.source_values import (
    CaBundle,
    Database,
    EndpointName,
    Host,
    InstanceArn,
    Mode,
    Name,
    Nodes,
    RestartTasks,
    SecretArn,
    ServerCertificate,
    is_acm_arn,
    is_secret_arn,
    word_mistake,
    wrong,
)
from certifier.text import printable
from certifier.vocabulary import SslMode
from certifier.window import Window

Engine = Literal["postgres", "aurora-postgresql", "aurora-postgresql-serverless"]
"""The engines of an endpoint that Certifier keeps, in DMS's words."""

_KEY_SHOWN = 60  # characters of a key that nobody knows


class CredentialsMode(StrEnum):
    """How the endpoint gets its user and password."""

    SECRET = "secret"  # the endpoint refers to the secret
    INLINE = "inline"  # the values are set on the endpoint


class ProbePolicy(StrEnum):
    """What a failure of our own probe means for the source."""

    REQUIRED = "required"
    ADVISORY = "advisory"  # network and login faults are warnings, once DMS itself connects
    OFF = "off"


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
    name: Name = Field(
        description="The name of the source, unique in the installation: in the table, in records "
        "and notices, and in the name of its canary endpoint. Allowed: a lower-case letter, then "
        "at most 39 lower-case letters, digits and single hyphens; the last is not a hyphen.",
        examples=["orders"],
    )
    endpoint: EndpointName = Field(
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
    host: Host = Field(
        description="The host that is connected to, and that the certificate must name under "
        "verify-full. Allowed: a host name or an IP address, without scheme, port, brackets or "
        "spaces.",
        examples=["orders.db.example.com", "10.0.12.7"],
    )
    port: StrictInt = Field(
        default=5432, ge=1, le=65535, description="The TCP port.", examples=[6432]
    )
    nodes: Nodes = Field(
        default=(),
        max_length=16,
        description="The servers behind the host, where the name alone does not lead to all of "
        "them (a failover, a load balancer). Before an old CA is dropped, each of them must serve "
        "a chain that no longer needs it, for the host's name. They are looked at over TLS alone: "
        "nobody logs in there. Allowed: host names or IP addresses, each with a port of its own "
        "where that is another one (host:port, [address]:port); at most 16.",
        examples=[["db1.example.com", "10.0.12.8:6432"]],
    )
    database: Database | None = Field(
        default=None,
        description="The name of the database. Required to create an endpoint; the probe logs in "
        "to it too (without one, to the database named like the user). Allowed: at most 63 "
        "characters, without blanks, control characters, quotes, backslashes, ://, or one of "
        "; { } =, since what follows could be read as another setting.",
        examples=["orders"],
    )
    ssl_mode: Mode = Field(
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
    server_certificate: ServerCertificate | None = Field(
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
    ca_bundle: CaBundle | None = Field(
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
    replication_instances: tuple[InstanceArn, ...] = Field(
        default=(),
        max_length=60,
        description="The replication instances that must be able to connect. Without any: those "
        "that have a connection or a task on the endpoint. Allowed: ARNs of replication instances.",
        examples=[["arn:aws:dms:eu-west-1:111122223333:rep:ABCDEF"]],
    )
    restart_tasks: RestartTasks = Field(
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
            raise wrong(
                f"ca_bundle: {self.ssl_mode.value} needs a CA: give ca_bundle, or a "
                "server_certificate whose secret holds one"
            )
        if self.ca_bundle_sha256 is not None and self.ca_bundle is None:
            raise wrong("ca_bundle_sha256: needs ca_bundle")
        if self.engine == "aurora-postgresql-serverless" and self.endpoint_type != "target":
            raise wrong('engine: aurora-postgresql-serverless needs "endpoint_type": "target"')
        self._word_fits()
        if self.probe_login and self.credentials is None:
            raise wrong("probe_login: needs credentials")
        if self.probe_plaintext and not self.logs_in:
            raise wrong("probe_plaintext: needs credentials, and a probe that logs in with them")
        if self.credentials_mode is CredentialsMode.INLINE and self.credentials is None:
            raise wrong("credentials_mode: inline needs credentials")
        return self

    def _word_fits(self) -> None:
        word = self.trust_word
        if word is None:
            return
        full = self.ssl_mode is SslMode.VERIFY_FULL
        if (mistake := word_mistake(word, self.host, verify_full=full)) is not None:
            raise wrong(f"ca_bundle: {mistake}")
        if word is TrustWord.PUBLIC and self.probe is ProbePolicy.OFF:
            raise wrong("ca_bundle: public needs a probe, which sees the root that is served")
        if self.ca_bundle_sha256 is not None:
            raise wrong(f"ca_bundle_sha256: is of a file, and {word.value} is not one")

    @property
    def trust_word(self) -> TrustWord | None:
        """The word that stands for the CAs; ``None``: there is a bundle, or nothing."""
        return TrustWord(self.ca_bundle) if self.ca_bundle in set(TrustWord) else None

    @property
    def acm_certificate(self) -> str | None:
        """The ARN of the intended certificate, when it lives in ACM."""
        arn = self.server_certificate
        return arn if arn is not None and is_acm_arn(arn) else None

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
        return tuple(arn for arn in named if arn is not None and is_secret_arn(arn))

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
    for mistake in error.errors(include_url=False, include_input=False):
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
                what = what_is_allowed(mistake)
        sentences.append(f"{where}: {what}" if where else what)
    return tuple(sentences)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a source."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Source.model_json_schema()}
