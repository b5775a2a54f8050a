"""A notice that nobody got is counted, so that an alarm rings; the table does not know of it."""

import json

import boto3
import pytest

from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.vocabulary import Metric, Outcome
from lambdas.report import handler
from tests.aws.conftest import Inbox
from tests.aws.test_cli_fleet import NOW, register
from tests.aws.test_forged_notices import EXECUTION, notice


def test_what_sns_refuses_at_the_end_of_an_execution_is_counted(
    bucket: str, store: Store, aws: boto3.Session, inbox: Inbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two sources; once the topic is there again they are sent, and nothing is counted."""
    documents = Documents(aws.client("s3"), bucket)
    for name in ("orders", "sales"):
        register(store, name, outcome=Outcome.REFUSED)
        state = store.state(name)
        assert state is not None
        assert state.recorded_by is not None
        documents.write_pending("parent-1", notice(name, run=state.recorded_by))
    environ = {
        "TABLE": store._table.name,
        "BUCKET": bucket,
        "INSTALLATION": "Certifier",
        "TOPIC": f"{inbox.topic}-gone",
    }
    report = handler.bind(environ, session=aws, now=lambda: NOW)
    assert report({"execution": EXECUTION}, None)["unsent"] == 2
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [line[Metric.NOTICES_UNSENT.value] for line in lines] == [[2]]
    working = handler.bind({**environ, "TOPIC": inbox.topic}, session=aws, now=lambda: NOW)
    assert working({"execution": EXECUTION}, None)["unsent"] == 0
    assert len(inbox.received()) == 2
    assert Metric.NOTICES_UNSENT.value not in capsys.readouterr().out


def test_a_source_that_cannot_be_read_keeps_no_notice_from_the_others(
    bucket: str, store: Store, aws: boto3.Session, inbox: Inbox
) -> None:
    """Whether its own was sent nobody can say: it is counted as one that nobody got."""
    documents = Documents(aws.client("s3"), bucket)
    for name in ("orders", "sales"):
        register(store, name, outcome=Outcome.REFUSED)
        state = store.state(name)
        assert state is not None
        assert state.recorded_by is not None
        documents.write_pending("parent-1", notice(name, run=state.recorded_by))
    aws.client("dynamodb").update_item(
        TableName=store._table.name,
        Key={"pk": {"S": "SOURCE#orders"}, "sk": {"S": "STATE"}},
        UpdateExpression="SET reverts = :broken",
        ExpressionAttributeValues={":broken": {"N": "1.5"}},
    )
    environ = {
        "TABLE": store._table.name,
        "BUCKET": bucket,
        "INSTALLATION": "Certifier",
        "TOPIC": inbox.topic,
    }
    report = handler.bind(environ, session=aws, now=lambda: NOW)
    assert report({"execution": EXECUTION}, None)["unsent"] == 1
    assert len(inbox.received()) == 1
    sales = store.state("sales")
    assert sales is not None
    assert sales.notified
