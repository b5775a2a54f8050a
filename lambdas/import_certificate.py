"""Brings ACM in step with the pair that PostgreSQL serves."""

from certifier.steps.import_certificate import ImportSettings, run
from certifier.steps.tools import StepEvent
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=ImportSettings)
