"""Has DMS test the endpoint, and believes only its own test."""

from certifier.steps.test_connection import TestEvent, run
from certifier.steps.tools import StepSettings
from lambdas._step import Step

handler = Step(run, event=TestEvent, settings=StepSettings)
