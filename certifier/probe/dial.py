"""From a host name to a TCP connection, and the SSL request on it."""

import _thread
import contextlib
import errno
import queue
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from certifier.certificate.hostname import is_address, sends_server_name
from certifier.evidence import Address
from certifier.probe.bounds import Allowance
from certifier.probe.failure import Deadline, StageFailed
from certifier.probe.request import ProbeRequest
from certifier.vocabulary import Cause, Stage

# What `socket.getaddrinfo` answers, and anything that is called and answers like it.
AddressInfo = tuple[Any, Any, int, str, Any]
Resolve = Callable[..., Sequence[AddressInfo]]
T = TypeVar("T")

SERVER_NAME_LIMIT = 255  # OpenSSL's TLSEXT_MAXLEN_host_name: libpq fails in every mode above it
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_DIALLED = 16  # addresses of one name: whoever owns it could have any number of machines dialled
_KEPT = 256  # addresses of one name that are reported: an answer of a name server holds thousands
_ANSWER_SHOWN = 1024
_UNREACHABLE = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}
)
_WITHOUT_IPV6 = (
    "Check routes and network ACLs for IPv6 between the two subnets. A replication instance "
    "without IPv6 (network type IPV4) needs an IPv4 address: give the host an A record, or use an "
    "instance with network type DUAL in a subnet group that has IPv6."
)
_RESETS = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


def system_resolver(host: str, port: int, *, type: int = 0) -> Sequence[AddressInfo]:  # noqa: A002
    """``getaddrinfo`` over the bytes of the name, as libpq calls it: no IDNA."""
    return socket.getaddrinfo(host.encode("utf-8", "surrogateescape"), port, type=type)


def check_request(request: ProbeRequest) -> None:
    """Raises StageFailed for what libpq refuses before it dials, and for what the policy forbids.

    A host must be what libpq takes for the name of one host.
    """
    host = request.host
    problem = libpq = None
    if not host:
        problem = "it is empty"
    elif "\0" in host:
        problem = "it contains a NUL"
    elif host[0] in "/@":
        problem = "libpq takes it for a socket in the file system, where there is no TLS"
    elif "," in host:
        problem = "libpq takes it for a list of hosts, and a certificate is checked for one"
    elif name_too_long(host):
        problem = f"it is longer than the {SERVER_NAME_LIMIT} bytes of a TLS server name"
        libpq = "could not set SSL Server Name Indication (SNI): ssl3 ext invalid servername"
    if problem:
        raise StageFailed(
            Stage.ADDRESS, Cause.HOST_INVALID, f"the host is not usable: {problem}", libpq=libpq
        )
    if request.min_tls is None and request.max_tls in ("1.0", "1.1"):
        raise StageFailed(
            Stage.ADDRESS,
            Cause.TLS_NO_SHARED_PROTOCOL,
            f"the maximum, TLS {request.max_tls}, is below libpq's own minimum, 1.2",
            libpq="invalid SSL protocol version range",
        )
    objection = request.policy.objection_to_host(host, request.port)
    if objection:
        raise StageFailed(Stage.ADDRESS, Cause.ADDRESS_FORBIDDEN, objection)


def name_too_long(host: str) -> bool:
    """Whether libpq would send `host` as server name, and OpenSSL cannot."""
    return sends_server_name(host) and len(host.encode("utf-8", "replace")) > SERVER_NAME_LIMIT


def find_addresses(
    request: ProbeRequest, resolve: Resolve, deadline: Deadline, meanwhile: Callable[[], object]
) -> Sequence[AddressInfo]:
    """Resolve the host (or take `request.address`), and check every address against the policy.

    `meanwhile` is called while a resolver is at work, if one is needed.

    Returns at least one address and at most 256, in the resolver's order, without duplicates.
    Raises StageFailed.
    """
    if request.address is not None:
        found = _numeric(request.address, request.port)
    else:
        found = _resolved(request, resolve, deadline, meanwhile)
    unique = list({info[4][0]: info for info in found}.values())
    for info in unique:
        objection = request.policy.objection_to_address(info[4][0])
        if objection:
            raise StageFailed(Stage.ADDRESS, Cause.ADDRESS_FORBIDDEN, objection)
    return unique[:_KEPT]


def _numeric(address: str, port: int) -> Sequence[AddressInfo]:
    try:
        return socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except OSError as error:  # a zone that this machine does not have
        text = _text(error)
        raise StageFailed(
            Stage.ADDRESS,
            Cause.HOST_INVALID,
            f"the address {address} cannot be dialled from here: {text}",
            raw=text,
            libpq=f'could not parse network address "{address}": {text}',
        ) from None


def _resolved(
    request: ProbeRequest, resolve: Resolve, deadline: Deadline, meanwhile: Callable[[], object]
) -> Sequence[AddressInfo]:
    """Resolve in a thread of its own, which is left behind when it does not answer in time."""
    if resolve is system_resolver and is_address(request.host):
        with contextlib.suppress(OSError):  # inet_aton knows spellings that getaddrinfo does not
            return socket.getaddrinfo(
                request.host, request.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
    answer: queue.SimpleQueue[Sequence[AddressInfo] | OSError | ValueError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(resolve(request.host, request.port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:  # UnicodeError is a ValueError
            answer.put(error)

    # `threading.Thread` would wait until the thread has begun, which costs as much as the answer.
    _thread.start_new_thread(ask, ())
    meanwhile()
    try:
        found = answer.get(timeout=deadline.left(Stage.DNS))
    except queue.Empty:
        raise deadline.passed(Stage.DNS) from None
    if isinstance(found, OSError | ValueError) or not found:
        text = "no address" if not isinstance(found, OSError | ValueError) else _text(found)
        raise StageFailed(
            Stage.DNS,
            Cause.DNS_FAILED,
            f"the name {request.host!r} has no address: {text}",
            raw=text,
            libpq=f'could not translate host name "{request.host}" to address: {text}',
        )
    return found


def connect(
    infos: Sequence[AddressInfo], deadline: Deadline
) -> tuple[socket.socket, tuple[Address, ...]]:
    """Connect to the first address that accepts, as libpq does; each gets its share of the time.

    At most 16 are dialled.

    Returns the socket, without Nagle's delay, and what came of each address. Raises StageFailed
    with the failure of the last address tried when none accepts.
    """
    outcomes: list[Address] = []
    failure: StageFailed | None = None
    dialled = infos[:_DIALLED]
    for position, (family, kind, protocol, _name, target) in enumerate(dialled):
        share = deadline.left(Stage.TCP) / (len(dialled) - position)
        try:
            sock = _connected(socket.socket(family, kind, protocol), target, share)
        except OSError as error:
            failure, outcome = _not_connected(error, family, target, deadline)
            outcomes.append(Address(ip=target[0], outcome=outcome))
            continue
        outcomes.append(Address(ip=target[0], outcome="connected"))
        outcomes += [Address(ip=info[4][0], outcome="not_tried") for info in infos[position + 1 :]]
        return sock, tuple(outcomes)
    assert failure is not None
    outcomes += [Address(ip=info[4][0], outcome="not_tried") for info in infos[_DIALLED:]]
    raise NoneConnected(failure, tuple(outcomes))


def _connected(sock: socket.socket, target: Any, seconds: float) -> socket.socket:
    try:
        sock.settimeout(seconds)
        sock.connect(target)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock


class NoneConnected(StageFailed):
    """No address accepted; `addresses` says what came of each."""

    def __init__(self, last: StageFailed, addresses: tuple[Address, ...]) -> None:
        super().__init__(
            last.stage, last.cause, last.seen, raw=last.raw, libpq=last.libpq, remedy=last.remedy
        )
        self.addresses = addresses


def _not_connected(
    error: OSError, family: Any, target: Any, deadline: Deadline
) -> tuple[StageFailed, Any]:
    where = f"{target[0]}, port {target[1]}"
    text = _text(error)
    libpq = f'connection to server at "{target[0]}", port {target[1]} failed: {text}'
    if isinstance(error, ConnectionRefusedError):
        cause, outcome, seen = (
            Cause.CONNECTION_REFUSED,
            "refused",
            f"{where} refused the connection",
        )
    elif isinstance(error, TimeoutError):
        cause, outcome = Cause.CONNECTION_TIMEOUT, "timeout"
        seen = f"{where} did not answer within the {deadline.seconds:g} seconds of the whole probe"
    elif isinstance(error, _RESETS):
        cause, outcome, seen = Cause.CONNECTION_RESET, "failed", f"{where} reset the connection"
    elif error.errno in _UNREACHABLE:
        cause, outcome, seen = (
            Cause.HOST_UNREACHABLE,
            "unreachable",
            f"{where} is unreachable: {text}",
        )
    else:
        cause, outcome, seen = Cause.HOST_UNREACHABLE, "failed", f"{where} is unreachable: {text}"
    remedy = None
    if cause is Cause.HOST_UNREACHABLE and family == socket.AF_INET6:
        seen += "; it is an IPv6 address"
        remedy = _WITHOUT_IPV6
    return StageFailed(Stage.TCP, cause, seen, raw=text, libpq=libpq, remedy=remedy), outcome


def request_tls(
    sock: socket.socket, deadline: Deadline, allowance: Allowance, meanwhile: Callable[[], T]
) -> T:
    """Ask for TLS; returns when the server agreed and sent nothing else. Raises StageFailed.

    `meanwhile` is called while the server makes up its mind, and its answer is returned.

    Bytes behind the ``S`` are data that was never protected: whoever sent them is not a server to
    go on with (CVE-2021-23222).
    """
    stage = Stage.SSL_REQUEST
    try:
        sock.settimeout(deadline.left(stage))
        sock.sendall(_SSL_REQUEST)
        made = meanwhile()
        sock.settimeout(deadline.left(stage))
        answer = sock.recv(_ANSWER_SHOWN)
        allowance.take(len(answer), stage)
        if answer == b"S":
            answer += _already_there(sock)
    except TimeoutError:
        raise deadline.passed(stage) from None
    except OSError as error:
        raise connection_lost(error, stage) from error
    if answer == b"S":
        return made
    raise _refusal(answer)


def _already_there(sock: socket.socket) -> bytes:
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        return sock.recv(_ANSWER_SHOWN, socket.MSG_PEEK)
    return b""


def _refusal(answer: bytes) -> StageFailed:
    stage, shown = Stage.SSL_REQUEST, answer.decode("utf-8", "backslashreplace")
    if not answer:
        return connection_lost(None, stage)
    if answer[:1] == b"N":
        return StageFailed(
            stage,
            Cause.SSL_OFF,
            "the server answered that it does not offer TLS",
            raw=shown,
            libpq="server does not support SSL, but SSL was required",
        )
    if answer[:1] == b"S" and not answer.startswith(b"SSH-"):
        return StageFailed(
            stage,
            Cause.PROTOCOL_VIOLATION,
            f"{len(answer) - 1} or more unprotected bytes follow the answer to the SSL request",
            raw=shown,  # libpq 18 reads one byte, and OpenSSL takes the rest for a handshake
        )
    if answer[:1] == b"E":
        return StageFailed(
            stage,
            Cause.PROTOCOL_VIOLATION,
            "the server answered the SSL request with an error, which nothing protects",
            raw=shown,
            libpq="server sent an error response during SSL exchange",
        )
    return StageFailed(
        stage,
        Cause.NOT_POSTGRESQL,
        "the answer to the SSL request is none that PostgreSQL gives",
        raw=shown,
        libpq=f"received invalid response to SSL negotiation: {shown[:1]}",
    )


def connection_lost(error: OSError | None, stage: Stage) -> StageFailed:
    """The connection ended in the middle of `stage`: reset by ``error``, or closed (None)."""
    how = "closed" if error is None else "reset"
    return StageFailed(
        stage,
        Cause.CONNECTION_RESET,
        f"the connection was {how} while {_DURING[stage]}",
        raw=None if error is None else _text(error),
        libpq="server closed the connection unexpectedly",
    )


_DURING = {
    Stage.SSL_REQUEST: "the answer to the SSL request was awaited",
    Stage.TLS: "the TLS handshake was under way",
    Stage.STARTUP: "the answer to the login request was awaited",
    Stage.LOGIN: "the login was under way",
    Stage.QUERY: "the query was under way",
}


def _text(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
