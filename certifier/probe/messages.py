"""The messages of a server, checked before pg8000 sees them: their order, their number, their size.

pg8000 believes any length and takes any message at any time. What is checked here is what libpq
checks, and a bound where libpq has none.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from certifier.diagnosis import from_sqlstate
from certifier.evidence import LoginFacts
from certifier.probe.dial import connection_lost
from certifier.probe.failure import StageFailed
from certifier.probe.scram import BOUND, Scram
from certifier.probe.tls import TlsConnection
from certifier.vocabulary import Cause, Severity, Stage

_MESSAGE_LIMIT = 64 * 1024
_MESSAGES = 1000
_SHOWN_OF_ERROR = 8 * 1024
_READ_OF_ERROR = 2 * 1024  # for its cause: many expressions look for one
_RECEIVE = 16 * 1024
_HEADER = 5
# What libpq reads of a message that is none of these kinds (VALID_LONG_MESSAGE_TYPE).
_SHORT_LIMIT = 30_000 - 4
_LONG_KINDS = b"TDdVENA"


@dataclass
class Progress:
    """How far the login came: filled in while it goes on, so that a failure leaves it behind."""

    stage: Stage = Stage.STARTUP
    method: str | None = None
    scram: Scram | None = field(default=None, repr=False)
    authenticated: bool = False
    server_version: str | None = None
    process: bytes | None = None

    @property
    def bound(self) -> bool:
        """Whether the server proved by SCRAM that it stands at the other end of this TLS."""
        return self.method == BOUND.lower() and self.scram is not None and self.scram.proved

    def facts(self) -> LoginFacts:
        """What is known of a login that went no further."""
        return LoginFacts(
            succeeded=self.authenticated,
            method=self.method,
            channel_binding=self.bound,
            server_version=self.server_version,
        )

    @property
    def expected(self) -> bytes:
        """The types of message that may come next.

        Before the login is over, libpq takes nothing but requests and the error that ends it
        (PQconnectPoll, CONNECTION_AWAITING_RESPONSE).
        """
        if not self.authenticated:
            return b"RE"
        return b"TDCISNAEZ" if self.stage is Stage.QUERY else b"SKNAEZ"


class Guarded:
    """The socket, and its file, that pg8000 is given: deadline, limits, and errors cut short."""

    def __init__(self, tls: TlsConnection, progress: Progress) -> None:
        self._tls = tls
        self._progress = progress
        self._received = bytearray()
        self._to_send = bytearray()
        self._messages = 0
        self._header = b""

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes: a header, or what belongs to the last one. Raises StageFailed."""
        if size == _HEADER and not self._header:
            self._header = self._next_header()
            return self._header
        header, self._header = self._header, b""
        if not 0 <= size <= _MESSAGE_LIMIT:
            if header[:1] == b"E" and size > 0:
                raise error_response(header, self._block, self._stage)
            raise violation(
                f"the server announced a message of {size} bytes; at most {_MESSAGE_LIMIT} are"
                " read",
                stage=self._stage,
            )
        if size > _SHORT_LIMIT and header[:1] not in _LONG_KINDS:
            kind = header[:1].decode("ascii", "backslashreplace")
            raise violation(
                f"the server announced a message of type {kind!r} with {size} bytes; libpq reads"
                f" {_SHORT_LIMIT} of that kind",
                stage=self._stage,
            )
        return self._exactly(size)

    def _next_header(self) -> bytes:
        """The header of a message that may come now."""
        header = self._exactly(_HEADER)
        self._messages += 1
        if self._messages > _MESSAGES:
            raise violation(
                f"the server sent more than {_MESSAGES} messages where a hundred are usual",
                stage=self._stage,
            )
        kind = header[:1]
        if kind not in self._progress.expected:
            name = kind.decode("ascii", "backslashreplace")
            raise violation(
                f"the server sent a message of type {name!r} where PostgreSQL sends none",
                stage=self._stage,
            )
        return header

    def write(self, data: bytes) -> None:
        self._to_send += data

    def flush(self) -> None:
        data = bytes(self._to_send)
        self._to_send.clear()
        self._tls.transmit(data, self._stage)

    def makefile(self, mode: str) -> "Guarded":  # noqa: ARG002 - pg8000 asks its socket for a file
        return self

    def close(self) -> None:
        """The connection belongs to the caller."""

    @property
    def _stage(self) -> Stage:
        return self._progress.stage

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        found = bytes(self._received[:size])
        del self._received[:size]
        return found

    def _block(self) -> bytes:
        """What is there, and at least a byte. Raises StageFailed."""
        if not self._received:
            self._receive()
        return self._exactly(len(self._received))

    def _receive(self) -> None:
        block = self._tls.receive(_RECEIVE, self._stage)
        if not block:
            raise connection_lost(None, self._stage)
        self._received += block


def refusal(fields: dict[str, str], stage: Stage) -> StageFailed:
    """The failure behind an ErrorResponse, whose fields are the server's and untrusted."""
    code, message = fields.get("C", "")[:5], fields.get("M", "")
    severity = fields.get("V") or fields.get("S") or "ERROR"
    text = f"{severity}:  {message}"[:_SHOWN_OF_ERROR]
    diagnosis = from_sqlstate(code, message[:_READ_OF_ERROR])
    return StageFailed(
        stage,
        diagnosis.cause,
        diagnosis.seen,
        raw=text,
        libpq=text,
        severity=Severity.ERROR,  # whatever the server's words are taken for
    )


def error_response(header: bytes, more: Callable[[], bytes], stage: Stage) -> StageFailed:
    """Read an ErrorResponse that may be longer than it is worth: its beginning is enough.

    `header` is its first five bytes; `more` returns at least one of those that follow, or raises
    StageFailed. Where the length is text, it is an error of protocol 2, as a postmaster that cannot
    fork sends it to this day (libpq's PQconnectPoll knows both).
    """
    old = chr(header[1]).isascii() and chr(header[1]).isprintable()
    size = struct.unpack("!i", header[1:])[0] - 4
    wanted = _SHOWN_OF_ERROR if old else min(max(size, 0), _SHOWN_OF_ERROR)
    found = b""
    try:
        while len(found) < wanted and not (old and b"\0" in found):
            found += more()
    except StageFailed:
        if not found:
            raise
    if not old:
        return refusal(fields_of(found[:wanted]), stage)
    text = (header[1:] + found).partition(b"\0")[0].decode("utf-8", "replace").strip()
    return refusal({"S": "FATAL", "M": text.removeprefix("FATAL:").strip()}, stage)


def fields_of(data: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse by their letter."""
    parts = [part.decode("utf-8", "replace") for part in data.split(b"\0")]
    return {part[0]: part[1:] for part in parts if part}


def are_fields(data: bytes) -> bool:
    """Whether these are fields and their end, as ErrorResponse and NoticeResponse consist of."""
    at = 0
    while data[at : at + 1] not in (b"", b"\0"):
        end = data.find(b"\0", at + 1)
        if end < 0:
            return False
        at = end + 1
    return at == len(data) - 1


def violation(seen: str, *, raw: str | None = None, stage: Stage = Stage.LOGIN) -> StageFailed:
    """The server did what PostgreSQL does not."""
    return StageFailed(stage, Cause.PROTOCOL_VIOLATION, seen, raw=raw)
