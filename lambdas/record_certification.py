"""Keeps the record of a certification, notifies people, and releases the claim."""

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from certifier.run.event import RecordEvent
from certifier.steps.context import StepContext
from certifier.steps.record_certification import (
    Answer,
    Measured,
    RecordSettings,
)
from certifier.steps.record_certification import run as record
from lambdas._step import Step


def run(event: RecordEvent, context: StepContext[RecordSettings]) -> Answer:
    """Record, and put what was measured into the log, where CloudWatch reads metrics.

    Metrics are of the installation alone: each one more costs as much as all else that a source
    costs in a month. What is known of one source is in the table and in its record.
    """
    settings = context.settings

    def measure(seen: Measured) -> None:
        metrics = EphemeralMetrics(
            namespace=settings.powertools_metrics_namespace,
            service=settings.powertools_service_name,
        )
        metrics.add_metric(seen.outcome.value.capitalize(), MetricUnit.Count, 1)
        metrics.add_metric("PendingRestarts", MetricUnit.Count, seen.pending_restarts)
        if seen.days_left is not None:
            metrics.add_metric("DaysLeft", MetricUnit.Count, seen.days_left)
        metrics.flush_metrics()

    return record(event, context, measure)


handler = Step(run, event=RecordEvent, settings=RecordSettings)
