"""Brings ACM in step with the server's certificate and key."""

from certifier.run.event import StepEvent
from certifier.steps.context import StepSettings
from certifier.steps.import_certificate import run
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=StepSettings)
