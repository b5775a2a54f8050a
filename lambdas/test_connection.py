"""Has DMS test the endpoint, and believes only its own test."""

from certifier.steps.context import StepSettings
from certifier.steps.test_connection import TestEvent, run
from lambdas._step import Step

handler = Step(run, event=TestEvent, settings=StepSettings)
