"""What starts the state machine. All of it is passed on raw: Select sources understands each event.

Our own writes start no source: an import over a certificate in ACM emits ``ACM Certificate
Available`` like a renewal there, and Select sources finds no source whose intended certificate it
is; and we write no secret.
"""

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as scheduler_targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.settings import Settings
from stacks.statements import on_behalf_of

# A tick is worth nothing once the next one has come.
TICK = Duration.minutes(10)
# An event is worth its day: after that the daily run has seen what it was about.
EVENT_AGE = Duration.hours(24)


class Triggers(Construct):
    """The schedule, the rules, and the queue for what could not be delivered.

    Attributes:
        undelivered: starts that failed after all retries, each with its event and its error.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        machine: sfn.IStateMachine,
    ) -> None:
        super().__init__(scope, construct_id)
        self._machine = machine
        self._role = iam.Role(self, "EventsRole", assumed_by=_rules_of_this_account(self))
        self.undelivered = sqs.Queue(
            self,
            "Undelivered",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        scheduler.Schedule(
            self,
            "Tick",
            description="Certifier: certify the sources that are due",
            schedule=scheduler.ScheduleExpression.rate(TICK),
            target=scheduler_targets.StepFunctionsStartExecution(
                machine,
                input=scheduler.ScheduleTargetInput.from_object({}),
                retry_attempts=3,
                max_event_age=TICK,
                dead_letter_queue=self.undelivered,
            ),
        )
        self._rules(settings)

    def _rules(self, settings: Settings) -> None:
        """The events that start the machine before the schedule would."""
        self._rule(
            "SecretChanged",
            "a secret of a source has a new current version",
            source=["aws.secretsmanager"],
            detail_type=["Secret Label Updated"],
            detail={
                "labelUpdated": ["AWSCURRENT"],
                "name": [{"prefix": prefix} for prefix in settings.secret_prefixes],
            },
        )
        self._rule(
            "CertificateExpires",
            "a certificate in ACM approaches its expiry",
            source=["aws.acm"],
            detail_type=["ACM Certificate Approaching Expiration"],
        )
        self._rule(
            "CertificateRenewed",
            "a certificate that lives in ACM was renewed, or imported again by its owner",
            source=["aws.acm"],
            detail_type=["ACM Certificate Available"],
            detail={"Action": ["RENEWAL", "REIMPORT"]},
        )
        self._rule(
            "ServerCertificateRotates",
            "RDS is going to rotate, or asks to rotate, a server certificate",
            source=["aws.rds"],
            # Events of DB instances only, of Aurora's too (RDS user guide, "Event messages").
            detail_type=["RDS DB Instance Event"],
            detail={"EventID": ["RDS-EVENT-0501", "RDS-EVENT-0502"]},
        )

    def _rule(self, rule_id: str, when: str, **pattern: object) -> None:
        target = events_targets.SfnStateMachine(
            self._machine,
            role=self._role,
            dead_letter_queue=self.undelivered,
            retry_attempts=10,
            max_event_age=EVENT_AGE,
        )
        events.Rule(
            self,
            rule_id,
            description=f"Certifier: {when}",
            # A bus may take the events of other accounts too, which are about their resources.
            event_pattern=events.EventPattern(account=[Aws.ACCOUNT_ID], **pattern),
            targets=[target],
        )


def _rules_of_this_account(scope: Construct) -> iam.IPrincipal:
    """EventBridge, on behalf of a rule of this account and Region."""
    return on_behalf_of(scope, "events", "rule", ArnFormat.SLASH_RESOURCE_NAME)
