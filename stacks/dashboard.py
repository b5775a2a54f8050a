"""One dashboard for the installation. Its first row answers: is the fleet safe?"""

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from certifier.vocabulary import Metric
from stacks.observability import STATUS, Alarms, measured
from stacks.settings import Settings

Row = list[cloudwatch.IWidget]
DAY, TICK = Duration.days(1), Duration.minutes(10)
OUTCOMES = (
    (Metric.CERTIFIED, cloudwatch.Color.GREEN),
    (Metric.PLANNED, cloudwatch.Color.BLUE),
    (Metric.DEFERRED, cloudwatch.Color.GREY),
    (Metric.REFUSED, cloudwatch.Color.ORANGE),
    (Metric.ROLLED_BACK, cloudwatch.Color.PURPLE),
    (Metric.FAILED, cloudwatch.Color.RED),
    (Metric.TASK_STOPPED, cloudwatch.Color.PINK),
)


class Dashboard(Construct):
    """The dashboard: certificates and tasks, then outcomes, then Certifier itself.

    It shows metrics of the installation alone, so it is the same for three sources and for eight
    hundred. Which source it is, ``certifier status`` says.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        alarms: Alarms,
        machine: sfn.IStateMachine,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.days(14),
            widgets=[
                _is_the_fleet_safe(alarms, settings),
                _outcomes_and_expiry(),
                _does_certifier_work(alarms, machine, undelivered),
            ],
        )


def _is_the_fleet_safe(alarms: Alarms, settings: Settings) -> Row:
    return [
        cloudwatch.AlarmStatusWidget(
            title="Is the fleet safe?", alarms=list(alarms.safe), width=6, height=4
        ),
        _number("Days left, least", measured(Metric.DAYS_LEFT, "Minimum", DAY)),
        _number("Share of life left, least %", measured(Metric.SHARE_LEFT, "Minimum", DAY)),
        _number("Late certificates", measured(Metric.LATE_CERTIFICATES, "Sum", DAY)),
        _number("Tasks that wait", measured(Metric.PENDING_RESTARTS, "Maximum", TICK)),
        cloudwatch.TextWidget(markdown=_words(settings), width=6, height=4),
    ]


def _outcomes_and_expiry() -> Row:
    return [
        cloudwatch.GraphWidget(
            title="Outcomes of a day",
            stacked=True,
            left=[measured(metric, "Sum", DAY, color=colour) for metric, colour in OUTCOMES],
            width=12,
        ),
        cloudwatch.GraphWidget(
            title="First expiry: days left, and share of life in percent",
            left=[measured(Metric.DAYS_LEFT, "Minimum", DAY)],
            right=[measured(Metric.SHARE_LEFT, "Minimum", DAY)],
            width=12,
        ),
    ]


def _does_certifier_work(
    alarms: Alarms, machine: sfn.IStateMachine, undelivered: sqs.IQueue
) -> Row:
    return [
        cloudwatch.AlarmStatusWidget(
            title="Does Certifier work?", alarms=list(alarms.works), width=6, height=6
        ),
        cloudwatch.GraphWidget(
            title="Ticks: sources due, and left to the next one",
            left=[
                measured(Metric.SOURCES_DUE, "Maximum", TICK),
                measured(Metric.SOURCES_NOT_TAKEN, "Maximum", TICK),
            ],
            right=[measured(Metric.TICKS, "Sum", TICK)],
            width=6,
        ),
        cloudwatch.GraphWidget(
            title="Longest wait for a restart, seconds; calls that DMS refused",
            left=[measured(Metric.RESTART_WAIT, "Maximum", TICK)],
            right=[measured(Metric.DMS_THROTTLES, "Sum", TICK)],
            width=6,
        ),
        cloudwatch.GraphWidget(
            title="Executions; starts not delivered, notices not sent",
            left=[
                machine.metric_started(period=TICK),
                machine.metric_failed(period=TICK),
                measured(Metric.STARTS_REFUSED, "Sum", TICK),
                machine.metric_timed_out(period=TICK),
            ],
            right=[
                undelivered.metric_approximate_number_of_messages_visible(
                    period=TICK, statistic="Maximum"
                ),
                measured(Metric.NOTICES_UNSENT, "Sum", TICK),
            ],
            width=6,
        ),
    ]


def _number(title: str, metric: cloudwatch.IMetric) -> cloudwatch.SingleValueWidget:
    return cloudwatch.SingleValueWidget(
        title=title, metrics=[metric], width=3, height=4, set_period_to_time_range=False
    )


def _words(settings: Settings) -> str:
    return (
        f"**{Aws.STACK_NAME}**: which source it is, `{STATUS}` says, worst first.\n\n"
        f"What to do: [runbook]({settings.runbook})"
    )
