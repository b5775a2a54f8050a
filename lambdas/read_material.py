"""Reads secrets and CA bundle at pinned versions, and the endpoint as it is."""

from certifier.run.event import StepEvent
from certifier.steps.read_material import ReadSettings, run
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=ReadSettings)
