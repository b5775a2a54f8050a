"""Servers that lie, stall, flood and hang up: the probe ends in time, with a cause, unhurt."""

import itertools
import socket
import ssl
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.errors import Refused
from certifier.models import Policy
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.probe.failure import StageFailed, contained
from certifier.vocabulary import Cause, Severity, SslMode, Stage
from sandbox.pki import Authority, Key, Leaf
from tests.probe.fakes import (
    READY,
    SSL_REQUEST,
    Fake,
    Peer,
    Script,
    authentication,
    error,
    message,
    parameter,
    rows,
    scripted_login,
)
from tests.probe.hostile import ROOT, endless_san, nested_san, serving, spoilt
from tests.probe.reference import libpq_says

_HOST = "db.example.com"
_ROOT = ROOT
_LEAF = _ROOT.issue(dns=[_HOST])
_TIMEOUT = 8.0  # for what ends by itself, also on a busy machine
_SHORT = 0.8  # for what only the deadline ends
_SLACK = 1.5
_PAUSE = 0.02


class _Panic(BaseException):
    """Like the panics of `cryptography`, which are not of Exception."""


def look(
    fake: Fake,
    *,
    user: str | None = "u",
    timeout: float = _TIMEOUT,
    mode: SslMode = SslMode.VERIFY_FULL,
    **more: Any,
) -> ProbeReport:
    """Probe a fake, and hold what holds for every probe: on time, serializable, printable."""
    request = ProbeRequest(
        _HOST,
        port=fake.port,
        address="127.0.0.1",
        user=user,
        database="d",
        password=lambda: "a password",
        ssl_mode=mode,
        ca_bundle=_ROOT.certificate_pem,
        timeout=timeout,
        policy=AddressPolicy.anywhere(),
        **more,
    )
    begin = time.monotonic()
    report = probe(request)
    assert time.monotonic() - begin < timeout + _SLACK
    text = report.model_dump_json()
    assert ProbeReport.model_validate_json(text) == report
    assert len(text) < 200_000
    assert text.isprintable()
    assert "\\u00" not in text
    return report


def first(report: ProbeReport) -> tuple[Cause, Stage | None]:
    """Cause and stage of the first finding of a probe that failed."""
    assert report.verdict == "fail"
    return report.findings[0].cause, report.findings[0].stage


def forever(send: Callable[[Peer], None]) -> Script:
    """Repeat until the client is gone, with a short pause."""

    def script(peer: Peer) -> None:
        for _ in range(1000):
            send(peer)
            peer.pause(_PAUSE)

    return script


# ---- before TLS


def _answer(data: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(data)
        peer.receive()

    return script


@pytest.mark.shows(Cause.PROTOCOL_VIOLATION)
@pytest.mark.parametrize("behind", [b"x", error(S="FATAL", C="28000", M="injected"), b"\0" * 5000])
def test_bytes_behind_the_s_are_an_attack(behind: bytes) -> None:
    """What comes unprotected with the answer to the SSL request ends the probe (CVE-2021-23222)."""
    with Fake(_answer(b"S" + behind)) as fake:
        assert first(look(fake)) == (Cause.PROTOCOL_VIOLATION, Stage.SSL_REQUEST)
        assert fake.connections == 1


def test_bytes_that_come_a_little_after_the_s_do_not_get_through() -> None:
    """Plain text that arrives after the answer was read is not TLS, and is not believed."""

    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        peer.pause(_PAUSE)
        peer.send(error(S="FATAL", C="28P01", M="password authentication failed"))
        peer.receive()

    with Fake(script) as fake:
        cause, stage = first(look(fake))
        assert (cause, stage) in (
            (Cause.TLS_FAILED, Stage.TLS),
            (Cause.PROTOCOL_VIOLATION, Stage.SSL_REQUEST),
        )


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"N", Cause.SSL_OFF),
        (b"N and more", Cause.SSL_OFF),
        (error(S="FATAL", C="XX000", M="could not fork"), Cause.PROTOCOL_VIOLATION),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Cause.NOT_POSTGRESQL),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Cause.NOT_POSTGRESQL),
        (b"\x15\x03\x01\x00\x02\x02\x16", Cause.NOT_POSTGRESQL),
        (b"\0" * 100_000, Cause.NOT_POSTGRESQL),
        (b"\x1b[2J\x1b]0;owned\x07", Cause.NOT_POSTGRESQL),
        ("\u202egnp.exe".encode(), Cause.NOT_POSTGRESQL),
    ],
)
def test_an_answer_to_the_ssl_request_other_than_yes(answer: bytes, cause: Cause) -> None:
    """Whatever else answers the SSL request has its own cause, and its text is escaped."""
    with Fake(_answer(answer)) as fake:
        assert first(look(fake)) == (cause, Stage.SSL_REQUEST)


@pytest.mark.shows(Cause.CONNECTION_TIMEOUT)
def test_a_server_that_accepts_and_says_nothing() -> None:
    """Silence before the answer to the SSL request ends at the deadline."""
    with Fake(_answer(b"")) as fake:
        assert first(look(fake, timeout=_SHORT)) == (Cause.CONNECTION_TIMEOUT, Stage.SSL_REQUEST)


def test_a_name_server_that_never_answers_does_not_hold_the_probe() -> None:
    """The resolver is left behind at the deadline."""
    over = threading.Event()

    def resolve(*_: object, **__: object) -> list[object]:
        over.wait(30)
        return []

    begin = time.monotonic()
    report = probe(
        ProbeRequest(_HOST, timeout=0.3, policy=AddressPolicy.anywhere()),
        resolve=resolve,  # type: ignore[arg-type]
    )
    over.set()
    assert time.monotonic() - begin < 5.0
    assert first(report) == (Cause.CONNECTION_TIMEOUT, Stage.DNS)


def test_a_full_listen_queue_is_a_timeout() -> None:
    """A host that takes no connection at all ends at the deadline, at the TCP stage."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        report = probe(
            ProbeRequest(
                _HOST, port=port, address="127.0.0.1", timeout=0.3, policy=AddressPolicy.anywhere()
            )
        )
        for filler in fillers:
            filler.close()
    assert first(report) == (Cause.CONNECTION_TIMEOUT, Stage.TCP)


# ---- the handshake


def _after_s(then: Script) -> Script:
    """`then` follows the S and the ClientHello."""

    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        peer.receive()
        then(peer)

    return script


def _part_of_a_handshake(peer: Peer) -> None:
    """ServerHello's header, then nothing and the end."""
    peer.send(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76")


@pytest.mark.shows(Cause.CONNECTION_RESET)
@pytest.mark.parametrize(
    ("then", "causes"),
    [
        (lambda peer: None, {Cause.CONNECTION_RESET}),
        (lambda peer: peer.reset(), {Cause.CONNECTION_RESET}),
        (_part_of_a_handshake, {Cause.CONNECTION_RESET}),
        (lambda peer: peer.send(b"garbage" * 1000) or peer.receive(), {Cause.TLS_FAILED}),
        (lambda peer: peer.send(b"\x16\x03\x03\xff\xff" + b"x" * 70000), {Cause.TLS_FAILED}),
        (lambda peer: peer.send(b"\x15\x03\x03\x00\x02\x02\x28"), {Cause.TLS_NO_SHARED_CIPHER}),
        (lambda peer: peer.send(b"\x15\x03\x03\x00\x02\x02\x46"), {Cause.TLS_NO_SHARED_PROTOCOL}),
        (lambda peer: peer.send(b"\x15\x03\x03\x00\x02\x02\x50"), {Cause.TLS_ALERT}),
    ],
)
def test_a_handshake_that_goes_wrong(then: Script, causes: set[Cause]) -> None:
    """Drops, resets, garbage and alerts in the middle of the handshake are distinguished."""
    with Fake(_after_s(then)) as fake:
        cause, stage = first(look(fake))
        assert cause in causes
        assert stage is Stage.TLS


@pytest.mark.parametrize(
    ("version", "warned"), [((3, 0, 19, 0, 0), True), ((3, 5, 0, 0, 0), False)]
)
def test_an_older_openssl_says_that_libpq_offers_more(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], warned: bool
) -> None:
    """Without a cipher in common, OpenSSL before 3.5 does not speak for libpq's, and says so."""
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_INFO", version)
    with Fake(_after_s(lambda peer: peer.send(b"\x15\x03\x03\x00\x02\x02\x28"))) as fake:
        seen = look(fake).verdicts.require.seen
    assert ("does not offer all that libpq's offers" in seen) == warned


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x16",
        b"\x16\x03\x03\x40\x00" + b"\x02\x00\x3f\xfc",
        b"\x14\x03\x03\x00\x01\x01",
        b"\x17\x03\x03\x00\x01\x00",
    ],
)
def test_a_handshake_that_never_ends(block: bytes) -> None:
    """Silence and endless drips of records end at the deadline, or earlier by OpenSSL's limits."""
    sent = itertools.count()

    def drip(peer: Peer) -> None:
        if block or not next(sent):
            peer.send(block)

    with Fake(_after_s(forever(drip))) as fake:
        cause, stage = first(look(fake, timeout=_SHORT))
        assert cause in (Cause.CONNECTION_TIMEOUT, Cause.TLS_FAILED)
        assert stage is Stage.TLS


@pytest.mark.parametrize("user", [None, "u"])
def test_a_handshake_full_of_what_openssl_swallows(user: str | None) -> None:
    """OpenSSL reads HelloRequests for as long as they come; it is not given so many."""

    def flood(peer: Peer) -> None:
        for _ in range(5000):
            peer.send(b"\x16\x03\x03\x00\x04\0\0\0\0" * 20_000)

    with Fake(_after_s(flood)) as fake:
        report = look(fake, user=user)
        assert first(report) == (Cause.PROTOCOL_VIOLATION, Stage.TLS)


def _long_chain(length: int) -> Leaf:
    authority = Authority.root("Root of many", key=Key.ED25519)
    for number in range(length):
        authority = authority.intermediate(f"CA {number}", key=Key.ED25519, organization=None)
    return authority.issue(dns=[_HOST], key=Key.EC_P256)


@pytest.mark.parametrize(
    ("length", "causes"),
    [
        (150, {Cause.CERTIFICATE_REJECTED, Cause.UNKNOWN_AUTHORITY, Cause.CHAIN_INCOMPLETE}),
        (400, {Cause.TLS_FAILED}),
    ],
)
def test_a_chain_of_hundreds(length: int, causes: set[Cause]) -> None:
    """A chain that OpenSSL reads is shown cut; one beyond its 100 KiB ends the handshake."""
    leaf = _long_chain(length)
    with Fake(scripted_login(leaf, authentication(0) + READY)) as fake:
        report = look(fake)
    assert first(report)[0] in causes
    assert len(report.evidence.chain) <= 20
    if Cause.TLS_FAILED not in causes:
        assert report.evidence.chain_length == length + 1


@pytest.mark.parametrize(("count", "length"), [(4000, 5), (1, 60_000)])
def test_a_certificate_full_of_names(count: int, length: int) -> None:
    """Thousands of names, and a name of many kilobytes, are counted and cut."""
    leaf = _ROOT.issue(dns=[f"n{number}{'x' * length}" for number in range(count)])
    with Fake(scripted_login(leaf, authentication(0) + READY)) as fake:
        report = look(fake)
    assert first(report)[0] is Cause.HOSTNAME_MISMATCH
    assert len(report.verdicts.verify_full.seen) <= 1024
    assert len(report.evidence.names) <= 200
    assert all(len(name) <= 300 for name in report.evidence.names)


# ---- after TLS


@pytest.mark.shows(Cause.CLIENT_CERTIFICATE_REQUIRED)
@pytest.mark.parametrize("user", [None, "u"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_client_certificate(
    version: ssl.TLSVersion, user: str | None
) -> None:
    """It is named in TLS 1.2, and in 1.3, where the alert comes after the handshake."""

    def script(peer: Peer) -> None:
        peer.accept_tls(_LEAF, maximum=version, client_ca=_ROOT.certificate_pem)

    with Fake(script) as fake:
        report = look(fake, user=user)
    assert first(report)[0] is Cause.CLIENT_CERTIFICATE_REQUIRED
    for mode in (SslMode.REQUIRE, SslMode.VERIFY_CA, SslMode.VERIFY_FULL):
        assert report.verdicts.of(mode).cause is Cause.CLIENT_CERTIFICATE_REQUIRED
    assert not report.verdicts.require.dms_reading.passed


def test_an_alert_that_takes_its_time_is_waited_for() -> None:
    """Behind a proxy that is near, the server may be far: the handshake tells how far."""

    def wants_a_certificate(peer: Peer) -> None:
        peer.accept_tls(_LEAF, client_ca=_ROOT.certificate_pem)

    def proxy(peer: Peer) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as far:
            while block := peer.receive():
                peer.pause(0.1)
                far.sendall(block)
                peer.send(far.recv(65536))

    with Fake(wants_a_certificate) as server, Fake(proxy) as fake:
        assert first(look(fake, user=None))[0] is Cause.CLIENT_CERTIFICATE_REQUIRED


def test_a_server_that_hangs_up_after_the_handshake() -> None:
    """A connection that ends before the login does not count, with a user and without."""
    for user in (None, "u"):
        with Fake(lambda peer: peer.accept_tls(_LEAF)) as fake:
            cause, stage = first(look(fake, user=user))
            assert cause is Cause.CONNECTION_RESET
            assert stage is Stage.STARTUP


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"R\x7f\xff\xff\xff", Cause.PROTOCOL_VIOLATION),
        (b"R\xff\xff\xff\xff", Cause.PROTOCOL_VIOLATION),
        (b"R\x00\x00\x00\x00", Cause.PROTOCOL_VIOLATION),
        (b"R\x00\x00\x00\x04", Cause.PROTOCOL_VIOLATION),
        (b"?\x00\x00\x00\x04", Cause.PROTOCOL_VIOLATION),
        (b"HTTP/1.1 400 Bad Request", Cause.PROTOCOL_VIOLATION),
        (b"\0" * 64, Cause.PROTOCOL_VIOLATION),
        (b"R", Cause.CONNECTION_TIMEOUT),
        (b"R\x00\x00\x10\x00", Cause.CONNECTION_TIMEOUT),
        (b"", Cause.CONNECTION_TIMEOUT),
        (message(b"T", b"\x00\x01"), Cause.PROTOCOL_VIOLATION),
        (message(b"D", b"\x00\x01"), Cause.PROTOCOL_VIOLATION),
        (message(b"G", b"\x00\x00\x00"), Cause.PROTOCOL_VIOLATION),
        (message(b"S", b"client_encoding\0no such\0") + READY, Cause.PROTOCOL_VIOLATION),
        (message(b"S", b"\xff\xfe\0\xff\0"), Cause.PROTOCOL_VIOLATION),
        (authentication(99), Cause.AUTHENTICATION_UNSUPPORTED),
        (authentication(7), Cause.AUTHENTICATION_UNSUPPORTED),
        (authentication(10, b"OAUTHBEARER\0\0"), Cause.AUTHENTICATION_UNSUPPORTED),
        (authentication(10), Cause.PROTOCOL_VIOLATION),
        (authentication(11, b"r=x,s=eA==,i=4096"), Cause.PROTOCOL_VIOLATION),
        (authentication(12, b"v=eA=="), Cause.PROTOCOL_VIOLATION),
        (READY, Cause.PROTOCOL_VIOLATION),
    ],
)
def test_an_invalid_answer_to_the_login(answer: bytes, cause: Cause) -> None:
    """Lengths, types and requests that PostgreSQL never sends end the login, not the probe."""

    def script(peer: Peer) -> None:
        peer.accept_tls(_LEAF)
        peer.read_startup()
        peer.send(answer)
        while peer.receive():
            pass

    with Fake(script) as fake:
        report = look(fake, timeout=_SHORT if cause is Cause.CONNECTION_TIMEOUT else _TIMEOUT)
        assert first(report)[0] is cause
        assert report.verdicts.verify_full.passed


@pytest.mark.parametrize(
    "block",
    [
        b"R",
        message(b"N", b"SNOTICE\0\0"),
        message(b"S", b"a\0b\0"),
        message(b"N", b"M" + b"x" * 60_000 + b"\0\0"),
    ],
)
def test_a_login_that_never_ends(block: bytes) -> None:
    """Drips and floods of harmless messages end by the deadline or the limit of bytes."""
    slow = len(block) < 1000

    def script(peer: Peer) -> None:
        peer.accept_tls(_LEAF)
        peer.read_startup()
        for _ in range(1000):
            peer.send(block)
            peer.pause(_PAUSE if slow else 0)

    with Fake(script) as fake:
        assert first(look(fake, timeout=_SHORT))[0] in (
            Cause.CONNECTION_TIMEOUT,
            Cause.PROTOCOL_VIOLATION,
        )


@pytest.mark.parametrize("beat", [b"", b"T", message(b"N", b"SNOTICE\0\0")])
def test_a_query_that_never_ends(beat: bytes) -> None:
    """The query is under the same deadline; the verdicts of TLS stand."""

    def script(peer: Peer) -> None:
        peer.accept_tls(_LEAF)
        peer.read_startup()
        peer.send(authentication(0) + READY)
        peer.read_message()
        forever(lambda one: one.send(beat) if beat else None)(peer)

    with Fake(script) as fake:
        report = look(fake, timeout=_SHORT)
        cause, stage = first(report)
        assert cause in (Cause.CONNECTION_TIMEOUT, Cause.PROTOCOL_VIOLATION)
        assert stage is Stage.QUERY
        assert report.verdicts.verify_full.passed
        assert report.evidence.login is not None
        assert report.evidence.login.method == "trust"


def _row(*columns: str, values: bytes = b"") -> bytes:
    described = struct.pack("!h", len(columns)) + b"".join(
        name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0) for name in columns
    )
    return message(b"T", described) + message(b"D", values)


@pytest.mark.parametrize(
    "answer",
    [
        READY,
        message(b"C", b"SELECT 0\0") + READY,
        message(b"I") + READY,
        _row("ssl", values=b"\x00\x01" + struct.pack("!i", -1)) + READY,
        _row("ssl", values=b"\x00\x01" + struct.pack("!i", 2) + b"\x1b[") + READY,
    ],
)
def test_an_answer_to_the_query_that_says_little(answer: bytes) -> None:
    """A query that answers nothing, or nonsense, leaves those facts unknown and nothing broken."""
    with Fake(scripted_login(_LEAF, authentication(0) + READY, answer)) as fake:
        report = look(fake)
        assert report.verdict == "pass"
        assert report.evidence.login is not None
        assert report.evidence.login.server_version is None
        assert (report.evidence.login.ssl or "").isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        _row("ssl", values=b"\x00\x01" + struct.pack("!i", 1000) + b"x"),
        message(b"D", b"\x00\x01"),
        message(b"T", b"\x7f\xff"),
        message(b"H", b"\x00\x00\x00"),
        message(b"d", b"data"),
        message(b"A", b"\x00"),
    ],
)
def test_an_invalid_answer_to_the_query(answer: bytes) -> None:
    """Rows that do not fit their own description end the query with a cause."""
    with Fake(scripted_login(_LEAF, authentication(0) + READY, answer + READY)) as fake:
        report = look(fake)
        if report.verdict == "fail":
            assert first(report) == (Cause.PROTOCOL_VIOLATION, Stage.QUERY)
        assert report.verdicts.verify_full.passed


def test_a_megabyte_of_error_text_still_has_its_cause() -> None:
    """The code comes before the text, so the cause is known; text is cut, memory is bounded."""
    huge = error(S="FATAL", V="FATAL", C="28P01", M="password authentication failed " * 40_000)
    assert len(huge) > 1_000_000
    with Fake(scripted_login(_LEAF, huge)) as fake:
        tracemalloc.start()
        report = look(fake)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert first(report)[0] is Cause.PASSWORD_REJECTED
    assert len(report.findings[0].raw or "") <= 1024
    assert peak < 8 * 1024 * 1024


def test_the_text_of_a_server_is_escaped_wherever_it_is_shown() -> None:
    """Escape sequences, line breaks and marks that turn the writing never come out as they are."""
    evil = "\x1b[2J\x1b]0;x\x07\r\n\u202egnp.exe\u009b31m\x00tail"
    with Fake(scripted_login(_LEAF, error(S="FATAL", C="XX000", M=evil))) as fake:
        report = look(fake)
    text = report.model_dump_json()
    for character in "\x1b\x07\r\n\u202e\u009b\x00":
        assert character not in (report.findings[0].raw or "")
        assert character not in report.findings[0].seen
    assert "\\u001b" not in text


def test_the_name_of_a_mechanism_is_escaped() -> None:
    """What a server calls its way to log in is its text too."""
    evil = authentication(10, b"\x1b[2J\x9b31m\0\0")
    with Fake(scripted_login(_LEAF, evil)) as fake:
        report = look(fake)
    assert first(report)[0] is Cause.AUTHENTICATION_UNSUPPORTED
    assert report.evidence.login is not None
    assert report.evidence.login.method == r"\x1b[2j\x9b31m"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"EFATAL:  sorry, too many clients already\n\0", Cause.TOO_MANY_CONNECTIONS),
        (b"Ecould not fork new process for connection: x\n\0", Cause.TOO_MANY_CONNECTIONS),
        (b"EFATAL:  the database system is starting up\n", Cause.SERVER_STARTING),
        (b"E\x7f\xff\xff\xffC28P01\0Mno\0", Cause.PASSWORD_REJECTED),
        (b"E\x00\x02\x00\x00C28P01\0Mno\0", Cause.PASSWORD_REJECTED),
    ],
)
def test_an_error_that_is_cut_off_or_of_protocol_2_has_its_cause(text: bytes, cause: Cause) -> None:
    """What there is of an error is read, with TLS and without."""

    def script(peer: Peer) -> None:
        peer.accept_tls(_LEAF)
        peer.read_startup()
        peer.send(text)

    def plain(peer: Peer) -> None:
        peer.send(b"N" if peer.read_startup() == SSL_REQUEST[4:] else text)

    with Fake(script) as fake:
        assert first(look(fake)) == (cause, Stage.STARTUP)
    with Fake(plain) as fake:
        assert first(look(fake, mode=SslMode.NONE)) == (cause, Stage.STARTUP)


@pytest.mark.parametrize(
    "said",
    ["unsafe_password_request: no", "plaintext_accepted", "certificate_expires_soon", "pass"],
)
def test_a_server_cannot_talk_itself_into_a_pass(said: str) -> None:
    """Words of the catalogue in a server's error do not make a severity milder."""
    with Fake(scripted_login(_LEAF, error(S="FATAL", C="XX000", M=said))) as fake:
        assert look(fake).verdict == "fail"


def test_an_error_without_fields() -> None:
    """An ErrorResponse that says nothing is unknown, and still says at which stage it came."""
    with Fake(scripted_login(_LEAF, message(b"E", b"\0"))) as fake:
        report = look(fake)
    cause, stage = first(report)
    assert cause is Cause.UNKNOWN
    assert stage is Stage.STARTUP


def test_the_second_look_is_under_the_same_deadline() -> None:
    """A server whose chain does not verify, and that stalls when asked again, ends in time."""
    stranger = Authority.root("Other root").issue(dns=[_HOST])
    looks = itertools.count()

    def script(peer: Peer) -> None:
        if next(looks) == 0:
            peer.accept_tls(stranger)
        else:
            peer.read_startup()
            peer.receive()

    with Fake(script) as fake:
        report = look(fake, timeout=_SHORT)
        assert fake.connections == 2
    assert report.verdicts.verify_ca.cause is Cause.UNKNOWN_AUTHORITY
    assert report.verdicts.require.dms_reading.passed is False
    assert report.verdicts.require.dms_reading.cause is Cause.CONNECTION_TIMEOUT


@pytest.mark.parametrize("mode", list(SslMode))
def test_no_mode_is_an_exception(mode: SslMode) -> None:
    """A server that resets every connection fails every mode, and raises in none."""

    def script(peer: Peer) -> None:
        peer.receive()
        peer.reset()

    with Fake(script) as fake:
        report = probe(
            ProbeRequest(
                _HOST,
                port=fake.port,
                address="127.0.0.1",
                user="u",
                ssl_mode=mode,
                timeout=_TIMEOUT,
                policy=AddressPolicy.anywhere(),
            )
        )
    assert first(report)[0] is Cause.CONNECTION_RESET


# ---- certificates that nobody can read


_NO_NAMES = b"\x30\x00"  # a SAN


@pytest.mark.shows(Cause.CERTIFICATE_UNREADABLE)
@pytest.mark.parametrize(
    "der",
    [
        spoilt(nested_san(3)),
        spoilt(nested_san(5)),
        spoilt(nested_san(6)),
        spoilt(nested_san(2000)),
        spoilt(endless_san(3)),
        spoilt(endless_san(2000)),
        spoilt(_NO_NAMES, version=2),
        spoilt(_NO_NAMES, version=4),
    ],
)
def test_a_certificate_that_cannot_be_read_in_full(der: bytes) -> None:
    """libpq's verdict stands, whatever it is; what is odd is reported, and nothing raises."""
    with Fake(serving(der)) as fake:
        report = look(fake)
        for mode in (SslMode.VERIFY_CA, SslMode.VERIFY_FULL):
            said = libpq_says(_HOST, fake.port, mode, ca_bundle=_ROOT.certificate_pem)
            assert report.verdicts.of(mode).passed == said.connected, said
    assert Cause.CERTIFICATE_UNREADABLE in {one.cause for one in report.findings}
    assert report.evidence.chain[0].unreadable


def test_a_machine_in_the_middle_with_such_a_certificate_has_an_unknown_ca() -> None:
    """What is odd about a certificate does not hide that a stranger signed it."""
    stranger = Authority.root("Somebody else", organization="Elsewhere")
    with Fake(serving(spoilt(nested_san(2000), stranger))) as fake:
        assert first(look(fake))[0] is Cause.UNKNOWN_AUTHORITY


def test_rows_come_once_described_and_after_the_login() -> None:
    """The server does not choose what it sends, or when."""
    asked = rows(*"abcdefghijkl")
    row = message(b"D", struct.pack("!H", 12) + struct.pack("!i", -1) * 12)
    for before, answer in (
        (authentication(0) + READY, row + READY),
        (authentication(0) + READY, asked + asked + READY),
        (asked + row, READY),
        (message(b"N", b"SNOTICE\0\0") + authentication(0), READY),
    ):
        with Fake(scripted_login(_LEAF, before, answer)) as fake:
            assert first(look(fake))[0] is Cause.PROTOCOL_VIOLATION


@pytest.mark.parametrize(
    ("sizes", "rest"),
    [([-4] * 12, b""), ([5, *[-1] * 11], b"abcd"), ([-1] * 12, b"x"), ([-1] * 11, b"")],
)
def test_a_value_has_the_length_that_is_left(sizes: list[int], rest: bytes) -> None:
    """A row is exactly its columns: no length below -1, none beyond the message, nothing after."""
    body = struct.pack("!H", 12) + b"".join(struct.pack("!i", size) for size in sizes) + rest
    answer = rows(*"abcdefghijkl") + message(b"D", body) + READY
    with Fake(scripted_login(_LEAF, authentication(0) + READY, answer)) as fake:
        report = look(fake)
    assert first(report) == (Cause.PROTOCOL_VIOLATION, Stage.QUERY)
    assert report.verdicts.verify_full.passed


def test_values_are_text_in_utf_8_whatever_the_server_says_of_them() -> None:
    """Neither the type of a column nor an announced codec changes how it is read."""
    values = [b"on", b"16.4", b"TLSv1.2", b"true", b"TLSv1.3", b"c\xc3\xa9\xff", b"3", b"false"]
    body = b"".join(struct.pack("!i", len(value)) + value for value in values)
    row = message(b"D", struct.pack("!H", 12) + body + struct.pack("!i", -1) * 4)
    login = authentication(0) + parameter("client_encoding", "EUC_JP") + READY
    answer = rows(*"abcdefghijkl", oid=2249) + row + message(b"C", b"SELECT 1\0") + READY
    with Fake(scripted_login(_LEAF, login, answer)) as fake:
        report = look(fake)
        assert b"client_encoding\0UTF8\0" in fake.received
    assert report.evidence.login is not None
    assert report.evidence.login.server_version == "16.4"
    assert report.evidence.login.session_cipher == "cé\\xff"


@pytest.mark.parametrize("error", [RecursionError(), OverflowError("secret"), _Panic()])
def test_what_foreign_bytes_make_a_reader_raise_is_contained(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """It becomes a cause at its stage, with the type in the log and the text nowhere."""
    with (
        pytest.raises(StageFailed) as caught,
        contained(lambda: Stage.QUERY, Cause.PROTOCOL_VIOLATION, "it cannot be read"),
    ):
        raise error
    assert caught.value.cause is Cause.PROTOCOL_VIOLATION
    assert caught.value.stage is Stage.QUERY
    assert type(error).__name__ in caplog.text
    assert "secret" not in caplog.text + caught.value.seen


@pytest.mark.parametrize("error", [Refused(Cause.SECRET_UNREADABLE), KeyboardInterrupt()])
def test_what_is_ours_is_not_contained(error: BaseException) -> None:
    """The errors of our own callbacks, and the end of the process, pass through."""
    with (
        pytest.raises(type(error)),
        contained(lambda: Stage.LOGIN, Cause.PROTOCOL_VIOLATION, "it cannot be read"),
    ):
        raise error


class _Careless(Policy):
    """A judge that fails over what it reads."""

    def severity(self, cause: Cause) -> Severity:
        raise RecursionError


def test_a_judgement_that_fails_is_a_cause_too() -> None:
    """A report is made whatever goes wrong over certificates."""
    leaf = _ROOT.issue(dns=[_HOST], not_after=datetime.now(UTC) + timedelta(days=3))
    with Fake(scripted_login(leaf, authentication(0) + READY, READY)) as fake:
        report = look(fake, certificate_policy=_Careless())
    assert first(report)[0] is Cause.CERTIFICATE_UNREADABLE
