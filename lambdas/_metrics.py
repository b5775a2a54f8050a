"""Metrics: lines in a function's log that CloudWatch reads, so that they cost no call."""

from collections.abc import Callable, Mapping

from certifier.run.measures import Measures
from certifier.steps.context import StepSettings
from certifier.vocabulary import Metric

UNITS: Mapping[Metric, str] = {Metric.SHARE_LEFT: "Percent", Metric.RESTART_WAIT: "Seconds"}
"""Of those that are not a count."""


def measuring(settings: StepSettings) -> Callable[[Measures], None]:
    """Return what writes measures into the log, under the name of the installation."""

    def measure(values: Measures) -> None:
        # Half of the functions never measure, and loading this takes a while.
        from aws_lambda_powertools.metrics import EphemeralMetrics  # noqa: PLC0415

        metrics = EphemeralMetrics(
            namespace=settings.powertools_metrics_namespace,
            service=settings.powertools_service_name,
        )
        for metric, value in values.items():
            metrics.add_metric(metric.value, UNITS.get(metric, "Count"), value)
        metrics.flush_metrics()

    return measure
