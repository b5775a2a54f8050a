"""What a probe found: the verdicts, why, and the evidence. Public data only; stable as JSON.

``docs/reference/probe-json.md`` describes every field. Everything that a server said has been
escaped and capped.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from certifier.certificate import CertificateFacts
from certifier.models import Fact, Finding
from certifier.redactor import COMPUTED
from certifier.vocabulary import Cause, SslMode, Stage


class SlotFacts(Fact):
    """A replication slot of the PostgreSQL server.

    Attributes:
        active: somebody reads from it now.
        retained_bytes: of WAL that the server keeps for it; None when it keeps none any more.
        wal_status: ``reserved``, ``extended``, ``unreserved`` or ``lost``; PostgreSQL 13 and later.
    """

    name: str
    active: bool
    retained_bytes: int | None = None
    wal_status: str | None = None


class Verdict(Fact):
    """Whether libpq connects in one mode, and the one reason when it does not.

    Attributes:
        cause: None exactly when `passed`.
        seen: one sentence.
        libpq: the text that libpq (18) gives for it, as far as it can be known.
    """

    passed: bool
    cause: Cause | None = None
    seen: str
    libpq: str | None = None


class DmsReading(Fact):
    """`require` as DMS documents it: encrypted, the certificate not looked at."""

    passed: bool
    cause: Cause | None = None
    seen: str
    differs: bool = Field(description="whether libpq's own reading says the opposite")


class RequireVerdict(Verdict):
    """libpq's reading of `require`: with a CA file it verifies like `verify-ca`."""

    dms_reading: DmsReading


class Verdicts(Fact):
    """All three from one look."""

    model_config = ConfigDict(
        validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    require: RequireVerdict
    verify_ca: Verdict = Field(alias="verify-ca")
    verify_full: Verdict = Field(alias="verify-full")

    def of(self, mode: SslMode) -> Verdict:
        """The verdict of a mode that uses TLS. Raises ValueError for `none`."""
        match mode:
            case SslMode.REQUIRE:
                return self.require
            case SslMode.VERIFY_CA:
                return self.verify_ca
            case SslMode.VERIFY_FULL:
                return self.verify_full
            case SslMode.NONE:
                raise ValueError("ssl_mode none has no TLS verdict")


class Address(Fact):
    """One resolved address, in the order of resolution, and what came of dialling it."""

    ip: str
    outcome: Literal["connected", "refused", "unreachable", "timeout", "failed", "not_tried"]


class TlsFacts(Fact):
    """What was negotiated. `verified`: the chain was verified on the connection described here."""

    version: str
    cipher: str
    bits: int
    alpn: str | None
    verified: bool


class OpenSsl(Fact):
    """The TLS library that looked, and what it offers to a server: its verdicts rest on that.

    Attributes:
        version: as OpenSSL says it.
        curves: groups for the exchange of keys, the preferred one first.
        signature_algorithms: those that it accepts in a handshake and a chain.
    """

    version: str
    curves: tuple[str, ...]
    signature_algorithms: tuple[str, ...]


class LoginFacts(Fact):
    """What the server said after the login.

    Attributes:
        method: how the server asked to authenticate: ``trust``, ``password``, ``md5``,
            ``scram-sha-256``, ``scram-sha-256-plus`` or another, as the protocol names it.
        channel_binding: whether SCRAM was bound to the TLS connection and the server proved it.
        ssl: the server's setting (``SHOW ssl``); `min_tls`: ``ssl_min_protocol_version``, None when
            the role may not see it.
        session_ssl, session_version, session_cipher: the probe's own row of ``pg_stat_ssl``.
        plaintext_sessions: other remote sessions without TLS; None when the role may not see them.
        same_process: asked only when the server sees no TLS, or another than we do: whether the
            server process that took the login answers queries too, as behind a tunnel; False behind
            a pooler. `pooler`: the name of one that passes processes on, known by its commands.
        in_recovery: whether the server is a standby, which cannot be written to.
        slots: replication slots of every database, at most 50: inactive ones first, and those that
            keep WAL for longest; None when the server does not show them to the role.
    """

    succeeded: bool
    method: str | None = None
    channel_binding: bool = False
    server_version: str | None = None
    ssl: str | None = None
    min_tls: str | None = None
    session_ssl: bool | None = None
    session_version: str | None = None
    session_cipher: str | None = None
    plaintext_sessions: int | None = None
    in_recovery: bool | None = None
    same_process: bool | None = None
    pooler: str | None = None
    slots: tuple[SlotFacts, ...] | None = None


class PlaintextFacts(Fact):
    """What the server answered to a login without TLS; nothing secret was sent.

    `accepted`: it went on to authentication (or further). `seen`: its answer. `method`: how it
    asks for the password; null when it asks for none.
    """

    accepted: bool
    seen: str
    method: str | None = None


class OlderClientFacts(Fact):
    """What a client was shown that sends neither server name nor ALPN, as libpq 13 and older.

    `leaf_sha256`, `names`: of the certificate; None and empty when there was no TLS for it.
    """

    leaf_sha256: Annotated[str | None, COMPUTED] = None
    names: tuple[str, ...] = ()


class Timings(Fact):
    """Milliseconds per stage; None for a stage that was not reached. `total` is wall clock."""

    dns: float | None = None
    tcp: float | None = None
    tls: float | None = None
    login: float | None = None
    query: float | None = None
    total: float = 0.0


class Evidence(Fact):
    """What the verdicts rest on.

    Attributes:
        connections: how many TCP connections were opened to look.
        server_name: the TLS server name that was sent, as libpq would.
        chain: the certificates as served, at most `CHAIN_SHOWN`; `chain_length` counts all.
        chain_complete: False when this interpreter only shows the leaf.
        anchor: the CA of the bundle that the chain ends in; None when it was not verified.
        names: the names of the leaf, as libpq reads them.
        served_intended: whether the leaf is the intended one; None when nobody said which.
        older_client: what an older client was shown; None when nobody looked.
        days_left: whole days until the first certificate in the chain expires; negative after.
        openssl: what looked; None in a report of an earlier version.
    """

    host: str
    port: int
    addresses: tuple[Address, ...] = ()
    peer: str | None = None
    connections: int = 0
    reached: Stage
    server_name: str | None = None
    tls: TlsFacts | None = None
    chain: tuple[CertificateFacts, ...] = ()
    chain_length: int = 0
    chain_complete: bool = True
    anchor: CertificateFacts | None = None
    names: tuple[str, ...] = ()
    leaf_sha256: Annotated[str | None, COMPUTED] = None
    served_intended: bool | None = None
    days_left: int | None = None
    login: LoginFacts | None = None
    plaintext: PlaintextFacts | None = None
    openssl: OpenSsl | None = None
    older_client: OlderClientFacts | None = None
    timings: Timings = Field(default_factory=Timings)


class ProbeReport(Fact):
    """The answer to one :class:`~certifier.probe.request.ProbeRequest`."""

    verdict: Literal["pass", "fail"]
    ssl_mode: SslMode
    verdicts: Verdicts
    findings: tuple[Finding, ...]
    evidence: Evidence

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"
