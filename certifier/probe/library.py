"""The TLS library that the verdicts rest on: its version, and what it offers to a server.

Distributions build OpenSSL without some curves, or let a system-wide file forbid some signatures.
What is left is asked of nobody: it stands in the greeting (ClientHello) that the library writes,
which is read here (RFC 8446, sections 4.1.2, 4.2.3 and 4.2.7). It does not leave the process.
"""

import io
import ssl
from collections.abc import Iterator
from functools import cache

from certifier.evidence import OpenSsl
from certifier.probe.client import client_context
from certifier.probe.request import ProbeRequest

_GROUPS = 10
_SIGNATURES = 13
# IANA, "TLS Supported Groups": those that some OpenSSL offers.
_CURVES = {
    0x0017: "secp256r1",
    0x0018: "secp384r1",
    0x0019: "secp521r1",
    0x001A: "brainpoolP256r1",
    0x001B: "brainpoolP384r1",
    0x001C: "brainpoolP512r1",
    0x001D: "x25519",
    0x001E: "x448",
    0x001F: "brainpoolP256r1tls13",
    0x0020: "brainpoolP384r1tls13",
    0x0021: "brainpoolP512r1tls13",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
}
# IANA, "TLS SignatureScheme"; under TLS 1.2 the two bytes are a hash and a kind of key.
_SCHEMES = {
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1",
    0x0203: "ecdsa_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0302: "dsa_sha224",
    0x0303: "ecdsa_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "dsa_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0502: "dsa_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0602: "dsa_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}


def library(request: ProbeRequest) -> OpenSsl:
    """Return what this process's OpenSSL is, and what it offers with the request's versions."""
    return _library(request.min_tls, request.max_tls)


@cache
def _library(min_tls: str | None, max_tls: str | None) -> OpenSsl:
    """Written once for each pair of versions: making the keys in a greeting takes time."""
    request = ProbeRequest(host="localhost", min_tls=min_tls, max_tls=max_tls)
    context = client_context(request, verify=False).context
    extensions = dict(_extensions(_greeting(context)))
    return OpenSsl(
        version=ssl.OPENSSL_VERSION,
        curves=_named(extensions.get(_GROUPS, b""), _CURVES),
        signature_algorithms=_named(extensions.get(_SIGNATURES, b""), _SCHEMES),
    )


def _greeting(context: ssl.SSLContext) -> bytes:
    """Return the record with which the library opens a connection; empty when it offers nothing."""
    sent = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    except ssl.SSLError:  # it waits for an answer; or it has no version to offer
        return sent.read()
    return b""


def _extensions(record: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of the extensions of a ClientHello in one TLS record."""
    body = io.BytesIO(record)
    body.seek(5 + 4 + 2 + 32)  # headers of record and message, version, random
    _sized(body, 1)  # session
    _sized(body, 2)  # cipher suites
    _sized(body, 1)  # compression
    listed = io.BytesIO(_sized(body, 2))
    while kind := listed.read(2):
        yield int.from_bytes(kind), _sized(listed, 2)


def _sized(body: io.BytesIO, size: int) -> bytes:
    return body.read(int.from_bytes(body.read(size)))


def _named(content: bytes, names: dict[int, str]) -> tuple[str, ...]:
    """Return the names of a list of two-byte numbers; a number that has none, in hexadecimal."""
    numbers = [int.from_bytes(content[at : at + 2]) for at in range(2, len(content), 2)]
    return tuple(names.get(number, f"0x{number:04x}") for number in numbers)
