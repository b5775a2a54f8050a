"""Claim source: become the one execution that may write, and learn what an earlier one left.

A change that was proven is over; one that was not comes first, though not for ever. Plan mode
claims nothing. The loser writes nothing to the table, only its outcome for the report. A run that
was started with an older spec than is registered now ends too, and the source is due at once: what
an edit has forbidden meanwhile must not happen.
"""

from pydantic import AwareDatetime

from certifier.aws.store import NotClaimed
from certifier.models import Fact
from certifier.run.event import StepEvent, run_id
from certifier.run.summary import ChildOutcome
from certifier.run.undo import finishes_first
from certifier.steps.context import StepContext, StepSettings
from certifier.vocabulary import Mode, Origin, Outcome


class ClaimAnswer(Fact):
    """The answer.

    Attributes:
        claimed: the source is ours (in plan mode: nothing had to be claimed).
        tail: an undo log was left behind: prove or roll back before anything else.
        paused: a task is stopped for this source.
    """

    claimed: bool
    tail: bool = False
    paused: bool = False


class ClaimEvent(StepEvent):
    """``started``: when the execution began that chose the source."""

    started: AwareDatetime


def run(event: ClaimEvent, context: StepContext[StepSettings]) -> ClaimAnswer:
    """Claim the source for this execution.

    Raises:
        Retryable: the table or Step Functions did not answer, or many claim at once.
    """
    if event.mode is Mode.PLAN:
        return ClaimAnswer(claimed=True)
    spec = event.source.spec
    got = context.store.claim(
        event.name,
        event.run,
        context.now(),
        context.states.ended_at,
        endpoint=spec.endpoint,
        version=event.source.version,
        # Two ticks may choose a source before either claims it; who asks for a run gets one.
        started=None if event.origin is Origin.DIRECT else event.started,
    )
    if isinstance(got, NotClaimed):
        seen = "another run has the source"
        if got.moved:
            seen = f"the source was registered anew since, no longer with {spec.endpoint}"
        elif got.edited:
            seen = "the source was registered anew since this run was started"
            context.store.set_due([event.name], context.now())
        elif got.done:
            seen = "another run of the source has ended since this execution began"
        elif got.owner is None:
            seen = "the source was forgotten meanwhile"
        word = ChildOutcome(name=event.name, outcome=Outcome.DEFERRED, run=event.run, seen=seen)
        context.documents.write_child_outcome(run_id(event.parent), word)
        return ClaimAnswer(claimed=False)
    if got.undo is None:
        return ClaimAnswer(claimed=True, paused=got.paused)
    held = context.store.hold(event.name, event.run)
    if got.proven:
        held.settle_undo()
        return ClaimAnswer(claimed=True, paused=got.paused)
    tail = finishes_first(held.count_try())
    return ClaimAnswer(claimed=True, tail=tail, paused=got.paused)
