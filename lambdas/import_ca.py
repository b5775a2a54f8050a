"""Imports the trusted CAs into DMS."""

from certifier.run.event import StepEvent
from certifier.steps.context import StepSettings
from certifier.steps.import_ca import run
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=StepSettings)
