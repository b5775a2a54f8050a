"""Has DMS try the new settings on a canary endpoint."""

from certifier.run.event import PolledEvent
from certifier.steps.dms_settings import DmsSettings
from certifier.steps.rehearse_changes import run
from lambdas._step import Step

handler = Step(run, event=PolledEvent, settings=DmsSettings)
