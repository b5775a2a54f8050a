"""Step Functions: whether an execution has ended, and how."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.clients import code_of, translate, translated
from certifier.models import Fact

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""When an execution ended that Step Functions no longer knows (it forgets after 90 days)."""


class ExecutionState(Fact):
    """What DescribeExecution says: ``status`` is RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED."""

    arn: str
    status: str
    ended_at: datetime | None = None
    cause: str | None = None


class States:
    """Asks and starts executions."""

    def __init__(self, client: "SFNClient") -> None:
        self._client = client

    def ended_at(self, execution: str) -> datetime | None:
        """Return when the execution ended; ``None`` while it runs; ``LONG_AGO`` when unknown.

        ``PENDING_REDRIVE`` counts as running: a redriven execution goes on with its own claim.
        """
        state = self.describe(execution)
        if state is None:
            return LONG_AGO
        if state.status in {"RUNNING", "PENDING_REDRIVE"}:
            return None
        return state.ended_at or LONG_AGO

    def describe(self, execution: str) -> ExecutionState | None:
        """Return the execution's state; ``None`` when Step Functions does not know it."""
        try:
            answer = self._client.describe_execution(executionArn=execution)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return None
            raise translate(error) from None
        ended = answer.get("stopDate")
        return ExecutionState(
            arn=execution,
            status=answer["status"],
            ended_at=None if ended is None else ended.astimezone(UTC),
            cause=answer.get("cause"),
        )

    def start(self, machine: str, name: str, event: str) -> str:
        """Start an execution under a name of its own and return its ARN. ``event`` is JSON text."""
        with translated():
            answer = self._client.start_execution(stateMachineArn=machine, name=name, input=event)
        return answer["executionArn"]

    def current_state(self, execution: str) -> str | None:
        """Return the state that an execution entered last; ``None`` when that is not known."""
        try:
            answer = self._client.get_execution_history(
                executionArn=execution, reverseOrder=True, maxResults=20
            )
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return None
            raise translate(error) from None
        for event in answer["events"]:
            if (entered := event.get("stateEnteredEventDetails")) is not None:
                return entered["name"]
        return None
