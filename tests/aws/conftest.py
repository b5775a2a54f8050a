"""AWS in moto, with the table and the bucket as the stack makes them."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from certifier.aws.clients import Clients
from certifier.aws.store import Store

REGION = "eu-west-1"


@pytest.fixture
def aws() -> Iterator[boto3.Session]:
    """A session whose every call ends in moto."""
    with mock_aws():
        yield boto3.Session("testing", "testing", region_name=REGION)


@pytest.fixture
def clients(aws: boto3.Session) -> Clients:
    """The clients of that session."""
    return Clients(aws)


@pytest.fixture
def table(clients: Clients) -> str:
    """An empty table with the sparse index."""
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
