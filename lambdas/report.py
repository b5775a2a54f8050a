"""Sums up an execution over all its sources, and says whether it failed."""

from certifier.steps.context import StepSettings
from certifier.steps.report import ReportEvent, run
from lambdas._step import Step

ANSWER_LIMIT = 200 * 1024
"""Bytes of the answer, which is the output of the whole machine."""

handler = Step(run, event=ReportEvent, settings=StepSettings, limit=ANSWER_LIMIT)
