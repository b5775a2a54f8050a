"""Who is notified, and when: one topic for what needs a person, and the alarms on the machinery."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from certifier.vocabulary import Metric
from stacks.settings import LOG_DAYS, Settings

NAMESPACE = "Certifier"
# Calls that DMS refuses in an hour as too many. One of a hundred is retried and forgotten.
THROTTLES = 100
FIVE_MINUTES, QUARTER = Duration.minutes(5), Duration.minutes(15)
# Of this installation: without a name, the command looks at the one that is called Certifier.
STATUS = f"certifier status --stack {Aws.STACK_NAME}"


def retention(settings: Settings) -> logs.RetentionDays:
    """Return how long every log of the installation is kept."""
    return logs.RetentionDays[LOG_DAYS[settings.log_days]]


def measured(metric: Metric, statistic: str, period: Duration, **more: Any) -> cloudwatch.Metric:
    """Return a metric of the installation: one for all sources, as the functions write it.

    It bears the name that the stack really has: of a stack of one's own around the construct, the
    settings do not know it.
    """
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric.value,
        dimensions_map={"service": Aws.STACK_NAME},
        statistic=statistic,
        period=period,
        **more,
    )


class Notices(Construct):
    """The topic that steps and alarms publish to, and its readers."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        # Not encrypted with the AWS managed key: alarms could not publish to it.
        self.topic = sns.Topic(self, "Topic", display_name="Certifier", enforce_ssl=True)
        # A topic policy of our own replaces the default one, which let the account's alarms in.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        for address in settings.notify:
            self.topic.add_subscription(subscriptions.EmailSubscription(address))


class Alarms(Construct):
    """Alarms on what no certification can report itself.

    Each says where the runbook has it, and the first command to type.

    Attributes:
        safe: whether the fleet is: what concerns certificates and tasks.
        works: whether Certifier itself does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        machine: sfn.IStateMachine,
        undelivered: sqs.IQueue,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)
        self._runbook = settings.runbook
        executions = (
            f"aws stepfunctions list-executions --state-machine-arn {machine.state_machine_arn}"
        )
        self.safe: Sequence[cloudwatch.Alarm] = self._of_the_fleet()
        self.works: Sequence[cloudwatch.Alarm] = (
            *self._of_executions(machine, executions),
            self._of_undelivered(undelivered),
            *self._of_the_pace(executions),
            self._of_notices(),
        )

    def _of_the_fleet(self) -> Sequence[cloudwatch.Alarm]:
        late = self._alarm(
            "CertificatesLate",
            "A source depends on a certificate that should have been renewed by now",
            measured(Metric.LATE_CERTIFICATES, "Sum", Duration.days(1)),
            first=f"{STATUS} --expiring 14",
        )
        waits = self._alarm(
            "TasksWait",
            "A task that Certifier stopped has not run again for more than an hour",
            measured(Metric.RESTART_WAIT, "Maximum", QUARTER),
            first=STATUS,
            threshold=Duration.hours(1).to_seconds(),
        )
        return late, waits

    def _of_executions(
        self, machine: sfn.IStateMachine, executions: str
    ) -> Sequence[cloudwatch.Alarm]:
        failed = self._alarm(
            "ExecutionsFailed",
            "An execution of Certifier's state machine failed, and not for what its caller asked",
            # What Report has counted as the caller's is taken off what AWS counts, not the other
            # way round: when even Report is broken, the alarm rings.
            cloudwatch.MathExpression(
                expression="failed - FILL(refused, 0)",
                using_metrics={
                    "failed": machine.metric_failed(period=QUARTER),
                    "refused": measured(Metric.STARTS_REFUSED, "Sum", QUARTER),
                },
                period=QUARTER,
            ),
            first=f"{executions} --status-filter FAILED --max-results 5",
        )
        timed_out = self._alarm(
            "ExecutionsTimedOut",
            "An execution of Certifier's state machine timed out",
            machine.metric_timed_out(period=FIVE_MINUTES),
            first=f"{executions} --status-filter TIMED_OUT --max-results 5",
        )
        return failed, timed_out

    def _of_undelivered(self, undelivered: sqs.IQueue) -> cloudwatch.Alarm:
        return self._alarm(
            "StartsUndelivered",
            "A schedule or event could not start Certifier's state machine; the queue holds it",
            undelivered.metric_approximate_number_of_messages_visible(
                period=FIVE_MINUTES, statistic="Maximum"
            ),
            first=f"aws sqs receive-message --queue-url {undelivered.queue_url} "
            "--message-attribute-names All --max-number-of-messages 10",
        )

    def _of_the_pace(self, executions: str) -> Sequence[cloudwatch.Alarm]:
        no_ticks = self._alarm(
            "NoTicks",
            "For an hour no tick of the schedule has looked for sources that are due",
            measured(Metric.TICKS, "Sum", Duration.hours(1)),
            first=f"{executions} --max-results 5",
            threshold=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
        behind = self._alarm(
            "SourcesWait",
            "For an hour every tick has left sources that are due to the next one",
            measured(Metric.SOURCES_NOT_TAKEN, "Minimum", Duration.minutes(10)),
            first=STATUS,
            periods=6,
        )
        throttled = self._alarm(
            "DmsThrottled",
            f"DMS has refused more than {THROTTLES} calls of Certifier within an hour as too many",
            measured(Metric.DMS_THROTTLES, "Sum", Duration.hours(1)),
            first=f"{executions} --status-filter RUNNING",
            threshold=THROTTLES,
        )
        return no_ticks, behind, throttled

    def _of_notices(self) -> cloudwatch.Alarm:
        return self._alarm(
            "NoticesUnsent",
            "People could not be notified of a source that needs them",
            measured(Metric.NOTICES_UNSENT, "Sum", QUARTER),
            first=f"{STATUS} --failing",
        )

    def _alarm(
        self,
        alarm_id: str,
        says: str,
        metric: cloudwatch.IMetric,
        *,
        first: str,
        threshold: float = 0,
        comparison: cloudwatch.ComparisonOperator = (
            cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        ),
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        runbook = f"{self._runbook}#{alarm_id.lower()}"
        alarm = cloudwatch.Alarm(
            self,
            alarm_id,
            alarm_description=f"{says}. First: {first}. Then: {runbook}",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
        return alarm
