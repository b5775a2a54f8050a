"""Each cause that a connection can show, on a server that is really broken that way.

Every case is looked at by the probe, by the libpq of psycopg, and by the libpq of the oldest and
newest PostgreSQL that is installed. The probe must name the cause, and the words of each libpq must
be read as the same one; only why a chain does not verify, libpq does not say.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives import hashes
from psycopg.conninfo import make_conninfo

from certifier.diagnosis import CATALOGUE, explain, from_verify_code
from certifier.models import Policy
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause, Severity, SslMode
from sandbox.libpq import refusal
from sandbox.listener import listening
from sandbox.pki import CLIENT_AUTH, Authority, BasicConstraints, Key, Leaf, self_signed
from sandbox.postgres import Access, Postgres, PostgresError, Stop, available_majors, libpq_file

HOST, ADDRESS = "db.test", "127.0.0.1"
NAMES = ([HOST], [ADDRESS])
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
Handler = Callable[[socket.socket], None]


@cache
def root() -> Authority:
    return Authority.root("Scenario root")


@cache
def stranger() -> Authority:
    return Authority.root("Another root")


@cache
def issuing() -> Authority:
    return root().intermediate("Scenario issuing intermediate")


def good() -> Leaf:
    return issuing().issue(*NAMES)


@dataclass(frozen=True)
class Case:
    """A broken server, and how it is asked.

    Attributes:
        tls: what it serves; None for ssl off.
        settings, hba: how it is configured.
        trust: the CA file; None for none.
        ask: fields of the ProbeRequest that differ.
        libpq: connection parameters of libpq that differ from what `ask` says.
        words: the cause that libpq's words are read as; None when libpq connects.
    """

    cause: Cause
    words: Cause | None
    tls: Callable[[], Leaf] | None = good
    settings: dict[str, str] = field(default_factory=dict)
    hba: Access = Access.ANY
    trust: Callable[[], bytes | None] = lambda: root().certificate_pem
    ask: dict[str, Any] = field(default_factory=dict)
    libpq: dict[str, Any] = field(default_factory=dict)


def request_to(server: Postgres, trust: bytes | None, **ask: Any) -> ProbeRequest:
    fields: dict[str, Any] = {
        "host": HOST,
        "address": server.host,
        "port": server.port,
        "user": server.user,
        "database": server.database,
        "password": lambda: server.password,
        "ca_bundle": trust,
        "policy": AddressPolicy.anywhere(),
    }
    return ProbeRequest(**{**fields, **ask})


def parameters(request: ProbeRequest, folder: Path) -> dict[str, Any]:
    """The same request in libpq's words."""
    mode = "disable" if request.ssl_mode is SslMode.NONE else request.ssl_mode.value
    found: dict[str, Any] = {
        "host": request.host,
        "port": request.port,
        "user": request.user,
        "dbname": request.database,
        "sslmode": mode,
        "sslrootcert": folder / "none.crt",
        "connect_timeout": 10,
    }
    if request.address is not None:
        found["hostaddr"] = request.address
    if request.password is not None:
        found["password"] = request.password()
    for name, key, content in (
        ("root.crt", "sslrootcert", request.ca_bundle),
        ("root.crl", "sslcrl", request.crl),
    ):
        if content is not None:
            (folder / name).write_bytes(content)
            found[key] = folder / name
    if request.min_tls:
        found["ssl_min_protocol_version"] = f"TLSv{request.min_tls}"
    return found


def words_of_each_libpq(asked: dict[str, Any]) -> dict[str, str]:
    """What psycopg's libpq and the oldest and newest of the packages say; empty: connected."""
    try:
        psycopg.connect(make_conninfo(**{k: str(v) for k, v in asked.items()})).close()
        said = {"psycopg": ""}
    except psycopg.OperationalError as error:
        said = {"psycopg": str(error)}
    majors = available_majors()
    for major in sorted({majors[0], majors[-1]}):
        said[f"libpq {major}"] = refusal(major, asked)
    return said


def errors_and_warnings(report: ProbeReport) -> set[Cause]:
    return {found.cause for found in report.findings}


def main_cause(report: ProbeReport) -> Cause | None:
    """The cause of the first error; None when there is none."""
    return next((f.cause for f in report.findings if f.severity is Severity.ERROR), None)


def check(case: Case, server: Postgres, folder: Path) -> None:
    request = request_to(server, case.trust(), **case.ask)
    report = probe(request)
    assert case.cause in errors_and_warnings(report), report.findings
    if CATALOGUE[case.cause].severity is Severity.ERROR and case.words is not None:
        assert main_cause(report) is case.cause, report.findings
    for which, text in words_of_each_libpq({**parameters(request, folder), **case.libpq}).items():
        if case.words is None:
            assert text == "", which
        else:
            assert text, f"{which} connects"
            assert explain(text).cause is case.words, (which, text)


REJECTED = Cause.CERTIFICATE_REJECTED


def verifying(cause: Cause, tls: Callable[[], Leaf], **more: Any) -> Case:
    """A chain that does not verify: libpq says no more than that."""
    return Case(cause, REJECTED, tls, **more)


CASES = [
    pytest.param(Case(Cause.SSL_OFF, Cause.SSL_OFF, None), marks=pytest.mark.shows("ssl_off")),
    pytest.param(
        Case(
            Cause.TLS_NO_SHARED_PROTOCOL,
            Cause.TLS_NO_SHARED_PROTOCOL,
            settings={
                "ssl_min_protocol_version": "TLSv1",
                "ssl_max_protocol_version": "TLSv1.1",
            },
        ),
        marks=pytest.mark.shows("tls_no_shared_protocol"),
    ),
    pytest.param(
        Case(
            Cause.TLS_NO_SHARED_CIPHER,
            Cause.TLS_NO_SHARED_CIPHER,
            settings={
                "ssl_max_protocol_version": "TLSv1.2",
                "ssl_ciphers": "ECDHE-RSA-AES256-GCM-SHA384",
            },
        ),
        marks=pytest.mark.shows("tls_no_shared_cipher"),
    ),
    pytest.param(
        Case(
            Cause.CLIENT_CERTIFICATE_REQUIRED,
            Cause.CLIENT_CERTIFICATE_REQUIRED,
            settings={"ssl_ca_file": "client_ca.crt"},
            hba=Access.CLIENT_CERTIFICATE,
        ),
        marks=pytest.mark.shows("client_certificate_required"),
    ),
    # ---- the trust
    pytest.param(
        Case(Cause.CA_BUNDLE_MISSING, Cause.CA_BUNDLE_MISSING, trust=lambda: None),
        marks=pytest.mark.shows("ca_bundle_missing"),
    ),
    pytest.param(
        Case(Cause.CA_BUNDLE_INVALID, Cause.CA_BUNDLE_INVALID, trust=lambda: b"no certificate\n"),
        marks=pytest.mark.shows("ca_bundle_invalid"),
    ),
    pytest.param(
        Case(Cause.CRL_INVALID, None, ask={"crl": b"no list\n"}),
        marks=pytest.mark.shows("crl_invalid"),
    ),
    # ---- the chain
    pytest.param(
        verifying(
            Cause.CHAIN_INCOMPLETE,
            lambda: replace(good(), chain=()),
        ),
        marks=pytest.mark.shows("chain_incomplete"),
    ),
    pytest.param(
        verifying(Cause.UNKNOWN_AUTHORITY, lambda: stranger().issue(*NAMES)),
        marks=pytest.mark.shows("unknown_authority"),
    ),
    pytest.param(
        verifying(Cause.UNKNOWN_AUTHORITY, good, trust=lambda: issuing().certificate_pem),
        id="an intermediate as the only trust",
    ),
    pytest.param(
        verifying(Cause.SELF_SIGNED, lambda: self_signed(*NAMES)),
        marks=pytest.mark.shows("self_signed"),
    ),
    pytest.param(
        Case(
            Cause.SIGNATURE_INVALID,
            Cause.SIGNATURE_INVALID,
            lambda: Authority.root("Anew", ski=False).issue(*NAMES, aki=False),
            trust=lambda: Authority.root("Anew", ski=False).certificate_pem,
        ),
        marks=pytest.mark.shows("signature_invalid"),
    ),
    pytest.param(
        Case(
            Cause.SIGNATURE_INVALID,
            Cause.SIGNATURE_INVALID,
            lambda: Authority.root("Anew", ski=False, key=Key.RSA_2048).issue(*NAMES, aki=False),
            trust=lambda: (
                Authority.root("Anew", ski=False, key=Key.RSA_2048, fresh=True).certificate_pem
            ),
        ),
        id="another RSA key",
    ),
    pytest.param(
        verifying(Cause.CERTIFICATE_EXPIRED, lambda: issuing().issue(*NAMES, not_after=NOW - DAY)),
        marks=pytest.mark.shows("certificate_expired"),
    ),
    pytest.param(
        verifying(
            Cause.CERTIFICATE_NOT_YET_VALID, lambda: issuing().issue(*NAMES, not_before=NOW + DAY)
        ),
        marks=pytest.mark.shows("certificate_not_yet_valid"),
    ),
    pytest.param(
        verifying(
            Cause.CERTIFICATE_REVOKED,
            lambda: root().issue(*NAMES, serial=4711),
            ask={"crl": root().crl([root().issue(serial=4711)])},
        ),
        marks=pytest.mark.shows("certificate_revoked"),
    ),
    pytest.param(
        verifying(Cause.CRL_UNAVAILABLE, good, ask={"crl": root().crl()}),
        marks=pytest.mark.shows("crl_unavailable"),
    ),
    pytest.param(
        verifying(
            Cause.CERTIFICATE_WRONG_PURPOSE, lambda: issuing().issue(*NAMES, eku=(CLIENT_AUTH,))
        ),
        marks=pytest.mark.shows("certificate_wrong_purpose"),
    ),
    pytest.param(
        verifying(
            Cause.CERTIFICATE_REJECTED,
            lambda: root().intermediate("Short", path_length=0).intermediate("Long").issue(*NAMES),
        ),
        marks=pytest.mark.shows("certificate_rejected"),
    ),
    pytest.param(
        Case(
            Cause.HOSTNAME_MISMATCH,
            Cause.HOSTNAME_MISMATCH,
            lambda: issuing().issue(["one.test", "two.test"]),
        ),
        marks=pytest.mark.shows("hostname_mismatch"),
    ),
    pytest.param(
        Case(Cause.HOSTNAME_MISMATCH, Cause.HOSTNAME_MISMATCH, lambda: issuing().issue()),
        id="no name at all",
    ),
    pytest.param(
        Case(
            Cause.HOSTNAME_MISMATCH,
            Cause.HOSTNAME_MISMATCH,
            lambda: issuing().issue([f"{HOST}\0.evil.test".encode()]),
        ),
        id="a NUL in the name",
    ),
    pytest.param(
        Case(Cause.HOSTNAME_READING_DIFFERS, None, ask={"host": ADDRESS}),
        marks=pytest.mark.shows("hostname_reading_differs"),
    ),
    # ---- the login
    pytest.param(
        Case(Cause.PASSWORD_MISSING, Cause.PASSWORD_MISSING, ask={"password": None}),
        marks=pytest.mark.shows("password_missing"),
    ),
    pytest.param(
        Case(Cause.PASSWORD_REJECTED, Cause.PASSWORD_REJECTED, ask={"password": lambda: "wrong"}),
        marks=pytest.mark.shows("password_rejected"),
    ),
    pytest.param(
        Case(
            Cause.UNSAFE_PASSWORD_REQUEST,
            None,
            hba=Access.CLEAR_TEXT,
            trust=lambda: None,
            ask={"ssl_mode": SslMode.REQUIRE},
        ),
        marks=pytest.mark.shows("unsafe_password_request"),
    ),
    pytest.param(
        Case(
            Cause.UNSAFE_PASSWORD_REQUEST,
            Cause.UNSAFE_PASSWORD_REQUEST,
            hba=Access.CLEAR_TEXT,
            trust=lambda: None,
            ask={"ssl_mode": SslMode.REQUIRE},
            libpq={"channel_binding": "require"},
        ),
        id="libpq that insists on channel binding",
    ),
    pytest.param(
        Case(
            Cause.ROLE_MISSING,
            Cause.ROLE_MISSING,
            hba=Access.TRUST,
            ask={"user": "nobody's"},
        ),
        marks=pytest.mark.shows("role_missing"),
    ),
    pytest.param(
        Case(Cause.DATABASE_MISSING, Cause.DATABASE_MISSING, ask={"database": "nowhere"}),
        marks=pytest.mark.shows("database_missing"),
    ),
    pytest.param(
        Case(Cause.HBA_REJECTED, Cause.HBA_REJECTED, hba=Access.PLAIN_ONLY),
        marks=pytest.mark.shows("hba_rejected"),
    ),
    pytest.param(
        Case(Cause.HBA_REJECTED, Cause.HBA_REJECTED, hba=Access.NOBODY),
        id="a reject line",
    ),
    pytest.param(
        Case(
            Cause.HBA_REJECTED_PLAINTEXT,
            Cause.HBA_REJECTED_PLAINTEXT,
            hba=Access.TLS_ONLY,
            ask={"ssl_mode": SslMode.NONE},
        ),
        marks=pytest.mark.shows("hba_rejected_plaintext"),
    ),
    # ---- what server and certificate are like
    pytest.param(
        Case(
            Cause.PLAINTEXT_ACCEPTED, None, ask={"probe_plaintext": True}, libpq={"host": ADDRESS}
        ),
        marks=pytest.mark.shows("plaintext_accepted"),
    ),
    pytest.param(
        Case(
            Cause.CERTIFICATE_EXPIRES_SOON,
            None,
            lambda: issuing().issue(*NAMES, not_before=NOW - 60 * DAY, not_after=NOW + 9 * DAY),
        ),
        marks=pytest.mark.shows("certificate_expires_soon"),
    ),
    pytest.param(
        Case(
            Cause.VALIDITY_TOO_LONG,
            None,
            lambda: issuing().issue(*NAMES, not_before=NOW - DAY, not_after=NOW + 999 * DAY),
        ),
        marks=pytest.mark.shows("validity_too_long"),
    ),
    pytest.param(
        Case(
            Cause.CA_NOT_STRICT,
            None,
            lambda: (
                root()
                .intermediate(basic_constraints=BasicConstraints.NOT_CRITICAL, key_usage=False)
                .issue(*NAMES)
            ),
        ),
        marks=pytest.mark.shows("ca_not_strict"),
    ),
    pytest.param(
        Case(Cause.SERVED_CERTIFICATE_DIFFERS, None, ask={"intended_leaf_sha256": "ab" * 32}),
        marks=pytest.mark.shows("served_certificate_differs"),
    ),
    pytest.param(
        Case(Cause.MODE_COULD_BE_RAISED, None, ask={"ssl_mode": SslMode.REQUIRE}),
        marks=pytest.mark.shows("mode_could_be_raised"),
    ),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Postgres]:
    """One server for all cases that a reload can break and repair."""
    with Postgres.start(tls=good()) as server:
        server.write_file("client_ca.crt", root().certificate_pem)
        yield server


@pytest.fixture
def server(shared: Postgres) -> Iterator[Postgres]:
    """The shared server, whole again after each test."""
    yield shared
    shared.configure(
        {
            "ssl": "on",
            "ssl_ca_file": "",
            "ssl_min_protocol_version": "TLSv1.2",
            "ssl_max_protocol_version": "",
            "ssl_ciphers": "HIGH:MEDIUM:+3DES:!aNULL",
        }
    )
    shared.set_hba(Access.ANY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause.value)
def test_a_server_that_is_broken(case: Case, server: Postgres, tmp_path: Path) -> None:
    """The probe names the cause, and each libpq's words are read as the same one."""
    if case.tls is None:
        server.configure({"ssl": "off"})
    else:
        server.use_tls(case.tls())
    server.configure(case.settings)
    server.set_hba(case.hba)
    check(case, server, tmp_path)


def expect(request: ProbeRequest, cause: Cause, folder: Path, words: Cause | None = None) -> None:
    """The probe names the cause as its first error, and so do the words of each libpq."""
    report = probe(request)
    assert main_cause(report) is cause, report.findings
    for which, text in words_of_each_libpq(parameters(request, folder)).items():
        assert explain(text).cause is (words or cause), (which, text)


# ---- what needs more than a start


@pytest.mark.shows("authentication_unsupported")
def test_a_method_that_no_password_answers(server: Postgres, tmp_path: Path) -> None:
    """pg_hba.conf asks for ident, for which no service runs."""
    server.use_tls(good())
    server.set_hba(["host all all all ident"])
    request = request_to(server, root().certificate_pem)
    expect(request, Cause.AUTHENTICATION_UNSUPPORTED, tmp_path)


@pytest.mark.parametrize("mode", ["prefer", "allow"])
def test_plain_text_is_refused_after_a_chain_that_does_not_verify(
    mode: str, server: Postgres, tmp_path: Path
) -> None:
    """libpq tries TLS and plain text, prints both, and what is wrong is the chain."""
    server.use_tls(stranger().issue(*NAMES))
    server.set_hba(Access.TLS_ONLY)
    asked = parameters(request_to(server, root().certificate_pem), tmp_path) | {"sslmode": mode}
    for which, text in words_of_each_libpq(asked).items():
        assert text.count("FATAL") == 1, (which, text)
        assert explain(text).cause is Cause.CERTIFICATE_REJECTED, (which, text)


@pytest.mark.shows("hba_file_invalid")
@pytest.mark.parametrize(
    "line", ["host all all all scram-sha256", "hostsll all all all trust", "host all all", "x y"]
)
def test_a_mistake_in_pg_hba_conf(line: str, tmp_path: Path) -> None:
    """The server goes on with the old lines, and says so in its log."""
    with Postgres.start(tls=good()) as server:
        before = len(server.log())
        with contextlib.suppress(PostgresError):
            server.set_hba([line])
        news = [
            text for text in server.log()[before:].splitlines() if "hba" in text or "LOG" in text
        ]
        causes = {explain(text).cause for text in news} - {Cause.UNKNOWN}
        assert causes == {Cause.HBA_FILE_INVALID}, news


@pytest.mark.shows("hba_file_unreadable")
def test_a_pg_hba_conf_that_is_not_there() -> None:
    """The server does not find the file that hba_file names."""
    with Postgres.start(tls=good()) as server:
        before = len(server.log())
        server.execute("ALTER SYSTEM SET hba_file = '/nowhere/pg_hba.conf'")
        with contextlib.suppress(PostgresError):
            server.restart()
        news = [text for text in server.log()[before:].splitlines() if "/nowhere" in text]
        assert news
        assert {explain(text).cause for text in news} == {Cause.HBA_FILE_UNREADABLE}, news


def test_hostssl_lines_without_ssl() -> None:
    """The log says that they match nobody: ssl is off, and no line is missing."""
    with Postgres.start(hba=["hostssl all all all trust", "host all all all trust"]) as server:
        news = [text for text in server.log().splitlines() if "hostssl" in text]
        assert explain(news[0]).cause is Cause.SSL_OFF


@pytest.mark.shows("slot_active", "slot_lost", "wal_level_low")
def test_a_replication_slot_that_cannot_be_read() -> None:
    """It is in use, it is gone, or the server writes no logical WAL."""
    make = "SELECT pg_create_logical_replication_slot('certifier', 'pgoutput')"
    read = "SELECT pg_replication_slot_advance('{}', pg_current_wal_lsn())"

    def said(server: Postgres, statement: str) -> Cause:
        with pytest.raises(psycopg.Error) as caught:
            server.execute(statement)
        return explain(str(caught.value)).cause

    settings = {"wal_level": "replica", "max_replication_slots": "4", "max_wal_senders": "4"}
    with Postgres.start(settings=settings) as server:
        assert said(server, make) is Cause.WAL_LEVEL_LOW
        server.restart(settings={"wal_level": "logical"})
        assert said(server, read.format("nowhere")) is Cause.SLOT_LOST
        server.execute(make)
        asked = make_conninfo(**server.parameters(replication="database"))
        walsender = psycopg.pq.PGconn.connect(asked.encode())
        walsender.send_query(
            b"START_REPLICATION SLOT certifier LOGICAL 0/0"
            b" (proto_version '1', publication_names 'none')"
        )
        for _attempt in range(1000):  # until the slot is taken
            if server.execute("SELECT active FROM pg_replication_slots") == [(True,)]:
                break
        assert said(server, read.format("certifier")) is Cause.SLOT_ACTIVE
        walsender.finish()


@pytest.mark.shows("permission_denied")
@pytest.mark.parametrize(
    "statement",
    [
        "REVOKE CONNECT ON DATABASE orders FROM PUBLIC",
        "ALTER ROLE app NOLOGIN",
        "ALTER DATABASE orders ALLOW_CONNECTIONS false",
    ],
)
def test_a_role_that_may_not(statement: str, tmp_path: Path) -> None:
    """Role and password are right, and it is not let in."""
    with Postgres.start(tls=good(), users={"app": "secret"}, databases=["orders"]) as server:
        server.execute(statement)
        request = request_to(
            server,
            root().certificate_pem,
            user="app",
            database="orders",
            password=lambda: "secret",
        )
        expect(request, Cause.PERMISSION_DENIED, tmp_path)


@pytest.mark.shows("too_many_connections")
@pytest.mark.parametrize("limited", ["server", "role", "database"])
def test_every_slot_is_taken(limited: str, tmp_path: Path) -> None:
    """Of the server, of the role, or of the database."""
    with Postgres.start(
        tls=good(), users={"app": "secret"}, settings={"max_connections": "5"}
    ) as server:
        asked = {"user": "app", "password": "secret", "sslmode": "require"}
        if limited == "server":
            taken = [psycopg.connect(**server.parameters(**asked)) for _slot in range(2)]
        else:
            taken = []
            server.execute(f"ALTER {limited} {_LIMITS[limited]} CONNECTION LIMIT 0")
        request = request_to(server, root().certificate_pem, user="app", password=lambda: "secret")
        expect(request, Cause.TOO_MANY_CONNECTIONS, tmp_path)
        for connection in taken:
            connection.close()


_LIMITS = {"role": "app", "database": "postgres"}


@pytest.mark.shows("server_starting")
def test_a_server_in_recovery(tmp_path: Path) -> None:
    """It answers, and takes no sessions."""
    with Postgres.start(tls=good()) as server:
        server.start_as_standby()
        expect(request_to(server, root().certificate_pem), Cause.SERVER_STARTING, tmp_path)


@pytest.mark.shows("server_shutting_down")
def test_a_server_that_waits_for_its_last_session(tmp_path: Path) -> None:
    """A smart shutdown refuses new sessions while an old one lasts."""
    with Postgres.start(tls=good()) as server, psycopg.connect(**server.parameters()):
        server.stop(Stop.SMART, wait=False)
        request = request_to(server, root().certificate_pem)
        for _attempt in range(100):  # the signal may take a moment
            if probe(request).verdict == "fail":
                break
        expect(request, Cause.SERVER_SHUTTING_DOWN, tmp_path)


@pytest.mark.shows("certificate_weak")
def test_a_certificate_that_only_an_old_client_accepts(server: Postgres, tmp_path: Path) -> None:
    """OpenSSL 3 refuses RSA 1024 and SHA-1, OpenSSL 1.1.1 does not: both are libpq."""
    rsa = Authority.root("RSA root", key=Key.RSA_2048)
    for leaf in (
        rsa.issue(*NAMES, key=Key.RSA_1024),
        rsa.issue(*NAMES, key=Key.RSA_2048, digest=hashes.SHA1()),
    ):
        server.use_tls(leaf)
        request = request_to(server, rsa.certificate_pem)
        assert main_cause(probe(request)) is Cause.CERTIFICATE_WEAK
        said = words_of_each_libpq(parameters(request, tmp_path))
        assert explain(said.pop("psycopg")).cause is REJECTED
        assert set(said.values()) == {""}


@pytest.mark.shows("key_too_small", "signature_hash_weak")
def test_what_is_weak_is_said_where_it_is_accepted(server: Postgres) -> None:
    """Without verification a weak certificate is served and used: the policy warns of it."""
    rsa = Authority.root("RSA root", key=Key.RSA_2048)
    for leaf, cause in (
        (rsa.issue(*NAMES, key=Key.RSA_1024), Cause.KEY_TOO_SMALL),
        (rsa.issue(*NAMES, key=Key.RSA_2048, digest=hashes.SHA1()), Cause.SIGNATURE_HASH_WEAK),
    ):
        server.use_tls(leaf)
        report = probe(request_to(server, rsa.certificate_pem))
        assert cause in {found.cause for found in report.findings}


@pytest.mark.shows("tls_version_old")
def test_a_server_that_would_take_an_old_tls_version(server: Postgres) -> None:
    """We get TLS 1.3, and a client that is not careful gets TLS 1.0."""
    server.use_tls(good())
    server.configure({"ssl_min_protocol_version": "TLSv1"})
    report = probe(request_to(server, root().certificate_pem))
    assert report.verdict == "pass"
    weights = {found.cause: found.severity for found in report.findings}
    assert weights[Cause.TLS_VERSION_OLD] is Severity.WARNING
    policy = Policy(raise_to_error=(Cause.TLS_VERSION_OLD,))
    strict = probe(request_to(server, root().certificate_pem, certificate_policy=policy))
    weights = {found.cause: found.severity for found in strict.findings}
    assert strict.verdict == "pass", "a policy finding changes no verdict"
    assert weights[Cause.TLS_VERSION_OLD] is Severity.ERROR


# ---- before PostgreSQL


def request_for(port: int, **more: Any) -> ProbeRequest:
    fields: dict[str, Any] = {
        "host": ADDRESS,
        "port": port,
        "user": "app",
        "database": "orders",
        "password": lambda: "secret",
        "ca_bundle": root().certificate_pem,
        "policy": AddressPolicy.anywhere(),
        "timeout": 5.0,
    }
    return ProbeRequest(**{**fields, **more})


@pytest.mark.shows("host_invalid")
@pytest.mark.parametrize("host", ["", "db\0.test", "/var/run/postgresql", "one.test,two.test"])
def test_an_invalid_host(host: str) -> None:
    """No attempt is made to resolve it."""

    def never(*_args: Any, **_more: Any) -> Any:
        raise AssertionError("resolved")

    report = probe(request_for(5432, host=host), resolve=never)
    assert main_cause(report) is Cause.HOST_INVALID


@pytest.mark.shows("address_forbidden")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1"])
def test_an_address_that_may_not_be_probed(address: str) -> None:
    """Under the policy of AWS no connection is made to loopback or the metadata service."""
    report = probe(request_for(5432, host=address, policy=AddressPolicy()))
    assert main_cause(report) is Cause.ADDRESS_FORBIDDEN
    assert report.evidence.connections == 0


@pytest.mark.shows("dns_failed")
def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    """The resolver says so; libpq is asked for a name that no resolver has to be asked for."""

    def nothing(*_args: Any, **_more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert main_cause(probe(request_for(5432, host=HOST), resolve=nothing)) is Cause.DNS_FAILED
    asked = parameters(request_for(5432), tmp_path) | {"host": "x" * 64 + ".invalid"}
    for major in available_majors():
        read = explain(refusal(major, asked))
        assert read.cause is Cause.DNS_FAILED, (major, read)


@pytest.mark.shows("connection_refused")
def test_a_port_where_nothing_listens(tmp_path: Path) -> None:
    """The server was stopped."""
    with Postgres.start(tls=good()) as server:
        request = request_to(server, root().certificate_pem)
        server.stop()
        expect(request, Cause.CONNECTION_REFUSED, tmp_path)


@pytest.mark.shows("host_unreachable")
@pytest.mark.skipif(sys.platform != "linux", reason="Linux knows no way to a broadcast address")
def test_an_address_to_which_there_is_no_way(tmp_path: Path) -> None:
    """The broadcast address of the loopback network: the system refuses, and sends nothing."""
    request = request_for(5432, host=HOST, address="127.255.255.255")
    expect(request, Cause.HOST_UNREACHABLE, tmp_path)


def silence(connection: socket.socket) -> None:
    """Take what is sent, until the client gives up."""
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass


def reset(connection: socket.socket) -> None:
    """End the connection with a TCP reset."""
    connection.recv(8)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answering(answer: bytes, then: Callable[[socket.socket], None] = silence) -> Handler:
    """Answer the request for TLS with these bytes."""

    def handle(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(answer)
        then(connection)

    return handle


def alerting(number: int) -> Handler:
    """Agree to TLS, and answer the ClientHello with a fatal alert."""

    def alert(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02" + bytes([number]))
        silence(connection)

    return answering(b"S", alert)


def refusing(code: str, message: str) -> Handler:
    """Have no TLS, and answer the login with this error."""
    fields = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()

    def refuse(connection: socket.socket) -> None:
        if len(connection.recv(4096)) == 8:  # the request for TLS
            connection.sendall(b"N")
            connection.recv(4096)
        connection.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)

    return refuse


@pytest.mark.parametrize(
    ("handler", "cause"),
    [
        pytest.param(
            silence,
            Cause.CONNECTION_TIMEOUT,
            marks=pytest.mark.shows("connection_timeout"),
            id="silent",
        ),
        pytest.param(
            reset, Cause.CONNECTION_RESET, marks=pytest.mark.shows("connection_reset"), id="reset"
        ),
        pytest.param(
            answering(b"S", lambda connection: connection.close()),
            Cause.CONNECTION_RESET,
            id="reset in the handshake",
        ),
        pytest.param(
            answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            Cause.NOT_POSTGRESQL,
            marks=pytest.mark.shows("not_postgresql"),
            id="web server",
        ),
        pytest.param(
            alerting(80), Cause.TLS_ALERT, marks=pytest.mark.shows("tls_alert"), id="alert"
        ),
        pytest.param(alerting(70), Cause.TLS_NO_SHARED_PROTOCOL, id="alert protocol_version"),
        pytest.param(alerting(40), Cause.TLS_NO_SHARED_CIPHER, id="alert handshake_failure"),
        pytest.param(
            answering(b"S", lambda connection: late(connection, b"220 mail.test ESMTP\r\n")),
            Cause.TLS_FAILED,
            marks=pytest.mark.shows("tls_failed"),
            id="no TLS after all",
        ),
    ],
)
def test_a_server_that_does_not_speak_postgresql(
    handler: Handler, cause: Cause, tmp_path: Path
) -> None:
    """What stands in PostgreSQL's place cannot be PostgreSQL."""
    with listening(handler) as port:
        report = probe(request_for(port, timeout=2.0))
        assert main_cause(report) is cause, report.findings
        asked = parameters(request_for(port), tmp_path) | {"connect_timeout": 2}
        for which, text in words_of_each_libpq(asked).items():
            assert explain(text).cause is cause, (which, text)


@pytest.mark.shows("protocol_violation")
def test_bytes_before_tls(server: Postgres, tmp_path: Path) -> None:
    """A relay slips a plain-text message in before the handshake, and is not believed."""

    def relay(client: socket.socket) -> None:
        with socket.create_connection((server.host, server.port), timeout=10) as upstream:
            upstream.sendall(client.recv(8))
            client.sendall(upstream.recv(1) + b"E\0\0\0\x0cSFATAL\0\0")
            join(client, upstream)

    server.use_tls(good())
    with listening(relay) as port:
        request = request_to(server, root().certificate_pem, port=port)
        expect(request, Cause.PROTOCOL_VIOLATION, tmp_path)


def join(one: socket.socket, other: socket.socket) -> None:
    """Pass on what either side says, until one of them ends."""
    while True:
        ready, _, _ = select.select([one, other], [], [], 10)
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)
        if not ready:
            return


def late(connection: socket.socket, answer: bytes) -> None:
    """Answer the ClientHello with something else."""
    connection.recv(4096)
    connection.sendall(answer)
    silence(connection)


@pytest.mark.shows("pooler_rejected")
def test_a_pooler_in_between(tmp_path: Path) -> None:
    """It answers in PostgreSQL's place that it has no such database."""
    with listening(refusing("08P01", "no such database: orders")) as port:
        request = request_for(port, ssl_mode=SslMode.NONE)
        expect(request, Cause.POOLER_REJECTED, tmp_path)


@pytest.mark.shows("sni_missing")
def test_a_proxy_that_finds_the_database_by_its_name(tmp_path: Path) -> None:
    """It serves many, and got no host name in a TLS handshake."""
    words = "Endpoint ID is not specified. Upgrade the client for SNI support"
    with listening(refusing("08P01", words)) as port:
        expect(request_for(port, ssl_mode=SslMode.NONE), Cause.SNI_MISSING, tmp_path)


@pytest.mark.shows("role_needs_iam")
def test_a_role_that_logs_in_with_a_token(tmp_path: Path) -> None:
    """RDS asks PAM about members of rds_iam, and PAM takes no password."""
    with listening(refusing("28000", 'PAM authentication failed for user "app"')) as port:
        expect(request_for(port, ssl_mode=SslMode.NONE), Cause.ROLE_NEEDS_IAM, tmp_path)


def test_a_server_that_refuses_in_its_own_language(tmp_path: Path) -> None:
    """Its SQLSTATE, the name of the file and the word for encryption say what it means."""
    words = (
        "kein pg_hba.conf-Eintrag für Host »10.0.0.9«, Benutzer »app«, Datenbank »orders«, keine"
        " Verschlüsselung"
    )
    with listening(refusing("28000", words)) as port:
        request = request_for(port, ssl_mode=SslMode.NONE)
        expect(request, Cause.HBA_REJECTED_PLAINTEXT, tmp_path)


@pytest.mark.shows("unknown")
def test_words_that_nobody_knows(tmp_path: Path) -> None:
    """They are kept as they came, with nothing in them that moves a terminal."""
    with listening(refusing("XX123", "the moon is \x1b[31mred")) as port:
        request = request_for(port, ssl_mode=SslMode.NONE)
        expect(request, Cause.UNKNOWN, tmp_path)
        (found,) = (f for f in probe(request).findings if f.cause is Cause.UNKNOWN)
        assert "the moon is \\x1b[31mred" in found.seen + (found.raw or "")


_WORDS_OF_OPENSSL = """
import ctypes, sys
crypto = ctypes.CDLL(sys.argv[1])
crypto.X509_verify_cert_error_string.restype = ctypes.c_char_p
for code in range(1, 100):
    print(code, crypto.X509_verify_cert_error_string(ctypes.c_long(code)).decode())
"""


def openssl_libraries() -> list[Path]:
    """OpenSSL 1.1.1 of the PostgreSQL packages, and OpenSSL 3 of psycopg, where they are files."""
    beside = [libpq_file(available_majors()[-1]).parent, Path(psycopg.__file__).parents[1]]
    return [
        *beside[0].glob("libcrypto.so.1.1"),
        *beside[1].glob("psycopg_binary.libs/libcrypto-*.so.3"),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries lie elsewhere")
def test_verification_results_in_words_and_numbers_mean_the_same() -> None:
    """Each X509_V_ERR is read as the same cause by its number and by OpenSSL's words for it."""
    libraries = openssl_libraries()
    assert len(libraries) == 2
    for library in libraries:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _WORDS_OF_OPENSSL, str(library)],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        for line in done.stdout.splitlines():
            code, _, words = line.partition(" ")
            if words.startswith(("error number", "unknown certificate verification error")):
                continue
            by_words = explain(f"certificate verify failed: {words}").cause
            assert by_words is from_verify_code(int(code)).cause, (library.name, code, words)
