"""Writes the endpoint's settings, or puts the old ones back."""

from certifier.steps.configure_endpoint import ConfigureEvent, run
from certifier.steps.dms_settings import DmsSettings
from lambdas._step import Step

handler = Step(run, event=ConfigureEvent, settings=DmsSettings)
