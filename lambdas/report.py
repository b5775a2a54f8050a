"""Sums up an execution over all its sources, and says whether it failed."""

from certifier.steps.context import StepSettings
from certifier.steps.report import ReportEvent, run
from lambdas._step import Step

handler = Step(run, event=ReportEvent, settings=StepSettings)
