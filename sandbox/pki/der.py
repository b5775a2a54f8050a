"""DER by hand, for what the certificate builder refuses to make."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BIT_STRING, SEQUENCE, VERSION, EXTENSIONS = 0x03, 0x30, 0xA0, 0xA3
EMAIL, DNS, URI, IP = 0x81, 0x82, 0x86, 0x87
# id-RSASSA-PSS without parameters: any hash may be used (RFC 4055, section 1.2)
RSASSA_PSS_ANY = bytes.fromhex("300b06092a864886f70d01010a")
OLD_ALGORITHMS: dict[tuple[type[hashes.HashAlgorithm], bool], bytes] = {
    (hashes.MD5, True): bytes.fromhex("300d06092a864886f70d0101040500"),
    (hashes.SHA1, True): bytes.fromhex("300d06092a864886f70d0101050500"),
    (hashes.SHA1, False): bytes.fromhex("300906072a8648ce3d0401"),
}


def tlv(tag: int, content: bytes) -> bytes:
    """One value: tag, length and content."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _header(der: bytes, at: int) -> tuple[int, int]:
    """(where the content begins, where it ends) of the value at `at`."""
    first = der[at + 1]
    if first < 0x80:
        return at + 2, at + 2 + first
    begin = at + 2 + (first & 0x7F)
    return begin, begin + int.from_bytes(der[at + 2 : begin], "big")


def content_of(der: bytes) -> bytes:
    """The content of one value, without tag and length."""
    begin, end = _header(der, 0)
    return der[begin:end]


def children(content: bytes) -> list[bytes]:
    """The values in the content of a SEQUENCE, each with its tag."""
    found, at = [], 0
    while at < len(content):
        _begin, end = _header(content, at)
        found.append(content[at:end])
        at = end
    return found


def pem(label: str, der: bytes) -> bytes:
    """PEM in lines of 64 characters (RFC 7468)."""
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    dashes = b"-----"
    begin = dashes + b"BEGIN " + label.encode() + dashes
    end = dashes + b"END " + label.encode() + dashes
    return b"\n".join([begin, *lines, end, b""])


def general_names(
    dns: Sequence[str | bytes],
    ips: Sequence[str | bytes],
    emails: Sequence[str | bytes],
    uris: Sequence[str | bytes],
) -> bytes | None:
    """GeneralNames in DER (RFC 5280, section 4.2.1.6); None when there is no name at all."""

    def text(value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else value.encode("utf-8")

    def address(value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else ipaddress.ip_address(value).packed

    names = [
        *(tlv(DNS, text(one)) for one in dns),
        *(tlv(IP, address(one)) for one in ips),
        *(tlv(EMAIL, text(one)) for one in emails),
        *(tlv(URI, text(one)) for one in uris),
    ]
    return tlv(SEQUENCE, b"".join(names)) if names else None


def with_algorithm(tbs: list[bytes], algorithm: bytes) -> list[bytes]:
    """The signature algorithm that the certificate names is replaced."""
    at = 2 if tbs[0][0] == VERSION else 1
    return [*tbs[:at], algorithm, *tbs[at + 1 :]]


def with_pss_key(tbs: list[bytes]) -> list[bytes]:
    """The SubjectPublicKeyInfo says id-RSASSA-PSS instead of rsaEncryption."""
    at = 6 if tbs[0][0] == VERSION else 5
    bits = children(content_of(tbs[at]))[1]
    return [*tbs[:at], tlv(SEQUENCE, RSASSA_PSS_ANY + bits), *tbs[at + 1 :]]


def as_version_1(tbs: list[bytes]) -> list[bytes]:
    """No version field and no extensions: X.509 version 1."""
    return [part for part in tbs if part[0] not in (VERSION, EXTENSIONS)]


def edited(
    certificate: x509.Certificate,
    edits: Sequence[Callable[[list[bytes]], list[bytes]]],
    sign: Callable[[bytes], bytes],
) -> x509.Certificate:
    """The certificate with its parts edited, and signed again by `sign`."""
    parts = children(content_of(certificate.tbs_certificate_bytes))
    for edit in edits:
        parts = edit(parts)
    tbs = tlv(SEQUENCE, b"".join(parts))
    algorithm = parts[2 if parts[0][0] == VERSION else 1]
    signature = tlv(BIT_STRING, b"\x00" + sign(tbs))
    return x509.load_der_x509_certificate(tlv(SEQUENCE, tbs + algorithm + signature))


def public_key_der(certificate: x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, to compare keys."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
