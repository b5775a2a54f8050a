"""The account on a loopback port: the standard library's HTTP server in front of moto's stubber.

Every request passes the choke point of ``sandbox.aws.calls``, so that its log, its faults and its
lock hold for HTTP too. Beside AWS, ``/_sandbox/<word>`` takes what ``python -m sandbox do`` and its
like ask for. Only this machine is served: a request that names another host is refused, and so is
one to ``/_sandbox`` without the header that no web page can send.
"""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import BotoCoreError

from sandbox.aws import calls
from sandbox.aws.machine import CALLER_HEADER
from sandbox.serve.folder import ADDRESS, CONTROL, CONTROL_HEADER, PORT
from sandbox.serve.wire import Asked, NotServed, asked, error_body, failure_of, protocol_of

BODY_LIMIT = 64 * 1024 * 1024
IDLE_SECONDS = 60.0
_LINE_LIMIT = 1024
_TRAILERS = 32
_HOSTS = (ADDRESS, "localhost")
# What the server itself says about a body, whatever moto said about it.
_OWN_HEADERS = ("content-length", "connection", "transfer-encoding", "date", "server")


class Backend(Protocol):
    """What answers. Both may raise NotServed; ``control`` raises ValueError for wrong words."""

    def answer(self, what: Asked, request: AWSPreparedRequest) -> AWSResponse | None:
        """Answer a call of AWS; None when there is no answer to it."""

    def now(self) -> datetime:
        """What time it is there: an answer says so in its header ``Date``."""

    def control(self, word: str, given: Mapping[str, Any]) -> Any:
        """Answer ``/_sandbox/<word>`` to the JSON that was sent, as JSON."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False
    # More than any client opens at once. With the library's 5, Linux resets a client that has
    # connected while the accepting thread did not get its turn.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""


@contextmanager
def serving(backend: Backend, *, port: int = PORT) -> Iterator[int]:
    """Serve what the backend answers; yield the port.

    Another port is taken when this one is in use.
    """

    server = _bound(port, type("Handler", (_Handler,), {"backend": backend}))
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _bound(port: int, handler: type[BaseHTTPRequestHandler]) -> _Server:
    try:
        return _Server((ADDRESS, port), handler)
    except OSError:
        return _Server((ADDRESS, 0), handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    timeout = IDLE_SECONDS
    backend: ClassVar[Backend]

    def setup(self) -> None:
        super().setup()
        with suppress(OSError):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The header Date: the account's time, whose clock runs ahead of the machine's."""
        instant = self.backend.now().timestamp() if timestamp is None else timestamp
        return super().date_time_string(instant)

    def log_message(self, *_: Any) -> None:
        """The log of calls is the choke point's."""

    def _serve(self) -> None:
        try:
            body = self._whole_body()
            if (self.headers.get("Host") or "").rpartition(":")[0] not in _HOSTS:
                raise NotServed(403, "AccessDenied", "only this machine is served")
            if self.path.startswith(CONTROL):
                self._control(body)
            else:
                self._aws(body)
        except (LookupError, RecursionError, TypeError, ValueError) as error:
            self.close_connection = True
            reason = f"the request cannot be read: {type(error).__name__}"
            self._error("json", NotServed(400, "InvalidRequest", reason))
        except NotServed as refused:
            own = self.path.startswith(CONTROL)
            protocol = protocol_of(self.command, self.path, self._names())
            self._error("json" if own else protocol, refused)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815

    # -- AWS

    def _aws(self, body: bytes) -> None:
        what = asked(self.command, self.path, self._names(), body)
        try:
            answer = self.backend.answer(what, self._request(what, body))
        except NotServed as refused:
            self._error(what.protocol, refused)
            return
        except BotoCoreError:  # a fault: the answer is lost
            self.close_connection = True
            return
        except NotImplementedError as missing:
            self._error(what.protocol, NotServed(501, "NotImplemented", str(missing)))
            return
        except Exception as error:  # noqa: BLE001  (an account goes on, whatever one call did)
            self._error(what.protocol, failure_of(what, body, error))
            return
        if answer is None:
            reason = f"the sandbox has no {what.service} {what.operation}"
            self._error(what.protocol, NotServed(501, "NotImplemented", reason))
            return
        self._send(answer)

    def _names(self) -> dict[str, str]:
        """The headers, by their names in small letters."""
        return {name.lower(): value for name, value in self.headers.items()}

    def _request(self, what: Asked, body: bytes) -> AWSPreparedRequest:
        headers: Any = HeadersDict()
        for name, value in self.headers.items():
            if name.lower() != "host" and not name.lower().startswith("x-sandbox-"):
                headers[name] = value
        headers[CALLER_HEADER] = calls.OUTSIDE
        headers["Host"] = urlsplit(what.url).netloc
        return AWSPreparedRequest(self.command, what.url, headers, body, False)

    def _send(self, answer: AWSResponse) -> None:
        content = answer.content
        self.send_response(int(answer.status_code))
        length = str(len(content))
        for name, value in answer.headers.items():
            if name.lower() == "content-length" and self.command == "HEAD":
                length = str(value)
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, str(value))
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _error(self, protocol: str, error: NotServed) -> None:
        content_type, body = error_body(protocol, error.code, str(error))
        self.send_response(error.status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # -- the sandbox

    def _control(self, body: bytes) -> None:
        if self.command != "POST" or self.headers.get(CONTROL_HEADER) is None:
            raise NotServed(403, "AccessDenied", "only `python -m sandbox` asks for this")
        try:
            said = self.backend.control(self.path.removeprefix(CONTROL), json.loads(body or b"{}"))
        except NotServed:
            raise
        except ValueError as wrong:
            raise NotServed(400, "ValidationError", str(wrong)) from None
        except Exception as error:  # noqa: BLE001  (an account goes on, whatever one act did)
            reason = f"unexpected {type(error).__name__}: {error}"
            raise NotServed(500, "InternalFailure", reason) from None
        content = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    # -- the body

    def _whole_body(self) -> bytes:
        """Read the whole body, in chunks if it comes in chunks.

        Raises:
            NotServed: it is too large, did not come in time, or is not what its headers say. The
                connection is closed then: what else comes on it has no known beginning.
        """
        try:
            if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
                return b"".join(self._chunks())
            return self._exactly(_size(self.headers.get("Content-Length") or "0", 10))
        except TimeoutError:
            self.close_connection = True
            raise NotServed(408, "RequestTimeout", "the body did not come in time") from None
        except NotServed:
            self.close_connection = True
            raise

    def _exactly(self, size: int) -> bytes:
        if size > BODY_LIMIT:
            raise NotServed(413, "RequestEntityTooLarge", "the body is too large")
        read = self.rfile.read(size)
        if len(read) < size:
            raise NotServed(400, "IncompleteBody", "the body is shorter than its headers say")
        return read

    def _chunks(self) -> Iterator[bytes]:
        left = BODY_LIMIT
        while True:
            size = _size(
                self.rfile.readline(_LINE_LIMIT).split(b";")[0].strip().decode("latin-1"), 16
            )
            left -= size
            if left < 0:
                raise NotServed(413, "RequestEntityTooLarge", "the body is too large")
            yield self._exactly(size)
            if not size:
                self._end_of_trailers()
                return
            if self.rfile.readline(_LINE_LIMIT).strip():
                raise NotServed(400, "IncompleteBody", "a chunk is longer than it says")

    def _end_of_trailers(self) -> None:
        for _ in range(_TRAILERS):
            if not self.rfile.readline(_LINE_LIMIT).strip():
                return
        raise NotServed(400, "IncompleteBody", "too many trailers")


def _size(text: str, base: int) -> int:
    """A number of bytes as headers and chunks say it.

    Raises:
        NotServed: it is not one.
    """
    digits = "0123456789abcdefABCDEF" if base == 16 else "0123456789"
    if not text or len(text) > 18 or text.strip(digits):
        raise NotServed(400, "InvalidRequest", "the length of the body is not a number")
    return int(text, base)
