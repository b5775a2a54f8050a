"""The TLS side of a connection, set up as libpq sets it up, and what can be learned from it."""

import _thread
import base64
import contextlib
import re
import socket
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from certifier.certificate import hostname
from certifier.certificate.asn1 import GENERALIZED_TIME, SEQUENCE, UTC_TIME
from certifier.diagnosis import explain, from_verify_code
from certifier.probe.dial import connection_lost
from certifier.probe.failure import Deadline, StageFailed
from certifier.probe.request import ProbeRequest
from certifier.vocabulary import Cause, Stage

# Level 2 is what libpq's OpenSSL (3.2 and newer) starts with; Python's own list of ciphers refuses
# servers that libpq accepts (RSA key exchange).
_CIPHERS = "DEFAULT:@SECLEVEL=2"
_ALPN = "postgresql"  # libpq 17 and newer offer it
_LOWEST_TLS, _HIGHEST_TLS = "1.2", "1.3"  # libpq's own defaults too
_GRACE = 0.1  # seconds after the deadline until a connection is cut off
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
# What libpq adds a hint about versions to (``open_client_SSL``).
_OF_VERSIONS = frozenset(
    {
        "BAD_PROTOCOL_VERSION_NUMBER",
        "NO_PROTOCOLS_AVAILABLE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNKNOWN_PROTOCOL",
        "UNKNOWN_SSL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "UNSUPPORTED_SSL_VERSION",
        "VERSION_TOO_HIGH",
        "VERSION_TOO_LOW",
        "WRONG_SSL_VERSION",
        "WRONG_VERSION_NUMBER",
    }
)
_LIBPQ_OPENSSL = (3, 5)
_SIGNATURES = frozenset({7, 8})  # X509_V_ERR_CERT_SIGNATURE_FAILURE, and the same of a CRL
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_ENDS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


class TrustUnusable(Exception):
    """The CA file cannot be loaded: libpq then fails in every mode. `raw` is OpenSSL's reason."""

    def __init__(self, raw: str) -> None:
        super().__init__(raw)
        self.raw = raw


@dataclass(frozen=True)
class ClientContext:
    """An SSLContext, the versions it offers, as libpq names them, and why no CRL file is used."""

    context: ssl.SSLContext
    offered: tuple[str, str]
    crl_problem: str | None = None


class ChainUnreadable(StageFailed):
    """libpq's OpenSSL reads no certificate like one that was served: it fails in every mode."""

    def __init__(self, complaint: str) -> None:
        super().__init__(
            Stage.TLS,
            Cause.CERTIFICATE_REJECTED,
            f"a certificate that is served cannot be read: {complaint}",
            libpq=f"SSL error: {complaint}",
        )


class TlsSocket(ssl.SSLSocket):
    """An SSLSocket on which nothing waits beyond the deadline of the probe."""

    deadline: Deadline
    offered: tuple[str, str]

    def handshake(self, deadline: Deadline) -> None:
        """Shake hands. Raises StageFailed, with `verify_code` when the chain did not verify."""
        self.deadline = deadline
        try:
            self.settimeout(deadline.left(Stage.TLS))
            self.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise _not_verified(error) from error
        except TimeoutError:
            raise deadline.passed(Stage.TLS) from None
        except OSError as error:
            deadline.left(Stage.TLS)
            if isinstance(error, _ENDS):
                raise connection_lost(None, Stage.TLS) from None
            if isinstance(error, ssl.SSLError):
                negotiated = self.cipher() is not None
                raise tls_failed(
                    error, Stage.TLS, negotiated=negotiated, offered=self.offered
                ) from error
            raise connection_lost(error, Stage.TLS) from error

    def receive(self, size: int, stage: Stage) -> bytes:
        """At most `size` bytes; empty at the end of the stream. Raises StageFailed."""
        try:
            self.settimeout(self.deadline.left(stage))
            return self.recv(size)
        except TimeoutError:
            raise self.deadline.passed(stage) from None
        except OSError as error:
            self.deadline.left(stage)
            if isinstance(error, _ENDS):
                return b""
            if isinstance(error, ssl.SSLError):
                raise tls_failed(error, stage, negotiated=True) from error
            raise connection_lost(error, stage) from error

    def transmit(self, data: bytes, stage: Stage) -> None:
        """Send all of it. Raises StageFailed."""
        try:
            self.settimeout(self.deadline.left(stage))
            self.sendall(data)
        except TimeoutError:
            raise self.deadline.passed(stage) from None
        except OSError as error:
            # The peer is gone; what it said before, an alert for one, may still be there to read.
            self.receive(1, stage)
            raise connection_lost(error, stage) from error

    def served_chain(self) -> tuple[list[bytes], bool]:
        """The certificates as served (DER), and whether these are all.

        Python 3.13 has a public call; before, only the object inside has it, and where it lacks it
        too the leaf alone is known.
        """
        if hasattr(self, "get_unverified_chain"):
            return list(self.get_unverified_chain()), True
        inside: Any = getattr(self, "_sslobj", None)
        if hasattr(inside, "get_unverified_chain"):
            return _der_of(inside.get_unverified_chain()), True
        leaf = self.getpeercert(binary_form=True)
        return ([leaf] if leaf else []), False

    def anchor(self) -> bytes | None:
        """The certificate of the bundle (DER) that the verified chain ends in, if known."""
        if hasattr(self, "get_verified_chain"):
            return next(reversed(self.get_verified_chain()), None)
        inside: Any = getattr(self, "_sslobj", None)
        if hasattr(inside, "get_verified_chain"):
            return next(reversed(_der_of(inside.get_verified_chain())), None)
        return None

    @classmethod
    def over(cls, sock: socket.socket, client: ClientContext, host: str) -> Self:
        """Wrap a connected socket; the handshake is not begun. Raises StageFailed."""
        client.context.sslsocket_class = cls
        name = server_name(host)
        try:
            wrapped = client.context.wrap_socket(
                sock,
                # Bytes, because text would go through IDNA, which refuses names that libpq sends.
                server_hostname=name.encode("ascii") if name else None,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        except OSError as error:  # the peer is gone already
            raise connection_lost(error, Stage.TLS) from error
        assert isinstance(wrapped, cls)
        wrapped.offered = client.offered
        return wrapped


@contextlib.contextmanager
def cut_off(deadline: Deadline) -> Iterator[list[TlsSocket]]:
    """End the connections in the list soon after the deadline, whatever OpenSSL is busy with.

    Within one call it reads on for as long as there is something to swallow (HelloRequest,
    KeyUpdate, tickets), and the timeout of a socket counts only while nothing is there.
    """
    connections: list[TlsSocket] = []
    over = _thread.allocate_lock()
    over.acquire()

    def watch() -> None:
        left = max(deadline.at - deadline.clock(), 0.0)
        if not over.acquire(timeout=left + _GRACE):
            for one in connections:
                with contextlib.suppress(OSError):
                    # not SSLSocket's own, which turns it into a plain socket
                    socket.socket.shutdown(one, socket.SHUT_RDWR)

    _thread.start_new_thread(watch, ())
    try:
        yield connections
    finally:
        over.release()


def server_name(host: str) -> str | None:
    """The TLS server name to send: libpq's, as far as Python can send it."""
    sendable = hostname.sends_server_name(host) and host.isascii() and not host.startswith(".")
    return host if sendable else None


def client_context(request: ProbeRequest, *, verify: bool) -> ClientContext:
    """A context like libpq's: versions, ciphers, ALPN and, to verify, its trust and nothing else.

    Raises TrustUnusable when the CA file cannot be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # libpq has its own rules: certifier.certificate.hostname
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    # Level 2 has no TLS below 1.2, but some builds of OpenSSL (Debian's) try it all the same.
    context.minimum_version = _VERSIONS[max(request.min_tls or _LOWEST_TLS, _LOWEST_TLS)]
    if request.max_tls:
        context.maximum_version = _VERSIONS[request.max_tls]
    offered = _named(request.min_tls or _LOWEST_TLS), _named(request.max_tls or _HIGHEST_TLS)
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols([_ALPN])
    if not verify:
        return ClientContext(context, offered)
    problem = _load(context, request.ca_bundle or b"")
    if problem:
        raise TrustUnusable(problem)
    if request.crl is None:
        return ClientContext(context, offered)
    problem = _load(context, request.crl)
    if problem is None:
        context.verify_flags |= (
            ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF | ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        )
    return ClientContext(context, offered, problem)


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
        _read_into(context, rest)  # nothing may be left, and that is not a problem then
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
    with tempfile.NamedTemporaryFile(prefix="certifier-", suffix=".pem") as file:
        file.write(content)
        file.flush()
        try:
            context.load_verify_locations(cafile=file.name)
        except ssl.SSLError as error:
            return reason_text(error)
    return None


def reason_text(error: ssl.SSLError) -> str:
    """OpenSSL's reason in the words that libpq prints: ``no certificate or crl found``."""
    if error.reason:
        words = error.reason.replace("_", " ").lower()
        return words.replace("sslv3 alert", "ssl/tls alert")  # since OpenSSL 3.2
    # Without a reason of its own, Python writes "[X509] PEM lib (_ssl.c:4154)".
    return re.sub(r"^\[\w+\] | \(_ssl\.c:\d+\)$", "", str(error))


def _not_verified(error: ssl.SSLCertVerificationError) -> StageFailed:
    diagnosis = from_verify_code(error.verify_code, error.verify_message)
    return StageFailed(
        Stage.TLS,
        diagnosis.cause,
        diagnosis.seen,
        raw=f"{error.verify_message} (verify code {error.verify_code})",
        # Of a signature it prints the first complaint of the algorithm, which Python does not tell.
        libpq=None if error.verify_code in _SIGNATURES else "SSL error: certificate verify failed",
        verify_code=error.verify_code,
    )


def tls_failed(
    error: ssl.SSLError, stage: Stage, *, negotiated: bool, offered: tuple[str, str] | None = None
) -> StageFailed:
    """A failure of TLS other than of verification.

    `negotiated`: whether version and cipher had been agreed on. An alert "handshake failure" after
    that is how a TLS 1.2 server says that it wants a client certificate. `offered`: the lowest and
    the highest version, during a handshake.
    """
    libpq = f"SSL error: {reason_text(error)}"
    if offered and error.reason in _OF_VERSIONS:
        libpq += (
            "\nThis may indicate that the server does not support any SSL protocol version"
            f" between {offered[0]} and {offered[1]}."
        )
    diagnosis = explain(libpq)
    cause, seen = diagnosis.cause, diagnosis.seen
    if negotiated and "alert handshake failure" in libpq:
        cause = Cause.CLIENT_CERTIFICATE_REQUIRED
        seen = (
            "the server gave up after the ciphers were agreed on, as one that wants a certificate"
        )
    elif cause is Cause.TLS_NO_SHARED_CIPHER and ssl.OPENSSL_VERSION_INFO < _LIBPQ_OPENSSL:
        seen += (
            f"; {ssl.OPENSSL_VERSION}, used here, does not offer all that libpq's offers"
            " (ML-KEM, and brainpool in TLS 1.3)"
        )
    return StageFailed(stage, cause, seen, raw=str(error), libpq=libpq)


def _der_of(certificates: Any) -> list[bytes]:
    # 2 is _ssl.ENCODING_DER, which the public module does not export before 3.13
    return [certificate.public_bytes(2) for certificate in certificates or ()]
