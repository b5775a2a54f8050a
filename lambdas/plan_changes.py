"""Decides what must change on the endpoint, and whether now."""

from certifier.steps.dms_settings import DmsSettings
from certifier.steps.plan_changes import run
from certifier.steps.tools import StepEvent
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=DmsSettings)
