"""What versions of libpq differ on: each row of the table, against each libpq that is here.

The packages of PostgreSQL 12 to 18 bring a libpq each, psycopg brings another; those before 15 are
installed on Linux only. A server for each row tells the older from the newer.
"""

import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.probe.differences import DIFFERENCES, Difference
from certifier.vocabulary import Cause, Severity, SslMode
from sandbox.libpq import refusal
from sandbox.pki import Authority, Leaf
from sandbox.postgres import Postgres, PostgresError, available_majors, libpq_file
from tests.probe.fakes import READY, Fake, Peer, Script, authentication, server_context

_HOST = "db.example.com"
_ROOT = Authority.root("Example root")
_LEAF = _ROOT.issue(dns=[_HOST], ips=["127.0.0.1"])
_OTHER = _ROOT.issue(dns=["other.example.com"])
_ADDRESS_ALONE = _ROOT.issue(ips=["127.0.0.1"])
_MAJORS = (12, 13, 14, 15, 16, 17, 18)
_DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "decisions" / "0007-libpq-versions.md"


@dataclass(frozen=True)
class Case:
    """A server that brings a difference out, and how it is asked.

    `connects`: the majors that get through. `asked` are fields of the probe's request, `parameters`
    and `environment` libpq's.
    """

    script: Script
    connects: frozenset[int]
    asked: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    passes: bool = True


def _from(major: int) -> frozenset[int]:
    return frozenset(one for one in _MAJORS if one >= major)


def _before(major: int) -> frozenset[int]:
    return frozenset(_MAJORS) - _from(major)


def _serve(peer: Peer) -> None:
    """Let everybody in, and answer nothing to what is asked."""
    peer.read_startup()
    peer.send(authentication(0) + READY)
    while peer.read_message()[0] != b"X":
        peer.send(READY)


def _usual(peer: Peer, leaf: Leaf = _LEAF, **settings: Any) -> None:
    peer.accept_tls(leaf, **settings)
    _serve(peer)


def _refuses_alpn(peer: Peer) -> None:
    """A router of TLS that has no such protocol (RFC 7301, section 3.2)."""
    peer.read_startup()
    peer.send(b"S")
    if b"postgresql" in peer.peek():
        peer.send(b"\x15\x03\x03\x00\x02\x02\x78")
        return
    peer.sock = server_context(_LEAF).wrap_socket(peer.sock, server_side=True)
    _serve(peer)


def _direct(peer: Peer) -> None:
    """TLS from the first byte, with ALPN, as PostgreSQL 17 has it."""
    peer.sock = server_context(_LEAF).wrap_socket(peer.sock, server_side=True)
    _serve(peer)


_LONG = "x" * 60 + ".example.com" * 20
CASES: dict[str, Callable[[], Case]] = {
    "ALPN": lambda: Case(_refuses_alpn, _before(17)),
    "direct TLS": lambda: Case(
        _direct, _from(17), {"negotiation": "direct"}, {"sslnegotiation": "direct"}
    ),
    "system trust": lambda: Case(
        _usual, _from(16), {"system_trust": True, "ca_bundle": None}, {"sslrootcert": "system"}
    ),
    "IP addresses": lambda: Case(
        partial(_usual, leaf=_ADDRESS_ALONE),
        _from(15),
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1"},
    ),
    "server name": lambda: Case(
        partial(_usual, unnamed=_OTHER), _from(14), {"older_clients": True}
    ),
    "length of the server name": lambda: Case(
        _usual,
        _before(14),
        {"host": _LONG, "ssl_mode": SslMode.VERIFY_CA},
        {"host": _LONG, "sslmode": "verify-ca"},
        passes=False,
    ),
    "minimum TLS version": lambda: Case(
        partial(_usual, minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1),
        _before(13),
        passes=False,
    ),
}


@pytest.fixture(scope="module")
def ca_file() -> Iterator[Path]:
    """The CA as a file, for every libpq."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(_ROOT.certificate_pem)
        file.flush()
        yield Path(file.name)


def _look(port: int, **asked: Any) -> ProbeReport:
    usual: dict[str, Any] = {"host": _HOST, "user": "u", "ca_bundle": _ROOT.certificate_pem}
    request = ProbeRequest(
        **{**usual, **asked}, port=port, address="127.0.0.1", policy=AddressPolicy.anywhere()
    )
    return probe(request)


@pytest.mark.shows(Cause.CLIENT_READING_DIFFERS)
@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.name)
def test_a_difference_is_found_and_said(
    row: Difference, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finding says which libpq does what, and refuses no source."""
    case = CASES[row.name]()
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with Fake(case.script) as fake:
        report = _look(fake.port, **case.asked)
    said = [one for one in report.findings if f"libpq {row.since} and newer" in one.seen]
    assert [one.cause for one in said] == [row.cause]
    assert said[0].severity is not Severity.ERROR
    assert row.older in said[0].seen
    assert report.passed == case.passes


@pytest.mark.parametrize("major", _MAJORS)
@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.name)
def test_every_libpq_does_what_its_row_says(row: Difference, major: int, ca_file: Path) -> None:
    """Each libpq connects, or does not, as the table has it."""
    try:
        libpq_file(major)
    except PostgresError as problem:
        pytest.skip(f"no libpq {major} here: {problem}")
    case = CASES[row.name]()
    parameters = {
        "host": _HOST,
        "hostaddr": "127.0.0.1",
        "user": "u",
        "dbname": "d",
        "sslmode": "verify-full",
        "sslrootcert": ca_file,
        "connect_timeout": 5,
        **case.parameters,
    }
    with Fake(case.script) as fake:
        text = refusal(
            major,
            {**parameters, "port": fake.port},
            environment={"SSL_CERT_FILE": str(ca_file)},
        )
    assert (text == "") == (major in case.connects), text


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.name)
def test_a_usual_server_shows_no_difference(row: Difference) -> None:
    """Where all of them connect, nothing is said of it."""
    with Fake(_usual) as fake:
        report = _look(fake.port, older_clients=True)
    assert report.passed
    assert not [one for one in report.findings if row.older in one.seen]
    assert report.evidence.older_client is not None
    assert report.evidence.older_client.leaf_sha256 == report.evidence.leaf_sha256


def test_the_document_has_the_same_rows() -> None:
    """docs/decisions says of each difference since when, and where libpq has it."""
    text = _DOCUMENT.read_text("utf-8")
    for row in DIFFERENCES:
        assert f"| {row.name} | {row.since} |" in text
        assert row.source.partition(",")[0] in text


# ---- what is asked for


@pytest.mark.parametrize("major", available_majors())
def test_direct_tls_is_as_libpq_has_it(major: int) -> None:
    """A server before 17 knows no direct TLS; libpq 18 and the probe agree on it."""
    with Postgres.start(major=major, tls=_LEAF, users={"u": "a password"}) as server:
        report = _look(
            server.port, negotiation="direct", database="postgres", password=lambda: "a password"
        )
        said = refusal(
            18,
            {
                "host": _HOST,
                "hostaddr": "127.0.0.1",
                "port": server.port,
                "user": "u",
                "password": "a password",
                "dbname": "postgres",
                "sslmode": "require",
                "sslnegotiation": "direct",
            },
        )
    assert report.passed == (said == "") == (major >= 17)


def test_direct_tls_needs_the_name_of_the_protocol() -> None:
    """Without ALPN, libpq takes no direct TLS: something else may be listening."""

    def script(peer: Peer) -> None:
        context = server_context(_LEAF)
        context.set_alpn_protocols(["h2"])
        peer.sock = context.wrap_socket(peer.sock, server_side=True)
        _serve(peer)

    with Fake(script) as fake:
        report = _look(fake.port, negotiation="direct")
    assert report.verdicts.require.cause is Cause.TLS_FAILED
    assert "without ALPN" in (report.verdicts.require.libpq or "")


@pytest.mark.parametrize("mode", [SslMode.REQUIRE, SslMode.VERIFY_CA])
def test_the_cas_of_the_system_are_for_verify_full_alone(mode: SslMode) -> None:
    """libpq refuses weaker modes with them, before it connects."""
    with Fake(_usual) as fake:
        report = _look(fake.port, system_trust=True, ca_bundle=None, ssl_mode=mode)
        said = refusal(18, {"host": _HOST, "sslmode": mode.value, "sslrootcert": "system"})
    assert not report.passed
    assert (report.verdicts.of(mode).libpq or "?") in said


def test_a_system_without_that_ca_does_not_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    """A private CA is in nobody's system, and the finding names where it was looked for."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    with Fake(_usual) as fake:
        report = _look(fake.port, system_trust=True, ca_bundle=None)
    verdict = report.verdicts.verify_full
    assert verdict.cause in (Cause.UNKNOWN_AUTHORITY, Cause.CHAIN_INCOMPLETE)
    assert "system" in verdict.seen


# ---- what stands in front


@pytest.mark.shows(Cause.DIRECT_TLS_ONLY)
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_who_hangs_up_on_the_request_may_want_tls_at_once(how: str) -> None:
    """Something that speaks TLS from the first byte is named, with what to set."""

    def script(peer: Peer) -> None:
        if peer.peek()[:1] != b"\x16":
            peer.receive()
            return peer.reset() if how == "resets" else None
        return _direct(peer)

    with Fake(script) as fake:
        report = _look(fake.port)
    (found, *_) = report.findings
    assert found.cause is Cause.DIRECT_TLS_ONLY
    assert "from the first byte" in found.seen
    assert "HAProxy" in found.remedy
    assert not report.passed
    assert report.verdicts.require.libpq == "server closed the connection unexpectedly"


def test_who_hangs_up_on_everything_is_reset_and_nothing_else() -> None:
    """Without TLS behind it, a reset stays what it is."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.reset()

    with Fake(script) as fake:
        report = _look(fake.port)
    assert report.findings[0].cause is Cause.CONNECTION_RESET


def test_a_server_that_refuses_everybody_is_looked_at_once_more_and_no_more() -> None:
    """What fails without ALPN too failed for another reason."""

    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        peer.receive()
        peer.send(b"\x15\x03\x03\x00\x02\x02\x50")

    with Fake(script) as fake:
        report = _look(fake.port)
        assert fake.connections == 2
    assert report.findings[0].cause is Cause.TLS_ALERT
    assert Cause.CLIENT_READING_DIFFERS not in {one.cause for one in report.findings}


def test_an_older_client_that_gets_no_tls_is_reported() -> None:
    """A front that refuses those without a server name (RFC 6066, section 3)."""

    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        if _HOST.encode() not in peer.peek():
            peer.send(b"\x15\x03\x03\x00\x02\x02\x70")
            return
        peer.sock = server_context(_LEAF).wrap_socket(peer.sock, server_side=True)
        _serve(peer)

    with Fake(script) as fake:
        report = _look(fake.port, older_clients=True)
    assert report.passed
    (found,) = [one for one in report.findings if one.cause is Cause.CLIENT_READING_DIFFERS]
    assert "there is no TLS" in found.seen
    assert report.evidence.older_client is not None
    assert report.evidence.older_client.leaf_sha256 is None
