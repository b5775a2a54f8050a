"""Step Functions: whether an execution has ended, and how."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.answers import require_asked
from certifier.aws.clients import code_of, translate, translated
from certifier.models import Fact
from certifier.run.state import Claim

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

UNSEEN = timedelta(hours=1)
"""How long an execution that Step Functions does not know may only not be visible yet.

DescribeExecution is "eventually consistent", its results "are best effort" (the API's model).
"""


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

    def ended_at(self, claim: Claim) -> datetime | None:
        """Return when the execution that has this claim ended; ``None`` while it runs.

        One that Step Functions does not know was perhaps begun a moment ago, or is forgotten, as
        all are after 90 days. So it counts as ended an hour after its claim, which may be still to
        come. ``PENDING_REDRIVE`` counts as running: a redriven execution goes on with its claim.
        """
        state = self.describe(claim.execution)
        if state is None:
            return claim.since + UNSEEN
        if state.status in {"RUNNING", "PENDING_REDRIVE"}:
            return None
        return state.ended_at or claim.since

    def describe(self, execution: str) -> ExecutionState | None:
        """Return the execution's state; ``None`` when Step Functions does not know it.

        That may be so for some time after its start.
        """
        try:
            answer = self._client.describe_execution(executionArn=execution)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return None
            raise translate(error) from None
        require_asked("describe_execution", {"executionArn": execution}, answer)
        ended = answer.get("stopDate")
        return ExecutionState(
            arn=execution,
            status=answer["status"],
            ended_at=None if ended is None else ended.astimezone(UTC),
            cause=answer.get("cause"),
        )

    def start(self, machine: str, name: str, event: str) -> str:
        """Start an execution and return its ARN.

        Args:
            name: its own, which nobody else gives: one that is taken was started by an attempt
                whose answer was lost.
            event: JSON text.
        """
        try:
            answer = self._client.start_execution(stateMachineArn=machine, name=name, input=event)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ExecutionAlreadyExists":
                return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
            raise translate(error) from None
        return answer["executionArn"]

    def running(self, machine: str) -> list[str]:
        """Return the ARNs of at most 100 executions of a machine that run, the newest first."""
        with translated():
            answer = self._client.list_executions(
                stateMachineArn=machine, statusFilter="RUNNING", maxResults=100
            )
        newest = sorted(answer["executions"], key=lambda each: each["startDate"], reverse=True)
        return [each["executionArn"] for each in newest]

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

    def durations(self, execution: str) -> dict[str, float] | None:
        """Return the seconds that an execution spent at each step, its waits included.

        ``None``: its history is not known any more.
        """
        entered: list[tuple[datetime, str, bool]] = []
        end: datetime | None = None
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=execution,
            PaginationConfig={"MaxItems": _HISTORY_LIMIT, "PageSize": _HISTORY_PAGE},
        )
        try:
            for event in (event for page in pages for event in page["events"]):
                end = event["timestamp"]
                if (state := event.get("stateEnteredEventDetails")) is not None:
                    entered.append((end, state["name"], event["type"] == "TaskStateEntered"))
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return None
            raise translate(error) from None
        return None if end is None else _spent(entered, end)


_HISTORY_LIMIT = 25_000  # events; no execution has more (Step Functions guide, "Service quotas")
_HISTORY_PAGE = 1_000  # events that one call shows at most


def _spent(entered: list[tuple[datetime, str, bool]], end: datetime) -> dict[str, float]:
    """Return the seconds of each task; what comes between two tasks counts for the first."""
    tasks = [(when, name) for when, name, is_task in entered if is_task]
    spent: dict[str, float] = {}
    for (begun, name), until in zip(tasks, [when for when, _ in tasks[1:]] + [end], strict=True):
        spent[name] = spent.get(name, 0.0) + (until - begun).total_seconds()
    return spent
