"""What makes the sandbox fast changes nothing that a caller sees."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from sandbox.aws import fast


@pytest.fixture
def table() -> Iterator[Any]:
    """A client of DynamoDB with a table ``t`` of the keys ``pk`` and ``sk``, and an item in it."""
    with mock_aws(), fast.installed():
        client = fast.session("eu-west-1").client("dynamodb")
        client.create_table(
            TableName="t",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(TableName="t", Item=item("old", deep={"M": {"x": {"S": "as it was"}}}))
        yield client


def item(key: str, **attributes: Any) -> dict[str, Any]:
    """An item, or its key."""
    return {"pk": {"S": "p"}, "sk": {"S": key}, **attributes}


def items(client: Any) -> list[Any]:
    """All items of the table."""
    return sorted(client.scan(TableName="t")["Items"], key=lambda each: each["sk"]["S"])


def update(key: str) -> dict[str, Any]:
    """A write that changes an item inside of one of its attributes."""
    return {
        "Update": {
            "TableName": "t",
            "Key": item(key),
            "UpdateExpression": "SET deep.x = :v",
            "ExpressionAttributeValues": {":v": {"S": "changed"}},
        }
    }


def refused(key: str) -> dict[str, Any]:
    """A write whose condition does not hold."""
    condition = "attribute_exists(pk)"
    return {"Delete": {"TableName": "t", "Key": item(key), "ConditionExpression": condition}}


def test_a_transaction_that_is_refused_changes_nothing(table: Any) -> None:
    """An update, a put and a delete are undone, whatever the condition came after."""
    before = items(table)
    put = {"Put": {"TableName": "t", "Item": item("new")}}
    for writes in ([update("old"), put], [put, {"Delete": refused("old")["Delete"]}]):
        with pytest.raises(table.exceptions.TransactionCanceledException):
            table.transact_write_items(TransactItems=[*writes, refused("missing")])
        assert items(table) == before


def test_a_transaction_that_is_taken_changes_all(table: Any) -> None:
    """The same writes without the condition."""
    table.transact_write_items(
        TransactItems=[update("old"), {"Put": {"TableName": "t", "Item": item("new")}}]
    )
    new, old = items(table)
    assert (new["sk"]["S"], old["deep"]["M"]["x"]["S"]) == ("new", "changed")


def test_a_transaction_takes_as_long_in_a_full_table(table: Any) -> None:
    """moto copies the table for each item of a transaction; here the items that it names."""

    def seconds() -> float:
        begun = time.process_time()
        for _ in range(10):
            table.transact_write_items(TransactItems=[update("old")])
        return time.process_time() - begun

    seconds()
    small = min(seconds() for _ in range(3))
    for number in range(1_000):
        deep = {"M": {str(each): {"S": "x"} for each in range(20)}}
        table.put_item(TableName="t", Item=item(f"other-{number}", deep=deep))
    assert min(seconds() for _ in range(3)) < small * 10
