"""Decides what must change on the endpoint, and whether now."""

from certifier.run.event import StepEvent
from certifier.steps.plan_changes import PlanSettings, run
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=PlanSettings)
