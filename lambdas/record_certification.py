"""Keeps the record of a certification, notifies people, and releases the claim."""

from certifier.run.event import RecordEvent
from certifier.steps.context import StepContext
from certifier.steps.record_certification import Answer, RecordSettings
from certifier.steps.record_certification import run as record
from lambdas._metrics import measuring
from lambdas._step import Step


def run(event: RecordEvent, context: StepContext[RecordSettings]) -> Answer:
    """Record, and put what was measured into the log."""
    return record(event, context, measuring(context.settings))


handler = Step(run, event=RecordEvent, settings=RecordSettings)
