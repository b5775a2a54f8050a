"""One TLS connection that nothing waits on beyond the deadline, and that reads within bounds.

OpenSSL is given memory to read from and not the socket: within one call it would read on for as
long as there is something to swallow (HelloRequest, KeyUpdate, tickets), and of each byte it would
decide alone.
"""

import contextlib
import socket
import ssl
from functools import cache
from types import TracebackType
from typing import Any, Self

from certifier.diagnosis import CATALOGUE, explain, from_verify_code
from certifier.probe.bounds import Allowance
from certifier.probe.client import ClientContext, reason_text
from certifier.probe.dial import connection_lost
from certifier.probe.failure import Deadline, StageFailed
from certifier.probe.hello import Preview
from certifier.vocabulary import Cause, Stage

_RECEIVE = 16 * 1024
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
# X509_V_ERR_CERT_SIGNATURE_FAILURE, the same of a CRL, and UNSUPPORTED_NAME_SYNTAX: OpenSSL has
# complained of something inside before that, and libpq prints its first complaint.
_INSIDE = frozenset({7, 8, 53})
_ENDS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
# What libpq says where a handshake is cut off, and where it is closed as TLS closes a connection.
_END_IN_HANDSHAKE = {
    ssl.SSLEOFError: "SSL error: unexpected eof while reading",
    ssl.SSLZeroReturnError: "unrecognized SSL error code: 6",
}


class ChainUnreadable(StageFailed):
    """libpq's OpenSSL reads no certificate like one that was served: it fails in every mode."""

    def __init__(self, complaint: str) -> None:
        super().__init__(
            Stage.TLS,
            Cause.CERTIFICATE_REJECTED,
            f"a certificate that is served cannot be read: {complaint}",
            libpq=f"SSL error: {complaint}",
            remedy=CATALOGUE[Cause.CERTIFICATE_UNREADABLE].remedy,
        )


class TlsConnection:
    """A TLS connection over a connected socket, which it closes."""

    _tls: ssl.SSLObject  # from the handshake on
    _offered: tuple[str, str]

    def __init__(self, sock: socket.socket, deadline: Deadline, allowance: Allowance) -> None:
        self.deadline = deadline
        self._sock = sock
        self.allowance = allowance
        self._preview = Preview(_in_prime_fields)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send what is left to send, without waiting, and close."""
        with contextlib.suppress(OSError):
            self._sock.setblocking(False)
            self._sock.send(self._outgoing.read())
        self._sock.close()

    def handshake(self, client: ClientContext) -> None:
        """Shake hands. Raises StageFailed, with `verify_code` when the chain did not verify.

        What ends the handshake in TLS 1.3 is sent together with what comes next.
        """
        name = client.server_name
        self._offered = client.offered
        self._tls = client.context.wrap_bio(
            self._incoming,
            self._outgoing,
            # Bytes, because text would go through IDNA, which refuses names that libpq sends.
            server_hostname=name.encode("ascii") if name else None,
        )
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_pending(Stage.TLS)
                self._preview.read(self._fill(Stage.TLS))
            except ssl.SSLCertVerificationError as error:
                raise _not_verified(error) from error
            except ssl.SSLError as error:
                self.deadline.left(Stage.TLS)
                if isinstance(error, _ENDS):
                    lost = connection_lost(None, Stage.TLS)
                    lost.libpq = _END_IN_HANDSHAKE[type(error)]
                    raise lost from None
                negotiated = self._tls.cipher() is not None
                raise tls_failed(
                    error, Stage.TLS, negotiated=negotiated, offered=self._offered
                ) from error
            else:
                return

    def receive(self, size: int, stage: Stage) -> bytes:
        """At most `size` bytes; empty at the end of the stream. Raises StageFailed."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._send_pending(stage)
                self._fill(stage)
            except ssl.SSLError as error:
                self.deadline.left(stage)
                if isinstance(error, _ENDS):
                    return b""
                raise tls_failed(error, stage, negotiated=True) from error

    def transmit(self, data: bytes, stage: Stage) -> None:
        """Send all of it, in as few records as it fits in. Raises StageFailed."""
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise tls_failed(error, stage, negotiated=True) from error
        self._send_pending(stage)

    def _send_pending(self, stage: Stage) -> None:
        data = self._outgoing.read()
        if not data:
            return
        try:
            self._sock.settimeout(self.deadline.left(stage))
            self._sock.sendall(data)
        except TimeoutError:
            raise self.deadline.passed(stage) from None
        except OSError as error:
            if stage is not Stage.TLS:
                # The peer is gone; what it said before, an alert for one, may still be there.
                self.receive(1, stage)
            raise connection_lost(error, stage) from error

    def _fill(self, stage: Stage) -> bytes:
        """Wait for the next bytes of the server, and hand them to OpenSSL."""
        try:
            self._sock.settimeout(self.deadline.left(stage))
            block = self._sock.recv(_RECEIVE)
        except TimeoutError:
            raise self.deadline.passed(stage) from None
        except OSError as error:
            raise connection_lost(error, stage) from error
        if block:
            self.allowance.take(len(block), stage)
            self._incoming.write(block)
        else:
            self._incoming.write_eof()
        return block

    # ---- what can be learned from it

    @property
    def accepted(self) -> bool:
        """Whether the server went on after what was offered (ALPN and server name among it)."""
        return self._preview.accepted

    @property
    def verified(self) -> bool:
        """Whether the chain was verified: then, a handshake that is over has found it good."""
        return self._tls.context.verify_mode is ssl.CERT_REQUIRED

    def cipher(self) -> tuple[str, str, int]:
        """Name, protocol and bits of what was negotiated."""
        return self._tls.cipher() or ("", "", 0)

    def version(self) -> str | None:
        """The version of TLS."""
        return self._tls.version()

    def alpn(self) -> str | None:
        """The protocol that the server selected."""
        return self._tls.selected_alpn_protocol()

    def leaf(self) -> bytes | None:
        """The server's certificate (DER)."""
        return self._tls.getpeercert(binary_form=True)

    def served_chain(self) -> tuple[list[bytes], bool]:
        """The certificates as served (DER), and whether these are all.

        Python 3.13 has a public call; before, only the object inside has it, and where it lacks it
        too the leaf alone is known.
        """
        if hasattr(self._tls, "get_unverified_chain"):
            return list(self._tls.get_unverified_chain()), True
        inside: Any = getattr(self._tls, "_sslobj", None)
        if hasattr(inside, "get_unverified_chain"):
            return _der_of(inside.get_unverified_chain()), True
        leaf = self.leaf()
        return ([leaf] if leaf else []), False

    def verified_chain(self) -> list[bytes]:
        """The path that was verified (DER), from the leaf to the certificate of the CA file.

        Empty where this interpreter does not tell.
        """
        if hasattr(self._tls, "get_verified_chain"):
            return list(self._tls.get_verified_chain())
        inside: Any = getattr(self._tls, "_sslobj", None)
        if hasattr(inside, "get_verified_chain"):
            return _der_of(inside.get_verified_chain())
        return []


@cache
def _in_prime_fields() -> frozenset[int]:
    """The numbers of the cipher suites whose key exchange is over a prime field, without curves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL")
    return frozenset(
        suite["id"] & 0xFFFF for suite in context.get_ciphers() if suite.get("kea") == "kx-dhe"
    )


def _not_verified(error: ssl.SSLCertVerificationError) -> StageFailed:
    diagnosis = from_verify_code(error.verify_code, error.verify_message)
    return StageFailed(
        Stage.TLS,
        diagnosis.cause,
        diagnosis.seen,
        raw=f"{error.verify_message} (verify code {error.verify_code})",
        libpq=None if error.verify_code in _INSIDE else "SSL error: certificate verify failed",
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
    # "ASN1 lib" and "bad signature" are what is left of a first complaint, which libpq prints; of
    # an alert that has no name, it prints the number.
    words = None if libpq.endswith((" lib", "unknown error", "bad signature")) else libpq
    return StageFailed(stage, cause, seen, raw=str(error), libpq=words)


def _der_of(certificates: Any) -> list[bytes]:
    # 2 is _ssl.ENCODING_DER, which the public module does not export before 3.13
    return [certificate.public_bytes(2) for certificate in certificates or ()]
