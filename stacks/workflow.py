"""The state machine over all sources: select, certify each in an execution of its own, report.

State names are written here and in ``one_source.py``, and nowhere else. Everything is JSONata; what
a later state reads is a variable that the first state of its scope assigns on each way out of it,
so no expression meets an undefined one.

No Choice has an Assign of its own, only its rules have: AWS's page on Choice says in one place that
it counts whichever rule matched, in another that it counts only when none did.

::

    Select sources → Certify sources (one child execution per source) → Tidy → Report
"""

from collections.abc import Mapping

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.machines import machine_log, states_of_this_account
from stacks.one_source import OneSource
from stacks.states import FIRST_PROBLEM, NULL, PROBLEM, Pace, StateMaker

# What a machine answers when no source is concerned; see certifier/steps/report.py.
NO_SOURCES = {"counts": {}, "sources": [], "report": "{% null %}"}

# What started the machine, or null: an input may have 262,144 bytes, which a task with names of its
# own around it may not, and States.DataLimitExceeded cannot be caught. A character beyond ASCII has
# at most four bytes.
_INPUT = (
    "{% $length($replace($string($states.input), /[^ -~]/, '....')) > 256000"
    " ? null : $states.input %}"
)
# What only whoever wrote the input can put right: what JSONata cannot write as text, or what is
# nested too deeply for it or for Lambda's runtime. Of other errors of JSONata, which are ours, the
# cause does not name the arguments.
_ODD_INPUT = ("States.QueryEvaluationError", "Runtime.UnmarshalError")
_OF_THE_INPUT = (
    "{% $states.errorOutput.Error = 'Runtime.UnmarshalError'"
    " or $contains('' & $states.errorOutput.Cause, 'Arguments')"
    " ? {'error': 'InvalidEvent', 'cause': 'the input cannot be read'} : "
    + FIRST_PROBLEM.removeprefix("{% ")
)

_LOGS_AND_TRACES = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


class Workflow(Construct):
    """The machine that certifies sources.

    Args:
        functions: published versions (or functions, whose current version is taken) by the name of
            their file in ``lambdas/``.
        bucket: where Select sources puts the manifest, and the Map its results.
        log_retention: of the machine's own log.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[str, lambda_.IFunction],
        bucket: s3.IBucket,
        pace: Pace,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        self._versions = {name: _version(function) for name, function in functions.items()}
        self._bucket = bucket
        self._pace = pace
        self._states = StateMaker(self, functions=self._versions, pace=pace)
        # Without it CDK leaves the Map's result writer out.
        self.node.set_context("@aws-cdk/aws-stepfunctions:useDistributedMapResultWriterV2", True)
        role = iam.Role(self, "Role", assumed_by=states_of_this_account(self))
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_chainable(self._run()),
            query_language=sfn.QueryLanguage.JSONATA,
            comment="Certifies the TLS of DMS endpoints for PostgreSQL",
            # What CDK would grant for the Map is the whole bucket; the statements are ours.
            role=role.without_policy_updates(),
            logs=sfn.LogOptions(
                destination=machine_log(self, log_retention),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
            tracing_enabled=True,
        )
        self.machine.node.add_dependency(self._grant(role))
        self._grant_children(role)

    def _grant(self, role: iam.Role) -> iam.Policy:
        """What the machine needs before it is made."""
        return iam.Policy(
            self,
            "Policy",
            roles=[role],
            statements=[
                # An execution in flight goes on with the versions it began with, so every version
                # that a deployment left behind must stay callable.
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[
                        f"{_function_arn(version)}:*" for version in self._versions.values()
                    ],
                ),
                # The manifest, and the Map's results.
                iam.PolicyStatement(
                    actions=[
                        "s3:AbortMultipartUpload",
                        "s3:GetObject",
                        "s3:ListMultipartUploadParts",
                        "s3:PutObject",
                    ],
                    resources=[self._bucket.arn_for_objects("runs/*")],
                ),
                # Log delivery and X-Ray know no resources.
                iam.PolicyStatement(actions=list(_LOGS_AND_TRACES), resources=["*"]),
            ],
        )

    def _grant_children(self, role: iam.Role) -> None:
        """The executions of the Map: what they are called is known once the machine is made."""
        stack, name = Stack.of(self), self.machine.state_machine_name

        def executions(rest: str) -> str:
            return stack.format_arn(
                service="states",
                resource="execution",
                resource_name=f"{name}{rest}",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )

        iam.Policy(
            self,
            "MapPolicy",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["states:StartExecution"], resources=[self.machine.state_machine_arn]
                ),
                iam.PolicyStatement(
                    actions=["states:DescribeExecution", "states:StopExecution"],
                    resources=[executions(":*")],
                ),
                iam.PolicyStatement(
                    actions=["states:RedriveExecution"], resources=[executions("/Source:*")]
                ),
            ],
        )

    # ------------------------------------------------------------------ the run over all sources

    def _run(self) -> sfn.IChainable:
        """Select, certify each, tidy, report. Every error leads to the report."""
        report = self._report()
        chosen = ("bucket", "key", "mode", "origin")
        nothing = {**dict.fromkeys((*chosen, "problem"), NULL), "selected": 0}
        select = self._states.invoke(
            "Select sources",
            "select_sources",
            payload={
                "event": _INPUT,
                "execution": "{% $states.context.Execution.Id %}",
                "started": "{% $states.context.Execution.StartTime %}",
            },
            always=nothing,
            assign={
                "selected": "{% $states.result.Payload.count %}",
                **{key: f"{{% $states.result.Payload.{key} %}}" for key in chosen},
            },
        )
        for errors, problem in ((_ODD_INPUT, _OF_THE_INPUT), (("States.ALL",), FIRST_PROBLEM)):
            assigned = {**nothing, "problem": problem}
            select.add_catch(report, errors=list(errors), assign=assigned, outputs={})
        tidy = self._states.invoke(
            "Tidy",
            "tidy",
            payload={
                "execution": "{% $states.context.Execution.Id %}",
                "mode": "{% $mode %}",
            },
            catch=[(("States.ALL",), report)],
        )
        certify = self._certify_sources()
        certify.add_catch(report, errors=["States.ALL"], assign={"problem": PROBLEM}, outputs={})
        select.next(
            sfn.Choice.jsonata(self, "Any sources?")
            .when(sfn.Condition.jsonata("{% $selected > 0 %}"), certify)
            .otherwise(sfn.Succeed.jsonata(self, "Nothing to do", outputs=NO_SOURCES))
        )
        certify.next(tidy)
        tidy.next(report)
        return select

    def _certify_sources(self) -> sfn.DistributedMap:
        """One child execution for each source of the manifest; a failed one never stops the others.

        Results go to the bucket: the outputs of some thousand children are more than a state may
        hold, and that error cannot be caught.
        """
        certify = sfn.DistributedMap.jsonata(
            self,
            "Certify sources",
            label="Source",
            map_execution_type=sfn.StateMachineType.STANDARD,
            item_reader=sfn.S3JsonItemReader(bucket=self._bucket, key="{% $key %}"),
            item_selector={
                "parent": "{% $states.context.Execution.Id %}",
                "mode": "{% $mode %}",
                "origin": "{% $origin %}",
                "started": "{% $states.context.Execution.StartTime %}",
                "sources": "{% $selected %}",
                "source": "{% $states.context.Map.Item.Value %}",
            },
            result_writer_v2=sfn.ResultWriterV2(
                bucket=self._bucket,
                prefix="{% 'runs/' & $states.context.Execution.Name & '/map' %}",
            ),
            max_concurrency=self._pace.max_concurrency,
            tolerated_failure_percentage=100,
            outputs={},
        )
        return certify.item_processor(OneSource(self, states=self._states, pace=self._pace).first())

    def _report(self) -> sfn.TaskStateBase:
        """The only way to an end of a run that had something to do."""
        report = self._states.invoke(
            "Report",
            "report",
            payload={
                "execution": "{% $states.context.Execution.Id %}",
                **{
                    key: f"{{% ${key} %}}" for key in ("bucket", "key", "mode", "origin", "problem")
                },
            },
            assign={
                "failed": "{% $states.result.Payload.failed = true %}",
                "cause": "{% '' & $states.result.Payload.cause %}",
                "answer": "{% $exists($states.result.Payload.answer)"
                " ? $states.result.Payload.answer : null %}",
            },
        )
        report.next(
            sfn.Choice.jsonata(self, "Run failed?")
            .when(
                sfn.Condition.jsonata("{% $failed %}"),
                sfn.Fail.jsonata(
                    self,
                    "Not certified",
                    # Names that begin with "States." are reserved: a machine may not fail with one.
                    error="{% $problem ? $replace($problem.error, /^States[.]/, '')"
                    " : 'NotCertified' %}",
                    cause="{% $cause %}",
                ),
            )
            .otherwise(sfn.Succeed.jsonata(self, "Reported", outputs="{% $answer %}"))
        )
        return report


def _version(function: lambda_.IFunction) -> lambda_.IFunction:
    return function.current_version if isinstance(function, lambda_.Function) else function


def _function_arn(version: lambda_.IFunction) -> str:
    return (
        version.lambda_.function_arn
        if isinstance(version, lambda_.Version)
        else version.function_arn
    )
