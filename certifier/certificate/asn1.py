"""The part of DER that certificates and keys are read with: tolerant, bounded, never recursive.

``cryptography`` refuses a whole certificate, or all of its extensions, for one odd value in it,
where OpenSSL, and so PostgreSQL and DMS, go on. To say what such a certificate holds, its
structure is read here (X.690, section 8.1: tag, length, content; RFC 5280, section 4.1). Nothing
here is believed for trust: signatures are checked by ``cryptography`` alone.

Every function raises :class:`DerError` for what is not the expected DER, and nothing else.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

SEQUENCE: Final = 0x30
SET: Final = 0x31
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
BOOLEAN: Final = 0x01
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18

_DATE_LENGTHS: Final = {UTC_TIME: 13, GENERALIZED_TIME: 15}
_MAX_CHILDREN: Final = 20_000
_MAX_OID_BYTES: Final = 64
_MAX_INTEGER_BYTES: Final = 1024  # Python writes a number of 4,300 digits, and no longer one


class DerError(Exception):
    """These bytes are not the DER that was expected. The text never holds any of them."""


class Element(NamedTuple):
    """One value: its tag, and where in ``der`` it begins, its content begins, and it ends."""

    der: bytes
    tag: int
    begin: int
    content_begin: int
    end: int

    @property
    def raw(self) -> bytes:
        """The whole value with its header."""
        return self.der[self.begin : self.end]

    @property
    def content(self) -> bytes:
        """The value without its header."""
        return self.der[self.content_begin : self.end]

    def expect(self, tag: int) -> "Element":
        """Return this value when it has that tag."""
        if self.tag != tag:
            raise DerError(f"tag {self.tag:#04x} where {tag:#04x} belongs")
        return self

    def children(self) -> Iterator["Element"]:
        """Yield the values that the content consists of, at most twenty thousand."""
        at = self.content_begin
        for _ in range(_MAX_CHILDREN):
            if at == self.end:
                return
            child = element(self.der, at, self.end)
            yield child
            at = child.end
        raise DerError("more values than anybody needs")


def element(der: bytes, at: int = 0, limit: int | None = None) -> Element:
    """Read the value at ``at``, which must end within ``limit`` (default: the whole of ``der``)."""
    limit = len(der) if limit is None else limit
    if at + 2 > limit:
        raise DerError("ends in the middle of a header")
    tag, first = der[at], der[at + 1]
    if tag & 0x1F == 0x1F:
        raise DerError("a tag of several bytes, which no certificate has")
    begin = at + 2
    size = first
    if first >= 0x80:
        count = first & 0x7F
        if not 1 <= count <= 4:
            raise DerError("a length that DER does not allow")
        begin += count
        if begin > limit:
            raise DerError("ends in the middle of a length")
        size = int.from_bytes(der[at + 2 : begin], "big")
    if begin + size > limit:
        raise DerError("is cut off: a value is longer than what holds it")
    return Element(der, tag, at, begin, begin + size)


def encoded(tag: int, content: bytes) -> bytes:
    """Return a value with its header."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def oid(value: Element) -> str:
    """Return an object identifier in dotted form."""
    content = value.expect(OID).content
    if not content or len(content) > _MAX_OID_BYTES or content[-1] & 0x80:
        raise DerError("not a valid object identifier")
    arcs: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(number)
            number = 0
    top = min(arcs[0] // 40, 2)
    return ".".join(map(str, (top, arcs[0] - 40 * top, *arcs[1:])))


def integer(value: Element) -> int:
    """Return a signed integer."""
    content = value.expect(INTEGER).content
    if len(content) > _MAX_INTEGER_BYTES:
        raise DerError("a number longer than anybody needs")
    return int.from_bytes(content, "big", signed=True)


def boolean(value: Element) -> bool:
    """Return a truth value; anything but zero is true (BER, as OpenSSL reads it)."""
    return any(value.expect(BOOLEAN).content)


def bits(value: Element) -> frozenset[int]:
    """Return the numbers of the bits that are set, as KeyUsage names them (bit 0 is the first)."""
    content = value.expect(BIT_STRING).content[:9]
    return frozenset(
        index * 8 + bit
        for index, byte in enumerate(content[1:])
        for bit in range(8)
        if byte & 0x80 >> bit
    )


def time(value: Element) -> datetime:
    """Return an instant in UTC (RFC 5280, section 4.1.2.5: no fractions, always Z).

    Of the year 0, which OpenSSL takes and Python does not have, that of the year 1.
    """
    if value.tag not in _DATE_LENGTHS:
        raise DerError("a date of a kind that certificates do not use")
    text = value.content.decode("ascii", "replace")
    digits, zone = text[:-1], text[-1:]
    if len(text) != _DATE_LENGTHS[value.tag] or zone != "Z" or not digits.isdecimal():
        raise DerError("not a valid date")
    if value.tag == UTC_TIME:  # 00-49 is 20xx, 50-99 is 19xx
        digits = ("20" if digits < "50" else "19") + digits
    month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
    try:
        return datetime(max(int(digits[:4]), 1), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise DerError("not a valid date") from None


_ENCODINGS: Final = {
    0x14: "latin-1",  # TeletexString, as everybody used it
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}


def text(value: Element) -> str:
    """Return a string of any of the string types; bytes that do not decode stay as ``\\xNN``."""
    encoding = _ENCODINGS.get(value.tag, "utf-8")
    try:
        return value.content.decode(encoding)
    except ValueError:
        return readable(value.content)


def readable(raw: bytes) -> str:
    """Return bytes that should be a name as text; those that are not UTF-8 become ``\\xNN``."""
    return raw.decode("utf-8", "backslashreplace")
