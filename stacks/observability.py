"""Who is notified, and when: one topic for what needs a person, and the alarms on the machinery."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.settings import LOG_DAYS, Settings

# Record certification's metric: the days that a source's first certificate to expire has left. One
# metric for all sources, of which the alarm reads the smallest value.
NAMESPACE = "Certifier"
DAYS_LEFT = "DaysLeft"


def retention(settings: Settings) -> logs.RetentionDays:
    """Return how long every log of the installation is kept."""
    return logs.RetentionDays[LOG_DAYS[settings.log_days]]


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
    """Alarms on what no certification can report itself."""

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
        docs = settings.docs_url.rstrip("/") or "docs"
        self._runbook = f"{docs}/operate/runbook.md"
        minutes = Duration.minutes(5)
        self._above_zero(
            "ExecutionsFailed",
            "An execution of Certifier's state machine failed: the machinery, or a direct start",
            "certifier doctor",
            machine.metric_failed(period=minutes),
        )
        self._above_zero(
            "ExecutionsTimedOut",
            "An execution of Certifier's state machine timed out",
            "certifier status --failing",
            machine.metric_timed_out(period=minutes),
        )
        self._above_zero(
            "StartsUndelivered",
            "A schedule or event could not start Certifier's state machine; the queue holds it",
            "certifier doctor",
            undelivered.metric_approximate_number_of_messages_visible(
                period=minutes, statistic="Maximum"
            ),
        )
        days_left = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=DAYS_LEFT,
            dimensions_map={"service": settings.stack},
            statistic="Minimum",
            period=Duration.days(1),
        )
        self._alarm(
            "CertificateExpires",
            f"A source depends on a certificate with fewer than {settings.alarm_days} days left",
            f"certifier status --expiring {settings.alarm_days}",
            days_left,
            threshold=settings.alarm_days,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        )

    def _above_zero(self, alarm_id: str, says: str, first: str, metric: cloudwatch.IMetric) -> None:
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        self._alarm(alarm_id, says, first, metric, threshold=0, comparison=above)

    def _alarm(
        self,
        alarm_id: str,
        says: str,
        first: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: int,
        comparison: cloudwatch.ComparisonOperator,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            alarm_id,
            alarm_description=f"{says}. First: {first}. Then: {self._runbook}#{alarm_id.lower()}",
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=comparison,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
