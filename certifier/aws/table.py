"""DynamoDB itself: items as plain values, conditional writes, transactions.

A write is a value, as TransactWriteItems takes it, so that the same one can be made alone or
together with others. Attribute names go through placeholders, since many are reserved words.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.clients import code_of, translate, translated
from certifier.errors import Busy, Throttled, Unavailable, Unexpected

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Key = Mapping[str, str]
Write = dict[str, dict[str, Any]]
"""One of Put, Update, Delete, ConditionCheck, with its request."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class ConditionFailed(Exception):
    """A condition did not hold: nothing was written."""


def packed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values as DynamoDB types them."""
    return {name: _serialize(value) for name, value in values.items()}


def unpacked(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as plain values; numbers are Decimals, sets are sets."""
    return {name: _deserialize(value) for name, value in item.items()}


class Table:
    """One table with the keys ``pk`` and ``sk``. Every read is consistent."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client = client
        self.name = name

    # -- reading

    def get(self, key: Key) -> dict[str, Any] | None:
        """Return one item; ``None`` when it is not there."""
        with translated():
            answer = self.client.get_item(TableName=self.name, Key=packed(key), ConsistentRead=True)
        return unpacked(answer["Item"]) if "Item" in answer else None

    def partition(self, pk: str) -> list[dict[str, Any]]:
        """Return every item of a partition, in the order of ``sk``."""
        with translated():
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=packed({":pk": pk}),
                ConsistentRead=True,
            )
            return [unpacked(item) for page in pages for item in page["Items"]]

    def scan(self, prefix: str, sk: str, *, keys: bool = False) -> list[dict[str, Any]]:
        """Return every item with that ``sk`` whose ``pk`` begins so; ``keys``: its ``pk`` alone."""
        chosen: dict[str, Any] = {"ProjectionExpression": "pk"} if keys else {}
        with translated():
            pages = self.client.get_paginator("scan").paginate(
                TableName=self.name,
                FilterExpression="sk = :sk AND begins_with(pk, :prefix)",
                ExpressionAttributeValues=packed({":sk": sk, ":prefix": prefix}),
                ConsistentRead=True,
                **chosen,
            )
            return [unpacked(item) for page in pages for item in page["Items"]]

    def scan_for(self, *kinds: str, consistent: bool = False) -> list[dict[str, Any]]:
        """Return every item whose ``sk`` is one of ``kinds``, as they were a moment ago.

        Half the price of a ``consistent`` reading; for what only people look at.
        """
        names = {f":k{number}": kind for number, kind in enumerate(kinds)}
        with translated():
            pages = self.client.get_paginator("scan").paginate(
                TableName=self.name,
                FilterExpression=f"sk IN ({', '.join(names)})",
                ExpressionAttributeValues=packed(names),
                ConsistentRead=consistent,
            )
            return [unpacked(item) for page in pages for item in page["Items"]]

    # -- writes, as values

    def put_op(
        self,
        item: Mapping[str, Any],
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Write:
        """Put ``item`` in place of whatever is there."""
        return {"Put": self._request({"Item": packed(item)}, condition, values, names)}

    def delete_op(
        self,
        key: Key,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Write:
        """Delete an item; one that is not there is not an error."""
        return {"Delete": self._request({"Key": packed(key)}, condition, values, names)}

    def check_op(self, key: Key, condition: str, values: Mapping[str, Any] | None = None) -> Write:
        """Write nothing, but hold to a condition; only together with other writes."""
        return {"ConditionCheck": self._request({"Key": packed(key)}, condition, values)}

    def update_op(
        self,
        key: Key,
        *,
        set_: Mapping[str, Any] | None = None,
        remove: Sequence[str] = (),
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Write:
        """Set and remove attributes; the item is made if it is not there."""
        names: dict[str, str] = {}
        given: dict[str, Any] = dict(values or {})
        parts = []
        if set_:
            for i, (name, value) in enumerate(set_.items()):
                names[f"#s{i}"] = name
                given[f":s{i}"] = value
            parts.append("SET " + ", ".join(f"#s{i} = :s{i}" for i in range(len(set_))))
        if remove:
            names |= {f"#r{i}": name for i, name in enumerate(remove)}
            parts.append("REMOVE " + ", ".join(f"#r{i}" for i in range(len(remove))))
        return self.change_op(key, " ".join(parts), condition, given, names)

    def change_op(
        self,
        key: Key,
        expression: str,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Write:
        """Apply an update expression that only DynamoDB can say (``ADD``, a path in a map)."""
        request = {"Key": packed(key), "UpdateExpression": expression}
        return {"Update": self._request(request, condition, values, names)}

    def _request(
        self,
        request: dict[str, Any],
        condition: str | None,
        values: Mapping[str, Any] | None,
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        request["TableName"] = self.name
        if condition is not None:
            request["ConditionExpression"] = condition
        if values:
            request["ExpressionAttributeValues"] = packed(values)
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        return request

    # -- writing

    def write(self, write: Write) -> None:
        """Make one write.

        Raises:
            ConditionFailed: its condition did not hold.
        """
        ((kind, request),) = write.items()
        call: dict[str, Callable[..., Any]] = {
            "Put": self.client.put_item,
            "Update": self.client.update_item,
            "Delete": self.client.delete_item,
        }
        try:
            call[kind](**request)
        except (ClientError, BotoCoreError) as error:
            if code_of(error) == "ConditionalCheckFailedException":
                raise ConditionFailed from None
            raise translate(error) from None

    def wrote(self, write: Write) -> bool:
        """Make one write; ``False`` when its condition did not hold."""
        try:
            self.write(write)
        except ConditionFailed:
            return False
        return True

    def updated(self, write: Write) -> dict[str, Any]:
        """Make one update without a condition, and return the whole item as it is then."""
        with translated():
            answer = self.client.update_item(**write["Update"], ReturnValues="ALL_NEW")
        return unpacked(answer["Attributes"])

    def transact(self, writes: Sequence[Write]) -> None:
        """Make all writes or none.

        Raises:
            ConditionFailed: a condition did not hold.
            Busy: another transaction has one of the items.
        """
        chosen: Any = list(writes)
        try:
            self.client.transact_write_items(TransactItems=chosen)
        except (ClientError, BotoCoreError) as error:
            raise _not_made(error) from None

    def transacted(self, writes: Sequence[Write]) -> bool:
        """Make all writes or none; ``False`` when a condition did not hold."""
        try:
            self.transact(writes)
        except ConditionFailed:
            return False
        return True


def _not_made(error: ClientError | BotoCoreError) -> Exception:
    """Return what a transaction that was not made means, from the codes of its reasons."""
    if not isinstance(error, ClientError) or code_of(error) != "TransactionCanceledException":
        return translate(error)
    # Which reason is whose is not asked: who has several conditions reads the items again.
    reasons: Any = error.response.get("CancellationReasons", ())
    codes = {str(reason.get("Code", "")) for reason in reasons}
    if "ConditionalCheckFailed" in codes:
        return ConditionFailed()
    if codes & {"ThrottlingError", "ProvisionedThroughputExceeded"}:
        return Throttled("TransactWriteItems")
    if "TransactionConflict" in codes:
        return Busy("TransactWriteItems")
    if codes <= {"None", ""}:
        return Unavailable("TransactWriteItems")
    return Unexpected("TransactWriteItems: " + ", ".join(sorted(codes - {"None", ""})))
