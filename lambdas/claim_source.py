"""Becomes the one execution that may write, or leaves the source to whoever is."""

from certifier.steps.claim_source import run
from certifier.steps.tools import StepEvent, StepSettings
from lambdas._step import Step

handler = Step(run, event=StepEvent, settings=StepSettings)
