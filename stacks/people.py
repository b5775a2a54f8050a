"""Who starts what: three managed policies for people and pipelines, each with the one before it.

A reader sees what there is, a runner starts what is registered, a registrar registers. What each
of them is worth to an attacker is in docs/operate/permissions.md.
"""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.statements import allow
from stacks.storage import Storage

READABLE = ("records/*", "reports/*", "runs/*")
"""What of the bucket people read; what Onboard hands over is nothing to them."""


class People(Construct):
    """The policies. Attach one of them to a role; none has a name of its own.

    Attributes:
        reader, runner, registrar: in this order, each allows what the one before it does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: Storage,
        run: sfn.StateMachine,
        onboard: sfn.StateMachine,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stack = Stack.of(self)
        look = [
            *self._look(storage, run, onboard),
            # What `certifier doctor` looks at.
            allow([topic.topic_arn], "sns:ListSubscriptionsByTopic"),
            allow(["*"], "scheduler:ListSchedules"),  # it knows no resources
        ]
        start, register = self._start(run), self._start(onboard)
        self.reader = self._policy("Reader", "Certifier: look at sources, records and runs", look)
        self.runner = self._policy(
            "Runner", "Certifier: look, and run what is registered", [*look, *start]
        )
        self.registrar = self._policy(
            "Registrar", "Certifier: look, run, and register sources", [*look, *start, *register]
        )

    def _policy(
        self, policy_id: str, description: str, statements: Sequence[iam.PolicyStatement]
    ) -> iam.ManagedPolicy:
        copies = [iam.PolicyStatement.from_json(each.to_json()) for each in statements]
        return iam.ManagedPolicy(self, policy_id, description=description, statements=copies)

    def _look(self, storage: Storage, *machines: sfn.StateMachine) -> list[iam.PolicyStatement]:
        table = storage.table.table_arn
        listing = allow([storage.bucket.bucket_arn], "s3:ListBucket")
        listing.add_condition("StringLike", {"s3:prefix": list(READABLE)})
        return [
            allow([Aws.STACK_ID], "cloudformation:DescribeStacks"),
            allow(
                [table, f"{table}/index/due"], "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"
            ),
            listing,
            allow([storage.bucket.arn_for_objects(each) for each in READABLE], "s3:GetObject"),
            allow(
                [arn for machine in machines for arn in self._executions(machine)],
                "states:DescribeExecution",
                "states:GetExecutionHistory",
            ),
            allow([machine.state_machine_arn for machine in machines], "states:ListExecutions"),
        ]

    def _start(self, machine: sfn.StateMachine) -> list[iam.PolicyStatement]:
        return [
            allow([machine.state_machine_arn], "states:StartExecution"),
            allow(self._executions(machine), "states:StopExecution"),
        ]

    def _executions(self, machine: sfn.StateMachine) -> list[str]:
        """The executions of a machine, and the children of its Map."""
        return [
            self._stack.format_arn(
                service="states",
                resource="execution",
                resource_name=f"{machine.state_machine_name}{rest}",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            for rest in (":*", "/*")
        ]
