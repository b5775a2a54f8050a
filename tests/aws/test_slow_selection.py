"""Select sources may take seconds, and S3 dates objects by the second."""

import json
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.vocabulary import Outcome
from lambdas.select_sources import handler
from tests.aws.test_store import a_source

NOW = datetime.now(UTC)


def test_what_a_slow_selection_says_of_a_source_is_reported(
    aws: boto3.Session,
    table: str,
    bucket: str,
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The table answers slowly: what cannot be run has failed, and is not of an older execution."""
    store = Store(clients.client("dynamodb"), table)
    for name in ("orders", "sales"):
        store.register(a_source(name), NOW)
    clients.client("dynamodb").update_item(
        TableName=table,
        Key={"pk": {"S": "SPEC#orders"}, "sk": {"S": "SPEC"}},
        UpdateExpression="SET spec = :s",
        ExpressionAttributeValues={":s": {"S": json.dumps({"name": "orders", "old": 1})}},
    )
    quick = Store.set_due

    def slow(self: Store, names: Collection[str], now: datetime) -> Any:
        time.sleep(1.1)
        return quick(self, names, now)

    monkeypatch.setattr(Store, "set_due", slow)
    environ = {
        "TABLE": table,
        "BUCKET": bucket,
        "INSTALLATION": "Certifier",
        "BATCH": "50",
        "TOPIC": "arn:aws:sns:eu-west-1:123456789012:notices",
    }
    event = {"event": {"names": ["sales", "orders"]}, "execution": "arn:x:slow", "started": "x"}
    answer = handler.bind(environ, session=aws, now=lambda: NOW)(event, None)
    assert answer["count"] == 1
    assert Documents(clients.client("s3"), bucket).outcomes("slow") == {"orders": Outcome.FAILED}
