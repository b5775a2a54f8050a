"""Deletes, once a day, our DMS certificates that nobody has used for a week."""

from certifier.steps.tidy import TidyEvent, TidySettings, run
from lambdas._step import Step

handler = Step(run, event=TidyEvent, settings=TidySettings)
