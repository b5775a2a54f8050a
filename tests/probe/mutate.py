"""Spoiling what was well-formed: DER value by value, messages of the protocol one by one."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from certifier.certificate.asn1 import OCTET_STRING, DerError, element

_CONSTRUCTED = 0x20
_DEEPEST = 12
_ENOUGH = 64 * 1024  # bytes; OpenSSL reads no certificate above 100 KiB


def tlv(tag: int, content: bytes) -> bytes:
    """A value in DER."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def mutated_der(der: bytes, rng: random.Random) -> bytes:
    """The same structure with one value in it spoilt, or left out, doubled, moved, or nested."""
    changed = _inside(der, rng, 0)
    return changed if len(changed) <= _ENOUGH else der


def _inside(der: bytes, rng: random.Random, depth: int) -> bytes:
    try:
        whole = element(der)
        nests = whole.tag & _CONSTRUCTED and depth < _DEEPEST
        parts = [one.raw for one in whole.children()] if nests else []
    except DerError:
        return der
    if parts and rng.random() < 0.9:
        return tlv(whole.tag, b"".join(_rearranged(parts, rng, depth)))
    if whole.tag == OCTET_STRING and rng.random() < 0.8:  # an extension holds DER
        return tlv(whole.tag, _inside(whole.content, rng, depth + 1))
    return rng.choice(_SPOILERS)(whole.tag, whole.content, rng)


def _rearranged(parts: list[bytes], rng: random.Random, depth: int) -> list[bytes]:
    at = rng.randrange(len(parts))
    match rng.choices(("inside", "drop", "double", "many", "shuffle"), (16, 1, 1, 1, 1))[0]:
        case "inside":
            parts[at] = _inside(parts[at], rng, depth + 1)
        case "drop":
            del parts[at]
        case "double":
            parts.insert(at, parts[at])
        case "many":
            parts *= rng.choice((2, 50))
        case "shuffle":
            rng.shuffle(parts)
    return parts


Spoiler = Callable[[int, bytes, random.Random], bytes]


def _noise(tag: int, content: bytes, rng: random.Random) -> bytes:
    return tlv(tag, rng.randbytes(rng.choice((0, 1, 2, 4, len(content), 16, 5000))))


def _largest(tag: int, _content: bytes, rng: random.Random) -> bytes:
    return tlv(tag, rng.choice((b"\x7f", b"\x80", b"\xff")) * rng.choice((1, 9, 3000)))


def _repeated(tag: int, content: bytes, rng: random.Random) -> bytes:
    return tlv(tag, content * rng.choice((0, 2, 100)))


def _another_tag(_tag: int, content: bytes, rng: random.Random) -> bytes:
    return tlv(rng.randrange(256), content)


def _nested(tag: int, content: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 5, 2000))):
        content = tlv(tag | _CONSTRUCTED, content)
    return tlv(tag, content)


def _open_ended(tag: int, content: bytes, rng: random.Random) -> bytes:
    return bytes([tag | _CONSTRUCTED, 0x80]) + content + b"\0\0" * rng.choice((0, 1))


def _flipped(tag: int, content: bytes, rng: random.Random) -> bytes:
    return tlv(tag, flipped(content, rng))


_SPOILERS: tuple[Spoiler, ...] = (
    _noise,
    _largest,
    _repeated,
    _another_tag,
    _nested,
    _open_ended,
    _flipped,
)


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One bit of it changed."""
    if not data:
        return data
    at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def mutated_messages(messages: list[bytes], rng: random.Random) -> list[bytes]:
    """The messages of one answer with one of them spoilt, or left out, repeated, moved."""
    messages = list(messages)
    at = rng.randrange(len(messages)) if messages else 0
    one = messages[at] if messages else b"?\0\0\0\4"
    match rng.randrange(10):
        case 0:
            messages[at : at + 1] = []
        case 1:
            messages.insert(at, one)
        case 2:
            messages[at : at + 1] = [one] * rng.choice((3, 60, 3000))
        case 3:
            rng.shuffle(messages)
        case 4:
            messages[at : at + 1] = [one[:1] + struct.pack("!i", rng.choice(_LENGTHS)) + one[5:]]
        case 5:
            messages[at : at + 1] = [rng.randbytes(1) + one[1:]]
        case 6:
            messages[at : at + 1] = [flipped(one, rng)]
        case 7:
            messages[at : at + 1] = [one[: rng.randrange(len(one) + 1)]]
        case 8:
            messages[at : at + 1] = [_with_a_number_changed(one, rng)]
        case _:
            body = rng.randbytes(rng.choice((0, 4, 100, 5000)))
            kind = rng.choice(b"RSKZTDCENAIGHWdcvt123ns")
            messages.insert(at, bytes([kind]) + struct.pack("!i", len(body) + 4) + body)
    return messages


_LENGTHS = (-(2**31), -4, -1, 0, 3, 4, 5, 8, 1000, 65536, 2**31 - 1)


def _with_a_number_changed(one: bytes, rng: random.Random) -> bytes:
    """Somewhere in the body, a number of 16 or 32 bits."""
    width, shape = rng.choice(((2, "!h"), (4, "!i")))
    if len(one) < 5 + width:
        return one
    at = rng.randrange(5, len(one) - width + 1)
    value = rng.choice((-(2**15), -4, -1, 0, 1, 255, 2**15 - 1))
    return one[:at] + struct.pack(shape, value) + one[at + width :]
