"""Starts the tasks that were stopped for this source."""

from certifier.run.event import PolledEvent
from certifier.steps.context import StepSettings
from certifier.steps.resume_tasks import run
from lambdas._step import Step

handler = Step(run, event=PolledEvent, settings=StepSettings)
