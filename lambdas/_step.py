"""The one shape of a Lambda: parse the event, call the step, answer.

A step file ends with ``handler = Step(run, event=..., settings=...)``. Its environment is read
once, on the first call. :meth:`Step.bind` gives the same handler another environment, session,
clock or resolver: functions that share a process (the sandbox) cannot share ``os.environ``.
"""

import gc
import json
import os
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aws_lambda_powertools import Logger
from pydantic import ValidationError

from certifier.aws.clients import Clients
from certifier.diagnosis import finding
from certifier.errors import (
    CertifierError,
    ClaimLost,
    Refused,
    Retryable,
    Unexpected,
)
from certifier.models import Fact
from certifier.run.documents import Refusal, refusal_of
from certifier.run.event import Event, StepEvent, run_id
from certifier.run.summary import ChildOutcome
from certifier.source import problems_of
from certifier.steps.context import Clock, Resolve, StepContext, StepSettings, utc_now
from certifier.vocabulary import Metric, Outcome, Witness
from lambdas._metrics import measuring

ANSWER_LIMIT = 8 * 1024
"""Bytes of an answer, as JSON, unless a step says otherwise: ``States.DataLimitExceeded`` cannot be
caught."""

if TYPE_CHECKING:
    from certifier.roots import Roots

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=StepSettings)
Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


class Step(Generic[E, S]):
    """A Lambda handler around one step."""

    def __init__(
        self,
        run: Callable[[E, StepContext[S]], Fact],
        *,
        event: type[E],
        settings: type[S],
        limit: int = ANSWER_LIMIT,
    ) -> None:
        self._run = run
        self._event = event
        self._settings = settings
        self._limit = limit
        self._bound: Handler | None = None
        self.name = run.__module__.rsplit(".", 1)[-1]

    def bind(
        self,
        environ: Mapping[str, str],
        *,
        session: Any = None,
        now: Clock = utc_now,
        resolve: Resolve | None = None,
        roots: "Roots | None" = None,
    ) -> Handler:
        """Return the handler for one environment.

        Raises:
            InvalidSettings: naming every variable that is missing or wrong.
        """
        settings = self._settings.read(environ)
        chosen = {} if resolve is None else {"resolve": resolve}
        clients = Clients(session)
        context = StepContext(settings, clients=clients, now=now, roots=roots, **chosen)
        log = Logger(service=environ.get("POWERTOOLS_SERVICE_NAME", "certifier"))

        def handle(raw: Mapping[str, Any], _context: Any) -> dict[str, Any]:
            fields: dict[str, Any] = {"step": self.name}
            event: E | None = None
            throttled = clients.throttles
            try:
                event = self._parse(raw)
                if isinstance(event, StepEvent):
                    fields |= {"run": event.run_id, "source": event.name}
                answer = self._answer(self._run(event, context))
            except CertifierError as error:
                if isinstance(error, Refused) and isinstance(event, StepEvent):
                    _write_refusal(event, context, self.name, error)
                if isinstance(error, ClaimLost) and isinstance(event, StepEvent):
                    _write_child_outcome(event, context)
                kind = type(error).__name__
                level = log.info if isinstance(error, Retryable) else log.warning
                level("step ended early", extra={**fields, "error": kind, "reason": str(error)})
                raise
            except Exception as error:  # noqa: BLE001
                # Lambda copies an exception's text into the history, and it may hold anything.
                kind = type(error).__name__
                where = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
                log.error("step failed", extra={**fields, "error": kind, "where": where[-5:]})  # noqa: TRY400
                raise Unexpected(kind) from None
            finally:
                if more := clients.throttles - throttled:
                    measuring(settings)({Metric.DMS_THROTTLES: more})
            log.info("step done", extra={**fields, "answer": _shown(answer)})
            return answer

        return handle

    def _parse(self, raw: Mapping[str, Any]) -> E:
        """Return the event as the machine has made it.

        What a caller wrote is a field of any type in it, which the step reads: so what is wrong
        here is ours, and not an ``InvalidEvent``.
        """
        try:
            return self._event.model_validate(raw)
        except ValidationError as error:
            raise Unexpected("; ".join(problems_of(error))) from None

    def _answer(self, answer: Fact) -> dict[str, Any]:
        plain: dict[str, Any] = answer.model_dump(mode="json")
        if len(json.dumps(plain)) > self._limit:
            raise Unexpected("AnswerTooLarge")
        return plain

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Handle one invocation in Lambda."""
        self._bound = self._bound or self.bind(os.environ)
        return self._bound(event, context)


def _shown(answer: dict[str, Any]) -> dict[str, Any] | str:
    """Return the answer for the log; of a large one its size."""
    size = len(json.dumps(answer))
    return answer if size <= ANSWER_LIMIT else f"{size} bytes"


def _write_child_outcome(event: StepEvent, context: StepContext[Any]) -> None:
    """Tell the report that this child left its source to another: it touches nothing else."""
    word = ChildOutcome(name=event.name, outcome=Outcome.DEFERRED, run=event.run)
    context.documents.write_child_outcome(run_id(event.parent), word)


def _write_refusal(event: StepEvent, context: StepContext[Any], step: str, error: Refused) -> None:
    """Leave the reasons where Record finds them: the history only gets the first cause."""
    reasons = error.findings or (
        finding(error.cause, place=Witness.WORKFLOW, seen=error.seen or f"{step} was refused"),
    )
    context.write(event, refusal_of(step), Refusal(findings=reasons))


# All is imported, and nothing of it is garbage (``lambdas``): the collector need not look there.
gc.freeze()
gc.enable()
