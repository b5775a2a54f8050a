"""The TLS client that libpq would be: its versions, ciphers, ALPN and trust, as an SSLContext."""

import base64
import contextlib
import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from certifier.certificate import hostname
from certifier.certificate.asn1 import GENERALIZED_TIME, SEQUENCE, UTC_TIME
from certifier.probe.request import ProbeRequest

# Level 2 is what libpq's OpenSSL (3.2 and newer) starts with; Python's own list of ciphers refuses
# servers that libpq accepts (RSA key exchange).
_CIPHERS = "DEFAULT:@SECLEVEL=2"
ALPN = "postgresql"  # libpq 17 and newer offer it
_LOWEST_TLS, _HIGHEST_TLS = "1.2", "1.3"  # libpq's own defaults too
_PEM = re.compile(
    rb"^-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE|X509 CRL)-----"
    rb"\s([A-Za-z0-9+/=\s]+)-----END \1-----",
    re.MULTILINE,
)
# Lists that libpq's OpenSSL does not look at: a delta (2.5.29.27, a number) and one whose issuing
# distribution point (2.5.29.28) is empty. RFC 5280, sections 5.2.4 and 5.2.5.
_OVERLOOKED = re.compile(
    rb"\x06\x03\x55\x1d(?:\x1b(?:\x01\x01.)?\x04.\x02|\x1c(?:\x01\x01.)?\x04\x02\x30\x00)",
    re.DOTALL,
)
_SHORTEST_DATES = {
    UTC_TIME: (13, "utctime is too short"),
    GENERALIZED_TIME: (15, "generalizedtime is too short"),
}
_DATES = frozenset(bytes([kind]) for kind in _SHORTEST_DATES)
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


class TrustUnusable(Exception):
    """The CA file cannot be loaded: libpq then fails in every mode. `raw` is OpenSSL's reason."""

    def __init__(self, raw: str) -> None:
        super().__init__(raw)
        self.raw = raw


@dataclass(frozen=True)
class Offer:
    """What a libpq offers besides versions and ciphers: by that, servers tell the older from the
    newer. The default is libpq 17 and newer."""

    alpn: bool = True  # since libpq 17
    server_name: bool = True  # since libpq 14
    old_tls: bool = False  # until libpq 12: TLS 1.0 and 1.1


NEWEST = Offer()
OLDEST = Offer(alpn=False, server_name=False)


@dataclass(frozen=True)
class ClientContext:
    """An SSLContext, the versions it offers, as libpq names them, the server name to send, and why
    no CRL file is used."""

    context: ssl.SSLContext
    offered: tuple[str, str]
    server_name: str | None
    crl_problem: str | None = None


def server_name(host: str) -> str | None:
    """The TLS server name to send: libpq's, as far as Python can send it."""
    sendable = hostname.sends_server_name(host) and host.isascii() and not host.startswith(".")
    return host if sendable else None


def client_context(request: ProbeRequest, *, verify: bool, offer: Offer = NEWEST) -> ClientContext:
    """A context like libpq's: versions, ciphers, ALPN and, to verify, its trust and nothing else.

    Raises TrustUnusable when the CA file cannot be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # libpq has its own rules: certifier.hostname
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    # Level 2 has no TLS below 1.2, but some builds of OpenSSL (Debian's) try it all the same.
    context.minimum_version = _VERSIONS[max(request.min_tls or _LOWEST_TLS, _LOWEST_TLS)]
    if request.max_tls:
        context.maximum_version = _VERSIONS[request.max_tls]
    offered = _named(request.min_tls or _LOWEST_TLS), _named(request.max_tls or _HIGHEST_TLS)
    context.set_ciphers(_CIPHERS)
    if offer.old_tls:
        context.minimum_version, context.maximum_version = _VERSIONS["1.0"], _VERSIONS["1.1"]
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if offer.alpn:
        context.set_alpn_protocols([ALPN])
    # No PostgreSQL renegotiates; a server that does makes us shake hands for as long as it likes.
    context.options |= ssl.OP_NO_RENEGOTIATION
    name = server_name(request.host) if offer.server_name else None
    if not verify:
        return ClientContext(context, offered, name)
    if request.system_trust:
        context.set_default_verify_paths()
    elif problem := _load(context, request.ca_bundle or b""):
        raise TrustUnusable(problem)
    return ClientContext(context, offered, name, _load_lists(context, request))


def _load_lists(context: ssl.SSLContext, request: ProbeRequest) -> str | None:
    """Load the CRLs, and check against them; or why libpq goes on without the file."""
    if request.crl is not None and (problem := _load(context, request.crl)):
        return problem
    if request.crl_folder is not None:
        context.load_verify_locations(capath=request.crl_folder)  # which need not be there
    if request.crl is not None or request.crl_folder is not None:
        context.verify_flags |= (
            ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF | ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        )
    return None


def _named(version: str) -> str:
    return f"TLSv{version.removesuffix('.0')}"


def _load(context: ssl.SSLContext, content: bytes) -> str | None:
    """Load a file of certificates and CRLs with OpenSSL's own reader; the problem, if any.

    That reader decides what a CA file is: it skips text, stops at damage, and takes CRLs too.
    Python's own reading of `cadata` differs. Where OpenSSL 3.0 takes what libpq's does not, libpq's
    is followed: a date that is too short is damage, and some CRLs are left out once the file has
    been read.
    """
    blocks = [(block, _decoded(block)) for block in _PEM.finditer(content)]
    for _block, der in blocks:
        if problem := short_date(der):
            return problem
    rest = content
    for block, der in blocks:
        if block[1] == b"X509 CRL" and _OVERLOOKED.search(der):
            rest = rest.replace(block[0], b"")
    if rest == content:
        return _read_into(context, content)
    problem = _read_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), content)
    if problem is None:
        _read_into(context, rest)  # nothing may be left, and that is fine then
    return problem


def _decoded(block: re.Match[bytes]) -> bytes:
    try:
        return base64.b64decode(block[2])
    except ValueError:
        return b""


def short_date(der: bytes) -> str | None:
    """OpenSSL's complaint about a certificate or CRL that has a date without seconds or zone.

    OpenSSL 3.0 reads it, and libpq's refuses the whole. The dates of the single entries of a CRL
    are not looked at.
    """
    try:
        parts = hostname.values(hostname.values(hostname.values(der)[0][1])[0][1])[:6]
        for tag, content in parts:
            dates = content[:1] in _DATES and tag == SEQUENCE  # the validity of a certificate
            for kind, value in hostname.values(content) if dates else ((tag, content),):
                shortest, complaint = _SHORTEST_DATES.get(kind, (0, ""))
                if len(value) < shortest:
                    return complaint
    except (ValueError, IndexError):  # it cannot be read at all
        return None
    return None


def _read_into(context: ssl.SSLContext, content: bytes) -> str | None:
    with _named_file(content) as name:
        try:
            context.load_verify_locations(cafile=name)
        except ssl.SSLError as error:
            return reason_text(error)
    return None


@contextlib.contextmanager
def _named_file(content: bytes) -> Iterator[str]:
    """A file with this content; in memory, where the system can, which saves a millisecond."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        with os.fdopen(os.memfd_create("certifier"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile(prefix="certifier-", suffix=".pem") as file:
        file.write(content)
        file.flush()
        yield file.name


def reason_text(error: ssl.SSLError) -> str:
    """OpenSSL's reason in the words that libpq prints: ``no certificate or crl found``."""
    if error.reason:
        words = error.reason.replace("_", " ").lower()
        return words.replace("sslv3 alert", "ssl/tls alert")  # since OpenSSL 3.2
    # Without a reason of its own, Python writes "[X509] PEM lib (_ssl.c:4154)".
    return re.sub(r"^\[\w+\] | \(_ssl\.c:\d+\)$", "", str(error))
