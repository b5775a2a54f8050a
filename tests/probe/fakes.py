"""Servers other than PostgreSQL: each follows its script, and keeps all that it received."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import random
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.pki import Leaf
from tests.probe.tls12 import Tls12Server

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
READY = b"Z\x00\x00\x00\x05I"
_PATIENCE = 10.0  # seconds after which a script gives up, so that no test leaves a thread behind


def message(kind: bytes, body: bytes = b"") -> bytes:
    """One message of the PostgreSQL protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


def authentication(code: int, body: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!i", code) + body)


def error(**fields: str) -> bytes:
    """An ErrorResponse; the fields by their letters."""
    body = b"".join(k.encode() + v.encode("utf-8") + b"\0" for k, v in fields.items())
    return message(b"E", body + b"\0")


def parameter(name: str, value: str) -> bytes:
    """A ParameterStatus."""
    return message(b"S", name.encode() + b"\0" + value.encode() + b"\0")


def rows(*columns: str, oid: int = 25) -> bytes:
    """A RowDescription."""
    described = (n.encode() + b"\0" + struct.pack("!ihihih", 0, 0, oid, -1, -1, 0) for n in columns)
    return message(b"T", struct.pack("!H", len(columns)) + b"".join(described))


def dh_parameters(bits: int) -> bytes:
    """A number of so many bits that nobody has checked to be prime, and 2, as PEM."""
    prime = (random.Random(bits).getrandbits(bits) | 1 | 3 << (bits - 2)).to_bytes(
        bits // 8 + 1, "big"
    )
    sequence = b"\x02\x82" + len(prime).to_bytes(2, "big") + prime + b"\x02\x01\x02"
    der = b"\x30\x82" + len(sequence).to_bytes(2, "big") + sequence
    text = base64.encodebytes(der)
    return b"-----BEGIN DH PARAMETERS-----\n" + text + b"-----END DH PARAMETERS-----\n"


class Peer:
    """One connection, as a script sees it."""

    def __init__(self, sock: socket.socket, received: bytearray, over: threading.Event) -> None:
        self.sock = sock
        self.received = received
        self.last = (b"", b"")  # the last message, for a script that keeps it here
        self._over = over
        self.sock.settimeout(_PATIENCE)

    def receive(self, size: int = 65536) -> bytes:
        data = self.sock.recv(size)
        self.received += data
        return data

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            block = self.receive(size - len(data))
            if not block:
                raise ConnectionError("the client is gone")
            data += block
        return data

    def peek(self) -> bytes:
        """What comes next, which stays there."""
        return self.sock.recv(16384, socket.MSG_PEEK)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read_startup(self) -> bytes:
        """An SSLRequest or a StartupMessage, without its length."""
        (size,) = struct.unpack("!i", self.exactly(4))
        return self.exactly(size - 4)

    def read_message(self) -> tuple[bytes, bytes]:
        kind, size = struct.unpack("!ci", self.exactly(5))
        return kind, self.exactly(size - 4)

    def accept_tls(self, leaf: Leaf, **settings: Any) -> None:
        """Answer the SSLRequest with S and shake hands."""
        self.read_startup()
        self.send(b"S")
        self.sock = server_context(leaf, **settings).wrap_socket(self.sock, server_side=True)
        self.sock.settimeout(_PATIENCE)

    def accept_any(self, chain: Sequence[bytes], key: rsa.RSAPrivateKey) -> Tls12Server:
        """The same with any bytes as certificates (DER), in TLS 1.2."""
        self.read_startup()
        self.send(b"S")
        server = Tls12Server(self.sock, chain, key)
        self.sock = cast("socket.socket", server)
        return server

    def pause(self, seconds: float) -> None:
        """Wait. Raises ConnectionError when the test is over."""
        if self._over.wait(seconds):
            raise ConnectionError("the test is over")

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Peer], None]


def server_context(
    leaf: Leaf,
    *,
    minimum: ssl.TLSVersion | None = None,
    maximum: ssl.TLSVersion | None = None,
    ciphers: str = "ALL:@SECLEVEL=0",
    client_ca: bytes | None = None,
    dh_parameters: bytes | None = None,
    unnamed: Leaf | None = None,
) -> ssl.SSLContext:
    """A TLS server as permissive as OpenSSL allows; `unnamed` is for who sends no server name."""
    if unnamed is not None:
        named, context = server_context(leaf), server_context(unnamed)

        def choose(sock: ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            sock.context = named if name else context

        context.sni_callback = choose  # type: ignore[assignment]
        return context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    context.set_alpn_protocols(["postgresql"])
    if minimum is not None:
        context.minimum_version = minimum
    if maximum is not None:
        context.maximum_version = maximum
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_ca.decode())
    if dh_parameters is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(dh_parameters)
            file.flush()
            context.load_dh_params(file.name)
    with tempfile.NamedTemporaryFile() as chain, tempfile.NamedTemporaryFile() as key:
        chain.write(leaf.fullchain_pem)
        chain.flush()
        key.write(leaf.key_pem)
        key.flush()
        context.load_cert_chain(chain.name, key.name)
    return context


class Fake:
    """A listening server; `received` is what clients sent, without the TLS around it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received = bytearray()
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._peers: list[Peer] = []
        self._over = threading.Event()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        self._accepting.join(_PATIENCE)
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            peer = Peer(sock, self.received, self._over)
            self._peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        # What the client does to us is not what a test is about.
        with contextlib.suppress(OSError, ValueError, struct.error):
            self._script(peer)
        with contextlib.suppress(OSError):
            peer.sock.close()


def relay(
    target: tuple[str, int],
    leaf: Leaf,
    edit: Callable[[bytes], bytes],
    *,
    tls: bool = True,
    **settings: Any,
) -> Script:
    """A man in the middle: TLS with `leaf` towards the client, TLS (or none) towards the server.

    `edit` sees each block that the server sends, and what it returns goes to the client.
    """

    def script(peer: Peer) -> None:
        peer.accept_tls(leaf, **settings)
        with _connected(target, tls=tls) as server:
            upstream = threading.Thread(target=_pump, args=(peer, server), daemon=True)
            upstream.start()
            while block := server.recv(65536):
                peer.send(edit(block))

    return script


def _connected(target: tuple[str, int], *, tls: bool) -> socket.socket:
    sock = socket.create_connection(target, timeout=_PATIENCE)
    if not tls:
        return sock
    sock.sendall(SSL_REQUEST)
    assert sock.recv(1) == b"S"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["postgresql"])
    return context.wrap_socket(sock)


def _pump(peer: Peer, server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := peer.receive():
            server.sendall(block)
    with contextlib.suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)


class ScramServer:
    """The server's side of SCRAM-SHA-256 (RFC 5802), for scripts that deviate from it."""

    def __init__(self, password: str, *, iterations: int = 4096) -> None:
        self._password = password.encode()
        self._salt = b"0123456789abcdef"
        self._iterations = iterations
        self._first = ""

    def answer_first(self, client_first: bytes) -> bytes:
        """The server-first message."""
        bare = client_first.decode().split(",", 2)[2]
        nonce = dict(part.split("=", 1) for part in bare.split(","))["r"]
        first = f"r={nonce}server,s={_b64(self._salt)},i={self._iterations}"
        self._first = f"{bare},{first}"
        return first.encode()

    def answer_final(self, client_final: bytes) -> bytes:
        """The server-final message, with the right signature."""
        without_proof = client_final.decode().rpartition(",p=")[0]
        salted = hashlib.pbkdf2_hmac("sha256", self._password, self._salt, self._iterations)
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        signature = hmac.digest(server_key, f"{self._first},{without_proof}".encode(), "sha256")
        return b"v=" + _b64(signature).encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def scripted_login(leaf: Leaf, *answers: bytes) -> Script:
    """TLS, the startup packet, then each of `answers`, one for each message of the client."""

    def script(peer: Peer) -> None:
        peer.accept_tls(leaf)
        peer.read_startup()
        for answer in answers:
            peer.send(answer)
            peer.read_message()

    return script
