"""The second door: a small state machine that registers sources, then has Run certify them.

Running what is registered and registering are two permissions, since a source names secrets and a
host. Run takes no spec from whoever starts it. What this machine's function has registered, or has
checked to be planned, it leaves in the bucket under the name of the execution; no other role may
write there.

::

    Register sources → Registered? → Run sources (.sync:2) → Onboarded / Not certified
"""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from stacks.machines import TASK_TIMEOUT, add_retries, machine_log


def _failed(reason: str) -> str:
    """The cause of a failure before anything was run, in the form that Run gives to its own."""
    nothing = "'counts': {}, 'sources': [], 'report': null"
    return f"$string({{'reason': {reason}, {nothing}}})"


_CAUSE = _failed("$substring('' & $states.errorOutput.Cause, 0, 4000)")
# Of an execution that failed, .sync:2 answers all that DescribeExecution says, as JSON text.
_FAILED = "$contains('' & $states.errorOutput.Cause, '\"ExecutionArn\"')"
_DETAIL = "$parse($states.errorOutput.Cause)"
_RUNS_OWN = f"$substring('' & {_DETAIL}.Cause, 0, 1) = '{{' ? {_DETAIL}.Cause : " + _failed(
    f"'' & {_DETAIL}.Cause"
)
_PROBLEMS = "'' & $states.result.Payload.problems"


class Onboarding(Construct):
    """The machine that registers sources and waits for their run.

    Args:
        register: the function that registers, and alone may.
        run: the machine that certifies what is registered.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        register: lambda_.Version,
        run: sfn.StateMachine,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_chainable(self._define(register, run)),
            query_language=sfn.QueryLanguage.JSONATA,
            comment="Registers sources, then certifies them",
            logs=sfn.LogOptions(
                destination=machine_log(self, log_retention, "-onboard"),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
            tracing_enabled=True,
        )
        # As in Run: an execution in flight goes on with the version that it began with.
        self.machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[f"{register.lambda_.function_arn}:*"],
            )
        )

    def _define(self, register: lambda_.Version, run: sfn.StateMachine) -> sfn.IChainable:
        fail = sfn.Fail.jsonata(self, "Not certified", error="{% $failure %}", cause="{% $cause %}")
        begin = sfn.Pass.jsonata(
            self,
            "Begin onboarding",
            assign={"accepted": False, "failure": "Unexpected", "cause": "", "onboarded": ""},
        )
        task = tasks.LambdaInvoke.jsonata(
            self,
            "Register sources",
            lambda_function=register,
            payload=sfn.TaskInput.from_object(
                {
                    "event": "{% $states.input %}",
                    "execution": "{% $states.context.Execution.Id %}",
                }
            ),
            assign={
                "accepted": "{% $states.result.Payload.accepted = true %}",
                "onboarded": "{% '' & $states.result.Payload.onboarded %}",
                "failure": "InvalidEvent",
                "cause": f"{{% {_failed(_PROBLEMS)} %}}",
            },
            outputs={},
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(TASK_TIMEOUT),
        )
        add_retries(task)
        task.add_catch(fail, errors=["States.ALL"], assign=_caught(), outputs={})
        certify = self._certify(run, fail)
        begin.next(task)
        task.next(
            sfn.Choice.jsonata(self, "Registered?")
            .when(sfn.Condition.jsonata("{% $accepted %}"), certify)
            .otherwise(fail)
        )
        certify.next(sfn.Succeed.jsonata(self, "Onboarded"))
        return begin

    def _certify(
        self, run: sfn.StateMachine, fail: sfn.IChainable
    ) -> tasks.StepFunctionsStartExecution:
        """Start Run under this execution's own name, so that whoever knows the one finds the other.

        A second start under the name, after a lost answer, is the same execution.
        """
        certify = tasks.StepFunctionsStartExecution.jsonata(
            self,
            "Run sources",
            state_machine=run,
            integration_pattern=sfn.IntegrationPattern.RUN_JOB,
            name="{% $states.context.Execution.Name %}",
            input=sfn.TaskInput.from_object({"onboarded": "{% $onboarded %}"}),
            associate_with_parent=False,
            outputs="{% $states.result.Output %}",
        )
        certify.add_retry(
            errors=["StepFunctions.SdkClientException", "StepFunctions.ThrottlingException"],
            interval=Duration.seconds(2),
            backoff_rate=2,
            max_attempts=5,
            jitter_strategy=sfn.JitterType.FULL,
        )
        certify.add_catch(
            fail,
            errors=["States.ALL"],
            assign={
                "failure": f"{{% {_FAILED} ? '' & {_DETAIL}.Error : "
                "$replace($states.errorOutput.Error, /^States[.]/, '') %}",
                "cause": f"{{% {_FAILED} ? {_RUNS_OWN} : {_CAUSE} %}}",
            },
            outputs={},
        )
        return certify


def _caught() -> dict[str, Any]:
    """What Lambda says of an error, which may be anything: its text is cut, never read."""
    return {
        # Names that begin with "States." are reserved: a machine may not fail with one.
        "failure": "{% $replace($states.errorOutput.Error, /^States[.]/, '') %}",
        "cause": f"{{% {_CAUSE} %}}",
    }
