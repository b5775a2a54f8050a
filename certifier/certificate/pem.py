"""Finding PEM blocks in whatever people hand over.

Tolerant in everything that cannot change what a block holds: text and headers around blocks, CRLF,
a byte order mark, UTF-16, one long line, line breaks written as spaces or as backslash and n.
Strict in the rest: base64 is decoded by the letter, and what looks like a damaged block is
reported, never passed over, so that one flipped byte yields the very same DER or a problem.

The work is linear in the size of the input, and the input is capped.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from certifier.certificate import asn1
from certifier.certificate.asn1 import DerError
from certifier.certificate.identify import HTML, Content, identify, is_html

MAX_BYTES: Final = 1024 * 1024  # four times all CAs of a usual operating system
MAX_BLOCKS: Final = 256  # twice those

_TRUSTED: Final = "TRUSTED CERTIFICATE"
_OLD_LABELS: Final = ("X509 CERTIFICATE", _TRUSTED)
CERTIFICATE_LABELS: Final = frozenset({"CERTIFICATE", *_OLD_LABELS})
PRIVATE_KEY_LABELS: Final = frozenset(
    {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"}
)
ENCRYPTED_KEY_LABEL: Final = "ENCRYPTED PRIVATE KEY"

_MARKER: Final = re.compile(rb"-----(BEGIN|END) ([A-Z0-9][A-Za-z0-9 .#]{0,47})-----")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_HEADER_LINES: Final = re.compile(rb"(?:[A-Za-z0-9-]{1,64}:[^\n]*\n(?:[ \t]+[^\n]*\n)*)+[ \t]*\n")
_ENCRYPTED: Final = re.compile(rb"Proc-Type:\s*4,\s*ENCRYPTED", re.IGNORECASE)
_ESCAPED_BREAK: Final = re.compile(rb"\\r\\n|\\n|\\r")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_MAX_DAMAGED: Final = 5
_MAX_HEADERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Block:
    """One PEM block: its label, its content, and whether legacy headers say that it is encrypted.

    The content may be a private key, so it is not part of ``repr``.
    """

    label: str
    der: bytes
    encrypted: bool = False

    def __repr__(self) -> str:
        return f"Block({self.label})"


@dataclass(frozen=True, slots=True)
class Pem:
    """What one text held.

    Attributes:
        blocks: in the order of the text.
        damaged: what looks like a block and cannot be read, in words; at most a few.
        repaired: what was tolerated and should be known, in words.
        instead: for a text without any block, what it seems to be.
        inside: what stands between a BEGIN and its END and is nothing that PEM holds, each with
            the label.
        too_large: why the text was not read to its end, or at all.
    """

    blocks: tuple[Block, ...] = ()
    damaged: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    instead: Content | None = None
    inside: tuple[tuple[str, Content], ...] = ()
    too_large: str | None = None


def read_pem(data: bytes | str) -> Pem:
    """Return the blocks of a text, and everything that is wrong with it. Never raises."""
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        return Pem(too_large=f"it has more than {MAX_BYTES:,} bytes, which is as much as is read")
    text, repaired = _as_bytes_of_text(data)
    blocks: list[Block] = []
    damaged: list[str] = []
    too_large = None
    inside: list[tuple[str, Content]] = []
    for found in _scan(text) if _MARKER.search(text) else ():
        if isinstance(found, str):
            damaged.append(found)
        elif isinstance(found, tuple):
            inside.append(found)
        elif len(blocks) == MAX_BLOCKS:
            too_large = f"it has more than {MAX_BLOCKS} PEM blocks"
            break
        else:
            blocks.append(found)
    labels = {block.label for block in blocks}
    repaired += [f"{old} became CERTIFICATE" for old in _OLD_LABELS if old in labels]
    if len(damaged) > _MAX_DAMAGED:
        more = len(damaged) - _MAX_DAMAGED
        damaged = [*damaged[:_MAX_DAMAGED], f"and {more} more damaged places"]
    instead = None if blocks or damaged or inside else identify(text if repaired else data)
    return Pem(
        tuple(blocks),
        tuple(damaged),
        tuple(repaired),
        instead,
        tuple(dict.fromkeys(inside)),
        too_large,
    )


def _as_bytes_of_text(data: bytes) -> tuple[bytes, list[str]]:
    """Return the text with one byte per character of PEM, and what had to be done for that."""
    repaired = []
    encoding = _utf16(data)
    if encoding is not None:
        data = data.decode(encoding, "replace").encode("utf-8", "replace")
        repaired.append("it was UTF-16 text, as Windows tools write it")
    if b"-----\\n" in data or b"-----\\r" in data:
        data = _ESCAPED_BREAK.sub(b"\n", data)
        repaired.append("its line breaks were written as backslash and n")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), repaired


def _utf16(data: bytes) -> str | None:
    if b"-----BEGIN" in data:
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    at = data.find(b"B\0E\0G\0I\0N")
    return None if at < 0 else ("utf-16-be" if at % 2 else "utf-16-le")


_Inside = tuple[str, Content]


def _scan(text: bytes) -> Iterator[Block | str | _Inside]:
    """Yield each block, or what is wrong at a place, in order."""
    begin: re.Match[bytes] | None = None
    outside = 0  # where text that belongs to no block begins
    for marker in _MARKER.finditer(text):
        opens, label = marker[1] == b"BEGIN", marker[2].decode("ascii")
        if opens:
            if begin is not None:
                yield f"a BEGIN {begin[2].decode('ascii')} has no END"
            else:
                yield from _leftover(text[outside : marker.start()])
            begin, outside = marker, marker.end()
            continue
        if begin is None:
            yield f"an END {label} has no BEGIN"
        elif begin[2] != marker[2]:
            yield f"a BEGIN {begin[2].decode('ascii')} is closed by END {label}"
        else:
            yield _block(label, text[begin.end() : marker.start()])
        begin, outside = None, marker.end()
    if begin is not None:
        yield f"a BEGIN {begin[2].decode('ascii')} has no END"
    else:
        yield from _leftover(text[outside:])


def _leftover(text: bytes) -> Iterator[str]:
    """Report lines of base64 in text that belongs to no block: a block whose markers both broke.

    Prose has no word of sixty such characters, and a modulus or fingerprint in hex is none either.
    """
    before = False
    for word in text.split():
        now = (
            len(word) >= 60 and _BASE64.fullmatch(word) is not None and _HEX.fullmatch(word) is None
        )
        if now and (before or len(word) > 200):
            yield "lines of base64 stand outside of any block"
            return
        before = now


def _block(label: str, body: bytes) -> Block | str | _Inside:
    encrypted = _ENCRYPTED.search(body) is not None
    if encrypted:
        return Block(label, b"", encrypted=True)
    body = body.lstrip(b"\n")
    headers = _HEADER_LINES.match(body, 0, _MAX_HEADERS)
    if headers is not None:
        body = body[headers.end() :]
    text = b"".join(body.split())
    if not text:
        return f"a {label} block is empty"
    if _BASE64.fullmatch(text) is None:
        if is_html(body):
            return label, HTML
        return f"a {label} block holds characters that are not base64"
    if len(text) % 4:
        return f"the base64 of a {label} block is cut off or has a character too many"
    der = base64.b64decode(text)
    if label == _TRUSTED:
        return _without_trust(der)
    return Block(label, der)


def _without_trust(der: bytes) -> Block | str:
    """Return the certificate in front of OpenSSL's own trust settings (``X509_CERT_AUX``)."""
    try:
        return Block(_TRUSTED, asn1.element(der).raw)
    except DerError:
        return "a TRUSTED CERTIFICATE block does not begin with a certificate"
