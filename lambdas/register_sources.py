"""Registers the sources that Onboard is given, and hands them over to Run."""

from certifier.steps.context import StepSettings
from certifier.steps.register_sources import RegisterEvent, run
from lambdas._step import Step

handler = Step(run, event=RegisterEvent, settings=StepSettings)
