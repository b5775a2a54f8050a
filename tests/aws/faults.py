"""Faults where every call to moto passes: before its effect, after it, throttled, denied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber


class Kind(StrEnum):
    BEFORE = "before"
    """The request never arrives."""
    AFTER = "after"
    """The service does it, and the answer is lost."""
    THROTTLE = "throttle"
    """The service says ThrottlingException."""
    DENY = "deny"
    """The service says AccessDeniedFault: a role that has not propagated yet."""


@dataclass
class Faults:
    """Which calls fail, by operation; `calls` are the operations that came, retries included."""

    calls: list[str] = field(default_factory=list)
    _planned: list[tuple[str, Kind, int]] = field(default_factory=list)

    def inject(self, operation: str, kind: Kind, times: int = 1) -> None:
        """Let the next `times` calls of this operation fail."""
        self._planned.append((operation, kind, times))

    def take(self, operation: str) -> Kind | None:
        for at, (planned, kind, times) in enumerate(self._planned):
            if planned == operation:
                self._planned[at : at + 1] = [(planned, kind, times - 1)] if times > 1 else []
                return kind
        return None


@contextmanager
def injected() -> Iterator[Faults]:
    """Inject faults into moto for the length of the block."""
    faults = Faults()
    before = botocore_stubber.process_request

    def process(request: Any) -> Any:
        operation = str(_text(request.headers.get("X-Amz-Target", ""))).rsplit(".", 1)[-1]
        faults.calls.append(operation)
        kind = faults.take(operation)
        if kind is Kind.BEFORE:
            raise ReadTimeoutError(endpoint_url=request.url)
        if kind in (Kind.THROTTLE, Kind.DENY):
            code = "ThrottlingException" if kind is Kind.THROTTLE else "AccessDeniedFault"
            headers = {"Content-Type": "application/x-amz-json-1.1"}
            return 400, headers, json.dumps({"__type": code, "message": "Rate exceeded"})
        answer = before(request)
        if kind is Kind.AFTER:
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    botocore_stubber.process_request = process  # type: ignore[method-assign]
    try:
        yield faults
    finally:
        botocore_stubber.process_request = before  # type: ignore[method-assign]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
