"""Starts the tasks that were stopped for this source."""

from certifier.steps.resume_tasks import run
from certifier.steps.tools import PolledEvent, StepSettings
from lambdas._step import Step

handler = Step(run, event=PolledEvent, settings=StepSettings)
