"""Stops the tasks on the endpoint that can be started again."""

from certifier.steps.pause_tasks import PauseEvent, PauseSettings, run
from lambdas._step import Step

handler = Step(run, event=PauseEvent, settings=PauseSettings)
