"""What the state machines have in common: their log, their principal, and what is tried again."""

from aws_cdk import ArnFormat, Aws, Duration, Fn, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from certifier.errors import (
    LAMBDA_CUT_OFF,
    LAMBDA_UNAVAILABLE,
    CertifierError,
    Retryable,
    concrete,
)
from stacks.statements import on_behalf_of

# A task is given up a little after the longest function timeout (2 minutes), so that the next
# attempt never meets the last one still at work.
TASK_TIMEOUT = Duration.seconds(150)

# What Lambda itself, not our code, may answer (Step Functions guide, "Handling errors"): every step
# is safe to call once more, so all of these are worth another attempt.
LAMBDA_TRANSIENT = (*LAMBDA_UNAVAILABLE, *LAMBDA_CUT_OFF)


def machine_log(scope: Construct, retention: logs.RetentionDays, suffix: str = "") -> logs.LogGroup:
    """The log group of a machine, under the only prefix that needs no policy of its own.

    Elsewhere Step Functions adds the group to a CloudWatch Logs resource policy, of which a
    Region has ten with 5,120 characters: in a crowded account the stack could not be made (Step
    Functions guide, "Logging in CloudWatch Logs"). The name is the installation's own, and
    another one each time that the stack is made anew.
    """
    stack_id = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    first = Fn.select(0, Fn.split("-", stack_id))
    return logs.LogGroup(
        scope,
        "Log",
        log_group_name=f"/aws/vendedlogs/states/{Aws.STACK_NAME}-{first}{suffix}",
        retention=retention,
        removal_policy=RemovalPolicy.DESTROY,
    )


def states_of_this_account(scope: Construct) -> iam.IPrincipal:
    """Step Functions, on behalf of a machine of this account and Region."""
    return on_behalf_of(scope, "states", "stateMachine", ArnFormat.COLON_RESOURCE_NAME)


def add_retries(task: sfn.TaskStateBase) -> None:
    """Have a step called again after what passes by itself."""
    task.add_retry(
        errors=list(names_of(Retryable)),
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_attempts=6,
        max_delay=Duration.seconds(60),
        jitter_strategy=sfn.JitterType.FULL,
    )
    task.add_retry(
        errors=list(LAMBDA_TRANSIENT),
        # An interface takes up to a minute and a half.
        interval=Duration.seconds(3),
        backoff_rate=2,
        max_attempts=5,
        jitter_strategy=sfn.JitterType.FULL,
    )


def names_of(branch: type[CertifierError]) -> tuple[str, ...]:
    """What Lambda calls an error and everything below it: ASL knows no inheritance."""
    return tuple(error.__name__ for error in concrete(branch))
