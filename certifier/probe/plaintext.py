"""Asking a server, on a connection of its own, whether it would take a login without TLS."""

import socket
import struct

from certifier.evidence import PlaintextFacts
from certifier.probe.bounds import Allowance
from certifier.probe.dial import connection_lost
from certifier.probe.failure import Deadline, StageFailed
from certifier.probe.login import APPLICATION, AUTHENTICATION_METHODS
from certifier.probe.messages import error_response
from certifier.probe.request import ProbeRequest
from certifier.vocabulary import Cause, Stage

_PROTOCOL_3_0 = 196608
_ANSWER_LIMIT = 8 * 1024
_GOOD_BYE = b"X\0\0\0\4"


def ask_without_tls(
    request: ProbeRequest, sock: socket.socket, deadline: Deadline, allowance: Allowance
) -> PlaintextFacts:
    """Send a startup packet in plain text, read the first answer, and stop there.

    User and database are named, nothing secret is sent. Raises StageFailed when the server refuses.
    """
    answer = _PlainConnection(sock, deadline, allowance)
    answer.send(startup_packet(request))
    header = answer.read(5)
    kind, size = struct.unpack("!ci", header)
    if kind == b"E":
        raise error_response(header, lambda: answer.some(_ANSWER_LIMIT), Stage.STARTUP)
    if kind != b"R" or size < 8:
        raise StageFailed(
            Stage.STARTUP,
            Cause.NOT_POSTGRESQL,
            "the answer to a login request is none that PostgreSQL gives",
            raw=kind.decode("latin-1"),
        )
    (code,) = struct.unpack("!i", answer.read(4))
    answer.send(_GOOD_BYE)
    if code == 0:
        return PlaintextFacts(accepted=True, seen="the server asked for no password at all")
    method = AUTHENTICATION_METHODS.get(code, f"method {code}")
    seen = f"the server went on to ask for {method}"
    return PlaintextFacts(accepted=True, seen=seen, method=method)


def unsafe_request(facts: PlaintextFacts) -> tuple[StageFailed, ...]:
    """Return that a client that logs in without TLS would give its password away."""
    if facts.method not in (AUTHENTICATION_METHODS[3], AUTHENTICATION_METHODS[5]):
        return ()
    seen = (
        f"the server asks for a password by the method {facts.method!r} on a connection without "
        "TLS; the probe sent nothing, and did not attempt the login"
    )
    return (StageFailed(Stage.LOGIN, Cause.UNSAFE_PASSWORD_REQUEST, seen),)


def startup_packet(request: ProbeRequest) -> bytes:
    """A StartupMessage of protocol 3.0."""
    parameters = {
        "user": request.user,
        "database": request.database,
        "application_name": APPLICATION,
    }
    body = struct.pack("!i", _PROTOCOL_3_0)
    body += b"".join(
        name.encode() + b"\0" + value.encode("utf-8") + b"\0"
        for name, value in parameters.items()
        if value is not None
    )
    return struct.pack("!i", len(body) + 5) + body + b"\0"


class _PlainConnection:
    """A plain connection under the deadline, and within the allowance."""

    def __init__(self, sock: socket.socket, deadline: Deadline, allowance: Allowance) -> None:
        self._sock = sock
        self._deadline = deadline
        self._allowance = allowance

    def send(self, data: bytes) -> None:
        try:
            self._sock.settimeout(self._deadline.left(Stage.STARTUP))
            self._sock.sendall(data)
        except TimeoutError:
            raise self._deadline.passed(Stage.STARTUP) from None
        except OSError as error:
            raise connection_lost(error, Stage.STARTUP) from error

    def read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            found += self.some(size - len(found))
        return found

    def some(self, limit: int) -> bytes:
        """At least one byte. Raises StageFailed."""
        try:
            self._sock.settimeout(self._deadline.left(Stage.STARTUP))
            block = self._sock.recv(limit)
        except TimeoutError:
            raise self._deadline.passed(Stage.STARTUP) from None
        except OSError as error:
            raise connection_lost(error, Stage.STARTUP) from error
        if not block:
            raise connection_lost(None, Stage.STARTUP)
        self._allowance.take(len(block), Stage.STARTUP)
        return block
