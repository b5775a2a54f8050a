"""Imports the trusted CAs into DMS."""

from certifier.steps.import_ca import run
from certifier.steps.tools import StepEvent, StepSettings
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=StepSettings)
