"""A TLS 1.2 server that serves any bytes as its certificates, which OpenSSL's would refuse to.

TLS_RSA_WITH_AES_128_GCM_SHA256 and nothing else (RFC 5246, RFC 5288). It has a socket's `recv`,
`sendall`, `settimeout`, `shutdown` and `close`, as far as a script needs them, and `record` sends
whatever else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SUITE = b"\x00\x9c"
_VERSION = b"\x03\x03"
CHANGE, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23


def _prf(secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """The pseudorandom function of RFC 5246, section 5."""
    found, a, seed = b"", label + seed, label + seed
    while len(found) < size:
        a = hmac.digest(secret, a, "sha256")
        found += hmac.digest(secret, a + seed, "sha256")
    return found[:size]


def handshake_message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _vector(body: bytes, width: int) -> bytes:
    return len(body).to_bytes(width, "big") + body


@dataclass
class _Direction:
    """The keys of one direction, and how many records they have protected."""

    key: bytes
    salt: bytes
    number: int = 0

    def _head(self, kind: int, size: int) -> bytes:
        return struct.pack("!QB", self.number, kind) + _VERSION + struct.pack("!H", size)

    def seal(self, kind: int, data: bytes) -> bytes:
        explicit = struct.pack("!Q", self.number)
        sealed = AESGCM(self.key).encrypt(self.salt + explicit, data, self._head(kind, len(data)))
        self.number += 1
        return explicit + sealed

    def open(self, kind: int, body: bytes) -> bytes:
        head = self._head(kind, len(body) - 24)
        data = AESGCM(self.key).decrypt(self.salt + body[:8], body[8:], head)
        self.number += 1
        return data


class Tls12Server:
    """The server's side of one connection; the handshake is made at once."""

    def __init__(self, sock: socket.socket, chain: Sequence[bytes], key: rsa.RSAPrivateKey) -> None:
        """Shake hands. Raises OSError, for a client that another key was shown to, too."""
        try:
            self._shake_hands(sock, chain, key)
        except (InvalidTag, ValueError) as error:
            raise ConnectionError("the client took another key") from error

    def _shake_hands(
        self, sock: socket.socket, chain: Sequence[bytes], key: rsa.RSAPrivateKey
    ) -> None:
        self._sock = sock
        self._transcript = b""
        self._reading: _Direction | None = None
        self._writing: _Direction | None = None
        self._received = b""
        hello = self._handshake_in()
        client_random, own_random = hello[6:38], os.urandom(32)
        extensions = _vector(b"\xff\x01\x00\x01\x00", 2)  # secure renegotiation, RFC 5746
        alike = _VERSION + own_random + b"\x00" + _SUITE + b"\x00" + extensions
        certificates = _vector(b"".join(_vector(one, 3) for one in chain), 3)
        self._handshake_out(2, alike)
        self._handshake_out(11, certificates)
        self._handshake_out(14, b"")
        exchange = self._handshake_in()
        secret = key.decrypt(exchange[6:], padding.PKCS1v15())
        master = _prf(secret, b"master secret", client_random + own_random, 48)
        block = _prf(master, b"key expansion", own_random + client_random, 40)
        self._next()  # ChangeCipherSpec
        self._reading = _Direction(block[:16], block[32:36])
        self._handshake_in()  # Finished
        self.record(CHANGE, b"\x01")
        self._writing = _Direction(block[16:32], block[36:40])
        digest = hashlib.sha256(self._transcript).digest()
        self._handshake_out(20, _prf(master, b"server finished", digest, 12))

    def record(self, kind: int, data: bytes) -> None:
        """Send a record of any kind, protected once the handshake has come so far."""
        for at in range(0, max(len(data), 1), 16384):
            piece = data[at : at + 16384]
            sealed = piece if self._writing is None else self._writing.seal(kind, piece)
            self._sock.sendall(bytes([kind]) + _VERSION + _vector(sealed, 2))

    def sendall(self, data: bytes) -> None:
        self.record(DATA, data)

    def recv(self, size: int) -> bytes:
        while not self._received:
            kind, body = self._next()
            if kind == ALERT:
                return b""
            if kind == DATA:
                self._received = body
        found, self._received = self._received[:size], self._received[size:]
        return found

    def settimeout(self, seconds: float) -> None:
        self._sock.settimeout(seconds)

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        self._sock.close()

    def _next(self) -> tuple[int, bytes]:
        head = self._exactly(5)
        kind, body = head[0], self._exactly(int.from_bytes(head[3:], "big"))
        return kind, body if self._reading is None else self._reading.open(kind, body)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            block = self._sock.recv(size - len(data))
            if not block:
                raise ConnectionError("the client is gone")
            data += block
        return data

    def _handshake_in(self) -> bytes:
        kind, body = self._next()
        if kind != HANDSHAKE:
            raise ConnectionError(f"the client ended the handshake: {body!r}")
        self._transcript += body
        return body

    def _handshake_out(self, kind: int, body: bytes) -> None:
        message = handshake_message(kind, body)
        self._transcript += message
        self.record(HANDSHAKE, message)
