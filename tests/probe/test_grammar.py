"""Servers out of a grammar, one of whose messages or certificates is spoilt: thousands of kinds.

Each case is a number: it seeds what the server does, so that one that fails can be played again
alone. CERTIFIER_CASES says how many there are; `make fuzz` plays thousands. What the fuzzer has
found is a case of its own in ``test_hostile`` and ``test_cost``.
"""

import os
import random
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from certifier.certificate import certificate_facts, check_material, hostname
from certifier.certificate.canonical import to_pem
from certifier.models import Policy
from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.vocabulary import Cause, SslMode
from sandbox.pki import Key
from tests.probe.cost import HOST, MEMORY, PASSWORD, PROCESSOR, Meter
from tests.probe.fakes import (
    READY,
    Fake,
    Peer,
    ScramServer,
    Script,
    authentication,
    error,
    message,
    parameter,
    rows,
)
from tests.probe.hostile import ROOT, nested_san, parts_of, rsa_key, serving, signed, spoilt
from tests.probe.mutate import flipped, mutated_der, mutated_messages
from tests.probe.reference import libpq_says

_FUZZING = "CERTIFIER_CASES" in os.environ
_CASES = int(os.environ.get("CERTIFIER_CASES", "120"))
_SECONDS = 1.0  # for a probe whose server says no more
_PATIENCE = 0.05  # of a server that waits for the client
_SHARES = 6  # tests that the cases are spread over

pytestmark = pytest.mark.timeout(7200 if _FUZZING else 300)


@pytest.fixture(scope="module")
def meter() -> Iterator[Meter]:
    """A process that measures."""
    with Meter() as one:
        yield one


# ---- a login that is well-formed

_COLUMNS = rows(*"abcdefghijkl")
_VALUES = (b"on", b"17.2", b"TLSv1.2", b"true", b"TLSv1.3", b"x", b"0", b"false", b"s", b"true")
_ROW = message(
    b"D",
    struct.pack("!H", 12)
    + b"".join(struct.pack("!i", len(value)) + value for value in _VALUES)
    + struct.pack("!i", -1) * 2,
)
_WELCOME = [
    authentication(0),
    parameter("client_encoding", "UTF8"),
    parameter("server_version", "17.2"),
    message(b"K", bytes(8)),
    message(b"N", b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
    READY,
]
_ANSWER = [_COLUMNS, _ROW, _ROW, message(b"C", b"SELECT 2\0"), READY]
_REFUSED = [error(S="ERROR", V="ERROR", C="42501", M='permission denied for view "x"'), READY]


def _password(peer: Peer) -> Iterator[list[bytes]]:
    del peer
    yield [authentication(3)]
    yield _WELCOME
    yield _ANSWER


def _trust(peer: Peer) -> Iterator[list[bytes]]:
    del peer
    yield _WELCOME
    yield _REFUSED
    yield _ANSWER


def _scram(peer: Peer) -> Iterator[list[bytes]]:
    server = ScramServer(PASSWORD)
    yield [authentication(10, b"SCRAM-SHA-256\0\0")]
    _kind, body = peer.last
    yield [authentication(11, server.answer_first(body.partition(b"\0")[2][4:]))]
    _kind, body = peer.last
    final = server.answer_final(body)
    yield [authentication(12, final), *_WELCOME, *_ANSWER]


_LOGINS: tuple[Callable[[Peer], Iterator[list[bytes]]], ...] = (_password, _trust, _scram)


def _conversation(seed: int) -> Script:
    """A server that logs somebody in, with one of its answers spoilt (or, now and then, none)."""

    def script(peer: Peer) -> None:
        rng = random.Random(seed)
        login = rng.choice(_LOGINS)
        spoil_at, stage = rng.randrange(-1, 4), -1
        chain = [_certificate(rng) if rng.random() < 0.3 else _GOOD]
        peer.accept_any(chain, rsa_key())
        peer.sock.settimeout(_PATIENCE)
        peer.read_startup()
        for answer in login(peer):
            stage += 1
            sent = mutated_messages(answer, rng) if stage == spoil_at else answer
            _send(peer, b"".join(sent), rng)
            peer.last = peer.read_message()
        peer.receive()

    return script


def _send(peer: Peer, data: bytes, rng: random.Random) -> None:
    """All of it, in as many pieces as it pleases."""
    size = rng.choice((len(data) or 1, len(data) or 1, 1000, 7, 1)) if len(data) < 500 else 65536
    for at in range(0, len(data), size):
        peer.send(data[at : at + size])


def _before_tls(seed: int) -> Script:
    """A server whose first byte, or handshake, is spoilt."""

    def script(peer: Peer) -> None:
        rng = random.Random(seed)
        peer.sock.settimeout(_PATIENCE)
        peer.read_startup()
        answer = rng.choice((b"S", b"S", b"N", b"E", b"", rng.randbytes(5), b"SS"))
        peer.send(answer)
        peer.receive()
        hello = bytes.fromhex("0303") + bytes(32) + b"\0\x00\x9c\0" + b"\0\x05\xff\x01\0\x01\0"
        body = b"\x02" + len(hello).to_bytes(3, "big") + hello
        record = b"\x16\x03\x03" + len(body).to_bytes(2, "big") + body
        for _ in range(rng.choice((1, 2, 300))):
            for _ in range(rng.choice((0, 1, 3))):
                record = flipped(record, rng)
            peer.send(record)
        peer.receive()

    return script


# ---- certificates

_GOOD = spoilt(b"\x30\x10\x82\x0e" + HOST.encode())
_SEEDS = (
    _GOOD,
    spoilt(nested_san(3)),
    ROOT.issue(dns=[HOST], ips=["10.0.0.1"], cn=HOST, key=Key.RSA_2048).certificate_der,
)


def _certificate(rng: random.Random) -> bytes:
    """A certificate that is spoilt somewhere; most of the time with a good signature over that."""
    der = rng.choice(_SEEDS)
    if rng.random() < 0.2:
        return mutated_der(der, rng)
    return signed(mutated_der(parts_of(der)[0], rng), ROOT)


def _played(meter: Meter, script: Script) -> None:
    with Fake(script) as fake:
        cost = meter.probe(fake.port, ca=ROOT.certificate_pem, seconds=_SECONDS)
    assert cost.ended in {"pass", *Cause}
    assert cost.processor < PROCESSOR
    assert cost.memory < MEMORY


def _share(number: int, of: int) -> Iterator[int]:
    yield from range(number, of, _SHARES)


@pytest.mark.parametrize("number", range(_SHARES))
def test_fuzzed_servers_end_with_a_cause_and_cost_little(meter: Meter, number: int) -> None:
    """Whatever message is spoilt, at whatever stage, nothing raises, and the bounds hold."""
    for seed in _share(number, _CASES):
        try:
            _played(meter, (_before_tls if seed % 8 == 0 else _conversation)(seed))
        except AssertionError as problem:
            raise AssertionError(f"case {seed}: {problem}") from problem


@pytest.mark.parametrize("number", range(_SHARES))
def test_fuzzed_certificates_are_judged_as_libpq_does(number: int) -> None:
    """A certificate that OpenSSL reads verifies for both or for neither."""
    for seed in _share(number, _CASES // 4):
        der = _certificate(random.Random(seed))
        with Fake(serving(der)) as fake:
            report = probe(_request(fake.port))
            for mode in (SslMode.REQUIRE, SslMode.VERIFY_FULL):
                ca = ROOT.certificate_pem
                said = libpq_says(HOST, fake.port, mode, ca_bundle=ca, timeout=2)
                verdict = report.verdicts.of(mode)
                assert verdict.passed == said.connected, (seed, mode, said, verdict)


def _request(port: int) -> ProbeRequest:
    return ProbeRequest(
        HOST,
        port=port,
        address="127.0.0.1",
        ca_bundle=ROOT.certificate_pem,
        timeout=2.0,
        policy=AddressPolicy.anywhere(),
    )


@pytest.mark.parametrize("number", range(_SHARES))
def test_fuzzed_certificates_are_taken_in_without_raising(number: int) -> None:
    """The intake, and so `inspect`, has findings for anything."""
    now, good = datetime.now(UTC), ROOT.issue(dns=[HOST])
    for seed in _share(number, _CASES):
        der = _certificate(random.Random(seed))
        certificate_facts(der).model_dump_json()
        hostname.match(hostname.names_of(der), HOST)
        pem = to_pem(der).encode()
        for certificate, ca in (
            (pem, ROOT.certificate_pem),
            (good.certificate_pem + pem, ROOT.certificate_pem),
            (good.certificate_pem, ROOT.certificate_pem + pem),
        ):
            found = check_material(
                certificate=certificate,
                private_key=good.key_pem,
                chain=None,
                ca=ca,
                host=HOST,
                ssl_mode=SslMode.VERIFY_FULL,
                now=now,
                policy=Policy(),
            )
            assert found.certificates
