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

from certifier import hostname
from certifier.diagnosis import explain, from_verify_code
from certifier.outcome import Cause, Stage
from certifier.probe.dial import connection_lost
from certifier.probe.failure import Deadline, StageFailed
from certifier.probe.request import ProbeRequest

# Level 2 is what libpq's OpenSSL (3.2 and newer) starts with; Python's own list of ciphers refuses
# servers that libpq accepts (RSA key exchange).
_CIPHERS = "DEFAULT:@SECLEVEL=2"
_ALPN = "postgresql"  # libpq 17 and newer offer it
_LOWEST_TLS = "1.2"  # libpq's own default too
_GRACE = 0.1  # seconds after the deadline until a connection is cut off
_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----\s([A-Za-z0-9+/=\s]+)-----END X509 CRL-----")
_DELTA_INDICATOR = bytes.fromhex("0603551d1b")  # 2.5.29.27 (RFC 5280, section 5.2.4)
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
    """An SSLContext, and why the CRL file could not be used, if it could not."""

    context: ssl.SSLContext
    crl_problem: str | None = None


class TlsSocket(ssl.SSLSocket):
    """An SSLSocket on which nothing waits beyond the deadline of the probe."""

    deadline: Deadline

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
                raise tls_failed(error, Stage.TLS, negotiated=self.cipher() is not None) from error
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
        """The certificate of the bundle (DER) that the verified chain ends in, where it is told."""
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
    context.check_hostname = False  # libpq has its own rules: certifier.hostname
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    # Level 2 has no TLS below 1.2, but some builds of OpenSSL (Debian's) try it all the same.
    context.minimum_version = _VERSIONS[max(request.min_tls or _LOWEST_TLS, _LOWEST_TLS)]
    if request.max_tls:
        context.maximum_version = _VERSIONS[request.max_tls]
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols([_ALPN])
    if not verify:
        return ClientContext(context)
    problem = _load(context, request.ca_bundle or b"")
    if problem:
        raise TrustUnusable(problem)
    if request.crl is None:
        return ClientContext(context)
    problem = _load(context, request.crl)
    if problem is None:
        context.verify_flags |= (
            ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF | ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
        )
    return ClientContext(context, problem)


def _load(context: ssl.SSLContext, content: bytes) -> str | None:
    """Load a file of certificates and CRLs with OpenSSL's own reader; the problem, if any.

    That reader decides what a CA file is: it skips text, stops at damage, and takes CRLs too.
    Python's own reading of `cadata` differs. Delta CRLs are left out once the file has been read:
    libpq's OpenSSL looks at none, and OpenSSL 3.0 takes one for a whole list.
    """
    rest = _PEM_CRL.sub(_unless_delta, content)
    if rest == content:
        return _read_into(context, content)
    problem = _read_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), content)
    if problem is None:
        _read_into(context, rest)  # nothing may be left, and that is no problem then
    return problem


def _unless_delta(block: re.Match[bytes]) -> bytes:
    try:
        der = base64.b64decode(block[1])
    except ValueError:
        return block[0]
    return b"" if _DELTA_INDICATOR in der else block[0]


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
        return error.reason.replace("_", " ").lower()
    # Without a reason of its own, Python writes "[X509] PEM lib (_ssl.c:4154)".
    return re.sub(r"^\[\w+\] | \(_ssl\.c:\d+\)$", "", str(error))


def _not_verified(error: ssl.SSLCertVerificationError) -> StageFailed:
    diagnosis = from_verify_code(error.verify_code, error.verify_message)
    return StageFailed(
        Stage.TLS,
        diagnosis.cause,
        diagnosis.seen,
        raw=f"{error.verify_message} (verify code {error.verify_code})",
        libpq="SSL error: certificate verify failed",
        verify_code=error.verify_code,
    )


def tls_failed(error: ssl.SSLError, stage: Stage, *, negotiated: bool) -> StageFailed:
    """A failure of TLS that is none of verification.

    `negotiated`: whether version and cipher had been agreed on. An alert "handshake failure" after
    that is how a TLS 1.2 server says that it wants a client certificate.
    """
    libpq = f"SSL error: {reason_text(error)}"
    diagnosis = explain(libpq)
    cause, seen = diagnosis.cause, diagnosis.seen
    if negotiated and "alert handshake failure" in libpq:
        cause = Cause.CLIENT_CERTIFICATE_REQUIRED
        seen = (
            "the server gave up after the ciphers were agreed on, as one that wants a certificate"
        )
    return StageFailed(stage, cause, seen, raw=str(error), libpq=libpq)


def _der_of(certificates: Any) -> list[bytes]:
    # 2 is _ssl.ENCODING_DER, which the public module does not export before 3.13
    return [certificate.public_bytes(2) for certificate in certificates or ()]
