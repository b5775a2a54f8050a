"""Chooses the sources that an event, a person or the schedule asks for."""

from certifier.steps.context import StepContext
from certifier.steps.select_sources import SelectEvent, Selection, SelectSettings
from certifier.steps.select_sources import run as select
from lambdas._metrics import measuring
from lambdas._step import Step


def run(event: SelectEvent, context: StepContext[SelectSettings]) -> Selection:
    """Choose, and put what a tick has found into the log."""
    return select(event, context, measuring(context.settings))


handler = Step(run, event=SelectEvent, settings=SelectSettings)
