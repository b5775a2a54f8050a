"""Keeps the record of a certification, tells people, and releases the claim."""

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from certifier.steps.record_certification import (
    Answer,
    Measured,
    RecordEvent,
    RecordSettings,
)
from certifier.steps.record_certification import run as record
from certifier.steps.tools import Tools
from lambdas._step import Step


def run(event: RecordEvent, tools: Tools[RecordSettings]) -> Answer:
    """Record, and put what was measured into the log, where CloudWatch reads metrics.

    Metrics are of the installation alone: each one more costs as much as all else that a source
    costs in a month. What is known of one source is in the table and in its record.
    """
    settings = tools.settings

    def measure(seen: Measured) -> None:
        metrics = EphemeralMetrics(
            namespace=settings.powertools_metrics_namespace,
            service=settings.powertools_service_name,
        )
        metrics.add_metric(seen.outcome.value.capitalize(), MetricUnit.Count, 1)
        metrics.add_metric("OwedTasks", MetricUnit.Count, seen.owed)
        if seen.days_left is not None:
            metrics.add_metric("DaysLeft", MetricUnit.Count, seen.days_left)
        metrics.flush_metrics()

    return record(event, tools, measure)


handler = Step(run, event=RecordEvent, settings=RecordSettings)
