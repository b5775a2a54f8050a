"""AWS in moto, with the table and the bucket as the stack makes them."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from certifier.aws.clients import Clients
from certifier.aws.store import Store
from sandbox.aws import fast

REGION = "eu-west-1"


@pytest.fixture
def aws() -> Iterator[boto3.Session]:
    """A session whose every call ends in moto."""
    with fast.installed(), mock_aws():
        yield fast.session(REGION)


@pytest.fixture
def clients(aws: boto3.Session) -> Clients:
    """The clients of that session."""
    return Clients(aws)


def make_table(clients: Clients) -> str:
    """Make an empty table with the sparse index, and return its name."""
    clients.client("dynamodb").create_table(
        TableName="certifier",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("pk", "sk", "due_partition", "due_at")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_partition", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    return "certifier"


@pytest.fixture
def table(clients: Clients) -> str:
    """An empty table with the sparse index."""
    return make_table(clients)


@pytest.fixture
def store(clients: Clients, table: str) -> Store:
    """The store over that table."""
    return Store(clients.client("dynamodb"), table)


@pytest.fixture
def bucket(clients: Clients) -> str:
    """An empty, versioned bucket."""
    s3 = clients.client("s3")
    s3.create_bucket(
        Bucket="certifier-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    s3.put_bucket_versioning(
        Bucket="certifier-bucket", VersioningConfiguration={"Status": "Enabled"}
    )
    return "certifier-bucket"


class Inbox:
    """A topic, and what people have been sent by it since the last look."""

    def __init__(self, aws: boto3.Session, clients: Clients) -> None:
        self._sqs: Any = aws.client("sqs")
        sns = clients.client("sns")
        self.topic = sns.create_topic(Name="people")["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName="inbox")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=["QueueArn"]
        )["Attributes"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=attributes["QueueArn"])

    def received(self) -> list[tuple[str, str]]:
        """Subject and text of each message."""
        answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        found = []
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            found.append((body["Subject"], body["Message"]))
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def inbox(aws: boto3.Session, clients: Clients) -> Inbox:
    """A topic that a test reads."""
    return Inbox(aws, clients)
