"""Chains of certificates that no library would make: names, dates, constraints, policies, numbers.

A chain is made from a seed, value by value in DER: a leaf and, mostly, an intermediate below the
root of ``tests.probe.hostile``. Most of what is in it is usual, so that much of it verifies.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.probe.hostile import ROOT, parts_of, rsa_key
from tests.probe.mutate import tlv

HOST = "db.example.com"
HOSTS = (
    *[HOST] * 4,
    "10.0.0.1",
    "::1",
    "::ffff:10.0.0.1",
    "[::1]",
    "127.1",
    "a.example.com",
    "x..example.com",
    "DB.example.com",
    f"{HOST}.",
    "bücher.example.com",
    "_x.example.com",
    "localhost",
)
_CN, _UTF8, _PRINTABLE, _IA5 = "2.5.4.3", 0x0C, 0x13, 0x16
_NULL = b"\x05\0"


@dataclass(frozen=True)
class Chain:
    """What a server serves (DER, leaf first), and the host that is asked for."""

    certificates: tuple[bytes, ...]
    host: str

    @property
    def pem(self) -> bytes:
        return b"".join(
            b"-----BEGIN CERTIFICATE-----\n"
            + base64.encodebytes(one)
            + b"-----END CERTIFICATE-----\n"
            for one in self.certificates
        )


def chain_of(seed: int) -> Chain:
    """The chain of this number."""
    rng = random.Random(seed)
    names = [_general_name(rng) for _ in range(rng.choice((1, 1, 1, 2, 3, 0)))]
    extensions = [_extension("2.5.29.17", _sequence(*names), critical=rng.random() < 0.1)]
    extensions = (extensions if rng.random() < 0.9 else []) + _odd_extensions(rng)
    rng.shuffle(extensions)
    made: dict[str, Any] = {
        "public_key": _leaf_key(),
        "subject": _subject(rng),
        "extensions": extensions,
        "version": rng.choice((*[2] * 40, 0, 1, 3)),
    }
    if rng.random() < 0.4:
        key = ROOT.private_key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        leaf = _certificate(rng, _root_name(), key, **made)
        return Chain((leaf,), rng.choice(HOSTS))
    issuing = _name([(_CN, _UTF8, b"Issuing CA")])
    leaf = _certificate(rng, issuing, _issuing_key(), **made)
    return Chain((leaf, _intermediate(rng, issuing)), rng.choice(HOSTS))


def _intermediate(rng: random.Random, name: bytes) -> bytes:
    extensions = []
    if rng.random() < 0.95:
        is_ca = _sequence(tlv(1, b"\xff"))
        extensions.append(_extension("2.5.29.19", is_ca, critical=True))
    if rng.random() < 0.4:
        extensions.append(_extension("2.5.29.30", _constraints(rng), critical=rng.random() < 0.7))
    extensions += _odd_extensions(rng)
    key = ROOT.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    own = _issuing_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _certificate(
        rng, _root_name(), key, public_key=own, subject=name, extensions=extensions, version=2
    )


@cache
def _issuing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _leaf_key() -> bytes:
    return rsa_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _root_name() -> bytes:
    return parts_of(ROOT.certificate.tbs_certificate_bytes)[5]


def _certificate(
    rng: random.Random,
    issuer: bytes,
    key: ec.EllipticCurvePrivateKey,
    *,
    public_key: bytes,
    subject: bytes,
    extensions: Sequence[bytes],
    version: int,
) -> bytes:
    algorithm = _sequence(_identifier("1.2.840.10045.4.3.2"))
    signed = _sequence(
        tlv(0xA0, tlv(2, bytes([version]))) if version else b"",
        tlv(2, rng.choice((*[b"\1"] * 60, b"\0", b"\xff", b"\x80", b"\x7f" * 100, b"\0\1", b""))),
        algorithm,
        issuer,
        _sequence(_date(rng, 0x17, b"200101000000Z"), _date(rng, 0x18, b"21000101000000Z")),
        subject,
        public_key,
        tlv(0x81, b"\0\1") if rng.random() < 0.03 else b"",
        tlv(0xA3, _sequence(*extensions)) if extensions else b"",
    )
    signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return _sequence(signed, algorithm, tlv(3, b"\0" + signature))


# ---- values


def _sequence(*parts: bytes) -> bytes:
    return tlv(0x30, b"".join(parts))


def _identifier(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    found = b""
    for number in (40 * first + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.insert(0, 0x80 | number & 0x7F)
        found += bytes(digits)
    return tlv(6, found)


def _extension(identifier: str, value: bytes, *, critical: bool = False) -> bytes:
    mark = tlv(1, b"\xff") if critical else b""
    return _sequence(_identifier(identifier), mark, tlv(4, value))


def _name(*groups: Sequence[tuple[str, int, bytes]]) -> bytes:
    return _sequence(
        *(
            tlv(
                0x31,
                b"".join(_sequence(_identifier(kind), tlv(tag, text)) for kind, tag, text in one),
            )
            for one in groups
        )
    )


_TEXTS = (
    HOST,
    "*.example.com",
    "other",
    "10.0.0.1",
    "::1",
    f"{HOST}.",
    "DB.example.com",
    "db example com",
    f"{HOST}\0evil",
    "bücher.example.com",
    "Example server",
    "*",
    "",
    "x" * 70,
)
_ENCODINGS = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}
_KINDS = (_CN, _CN, _CN, "2.5.4.10", "0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.1")


def _attribute(rng: random.Random) -> tuple[str, int, bytes]:
    tag = rng.choice((_UTF8, _UTF8, _PRINTABLE, 0x14, _IA5, *_ENCODINGS))
    return rng.choice(_KINDS), tag, rng.choice(_TEXTS).encode(_ENCODINGS.get(tag, "utf-8"))


def _subject(rng: random.Random) -> bytes:
    match rng.randrange(6):
        case 0:
            return _name()
        case 1:
            return _name([_attribute(rng), _attribute(rng)])
        case 2:
            return _name(*([_attribute(rng)] for _ in range(3)))
        case _:
            return _name([(_CN, _UTF8, rng.choice((HOST, "Example server")).encode())])


_DNS = (
    *[HOST] * 4,
    "*.example.com",
    "other.example.com",
    "DB.EXAMPLE.COM",
    f"{HOST}.",
    "d*.example.com",
    "*example.com",
    "db.*.com",
    "*.*.com",
    "*..example.com",
    "*.com",
    "*",
    ".",
    "",
    f" {HOST}",
    f"{HOST} ",
    f"{HOST}\0x",
    "\0",
    "db..example.com",
    "_x.example.com",
    "bücher.example.com",
    "xn--bcher-kva.example.com",
    "10.0.0.1",
    "::1",
)
_ADDRESSES = (
    bytes([10, 0, 0, 1]),
    bytes([127, 0, 0, 1]),
    bytes(15) + b"\1",
    bytes(10) + b"\xff\xff\x0a\0\0\1",
    bytes([10, 0, 0, 1, 255, 0, 0, 0]),
    b"",
    b"1",
    b"10.0.0.1",
)
_OTHER_NAME = _identifier("1.3.6.1.5.5.7.8.9") + tlv(0xA0, tlv(_UTF8, b"dba@example.com"))
_OTHER_NAMES = (
    *(tlv(0x86, text) for text in (b"https://db.example.com/", b"urn:x", b"http://[::1]/", b"")),
    *(tlv(0x81, text) for text in (b"dba@example.com", b"dba@example.org", b'"a b"@x', b"@", b"")),
    tlv(0xA0, _OTHER_NAME),
    tlv(0xA4, _name([(_CN, _UTF8, b"x")])),
    tlv(0x88, b"\x2a\3"),
    tlv(0xA5, tlv(0xA1, tlv(_UTF8, b"x"))),
    tlv(0xA3, b""),
    tlv(0x89, b"x"),
    tlv(0xA2, tlv(4, HOST.encode())),
    tlv(0xA7, tlv(4, bytes([10, 0, 0, 1]))),
)


def _general_name(rng: random.Random) -> bytes:
    match rng.randrange(10):
        case 0 | 1:
            return rng.choice(_OTHER_NAMES)
        case 2:
            return tlv(0x87, rng.choice(_ADDRESSES))
        case _:
            return tlv(0x82, rng.choice(_DNS).encode())


_DATES = (
    *((0x17, text) for text in (b"500101000000Z", b"490101000000Z", b"200101000060Z", b"")),
    *((0x17, text) for text in (b"200101000000+0000", b"200101000000-0500", b"2001010000Z")),
    *((0x17, text) for text in (b"201301000000Z", b"200230000000Z", b"200101000000z")),
    *((0x18, text) for text in (b"99991231235959Z", b"00000101000000Z", b"19500101000000Z")),
    *((0x18, text) for text in (b"20200101000000.5Z", b"20200101000000", b"21000101000000+0000")),
    *((0x18, text) for text in (b"20200101000000Z", b"20160229000000Z", b"21000229000000Z")),
    (_UTF8, b"200101000000Z"),
)


def _date(rng: random.Random, tag: int, usual: bytes) -> bytes:
    return tlv(tag, usual) if rng.random() < 0.96 else tlv(*rng.choice(_DATES))


# ---- extensions

_BASES = (
    *(tlv(0x82, name) for name in (b"example.com", b".example.com", b"com", b"", b"EXAMPLE.com")),
    *(tlv(0x82, name) for name in (b"example.org", b"db.example.com", b"*.example.com", b"b.exa")),
    *(tlv(0x87, net) for net in (b"\x0a\0\0\0\xff\0\0\0", b"\x0a\0\0\0\xff\0\xff\0", bytes(8))),
    *(tlv(0x87, net) for net in (bytes(32), bytes(7))),
    *(tlv(0x81, name) for name in (b"example.com", b".example.com", b"dba@example.com")),
    *(tlv(0x86, name) for name in (b"example.com", b".example.com")),
    *(tlv(0xA4, name) for name in (_name([(_CN, _UTF8, b"x")]), _name())),
    tlv(0xA0, _OTHER_NAME),
    tlv(0x88, b"\x2a"),
)


def _constraints(rng: random.Random) -> bytes:
    def subtree() -> bytes:
        limits = rng.choice((b"", b"", b"", b"", tlv(0x80, b"\0"), tlv(0x80, b"\1")))
        return _sequence(rng.choice(_BASES), limits)

    permitted = b"".join(subtree() for _ in range(rng.choice((1, 1, 2, 0))))
    return _sequence(
        tlv(0xA0, permitted) if rng.random() < 0.7 else b"",
        tlv(0xA1, subtree()) if rng.random() < 0.4 else b"",
    )


def _purposes(*dotted: str) -> bytes:
    return _sequence(*map(_identifier, dotted))


_ANY_POLICY, _SERVER, _CLIENT = "2.5.29.32.0", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
_VALUES: dict[str, tuple[bytes, ...]] = {
    "2.5.29.36": (_sequence(tlv(0x80, b"\0")), _sequence(tlv(0x81, b"\0")), _sequence()),
    "2.5.29.54": (tlv(2, b"\0"), tlv(2, b"\1"), tlv(2, b"\xff")),
    "2.5.29.32": (
        _sequence(_purposes(_ANY_POLICY)),
        _sequence(_purposes("1.2.3.4")),
        _sequence(_purposes("1.2.3"), _purposes("1.2.3")),
        _sequence(),
        _NULL,
    ),
    "2.5.29.33": (
        _sequence(_purposes("1.2.3", "1.2.4")),
        _sequence(_purposes(_ANY_POLICY, "1.2.3")),
        _sequence(),
    ),
    "2.5.29.19": (
        _sequence(),
        _sequence(tlv(1, b"\xff")),
        _sequence(tlv(1, b"\1")),
        _sequence(tlv(1, b"\xff"), tlv(2, b"\0")),
        _sequence(tlv(1, b"\xff"), tlv(2, b"\xff")),
        _sequence(tlv(2, b"\1")),
        _NULL,
    ),
    "2.5.29.15": tuple(
        tlv(3, bits) for bits in (b"\7\x80", b"\5\xa0", b"\2\4", b"\0", b"\1\6", b"\0\xff\xff")
    ),
    "2.5.29.37": (
        _purposes(_SERVER),
        _purposes(_CLIENT),
        _purposes("2.5.29.37.0"),
        _purposes("2.16.840.1.113730.4.1"),
        _purposes("1.3.6.1.5.5.7.3.3", _SERVER),
        _purposes(),
        _NULL,
    ),
    "2.16.840.1.113730.1.1": (tlv(3, b"\7\x80"), tlv(3, b"\6\x40"), tlv(3, b"\2\4"), tlv(3, b"\0")),
    "2.5.29.14": (tlv(4, b"abc"), tlv(4, b""), _NULL),
    "2.5.29.35": (
        _sequence(tlv(0x80, b"abc")),
        _sequence(tlv(0x82, b"\1")),
        _sequence(tlv(0xA1, tlv(0xA4, _name([(_CN, _UTF8, b"x")]))), tlv(0x82, b"\1")),
        _sequence(),
        _NULL,
    ),
    "2.5.29.17": (_sequence(tlv(0x82, HOST.encode())), _sequence()),
    "2.5.29.18": (_sequence(tlv(0x82, HOST.encode())),),
    "2.5.29.31": (_sequence(), _NULL),
    "2.5.29.16": (_sequence(tlv(0x80, b"20200101000000Z")),),
    "1.2.3.4.5": (_NULL,),
    "1.3.6.1.5.5.7.1.1": (_sequence(), _NULL),
    "1.3.6.1.5.5.7.1.7": (_sequence(_sequence(tlv(4, b"\0\1"), _NULL)), _sequence(), _NULL),
    "1.3.6.1.5.5.7.1.8": (_sequence(tlv(0xA0, _NULL)), _sequence(), _NULL),
    "1.3.6.1.5.5.7.1.14": (_sequence(_sequence(_identifier("1.3.6.1.5.5.7.21.0"))),),
    "1.3.6.1.5.5.7.1.24": (_sequence(tlv(2, b"\5")), _sequence(), _NULL),
    "1.3.6.1.4.1.11129.2.4.3": (_NULL,),
}


def _odd_extensions(rng: random.Random) -> list[bytes]:
    def one() -> bytes:
        kind = rng.choice((*_VALUES, "2.5.29.30"))
        value = rng.choice(_VALUES[kind]) if kind in _VALUES else _constraints(rng)
        return _extension(kind, value, critical=rng.random() < 0.5)

    return [one() for _ in range(rng.choice((*[0] * 7, 1, 1, 1, 2)))]
