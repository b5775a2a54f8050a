"""How a stage of a probe ends when it does not succeed, and the instant by which all must end."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from certifier.errors import CertifierError
from certifier.vocabulary import Cause, Severity, Stage

Clock = Callable[[], float]
_log = logging.getLogger(__name__)


class StageFailed(Exception):
    """A stage did not succeed.

    Attributes:
        stage, cause: where, and which row of the catalogue.
        seen: one sentence in our words.
        raw: the text of the server, the operating system or OpenSSL; untrusted.
        libpq: what libpq says in the same place, as far as it is known.
        verify_code: OpenSSL's X509_V_ERR number, when certificate verification failed.
        severity, remedy: None for the catalogue's.
    """

    def __init__(
        self,
        stage: Stage,
        cause: Cause,
        seen: str,
        *,
        raw: str | None = None,
        libpq: str | None = None,
        verify_code: int | None = None,
        severity: Severity | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(seen)
        self.stage = stage
        self.cause = cause
        self.seen = seen
        self.raw = raw
        self.libpq = libpq
        self.verify_code = verify_code
        self.severity = severity
        self.remedy = remedy


# What is not the fault of anything that was read.
_OURS = (
    StageFailed,
    CertifierError,
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    MemoryError,
)


@contextlib.contextmanager
def contained(stage: Callable[[], Stage], cause: Cause, seen: str) -> Iterator[None]:
    """The edge towards a server: whatever its bytes make a reader raise becomes a StageFailed.

    Type and place go to the log; the text may hold anything, and goes nowhere.
    """
    try:
        yield
    except _OURS:
        raise
    except BaseException as error:  # noqa: BLE001 - the panics of `cryptography` derive from it
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        code = trace.tb_frame.f_code if trace else None
        _log.warning(
            "%s in %s at %s: %s",
            type(error).__name__,
            code.co_qualname if code else "?",
            stage().value,
            seen,
        )
        raise StageFailed(stage(), cause, f"{seen} ({type(error).__name__})") from None


@dataclass(frozen=True)
class Deadline:
    """An instant of ``clock`` (seconds, monotonic), and the seconds that were given until then."""

    at: float
    seconds: float
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        return cls(clock() + seconds, seconds, clock)

    def within(self, seconds: float) -> "Deadline":
        """This one, or `seconds` from now if that is earlier."""
        return Deadline(min(self.at, self.clock() + seconds), seconds, self.clock)

    def left(self, stage: Stage) -> float:
        """Seconds that are left, more than zero. Raises StageFailed when none are."""
        left = self.at - self.clock()
        if left <= 0:
            raise self.passed(stage)
        return left

    def passed(self, stage: Stage) -> StageFailed:
        """The failure of a stage that did not end in time."""
        what = _WAITING_FOR[stage]
        return StageFailed(
            stage,
            Cause.CONNECTION_TIMEOUT,
            f"{what} did not end within the {self.seconds:g} seconds of the whole probe",
            libpq="timeout expired",
        )


_WAITING_FOR = {
    Stage.ADDRESS: "the check of the address",
    Stage.DNS: "the name resolution",
    Stage.TCP: "the TCP connection",
    Stage.SSL_REQUEST: "the answer to the SSL request",
    Stage.TLS: "the TLS handshake",
    Stage.STARTUP: "the answer to the login request",
    Stage.LOGIN: "the login",
    Stage.QUERY: "the query",
}
