"""What Select sources asks of the table grows with what it chooses, and not with what is paused."""

from typing import Any

import boto3
import pytest

from certifier.aws.store import Store
from lambdas.select_sources import handler
from tests.aws.conftest import Inbox
from tests.aws.test_store import NOW, a_source

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:machine:parent-1"


@pytest.mark.parametrize("event", [{"all": True}, {"names": ["a", "b", "c"]}])
def test_the_pauses_are_read_once_for_all_sources_that_are_chosen(
    aws: boto3.Session, bucket: str, store: Store, inbox: Inbox, event: dict[str, Any]
) -> None:
    """Also when one of them cannot be run, and is set aside."""
    for name in ("a", "b", "c"):
        store.register(a_source(name), NOW)
    aws.client("dynamodb").put_item(
        TableName=store._table.name,
        Item={"pk": {"S": "PAUSE"}, "sk": {"S": "arn:task:1"}, "sources": {"SS": ["b"]}},
    )
    asked: list[str] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        if "pk" in params.get("KeyConditionExpression", ""):
            asked.append(params["KeyConditionExpression"])

    environ = {
        "TABLE": store._table.name,
        "BUCKET": bucket,
        "INSTALLATION": "Certifier",
        "BATCH": "2",
        "TOPIC": inbox.topic,
    }
    aws.events.register("provide-client-params.dynamodb.Query", note)
    select = handler.bind(environ, session=aws, now=lambda: NOW)
    assert select({"event": event, "execution": EXECUTION, "started": "x"}, None)["count"] == 2
    assert len(asked) == 1, asked
    ((subject, _),) = inbox.received()
    assert subject == "Certifier eu-west-1: b cannot be run"
