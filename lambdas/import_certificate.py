"""Brings ACM in step with the pair that PostgreSQL serves."""

from certifier.steps.import_certificate import run
from certifier.steps.tools import StepEvent, StepSettings
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=StepSettings)
