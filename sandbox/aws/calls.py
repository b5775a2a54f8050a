"""The one choke point: every AWS call passes here, is written down, and can be made to fail.

A call is *logical*: the attempts that botocore makes for it count as one. Its caller is the step
whose Lambda made it, ``machine`` for Step Functions itself, ``outside`` for a test or the demo.
"""

import hashlib
import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from botocore import endpoint as botocore_endpoint
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from sandbox.aws.clock import Clock
from sandbox.aws.machine import CALLER_HEADER, Machines
from sandbox.aws.rights import Rights, denied

FUNCTION_HEADER = "X-Sandbox-Function"
MACHINE = "machine"
OUTSIDE = "outside"
EVENTS = "events"
NOT_STEPS = (MACHINE, OUTSIDE, EVENTS)

# botocore's service ids, as boto3.client() calls them.
_SERVICES = {
    "database-migration-service": "dms",
    "secrets-manager": "secretsmanager",
    "sfn": "stepfunctions",
    "eventbridge": "events",
}
# They start executions and Lambdas, which make calls of their own: never under the lock.
_UNLOCKED = ("lambda", "stepfunctions", "events")
_READS = ("Describe", "List", "Get", "Query", "BatchGet", "Scan", "Head", "Select")


class Kind(StrEnum):
    """What a fault does to a call."""

    BEFORE = "before"  # the connection times out; nothing happened
    AFTER = "after"  # it happened, but the answer is lost
    THROTTLE = "throttle"  # the service says that calls come too fast
    KILL = "kill"  # the Lambda dies; nothing happened
    KILL_AFTER = "kill_after"  # it happened, then the Lambda dies


@dataclass(frozen=True)
class Call:
    """One logical call.

    Attributes:
        caller: the step (its file in ``lambdas/``), ``machine`` or ``outside``.
        state, execution: on whose behalf, when a state of the machine made it.
        nth: which call of this caller to this operation it was, from 1.
        digest: of the parameters; equal parameters give equal digests.
        at: on the sandbox's clock.
    """

    caller: str
    service: str
    operation: str
    nth: int
    digest: str
    at: datetime
    state: str | None = None
    execution: str | None = None

    @property
    def writes(self) -> bool:
        """Whether the operation may change something, going by its verb."""
        return not self.operation.startswith(_READS)


class Calls:
    """What was called so far, oldest first. Iterate, or filter with :meth:`of`.

    Attributes:
        on_call: called with each call before it has an effect, in the thread that makes it.
    """

    def __init__(self) -> None:
        self.on_call: list[Callable[[Call], None]] = []
        self._calls: list[Call] = []

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def of(
        self,
        *services: str,
        caller: str | None = None,
        operation: str | None = None,
        writes: bool | None = None,
        since: int = 0,
    ) -> list[Call]:
        """Return the calls to those services (all, when none is named) that fit.

        ``since`` is a ``len(calls)`` from before: only what came after counts. Calls from outside
        the machine are left out unless ``caller`` asks for them.
        """
        return [
            call
            for call in self._calls[since:]
            if (not services or call.service in services)
            and (call.caller == caller if caller else call.caller != OUTSIDE)
            and (operation is None or call.operation == operation)
            and (writes is None or call.writes == writes)
        ]

    def _add(self, call: Call) -> None:
        self._calls.append(call)

    def _announce(self, call: Call) -> None:
        for listener in self.on_call:
            listener(call)


@dataclass
class Fault:
    """A fault that waits for its call. ``met`` says whether the call came."""

    kind: Kind
    service: str
    operation: str
    caller: str | None
    nth: int
    attempts: int | None
    seen: int = 0
    invocation: str | None = None
    met: bool = False


class Faults:
    """Faults to come."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def inject(
        self,
        service: str,
        operation: str,
        kind: Kind,
        *,
        caller: str | None = None,
        nth: int = 1,
        attempts: int | None = None,
    ) -> Fault:
        """Let the ``nth`` such call from now on fail.

        ``attempts`` is how many of botocore's attempts of that call fail (default: all, so that
        the error reaches the step). After a lost answer botocore tries again, and the effect
        happens twice, as it does in reality.
        """
        fault = Fault(kind, service, operation, caller, nth, attempts)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget the faults that have not been met."""
        with self._lock:
            self._faults.clear()

    def _strike(self, call: Call, invocation: str) -> Fault | None:
        """Return the fault for this attempt of a call, if one is due."""
        with self._lock:
            for fault in self._faults:
                if fault.invocation is None:
                    fits = (fault.service, fault.operation) == (call.service, call.operation)
                    if not fits or fault.caller not in (None, call.caller):
                        continue
                    fault.seen += 1
                    if fault.seen < fault.nth:
                        continue
                    fault.invocation, fault.met = invocation, True
                if fault.invocation == invocation and fault.attempts != 0:
                    if fault.attempts is not None:
                        fault.attempts -= 1
                    return fault
        return None


class Session:
    """Makes clients whose calls bear the caller's name, and that of its function.

    Without a function, the caller is the only one of its step in the account.

    One boto3 session lies behind all of them, and equal clients are made once in a process: reading
    a service's model takes longer than everything that a step does with it.
    """

    def __init__(self, caller: str, region: str, function: str = "") -> None:
        self.region_name = region
        self._caller = caller
        self._function = function

    def client(self, service: str, **keywords: Any) -> Any:
        """Return a client, as ``boto3.Session.client`` does."""
        settings = keywords.get("config")
        options = repr(sorted(settings._user_provided_options.items())) if settings else ""
        region = str(keywords.get("region_name") or self.region_name)
        key = (self._caller, self._function, region, service, options)
        with _ONE_AT_A_TIME:
            if key not in _CLIENTS:
                make: Any = _shared(self.region_name).client
                _CLIENTS[key] = made = make(service, **keywords)
                made.meta.events.register("before-sign", self._sign)
            return _CLIENTS[key]

    def _sign(self, request: Any, **_: Any) -> None:
        request.headers[CALLER_HEADER] = self._caller
        if self._function:
            request.headers[FUNCTION_HEADER] = self._function


_ONE_AT_A_TIME = threading.Lock()
_CLIENTS: dict[tuple[str, ...], Any] = {}


@cache
def _shared(region: str) -> boto3.Session:
    return boto3.Session(
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=region
    )


@contextmanager
def installed(
    clock: Clock,
    machines: Machines,
    calls: Calls,
    faults: Faults,
    *,
    rights: Rights,
    call_seconds: float,
) -> Iterator[None]:
    """Stand between botocore and moto while the context lasts.

    A step is denied what its role does not allow.

    botocore's own retries stay real, but wait on the sandbox's clock. Everything except Lambda and
    Step Functions is answered one call at a time: moto's conditional writes are not atomic.
    """
    lock = threading.RLock()
    count: Counter[tuple[str, str, str]] = Counter()
    seen: dict[str, Call] = {}
    plain = BotocoreStubber.__call__

    def logical(event_name: str, request: AWSPreparedRequest) -> tuple[Call, str, bool]:
        """Return the call, what botocore calls it, and whether this is its first attempt."""
        _, service_id, operation = event_name.split(".")[:3]
        invocation = _text(request.headers.get("amz-sdk-invocation-id")) or str(id(request))
        with lock:
            if invocation in seen:
                return seen[invocation], invocation, False
            service = _SERVICES.get(service_id, service_id)
            caller = _text(request.headers.get(CALLER_HEADER)) or MACHINE
            count[caller, service, operation] += 1
            where = machines.where() if caller not in NOT_STEPS else None
            call = Call(
                caller,
                service,
                operation,
                count[caller, service, operation],
                _digest(request),
                clock.now(),
                where.state if where else None,
                where.execution if where else None,
            )
            seen[invocation] = call
            calls._add(call)
            return call, invocation, True

    def answer(
        self: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **keywords: Any
    ) -> AWSResponse | None:
        call, invocation, first = logical(event_name, request)
        if first:
            calls._announce(call)
        if call.caller not in NOT_STEPS:
            clock.advance(call_seconds)
        fault = faults._strike(call, invocation)
        if fault is not None:
            _fail_before(fault.kind, call, request)
            if fault.kind is Kind.THROTTLE:
                return _throttled(call.service, request)
        if call.caller not in NOT_STEPS:
            who = _text(request.headers.get(FUNCTION_HEADER)) or call.caller
            right = rights.missing(who, call.service, call.operation, request)
            if right is not None:
                return denied(call.service, request, right)
        with nullcontext() if call.service in _UNLOCKED else lock:
            response = plain(self, event_name, request, **keywords)
        if call.operation == "GetObject" and call.caller not in NOT_STEPS:
            response = _unless_hidden(response, request, rights, call.caller)
        if fault is not None:
            _fail_after(fault.kind, call, request)
        return response

    class Time:
        sleep = staticmethod(clock.wait)

    with (
        patch.object(BotocoreStubber, "__call__", answer),
        patch.object(botocore_endpoint, "time", Time),
    ):
        yield


def _unless_hidden(
    response: AWSResponse | None, request: AWSPreparedRequest, rights: Rights, caller: str
) -> AWSResponse | None:
    """Return S3's answer; that an object is missing is not shown to everybody."""
    if response is None or response.status_code != 404:
        return response
    who = _text(request.headers.get(FUNCTION_HEADER)) or caller
    if rights.shows_what_is_missing(who, request):
        return response
    return denied("s3", request, "s3:ListBucket")


def _fail_before(kind: Kind, call: Call, request: AWSPreparedRequest) -> None:
    if kind is Kind.BEFORE:
        raise ConnectTimeoutError(endpoint_url=request.url)
    if kind is Kind.KILL:
        raise SystemExit(f"killed before {call.service}:{call.operation}")


def _fail_after(kind: Kind, call: Call, request: AWSPreparedRequest) -> None:
    if kind is Kind.AFTER:
        raise ReadTimeoutError(endpoint_url=request.url)
    if kind is Kind.KILL_AFTER:
        raise SystemExit(f"killed after {call.service}:{call.operation}")


def _throttled(service: str, request: AWSPreparedRequest) -> AWSResponse:
    """Say "too fast" in the service's own protocol."""
    status, content_type, body = 400, "application/x-amz-json-1.1", ""
    if service == "s3":
        status, content_type = 503, "application/xml"
        body = "<Error><Code>SlowDown</Code><Message>Slow down.</Message></Error>"
    elif service in ("sns", "cloudwatch", "iam", "cloudformation", "rds"):
        content_type = "text/xml"
        body = (
            "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
            "<Message>Rate exceeded</Message></Error></ErrorResponse>"
        )
    elif service == "lambda":
        status = 429
        body = json.dumps({"Type": "User", "message": "Rate Exceeded."})
    elif service == "dynamodb":
        body = _json_error("ProvisionedThroughputExceededException")
    else:
        body = _json_error("ThrottlingException")
    headers: Any = HeadersDict()
    headers["Content-Type"] = content_type
    headers["x-amzn-requestid"] = "throttled"
    if service == "lambda":
        headers["x-amzn-errortype"] = "TooManyRequestsException"
    return AWSResponse(request.url, status, headers, MockRawResponse(body))


def _json_error(code: str) -> str:
    return json.dumps({"__type": code, "message": "Rate exceeded"})


def _digest(request: AWSPreparedRequest) -> str:
    # An object that S3 gets in chunks lies in a buffer inside a wrapper.
    body = getattr(request.body, "_raw", request.body)
    if isinstance(body, io.BytesIO):
        body = body.getvalue()
    data = body if isinstance(body, bytes) else str(body or "").encode()
    return hashlib.sha256(request.url.encode() + b"\0" + data).hexdigest()[:16]


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
