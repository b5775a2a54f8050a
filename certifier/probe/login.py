"""Logging in with pg8000, which is allowed to see nothing that was not checked here first.

pg8000 would answer a request for a clear-text or MD5 password on any connection, believes any
length, and lets a server skip the end of SCRAM. So every message passes :class:`Guarded`, and the
answers to authentication requests are ours.
"""

import contextlib
import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import scramp
import scramp.core
from pg8000.core import CoreConnection
from pg8000.exceptions import DatabaseError

from certifier.certificate.reading import Certificate
from certifier.diagnosis import explain
from certifier.evidence import LoginFacts
from certifier.probe.between import differs
from certifier.probe.failure import StageFailed, contained
from certifier.probe.messages import (
    Guarded,
    Progress,
    are_fields,
    fields_of,
    refusal,
    violation,
)
from certifier.probe.question import (
    COLUMNS,
    QUERY,
    QUERY_WITHOUT_SLOTS,
    SLOT_COLUMNS,
    Rows,
    count_in,
    login_facts,
)
from certifier.probe.request import ProbeRequest
from certifier.probe.scram import BOUND, UNBOUND, Scram, unproven
from certifier.probe.tls import TlsConnection
from certifier.text import printable
from certifier.vocabulary import Cause, Stage

APPLICATION = "certifier"
AUTHENTICATION_METHODS = {
    2: "kerberos-5", 3: "password", 5: "md5", 6: "scm", 7: "gss", 9: "sspi", 10: "scram",
}  # fmt: skip
# SQLSTATE classes of a server that has no slots to tell this role of: no such function here (Aurora
# replicas), the view was taken from PUBLIC, not in the state for it. Then the rest is asked alone.
_SLOTS_NOT_TOLD = frozenset({"0A", "42", "55"})
_SHOWN = 200
_NO_DIGEST = "could not find digest for NID UNDEF"
_ASIDE = 2.0  # seconds for two questions that only explain
# What libpq takes (PQconnectPoll, pg_fe_sendauth, getParameterStatus, getBackendKeyData), in bytes
# behind the length of the message.
_CODE = 4
_REQUEST_LIMIT = 2000 - 4
_REQUEST_LENGTHS = {0: _CODE, 3: _CODE, 5: _CODE + 4}
_KEY_LENGTH = 8  # in version 3.0 of the protocol
_PROCESS = 4
_TEXTS = 2  # of a parameter, and of a notification
_GOOD_BYE = b"X\0\0\0\4"


class _Session(CoreConnection):  # type: ignore[misc]  # published without types
    """pg8000's connection; its constructor logs in."""

    def __init__(
        self,
        request: ProbeRequest,
        tls: TlsConnection,
        progress: Progress,
        *,
        verified: bool,
        meanwhile: Callable[[], None],
    ) -> None:
        self._request = request
        self._tls = tls
        self._progress = progress
        self._verified = verified
        self._meanwhile = meanwhile
        self._asked = False
        self.guard = Guarded(tls, progress)
        super().__init__(
            request.user,
            database=request.database,
            application_name=APPLICATION,
            # Whatever the database is in, what we read is UTF-8.
            startup_params={"client_encoding": "UTF8"},
            sock=self.guard,
            ssl_context=False,
        )

    def close(self) -> None:
        """Nothing: pg8000 calls this when the login failed, and the caller closes the socket."""

    def ask(self, query: str, columns: int) -> list[list[str | None]]:
        """The rows of a query, which may be on its way already. Raises DatabaseError."""
        answer = Rows(columns)
        if not self._asked:
            self.send_QUERY(query)
            self._go()
        self._asked = False
        self.handle_messages(answer)
        return answer.rows

    def _go(self) -> None:
        """Send what is written, and make use of the time until the answer."""
        self.guard.flush()
        self._meanwhile()

    # ---- what pg8000 would read by what the server says of it (its names)

    def handle_ROW_DESCRIPTION(self, data: bytes, context: Rows) -> None:  # noqa: N802
        context.describe(struct.unpack_from("!H", data)[0])

    def handle_DATA_ROW(self, data: bytes, context: Rows) -> None:  # noqa: N802
        context.add(data)

    def handle_ERROR_RESPONSE(self, data: bytes, context: Any) -> None:  # noqa: N802
        context.error = DatabaseError(fields_of(data))

    def _pass_over(self, data: bytes, context: Any) -> None:
        """Nothing in such a message is of use here."""

    handle_COMMAND_COMPLETE = _pass_over  # noqa: N815

    def handle_NOTICE_RESPONSE(self, data: bytes, context: Any) -> None:  # noqa: ARG002, N802
        """Nothing in it is of use, but it must be one (``pqGetErrorNotice3``)."""
        if not are_fields(data):
            raise violation("the server sent a notice that is not valid", stage=self._at)

    def handle_NOTIFICATION_RESPONSE(self, data: bytes, context: Any) -> None:  # noqa: ARG002, N802
        """The same of a notification (``getNotify``): a process, its channel and a text."""
        texts = data[_PROCESS:]
        if len(data) < _PROCESS or texts.count(b"\0") != _TEXTS or not texts.endswith(b"\0"):
            raise violation("the server sent a notification that is not valid", stage=self._at)

    def handle_PARAMETER_STATUS(self, data: bytes, context: Any) -> None:  # noqa: ARG002, N802
        """Of all that a server announces, its version alone is of use."""
        if data.count(b"\0") != _TEXTS or not data.endswith(b"\0"):
            raise violation("the server announced what is not a name and a value", stage=self._at)
        name, _, value = data.partition(b"\0")
        if name == b"server_version":
            text = value.rstrip(b"\0").decode("utf-8", "backslashreplace")
            self._progress.server_version = printable(text, _SHOWN)

    def handle_BACKEND_KEY_DATA(self, data: bytes, context: Any) -> None:  # noqa: ARG002, N802
        """Which process the server says that it is; a pooler makes that up."""
        self._demand(data, _KEY_LENGTH, "its process and key")
        self._progress.process = data[:4]

    def handle_READY_FOR_QUERY(self, data: bytes, context: Any) -> None:  # noqa: N802
        """The server waits for a query."""
        self._demand(data, 1, "that it is ready")
        super().handle_READY_FOR_QUERY(data, context)

    def _demand(self, data: bytes, size: int, what: str) -> None:
        """Raises StageFailed unless a message has the one size that libpq reads.

        What is left over it would read as the next message (``pqParseInput3``).
        """
        if len(data) != size:
            seen = f"the server said {what} in {len(data)} bytes instead of {size}"
            raise violation(seen, stage=self._at)

    @property
    def _at(self) -> Stage:
        return self._progress.stage

    # ---- authentication

    def handle_AUTHENTICATION_REQUEST(  # noqa: N802 - pg8000's name
        self,
        data: bytes,
        context: Any,  # noqa: ARG002
    ) -> None:
        """Answer what is safe to answer. Raises StageFailed for the rest."""
        progress = self._progress
        progress.stage = Stage.LOGIN
        if not _CODE <= len(data) <= _REQUEST_LIMIT:
            raise violation(f"the server asked for authentication in {len(data)} bytes")
        (code,) = struct.unpack_from("!i", data)
        if code in _REQUEST_LENGTHS:
            self._demand(data, _REQUEST_LENGTHS[code], f"which authentication it wants ({code})")
        if code == 0:
            if progress.scram is not None and not progress.scram.proved:
                raise unproven()
            progress.method = progress.method or "trust"
            progress.authenticated = True
        elif code in (3, 5):
            progress.method = AUTHENTICATION_METHODS[code]
            self._only_if_safe(f"a password by the method {progress.method!r}")
            self._send_password(data[4:8] if code == 5 else None)
        elif code == 10:
            self._begin_scram(_mechanisms(data[4:]))
        elif code in (11, 12):
            if progress.scram is None:
                raise violation("the server goes on with an authentication that it did not begin")
            self._go_on_with(progress.scram, data[4:], last=code == 12)
        else:
            progress.method = AUTHENTICATION_METHODS.get(code, f"method {code}")
            raise _unsupported(f"the server asks for authentication by {progress.method}")

    def _only_if_safe(self, what: str) -> None:
        if not self._verified:
            raise StageFailed(
                Stage.LOGIN,
                Cause.UNSAFE_PASSWORD_REQUEST,
                f"the server asks for {what} on a connection that is not verified in full;"
                " the probe sent nothing, and did not attempt the login",
            )

    def _password(self) -> bytes:
        password = "" if self._request.password is None else self._request.password()
        if not password:  # which libpq takes for none
            raise StageFailed(
                Stage.LOGIN,
                Cause.PASSWORD_MISSING,
                "the server asks for a password, and none was given",
                libpq="fe_sendauth: no password supplied",
            )
        try:
            return password.encode("utf-8")
        except UnicodeError:
            raise StageFailed(
                Stage.LOGIN,
                Cause.PASSWORD_UNUSABLE,
                "the password holds what is not a character, and cannot be sent",
            ) from None

    def _send_password(self, salt: bytes | None) -> None:
        answer = self._password()
        if salt is not None:
            inner = hashlib.md5(answer + self.user, usedforsecurity=False).hexdigest().encode()
            outer = hashlib.md5(inner + salt, usedforsecurity=False).hexdigest()
            answer = b"md5" + outer.encode()
        self._send_message(b"p", answer + b"\0")
        self.guard.flush()

    def _begin_scram(self, offered: list[bytes]) -> None:
        progress = self._progress
        if progress.scram is not None:
            raise violation("the server began SCRAM twice")
        binding = None
        if BOUND.encode() in offered:
            progress.method = BOUND.lower()
            binding, mechanism = self._certificate_hash(), BOUND
        elif UNBOUND.encode() in offered:
            progress.method = UNBOUND.lower()
            self._only_if_safe("SCRAM without channel binding")
            mechanism = UNBOUND
        else:
            names = b", ".join(filter(None, offered)).decode("ascii", "backslashreplace")
            progress.method = printable(names, 100).lower()
            raise _unsupported(
                f"the server offers no mechanism that is known here: {names or 'none at all'}"
            )
        progress.scram = Scram(
            _prepared(self._password()),
            binding,
            verified=self._verified,
            allowance=self._tls.allowance,
        )
        first = progress.scram.first()
        self._send_message(b"p", mechanism.encode() + b"\0" + struct.pack("!i", len(first)) + first)
        self.guard.flush()

    def _go_on_with(self, scram: Scram, said: bytes, *, last: bool) -> None:
        """Take the next message of SCRAM. As in libpq, what it is depends on those before it."""
        if scram.proved:
            raise violation("the server goes on with SCRAM after its end")
        if scram.answered:
            scram.check(said)
        elif last:
            raise violation("the server ends SCRAM before it has asked for a proof")
        else:
            self._end_scram(scram.final(said))

    def _end_scram(self, final: bytes) -> None:
        """Send the last answer, and the query with it: that saves a round trip.

        The query holds no secret, and what is answered to it is read only once the server has
        proved that it knows the password. Both fit into one record of TLS, so that a server which
        says no leaves nothing unread, by which its words could be lost.
        """
        self._send_message(b"p", final)
        self.send_QUERY(QUERY)
        self._asked = True
        self._go()

    def _certificate_hash(self) -> bytes:
        """tls-server-end-point (RFC 5929, section 4.1), which needs the signature's hash."""
        der = self._tls.leaf() or b""
        _name, digest = Certificate(der).signature or ("", None)
        if digest is None:
            raise _unsupported(
                "SCRAM needs channel binding here, and the signature of the server certificate has"
                " no hash to bind to (Ed25519, for one)",
                libpq=_NO_DIGEST,
                remedy=explain(_NO_DIGEST).remedy,
            )
        name = "sha256" if digest in ("md5", "sha1") else digest.replace("sha3-", "sha3_")
        return hashlib.new(name, der).digest()


def _mechanisms(data: bytes) -> list[bytes]:
    """The names in a list, up to the empty one that ends it, as libpq reads them.

    Raises StageFailed when there is none.
    """
    names = data.split(b"\0")[:-1]  # what no NUL ends is not a name
    if b"" not in names:
        raise violation("the server's list of mechanisms has no end")
    offered = names[: names.index(b"")]
    if offered and sum(len(name) + 1 for name in offered) + 1 != len(data):
        # It would be read as the next message.
        raise violation("the server's list of mechanisms ends before its message does")
    return offered


def _prepared(password: bytes) -> bytes:
    """A password as libpq prepares it for SCRAM (``pg_saslprep``).

    ASCII stays as it is, control characters included, and so does what SASLprep refuses (RFC 4013);
    scramp would raise for both.
    """
    if password.isascii():
        return password
    try:
        return bytes(scramp.core.Password(password.decode("utf-8")))
    except scramp.ScramException:
        return password


@dataclass(frozen=True)
class LoggedIn:
    """What the query answered, and how long login and query took (seconds)."""

    facts: LoginFacts
    login_seconds: float
    query_seconds: float


def log_in(
    request: ProbeRequest,
    tls: TlsConnection,
    progress: Progress,
    *,
    verified: bool,
    meanwhile: Callable[[], None],
) -> LoggedIn:
    """Log in and ask the one question. Raises StageFailed; `progress` then says how far it came.

    `verified`: whether chain and host name were verified on this very connection, so that a
    password may be sent in any way that the server asks for. Otherwise only SCRAM with channel
    binding is answered. `meanwhile` is called while the server works on the query.
    """
    clock = tls.deadline.clock
    begin = clock()
    with contained(
        lambda: progress.stage,
        Cause.PROTOCOL_VIOLATION,
        "an answer of the server is none that PostgreSQL gives",
    ):
        try:
            session = _Session(request, tls, progress, verified=verified, meanwhile=meanwhile)
            logged_in = clock()
            progress.stage = Stage.QUERY
            rows = _ask(session)
            facts = login_facts(progress, rows)
            if differs(facts, tls.version(), tls.cipher()[0]):
                # All that matters has been answered: this only explains.
                tls.deadline = tls.deadline.within(_ASIDE)
                facts = facts.model_copy(update=_in_between(session, progress))
        except DatabaseError as error:
            raise refusal(_fields_in(error), progress.stage) from None
    done = clock()
    with contextlib.suppress(StageFailed):  # all that was asked has been answered
        tls.transmit(_GOOD_BYE, Stage.QUERY)
    return LoggedIn(facts, logged_in - begin, done - logged_in)


def _in_between(session: _Session, progress: Progress) -> dict[str, Any]:
    """Who ends TLS, by two questions; of :class:`LoginFacts`, what it does not tell is not there.

    A pooler hands out the processes of its own connections, and invents the number in the login. A
    tunnel or proxy passes all of it on, and so does pgpool, which has a command of its own.
    """
    try:
        rows = session.ask("SELECT pg_catalog.pg_backend_pid()::text", 1)
        process = count_in(rows[0][0]) if rows else None
        if process is None or progress.process is None:
            return {}
        if process != int.from_bytes(progress.process, "big"):
            return {"same_process": False}
    except (DatabaseError, StageFailed):
        return {}
    pooler = "pgpool" if _answers_as_pgpool(session) else None
    return {"same_process": True, "pooler": pooler}


def _answers_as_pgpool(session: _Session) -> bool:
    """Whether pgpool's own command is understood, which is a syntax error to PostgreSQL."""
    try:
        return bool(session.ask("PGPOOL SHOW port", 1))
    except (DatabaseError, StageFailed):
        return False


def _ask(session: _Session) -> list[list[str | None]]:
    """The rows of the one query; without the slots, where the server does not tell of them."""
    try:
        return session.ask(QUERY, COLUMNS + SLOT_COLUMNS)
    except DatabaseError as error:
        if str(_fields_in(error).get("C", ""))[:2] not in _SLOTS_NOT_TOLD:
            raise
    return session.ask(QUERY_WITHOUT_SLOTS, COLUMNS)


def _fields_in(error: DatabaseError) -> dict[str, str]:
    return error.args[0] if error.args and isinstance(error.args[0], dict) else {}


def _unsupported(seen: str, *, libpq: str | None = None, remedy: str | None = None) -> StageFailed:
    return StageFailed(
        Stage.LOGIN, Cause.AUTHENTICATION_UNSUPPORTED, seen, libpq=libpq, remedy=remedy
    )
