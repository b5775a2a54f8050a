"""Chooses the sources that an event, a person or the schedule asks for."""

from certifier.steps.select_sources import SelectEvent, SelectSettings, run
from lambdas._step import Step

handler = Step(run, event=SelectEvent, settings=SelectSettings)
