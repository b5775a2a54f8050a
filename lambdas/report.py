"""Sums up an execution over all its sources, notifies people, and says whether it failed."""

from certifier.steps.context import StepContext
from certifier.steps.report import Reported, ReportEvent, ReportSettings
from certifier.steps.report import run as report
from lambdas._metrics import measuring
from lambdas._step import Step

ANSWER_LIMIT = 200 * 1024
"""Bytes of the answer, which is the output of the whole machine."""


def run(event: ReportEvent, context: StepContext[ReportSettings]) -> Reported:
    """Report, and put what was measured into the log."""
    return report(event, context, measuring(context.settings))


handler = Step(run, event=ReportEvent, settings=ReportSettings, limit=ANSWER_LIMIT)
