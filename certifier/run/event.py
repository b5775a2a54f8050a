"""What the state machine passes to a step, and what a step answers."""

import json
import re

from pydantic import ConfigDict, field_validator

from certifier.models import Fact
from certifier.source import Source
from certifier.text import printable
from certifier.vocabulary import Decision, Mode, Origin


class Problem(Fact):
    """What the machine caught: the name of the error, and its text.

    Lambda wraps the text into JSON with a stack trace, which the machine cuts to a length; only the
    message in it is kept.
    """

    error: str
    cause: str = ""

    @field_validator("cause")
    @classmethod
    def _unwrapped(cls, cause: str) -> str:
        wrapped = _MESSAGE.match(cause)
        if wrapped is None:
            return printable(cause)
        try:
            return printable(str(json.loads(f'"{wrapped[1]}"')))
        except ValueError:
            return printable(wrapped[1])


_MESSAGE = re.compile(r'\s*\{\s*"errorMessage"\s*:\s*"((?:[^"\\]|\\.)*)')


FLEET_PAGE = "reports/latest"
"""Key of the page of the fleet, and of the digests kept beside it, without suffix."""


def run_id(execution: str) -> str:
    """Return the last part of an execution's ARN, which names it in the bucket."""
    return execution.rsplit(":", 1)[-1]


def report_key(execution: str) -> str:
    """Return the key of an execution's report in the bucket, without suffix.

    Whoever starts an execution names it. ``latest`` is the page of the fleet, so an execution of
    that name has one that no execution can have (API of Step Functions, StartExecution).
    """
    name = run_id(execution)
    return FLEET_PAGE + "~" if name == FLEET_PAGE.rpartition("/")[2] else f"reports/{name}"


class Event(Fact):
    """What the machine passes to a step; whatever else it passes is not this step's."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Chosen(Event):
    """A validated source, as the manifest holds it: the child works by this spec, if it is still
    the registered one when the child claims the source."""

    name: str
    spec: Source
    version: int


class Handover(Fact):
    """What Onboard hands over to Run: the sources that it has registered, or checked to be planned.

    Only the function of Onboard may write it, so whoever may start Run alone cannot bring specs.
    """

    mode: Mode
    sources: tuple[Chosen, ...]


class StepEvent(Event):
    """One step of one certification. ``run`` and ``parent`` are execution ARNs."""

    run: str
    parent: str
    mode: Mode
    origin: Origin
    source: Chosen

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def run_id(self) -> str:
        """The run's name in the bucket."""
        return run_id(self.run)


class PolledEvent(StepEvent):
    """A step that the machine calls again until it is done: round 0 to ``rounds`` - 1."""

    round: int
    rounds: int

    @property
    def is_last(self) -> bool:
        """Whether the machine will not call again: what is not done now has its own cause."""
        return self.round >= self.rounds - 1


class Done(Fact):
    """The answer of a polled step."""

    done: bool


class Decided(Fact):
    """The answer of Plan changes."""

    decision: Decision


class Nothing(Fact):
    """The answer of a step that no Choice reads."""


class RecordEvent(StepEvent):
    """How a run ended, for the machine.

    Attributes:
        problem: what the machine caught, if anything went wrong.
        sources: how many sources the execution certifies.
    """

    problem: Problem | None = None
    sources: int = 1
