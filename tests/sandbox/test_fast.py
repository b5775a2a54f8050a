"""What is remembered for speed changes nothing that a caller sees."""

import copy
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

import botocore.session
import pytest
from botocore import hooks
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from sandbox.aws import fast

TABLE = "t"


def make_table(client: Any) -> None:
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
        ],
    )


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with fast.installed(), mock_aws():
        client = fast.session("eu-west-1").client("dynamodb")
        make_table(client)
        yield client


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": "STATE"}}


def put(name: str, value: str) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": {**key(name), "v": {"S": value}}}}


def everything(dynamodb: Any) -> dict[str, Any]:
    items = dynamodb.scan(TableName=TABLE)["Items"]
    return {item["pk"]["S"]: item["v"]["S"] for item in items}


def update(name: str, value: str, condition: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": TABLE,
            "Key": key(name),
            "UpdateExpression": "SET v = :v",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {":v": {"S": value}},
        }
    }


@pytest.mark.parametrize("holds", [True, False])
def test_a_transaction_is_done_as_a_whole_or_not_at_all(dynamodb: Any, holds: bool) -> None:
    """A put, an update, a delete and a new item, before a condition that may not hold."""
    for name in ("a", "b", "c", "d"):
        dynamodb.transact_write_items(TransactItems=[put(name, "old")])
    writes = [
        put("a", "new"),
        update("b", "new", "attribute_exists(pk)"),
        {"Delete": {"TableName": TABLE, "Key": key("c")}},
        put("e", "new"),
        update("d", "new", "attribute_exists(pk)" if holds else "attribute_not_exists(pk)"),
    ]
    if holds:
        dynamodb.transact_write_items(TransactItems=writes)
        assert everything(dynamodb) == dict.fromkeys("abde", "new")
        return
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=writes)
    assert everything(dynamodb) == dict.fromkeys("abcd", "old")


@pytest.mark.parametrize("forward", [True, False])
def test_a_query_answers_with_the_items_of_its_partition(dynamodb: Any, forward: bool) -> None:
    """In the order of their range keys, page by page; one without items has none."""
    for pk, sk in (("b", "3"), ("a", "2"), ("a", "1"), ("a", "4"), ("c", "0")):
        item = {"pk": {"S": pk}, "sk": {"S": sk}}
        dynamodb.put_item(TableName=TABLE, Item=item)

    def asked(pk: str) -> list[str]:
        pages = dynamodb.get_paginator("query").paginate(
            TableName=TABLE,
            KeyConditionExpression="pk = :pk AND sk > :sk",
            ExpressionAttributeValues={":pk": {"S": pk}, ":sk": {"S": "1"}},
            ScanIndexForward=forward,
            PaginationConfig={"PageSize": 1},
        )
        return [item["sk"]["S"] for page in pages for item in page["Items"]]

    assert asked("a") == (["2", "4"] if forward else ["4", "2"])
    assert (asked("b"), asked("c"), asked("d")) == (["3"], [], [])
    assert len(dynamodb.scan(TableName=TABLE)["Items"]) == 5


EXPRESSIONS = (
    "SET v = :a, n = if_not_exists(n, :one) + :one",
    "SET l = list_append(l, :l), m.k = :a REMOVE v, l[0], l[1]",
    "REMOVE l[0], l[2] SET v = v",
    "ADD n :one DELETE s :s",
    "SET v = :a SET n = :one",
    "ADD n :one ADD z :one",
    "SET v = :a, v = :a",
    "SET m = :a, m.k = :a",
    "SET pk = :a",
    "SET v = :missing",
    "SET v = absent",
    "SET v = v + :one",
    "SET v =",
)


def answered(client: Any, expression: str) -> Any:
    """What an update says, and what it leaves."""
    item = {
        **key("a"),
        "v": {"S": "text"},
        "n": {"N": "1"},
        "l": {"L": [{"S": "x"}, {"S": "y"}, {"S": "z"}]},
        "m": {"M": {"k": {"S": "x"}}},
        "s": {"SS": ["x", "y"]},
    }
    client.put_item(TableName=TABLE, Item=item)
    values: dict[str, Any] = {
        ":a": {"S": "new"},
        ":one": {"N": "1"},
        ":l": {"L": [{"S": "w"}]},
        ":s": {"SS": ["x"]},
    }
    used = {name: value for name, value in values.items() if name in expression}
    update = {"TableName": TABLE, "Key": key("a"), "UpdateExpression": expression}
    said: Any = None
    try:
        client.update_item(**update, **({"ExpressionAttributeValues": used} if used else {}))
    except ClientError as error:
        said = error.response["Error"]
    return said, client.get_item(TableName=TABLE, Key=key("a"))["Item"]


def test_an_expression_is_read_as_moto_reads_it() -> None:
    """Also one that it refuses: with the same words, and nothing is written."""
    answers = []
    for seam in (nullcontext(), fast.installed()):
        with seam, mock_aws():
            client = fast.session("eu-west-1").client("dynamodb")
            make_table(client)
            answers.append([answered(client, expression) for expression in EXPRESSIONS])
    plain, quick = answers
    assert quick == plain
    assert [said is None for said, _ in quick].count(True) in range(4, len(EXPRESSIONS) - 4)


VALUES: tuple[dict[str, Any], ...] = (
    {"S": ""},
    {"N": "1.50"},
    {"BOOL": False},
    {"NULL": True},
    {"B": b"\x00"},
    {"SS": ["a", "b"]},
    {"L": [{"S": "a"}, {"M": {"S": {"N": "1"}}}]},
    {"M": {"a.b": {"S": "x"}, "Items": {"L": []}}},
)

CONDITIONS = (
    "attribute_not_exists(v)",
    "attribute_exists(v) AND size(v) < :n",
    "v = :v OR NOT #v BETWEEN :v AND :v",
    "#v.x[0] <> :v",
    "(v = :v",
    "v ?? :v",
    "name = :v",
)


def conditioned(client: Any, value: dict[str, Any]) -> list[Any]:
    """Return what is kept under ``a``, and what each condition says of it, twice."""
    client.put_item(TableName=TABLE, Item={**key("a"), "v": value})
    said: list[Any] = [client.get_item(TableName=TABLE, Key=key("a"))["Item"]]
    for condition in CONDITIONS * 2:
        names = {"ExpressionAttributeNames": {"#v": "v"}} if "#v" in condition else {}
        values = {
            each: given
            for each, given in ((":v", {"S": "x"}), (":n", {"N": "9"}))
            if each in condition
        }
        try:
            client.delete_item(
                TableName=TABLE,
                Key=key("none"),
                ConditionExpression=condition,
                **names,
                **({"ExpressionAttributeValues": values} if values else {}),
            )
            said.append(None)
        except (ClientError, ValueError) as error:  # moto lets what it cannot parse through
            said.append(str(error))
    return said


def test_values_and_conditions_are_read_as_moto_reads_them() -> None:
    """Whatever a value is, and whatever a condition asks, also one that cannot be read."""
    answers = []
    for seam in (nullcontext(), fast.installed()):
        with seam, mock_aws():
            client = fast.session("eu-west-1").client("dynamodb")
            make_table(client)
            answers.append([conditioned(client, value) for value in VALUES])
    plain, quick = answers
    assert quick == plain
    assert {type(said) for said in quick[0][1:]} == {str, type(None)}


NAMES = ("a", "b", "c.*")
CHANGES = st.tuples(
    st.sampled_from(("append", "remove", "copy")),
    st.integers(0, 5),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join),
    st.integers(0, 2),
)


@given(st.lists(CHANGES, max_size=30))
def test_tries_of_handlers_share_nothing_that_is_seen(changes: list[Any]) -> None:
    """Each copy finds what botocore's own would find, whatever becomes of the others."""
    plain: Any = hooks
    ours, theirs = [fast._Trie()], [plain._PrefixTrie()]
    for change, which, key, value in changes:
        for tries in (ours, theirs):
            trie = tries[which % len(tries)]
            if change == "copy":
                tries.append(copy.copy(trie))
            elif change == "append":
                trie.append_item(key, value, section=value)
            else:
                with suppress(ValueError, TypeError, AttributeError):
                    trie.remove_item(key, value)
        for one, other in zip(ours, theirs, strict=True):
            for asked in ("a.b.c", "a.c.d", "b", "c.a.b.c", key):
                assert list(one.prefix_search(asked)) == list(other.prefix_search(asked))


def test_each_session_has_the_handlers_of_botocore() -> None:
    """And what one registers, no other gets to see."""
    plain: Any = botocore.session.get_session()
    with fast.installed():
        first, second = fast.session("eu-west-1"), fast.session("eu-west-1")
        for event in ("before-sign.s3", "choose-signer.sts", "creating-client-class.dynamodb"):
            expected = plain.get_component("event_emitter")._emitter._handlers.prefix_search(event)
            for session in (first, second):
                emitter: Any = session.events
                found = emitter._emitter._handlers.prefix_search(event)
                assert list(expected) == [each for each in found if each in expected]
        heard: list[str] = []
        first.events.register("ours", lambda **_: heard.append("first"))
        second.events.emit("ours")
        fast.session("eu-west-1").events.emit("ours")
        assert heard == []
        first.events.emit("ours")
        assert heard == ["first"]
