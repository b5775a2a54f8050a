"""Register sources: the door to what is registered, with a permission of its own.

All mistakes of all sources are reported before anything is stored: all or none are registered. With
``mode`` plan nothing is registered. Run gets what was registered or checked by the name of this
execution, from a document that no other function may write: whoever may start Run cannot bring it.
"""

from typing import Any

from certifier.errors import InvalidEvent
from certifier.models import Fact
from certifier.run.event import Chosen, Event, Handover, run_id
from certifier.source import Source
from certifier.steps.context import StepContext, StepSettings
from certifier.triggers import parse_registering
from certifier.vocabulary import Mode

PROBLEMS_LIMIT = 4000
"""Characters of the mistakes that are answered; more than a person reads."""


class RegisterEvent(Event):
    """``event`` is the input of Onboard, raw; ``execution`` the ARN of its execution."""

    event: Any
    execution: str


class Registered(Fact):
    """What was registered.

    Attributes:
        accepted: all sources were; else none, and ``problems`` says why.
        onboarded: the name under which Run finds them.
    """

    accepted: bool
    onboarded: str
    problems: str = ""


def run(event: RegisterEvent, context: StepContext[StepSettings]) -> Registered:
    """Register all sources or none, and hand them over.

    Raises:
        Busy: one of them is being registered by several at once.
    """
    execution = run_id(event.execution)
    try:
        asked = parse_registering(event.event)
        chosen = _register(asked.sources, context, plan=asked.mode is Mode.PLAN)
    except InvalidEvent as refused:
        problems = str(refused)[:PROBLEMS_LIMIT]
        return Registered(accepted=False, onboarded=execution, problems=problems)
    handed = Handover(mode=asked.mode, sources=chosen)
    context.documents.write_onboarding(execution, handed)
    return Registered(accepted=True, onboarded=execution)


def _register(
    sources: tuple[Source, ...], context: StepContext[StepSettings], *, plan: bool
) -> tuple[Chosen, ...]:
    """Register all sources or, when one cannot be, none."""
    store = context.store
    versions = store.could_register(sources) if plan else store.register_all(sources, context.now())
    return tuple(Chosen(name=s.name, spec=s, version=versions[s.name]) for s in sources)
