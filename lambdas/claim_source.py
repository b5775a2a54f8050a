"""Becomes the one execution that may write, or leaves the source to whoever is."""

from certifier.run.event import StepEvent
from certifier.steps.claim_source import run
from certifier.steps.context import StepSettings
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=StepSettings)
