"""Stops the tasks on the endpoint that can be started again."""

from certifier.run.event import PolledEvent
from certifier.steps.pause_tasks import PauseSettings, run
from lambdas._step import Step

handler = Step(run, event=PolledEvent, settings=PauseSettings)
