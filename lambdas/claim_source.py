"""Becomes the one execution that may write, or leaves the source to whoever is."""

from certifier.steps.claim_source import ClaimEvent, run
from certifier.steps.context import StepSettings
from lambdas._step import Step

handler = Step(run, event=ClaimEvent, settings=StepSettings)
