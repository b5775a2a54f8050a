"""What says whether an installation is all right, and what the caller may do. Reads only."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from certifier.aws.clients import Clients, translated
from certifier.aws.deployment import Deployment
from certifier.errors import CertifierError, Refused
from certifier.models import Fact

_LISTED = 100


class Tried(Fact):
    """Whether something may be done; ``None``: AWS did not say so."""

    good: bool | None
    seen: str


class Doctor:
    """Looks; nothing is written, and nothing is started."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def caller(self) -> str | None:
        """Return the ARN of whoever calls; ``None`` when AWS does not say so."""
        return self._clients.caller()

    def rights(self, deployment: Deployment) -> Iterator[tuple[str, Tried]]:
        """Yield what the caller may look at, tried out one by one."""
        table = self._clients.client("dynamodb")
        bucket = self._clients.client("s3")
        states = self._clients.client("stepfunctions")
        key = {"pk": {"S": "BREAKER"}, "sk": {"S": "STATE"}}
        yield (
            "table",
            _tried(deployment.table, lambda: table.get_item(TableName=deployment.table, Key=key)),
        )
        yield (
            "bucket",
            _tried(
                deployment.bucket,
                lambda: bucket.list_objects_v2(
                    Bucket=deployment.bucket, Prefix="reports/", MaxKeys=1
                ),
            ),
        )
        yield (
            "machine",
            _tried(
                deployment.machine.rsplit(":", 1)[-1],
                lambda: states.list_executions(stateMachineArn=deployment.machine, maxResults=1),
            ),
        )

    def subscriptions(self, topic: str | None) -> tuple[int, int]:
        """Return how many addresses have confirmed, and how many have not."""
        if topic is None:
            return 0, 0
        client = self._clients.client("sns")
        with translated():
            pages = client.get_paginator("list_subscriptions_by_topic").paginate(
                TopicArn=topic, PaginationConfig={"MaxItems": _LISTED}
            )
            arns = [one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]]
        confirmed = sum(1 for arn in arns if arn.startswith("arn:"))
        return confirmed, len(arns) - confirmed

    def schedules(self, stack: str) -> tuple[str, ...]:
        """Return ``ENABLED`` or ``DISABLED`` of each schedule whose name begins like the stack's.

        CloudFormation names what has no name after its stack.
        """
        with translated():
            answer = self._clients.client("scheduler").list_schedules(NamePrefix=f"{stack}-")
        return tuple(str(each["State"]) for each in answer["Schedules"])

    def last_start(self, machine: str) -> datetime | None:
        """Return when an execution of a machine was started last; ``None``: there is none."""
        client = self._clients.client("stepfunctions")
        with translated():
            answer = client.list_executions(stateMachineArn=machine, maxResults=10)
        starts = [each["startDate"].astimezone(UTC) for each in answer["executions"]]
        return max(starts, default=None)


def _tried(name: str, call: Callable[[], object]) -> Tried:
    try:
        with translated():
            call()
    except Refused as refused:
        return Tried(good=False, seen=f"you may not look into {name}: {refused.seen or refused}")
    except CertifierError as error:
        return Tried(good=None, seen=f"{name}: {error}")
    return Tried(good=True, seen=f"you may look into {name}")
