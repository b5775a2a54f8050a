"""Servers that try to cost a client dearly, by kind: what tests and the benchmark hold a probe to.

Each is a script (see ``tests.probe.fakes``) that follows the protocol as far as it must and then
does its worst. Their certificate is good wherever that lets them get further.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certifier.certificate import asn1
from certifier.vocabulary import SslMode
from sandbox.pki import Authority, Key, Leaf
from tests.probe.cost import HOST
from tests.probe.fakes import (
    READY,
    Peer,
    ScramServer,
    Script,
    authentication,
    dh_parameters,
    error,
    message,
    parameter,
    rows,
    server_context,
)
from tests.probe.mutate import tlv
from tests.probe.tls12 import HANDSHAKE, Tls12Server, handshake_message

ROOT = Authority.root("Example root")
COLUMNS = 12  # of the probe's query
_OK = authentication(0)
_ENDLESS = 200_000

Act = Callable[[Peer], None]


@dataclass(frozen=True)
class Hostile:
    """One server: what it does, and how it is asked (fields of the request)."""

    name: str
    script: Script
    asked: dict[str, Any] = field(default_factory=dict)


@cache
def _leaf() -> Leaf:
    return ROOT.issue(dns=[HOST], key=Key.RSA_2048)


def _flood(block: bytes, *, first: bytes = b"") -> Act:
    """The same bytes, until the client is gone."""
    many = block * max(1, 64 * 1024 // len(block))

    def send(peer: Peer) -> None:
        peer.send(first)
        for _ in range(_ENDLESS):
            peer.send(many)

    return send


def _drip(block: bytes) -> Act:
    """One byte after the other, each in a segment and a record of its own."""

    def send(peer: Peer) -> None:
        for _ in range(_ENDLESS):
            for at in range(len(block)):
                peer.send(block[at : at + 1])

    return send


def _once(block: bytes) -> Act:
    def send(peer: Peer) -> None:
        peer.send(block)
        peer.receive()

    return send


def _before_tls(act: Act) -> Script:
    def script(peer: Peer) -> None:
        peer.read_startup()
        act(peer)

    return script


def _in_handshake(act: Act) -> Script:
    def script(peer: Peer) -> None:
        peer.read_startup()
        peer.send(b"S")
        peer.receive()
        act(peer)

    return script


def _at_login(act: Act, leaf: Callable[[], Leaf] = _leaf, **settings: Any) -> Script:
    def script(peer: Peer) -> None:
        peer.accept_tls(leaf(), **settings)
        peer.read_startup()
        act(peer)

    return script


def _logged_in(act: Act) -> Script:
    def script(peer: Peer) -> None:
        peer.accept_tls(_leaf())
        peer.read_startup()
        peer.send(_OK + READY)
        peer.read_message()
        act(peer)

    return script


def _scram(
    act: Callable[[Peer, ScramServer], None], leaf: Callable[[], Leaf], **settings: Any
) -> Script:
    def script(peer: Peer) -> None:
        peer.accept_tls(leaf())
        peer.read_startup()
        peer.send(authentication(10, b"SCRAM-SHA-256\0\0"))
        act(peer, ScramServer("a password", **settings))

    return script


def _iterations(count: int, leaf: Callable[[], Leaf] = _leaf) -> Script:
    def act(peer: Peer, server: ScramServer) -> None:
        _kind, body = peer.read_message()
        mechanism, _, rest = body.partition(b"\0")
        assert mechanism
        peer.send(authentication(11, server.answer_first(rest[4:])))
        peer.receive()

    return _scram(act, leaf, iterations=count)


def _row(*sizes: int, count: int | None = None) -> bytes:
    """A DataRow whose values are said to have these sizes, and hold nothing."""
    body = struct.pack("!H", len(sizes) if count is None else count)
    return message(b"D", body + b"".join(struct.pack("!i", size) for size in sizes))


def _described(count: int = COLUMNS, oid: int = 25) -> bytes:
    return rows(*(f"c{number}" for number in range(count)), oid=oid)


def _values(*values: bytes) -> bytes:
    body = struct.pack("!H", len(values))
    return message(b"D", body + b"".join(struct.pack("!i", len(v)) + v for v in values))


def _nested(depth: int) -> bytes:
    return b"(" * depth + b"1" + b")" * depth


# ---- certificates


def nested_san(depth: int, *, tag: int = 0xA2) -> bytes:
    """A SAN whose one name is a string in pieces in pieces in pieces."""
    inner = b"\x04\x01x"
    for _ in range(depth):
        inner = tlv(0x24, inner)
    return tlv(0x30, tlv(tag, inner))


def endless_san(depth: int) -> bytes:
    """Names of open length inside each other (BER)."""
    return b"\x30\x80" + b"\xa2\x80" * depth + b"\0\0" * depth + b"\0\0"


@cache
def spoilt(san: bytes, authority: Authority = ROOT, *, version: int = 3) -> bytes:
    """A signed certificate (DER) with what neither `cryptography` nor OpenSSL would make."""
    good = authority.issue(cn=HOST, key=Key.RSA_2048, san_raw=b"\x30\x00")
    tbs = parts_of(good.certificate.tbs_certificate_bytes)
    extensions = parts_of(asn1.element(tbs[-1]).content)
    named = next(at for at, one in enumerate(extensions) if b"\x55\x1d\x11" in one[:12])
    extensions[named] = tlv(0x30, bytes.fromhex("0603551d11") + tlv(0x04, san))
    tbs[-1] = tlv(0xA3, tlv(0x30, b"".join(extensions)))
    tbs[0] = tlv(0xA0, tlv(0x02, bytes([version - 1])))
    return signed(tlv(0x30, b"".join(tbs)), authority)


def signed(tbs: bytes, authority: Authority) -> bytes:
    """A certificate (DER) of this TBSCertificate, which is signed as it is."""
    key = authority.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    return tlv(0x30, tbs + algorithm + tlv(0x03, b"\0" + signature))


def parts_of(der: bytes) -> list[bytes]:
    """The values in a value, each with its header."""
    return [one.raw for one in asn1.element(der).children()]


def rsa_key() -> rsa.RSAPrivateKey:
    """The key of every leaf of RSA-2048 here."""
    key = _leaf().private_key
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def serving(der: bytes, act: Act | None = None) -> Script:
    """A server that serves these bytes as its certificate, and lets everybody in."""

    def script(peer: Peer) -> None:
        peer.accept_any([der], rsa_key())
        peer.read_startup()
        (act or _once(_OK + READY))(peer)

    return script


@cache
def costly_key() -> rsa.RSAPrivateKey:
    """RSA-3072 whose public exponent is as long as its modulus: OpenSSL takes that, and works."""
    usual = ROOT.issue(dns=["x"], key=Key.RSA_3072).private_key
    assert isinstance(usual, rsa.RSAPrivateKey)
    own = usual.private_numbers()
    order = (own.p - 1) * (own.q - 1)
    d = (1 << 64) + 13
    while True:
        try:
            e = pow(d, -1, order)
        except ValueError:
            d += 2
            continue
        return rsa.RSAPrivateNumbers(
            own.p,
            own.q,
            d,
            d % (own.p - 1),
            d % (own.q - 1),
            own.iqmp,
            rsa.RSAPublicNumbers(e, own.public_numbers.n),
        ).private_key(unsafe_skip_rsa_key_validation=True)


@cache
def _costly_leaf() -> Leaf:
    return ROOT.issue(dns=[HOST], key=Key.RSA_3072, private_key=costly_key())


@cache
def _costly_authority(length: int) -> Authority:
    if not length:
        return ROOT
    return _costly_authority(length - 1).intermediate(
        f"CA {length}", key=Key.RSA_3072, private_key=costly_key(), organization=None
    )


@cache
def _costly_chain(length: int) -> Leaf:
    return _costly_authority(length).issue(dns=[HOST], key=Key.RSA_3072, private_key=costly_key())


def _two_chains(peer: Peer) -> None:
    """One for who sends a server name, and another for who does not."""
    peer.accept_tls(_costly_chain(40), unnamed=_costly_chain(39))
    peer.read_startup()
    _once(_OK + READY)(peer)


_EXTENSIONS = b"".join(
    tlv(0x30, bytes([0x06, 0x03, 0x2A, number >> 7 & 0x7F, number & 0x7F, 0x04, 0x00]))
    for number in range(9000)
)
_COMMON_NAMES = tlv(0x31, tlv(0x30, bytes.fromhex("06035504030c0178"))) * 7000


def _with(at: int, part: bytes) -> bytes:
    """A certificate with another value in this place of its TBSCertificate."""
    parts = parts_of(parts_of(spoilt(b"\x30\x00"))[0])
    parts[at] = part
    return signed(tlv(0x30, b"".join(parts)), ROOT)


@cache
def _long_chain(length: int) -> Leaf:
    """A chain to the root that is trusted, so that all of it is verified."""
    authority = ROOT
    for number in range(length):
        authority = authority.intermediate(f"CA {number}", key=Key.EC_P256, organization=None)
    return authority.issue(dns=[HOST])


@cache
def _self_issued(count: int) -> Leaf:
    """Certificates that claim to have signed themselves, with keys that are costly to check."""
    key = costly_key()
    own = tuple(
        Authority.root(f"Root {number}", key=Key.RSA_3072, private_key=key).certificate
        for number in range(count)
    )
    leaf = ROOT.issue(dns=[HOST])
    return Leaf(leaf.certificate, leaf.private_key, leaf.kind, own)


@cache
def _many_names(count: int) -> Leaf:
    return ROOT.issue(dns=[b""] * count, cn="x")


# ---- the list


def hostile_servers() -> Iterator[Hostile]:
    """All of them."""
    yield from _of_tls()
    yield from _of_certificates()
    yield from _of_logins()
    yield from _of_queries()


def _of_tls() -> Iterator[Hostile]:
    yield Hostile("flood instead of the answer to the SSL request", _before_tls(_flood(b"S")))
    yield Hostile("an error without end before TLS", _before_tls(_flood(b"E\x7f\xff\xff\xff")))
    hello_request = b"\x16\x03\x03\x00\x04\0\0\0\0"
    yield Hostile("HelloRequests in the handshake", _in_handshake(_flood(hello_request)))
    full = b"\x16\x03\x03\x40\x00" + b"\0\0\0\0" * 4096
    yield Hostile("HelloRequests, 4096 in a record", _in_handshake(_flood(full)))
    yield Hostile("empty records in the handshake", _in_handshake(_flood(b"\x16\x03\x03\0\0")))
    yield Hostile("warnings in the handshake", _in_handshake(_flood(b"\x15\x03\x03\0\x02\x01\x5a")))
    yield Hostile("a handshake byte by byte", _in_handshake(_drip(hello_request)))
    for name, act in (
        ("a flood", _flood(b"N\0\0\0\4")),
        ("an error without end", _flood(b"M" + b"x" * 100, first=b"E\x10\0\0\0")),
        ("an error byte by byte", _drip(error(M="x" * 9000))),
    ):
        yield Hostile(f"{name} in plain text", _before_tls(act), {"ssl_mode": SslMode.NONE})
    large = b"\x16\x03\x03\x40\x00\x0b\xff\xff\xff" + b"x" * 16380
    yield Hostile("a certificate of 16 MB", _in_handshake(_flood(large)))
    yield Hostile("renegotiation without end", serving(spoilt(b"\x30\x00"), _renegotiate))
    for bits in (8192, 10000):
        yield Hostile(f"Diffie-Hellman with {bits} bits", _diffie_hellman(bits))
    yield Hostile("100,000 tickets", _with_tickets)
    yield Hostile("records of one byte", _at_login(_drip(message(b"N", b"\0"))))


def _with_tickets(peer: Peer) -> None:
    """TLS 1.3 with more tickets after the handshake than anybody needs."""
    context = server_context(_leaf())
    context.num_tickets = 100_000
    peer.read_startup()
    peer.send(b"S")
    peer.sock = context.wrap_socket(peer.sock, server_side=True)
    peer.receive()


def _renegotiate(peer: Peer) -> None:
    server = cast("Tls12Server", peer.sock)
    while True:
        server.record(HANDSHAKE, handshake_message(0, b""))


def _diffie_hellman(bits: int) -> Script:
    return _at_login(
        _once(_OK + READY),
        maximum=ssl.TLSVersion.TLSv1_2,
        ciphers="DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
        dh_parameters=dh_parameters(bits),
    )


def _of_certificates() -> Iterator[Hostile]:
    def served(name: str, leaf: Callable[[], Leaf], **asked: Any) -> Hostile:
        return Hostile(name, _at_login(_once(_OK + READY), leaf), asked)

    stranger = Authority.root("Stranger")
    yield Hostile("a SAN nested 2,000 deep", serving(spoilt(nested_san(2000))))
    yield Hostile("the same, of an unknown CA", serving(spoilt(nested_san(2000), stranger)))
    yield Hostile("open lengths nested 2,000 deep", serving(spoilt(endless_san(2000))))
    yield Hostile("X.509 version 4", serving(spoilt(b"\x30\x00", version=4)))
    yield served("40,000 empty names", lambda: _many_names(40_000))
    yield served("the same, for older clients too", lambda: _many_names(40_000), older_clients=True)
    yield Hostile("9,000 extensions", serving(_with(-1, tlv(0xA3, tlv(0x30, _EXTENSIONS)))))
    yield Hostile("7,000 common names", serving(_with(5, tlv(0x30, _COMMON_NAMES))))
    yield served("a chain of 90 that verifies", lambda: _long_chain(90))
    yield served("a chain of 40 that is costly to verify", lambda: _costly_chain(40))
    yield served("a key that is costly to verify with", _costly_leaf)
    yield served("20 roots with such keys", lambda: _self_issued(20))
    yield Hostile(
        "two chains that are costly to verify, by the server name",
        _two_chains,
        {"older_clients": True},
    )
    yield Hostile(
        "a costly chain, and 600,000 iterations of SCRAM",
        _iterations(600_000, lambda: _costly_chain(50)),
    )
    yield served(
        "a chain of 400, nothing verified", lambda: _long_chain(400), ssl_mode=SslMode.REQUIRE
    )


def _of_logins() -> Iterator[Hostile]:
    for name, block in (
        ("notices", message(b"N", b"SNOTICE\0\0")),
        ("notices of 60 KB", message(b"N", b"M" + b"x" * 60_000 + b"\0\0")),
        ("parameters", parameter("a", "b")),
        ("parameters of 60 KB", parameter("a", "b" * 60_000)),
        ("the smallest messages", message(b"S")),
    ):
        yield Hostile(f"{name} before the login", _at_login(_flood(block)))
        yield Hostile(f"{name} after the login", _at_login(_flood(block, first=_OK)))
    yield Hostile(
        "an ErrorResponse of 1 GiB",
        _at_login(_flood(b"M" + b"x" * 1000 + b"\0", first=b"E\x40\0\0\0")),
    )
    yield Hostile("an ErrorResponse byte by byte", _at_login(_drip(error(M="x" * 30_000))))
    yield Hostile("rows before the login", _at_login(_flood(_described() + _row(*[-4] * COLUMNS))))
    yield Hostile("600,000 iterations of SCRAM", _iterations(600_000))
    yield Hostile("2,000,000,000 iterations of SCRAM", _iterations(2_000_000_000))
    for text in ("://:" * 3000, "secrets manager curlCode: " * 400, '"' * 9000, "password=" * 1200):
        yield Hostile(
            f"an error that says {text[:12]!r} again and again",
            _at_login(_once(error(S="FATAL", C="XX000", M=text))),
        )


def _of_queries() -> Iterator[Hostile]:
    end = message(b"C", b"SELECT 1\0") + READY
    asked = _described()
    for name, answer in (
        ("lengths of -4", asked + _row(*[-4] * COLUMNS) + end),
        ("the same in 1,000 columns", _described(1000) + _row(*[-4] * 1000) + end),
        ("a length of 2 GiB", asked + _row(0x7FFFFFFF, *[-1] * 11) + end),
        ("65,535 columns, described by nothing", message(b"T", b"\xff\xff") + end),
        ("65,535 columns in a row", asked + _row(-1, count=65535) + end),
        ("nested records", _described(oid=2249) + _values(*[_nested(4000)] * COLUMNS) + end),
        ("nested arrays", _described(oid=1007) + _values(*[b"{" * 4000] * COLUMNS) + end),
        ("numerics", _described(oid=1700) + _values(*[b"1e999999999"] * COLUMNS) + end),
        ("nested JSON", _described(oid=114) + _values(*[b"[" * 4000] * COLUMNS) + end),
        ("intervals", _described(oid=1186) + _values(*[b"9" * 4000] * COLUMNS) + end),
        ("a copy out of nowhere", message(b"H", b"\0\0\0") + message(b"d", b"x" * 1000) + end),
        ("a copy into nowhere", message(b"G", b"\0\0\0")),
    ):
        yield Hostile(name, _logged_in(_once(answer)))
    row = _values(*[b"x" * 100] * COLUMNS)
    yield Hostile("rows without end", _logged_in(_flood(row, first=asked)))
    yield Hostile("rows without columns", _logged_in(_flood(_row(), first=_described(0))))
    yield Hostile("descriptions without end", _logged_in(_flood(asked)))
    yield Hostile("completions without end", _logged_in(_flood(message(b"C", b"SELECT 1\0"))))
    yield Hostile("errors without end", _logged_in(_flood(error(S="ERROR", C="42501", M="no"))))
    yield Hostile("rows byte by byte", _logged_in(_drip(asked + row)))
