"""Messages of a login whose length is not that of their kind: libpq fails, and the probe too."""

import struct

import pytest

from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause, SslMode
from sandbox.pki import Authority, Key
from tests.probe.cost import HOST, PASSWORD, USER
from tests.probe.fakes import (
    READY,
    Fake,
    Peer,
    ScramServer,
    Script,
    authentication,
    message,
    parameter,
)
from tests.probe.reference import Said, libpq_says

ROOT = Authority.root("Example root")
LEAF = ROOT.issue(dns=[HOST], key=Key.RSA_2048)
OK = authentication(0)


def asked(script: Script) -> tuple[ProbeReport, Said]:
    """What the probe and what libpq say of a server."""
    with Fake(script) as fake:
        request = ProbeRequest(
            HOST,
            port=fake.port,
            address="127.0.0.1",
            user=USER,
            database="postgres",
            password=lambda: PASSWORD,
            ca_bundle=ROOT.certificate_pem,
            timeout=5,
            policy=AddressPolicy.anywhere(),
        )
        said = libpq_says(
            HOST,
            fake.port,
            SslMode.VERIFY_FULL,
            ca_bundle=ROOT.certificate_pem,
            user=USER,
            password=PASSWORD,
            timeout=2,
        )
        return probe(request), said


def at_login(*answers: bytes) -> Script:
    """TLS, the startup packet, those answers, and one to the query."""

    def script(peer: Peer) -> None:
        peer.accept_tls(LEAF)
        peer.read_startup()
        peer.send(b"".join(answers))
        peer.read_message()
        peer.send(message(b"C", b"SELECT 0\0") + READY)
        peer.receive()

    return script


@pytest.mark.parametrize(
    "answers",
    [
        (OK, READY),
        (OK, parameter("server_version", "17.0"), message(b"K", b"\0" * 8), READY),
        (OK, parameter("a", ""), READY),
        (OK, message(b"Z", b"T")),
    ],
)
def test_a_login_of_the_usual_lengths_passes(answers: tuple[bytes, ...]) -> None:
    """With libpq too."""
    report, said = asked(at_login(*answers))
    assert (report.passed, said.connected) == (True, True)


@pytest.mark.parametrize(
    "answers",
    [
        (authentication(0, b"extra"), READY),
        (authentication(5, b"saltsalt"), OK, READY),
        (authentication(5, b"sa"), OK, READY),
        (authentication(0, b"\0" * 1993), READY),
        (authentication(10, b"SCRAM-SHA-256-PLUS"),),
        (authentication(10, b"SCRAM-SHA-256-PLUS\0"),),
        (authentication(10, b"SCRAM-SHA-256-PLUS\0" + b"x\0" * 1000 + b"\0"),),
        (OK, message(b"K", b"\0"), READY),
        (OK, message(b"K", b"\0" * 300), READY),
        (OK, message(b"S", b"abc"), READY),
        (OK, message(b"S", b"abc\0def"), READY),
        (OK, message(b"S", b"abc\0def\0ghi\0"), READY),
        (OK, message(b"Z")),
        (OK, message(b"Z", b"II")),
    ],
)
def test_a_message_of_another_length_is_a_violation(answers: tuple[bytes, ...]) -> None:
    """What is left over or missing would be read as something else."""
    report, said = asked(at_login(*answers))
    assert (report.passed, said.connected) == (False, False)
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION


def test_a_list_of_mechanisms_ends_where_it_is_empty() -> None:
    """What comes after the empty name is not offered."""
    report, said = asked(at_login(authentication(10, b"\0SCRAM-SHA-256-PLUS\0\0")))
    assert (report.passed, said.connected) == (False, False)
    assert report.findings[0].cause is Cause.AUTHENTICATION_UNSUPPORTED


def with_final(final: bytes | None) -> Script:
    """A server that ends SCRAM so; None: with the right signature, in another spelling."""

    def script(peer: Peer) -> None:
        server = ScramServer(PASSWORD)
        peer.accept_tls(LEAF)
        peer.read_startup()
        peer.send(authentication(10, b"SCRAM-SHA-256-PLUS\0\0"))
        _kind, body = peer.read_message()
        peer.send(authentication(11, server.answer_first(body.partition(b"\0")[2][4:])))
        right = server.answer_final(peer.read_message()[1])
        # The last character holds two bits of the signature, and four that say nothing.
        spelled = right[:-2] + bytes([right[-2] + 1]) + b"="
        peer.send(authentication(12, spelled if final is None else final) + OK + READY)
        peer.read_message()
        peer.send(message(b"C", b"SELECT 0\0") + READY)
        peer.receive()

    return script


@pytest.mark.parametrize(
    ("final", "cause"),
    [
        (b"", Cause.PROTOCOL_VIOLATION),
        (b"A" * 43 + b"=", Cause.PROTOCOL_VIOLATION),
        (b"v=" + b"A" * 40, Cause.PROTOCOL_VIOLATION),
        (b"v=" + b"A" * 43 + b"=AAAA", Cause.PROTOCOL_VIOLATION),
        (b"v=" + b"*" * 44, Cause.PROTOCOL_VIOLATION),
        (b"v=" + b"A" * 43 + b"=", Cause.UNSAFE_PASSWORD_REQUEST),
        (b"e=other-error", Cause.PASSWORD_REJECTED),
    ],
)
def test_a_malformed_end_of_scram_is_not_a_wrong_one(final: bytes, cause: Cause) -> None:
    """A server that is broken is not yet one that somebody else has put there."""
    report, said = asked(with_final(final))
    assert (report.passed, said.connected) == (False, False)
    assert report.findings[0].cause is cause


def test_a_signature_is_compared_by_its_bytes() -> None:
    """Base64 has several spellings for one value, and libpq takes each."""
    report, said = asked(with_final(None))
    assert (report.passed, said.connected) == (True, True)


def test_a_request_is_as_short_as_its_code() -> None:
    """In two bytes nothing can be asked for."""
    report, said = asked(at_login(message(b"R", struct.pack("!h", 0))))
    assert (report.passed, said.connected) == (False, False)
    assert report.findings[0].cause is Cause.PROTOCOL_VIOLATION
