"""Whatever lies in the items that all sources share stops nobody, and can be put right."""

import json
from typing import Any

import boto3
import pytest

from certifier.aws.store import InUse, Store
from certifier.errors import Unreadable
from certifier.run.state import BadEnd, Breaker
from tests.aws.test_store import NOW, a_source

TASK = "arn:aws:dms:eu-west-1:123456789012:task:T"
BREAKERS: dict[str, dict[str, Any]] = {
    "no breaker": {"version": {"N": "1"}},
    "no version": {"breaker": {"S": "{}"}},
    "nothing": {},
    "a version of letters": {"breaker": {"S": "{}"}, "version": {"S": "x"}},
    "a number": {"breaker": {"N": "1"}, "version": {"N": "1"}},
    "cut off": {"breaker": {"S": "{"}, "version": {"N": "1"}},
    "a field of a later version": {"breaker": {"S": '{"of_later": 0}'}, "version": {"N": "1"}},
    "a time without a zone": {
        "breaker": {"S": '{"ends": [{"at": "2026-01-04T11:00:00", "source": "a", "run": "r"}]}'},
        "version": {"N": "1"},
    },
}
PAUSES: dict[str, tuple[dict[str, Any], bool]] = {
    "sources are a number": ({"sources": {"N": "1"}}, False),
    "sources are lists": ({"sources": {"L": [{"L": []}]}}, False),
    "sources are a text": ({"sources": {"S": "orders"}}, False),
    "sources are bytes": ({"sources": {"BS": [b"\xff"]}}, False),
    "no sources": ({}, False),
    "since without a zone": (
        {"sources": {"SS": ["orders"]}, "since": {"S": "2026-01-01T00:00:00"}},
        True,
    ),
    "since a number": ({"sources": {"SS": ["orders"]}, "since": {"N": "1"}}, True),
    "no since": ({"sources": {"SS": ["orders"]}}, True),
    "a slot of letters": (
        {
            "sources": {"SS": ["orders"]},
            "since": {"S": "2026-01-01T00:00:00Z"},
            "retained": {"M": {"a": {"S": "x"}}},
        },
        True,
    ),
    "endpoints are a text": (
        {
            "sources": {"SS": ["orders"]},
            "since": {"S": "2026-01-01T00:00:00Z"},
            "endpoints": {"S": "arn"},
        },
        True,
    ),
}


def plant(aws: boto3.Session, table: str, pk: str, sk: str, item: dict[str, Any]) -> None:
    """Write an item past the store."""
    whole = {"pk": {"S": pk}, "sk": {"S": sk}, **item}
    aws.client("dynamodb").put_item(TableName=table, Item=whole)


@pytest.mark.parametrize("item", BREAKERS.values(), ids=BREAKERS.keys())
def test_a_planted_breaker_is_open_and_can_be_reset(
    aws: boto3.Session, table: str, store: Store, item: dict[str, Any]
) -> None:
    """It is taken for open; a reset puts one in its place that can be read."""
    plant(aws, table, "BREAKER", "STATE", item)
    breaker = store.breaker()
    assert breaker.unreadable
    assert breaker.open
    store.reset_breaker(NOW)
    assert not store.breaker().open
    store.reset_breaker(NOW)


def test_a_closed_breaker_is_written_without_fields(
    aws: boto3.Session, table: str, store: Store
) -> None:
    """A version before a field was added can read it; one with every field is read as well."""
    whole = Breaker().model_dump_json(exclude={"version", "unreadable"})
    plant(aws, table, "BREAKER", "STATE", {"breaker": {"S": whole}, "version": {"N": "4"}})
    assert store.breaker() == Breaker(version=4)
    ends = (BadEnd(at=NOW, source="orders", run="r"),)
    was = Breaker(ends=ends, open_since=NOW, opened_by="r")
    opened = was.model_dump_json(exclude_defaults=True)
    plant(aws, table, "BREAKER", "STATE", {"breaker": {"S": opened}, "version": {"N": "4"}})
    assert store.breaker() == was.model_copy(update={"version": 4})
    store.reset_breaker(NOW)
    key = {"pk": {"S": "BREAKER"}, "sk": {"S": "STATE"}}
    item = aws.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    assert json.loads(item["breaker"]["S"]) == {}
    assert store.breaker() == Breaker(version=5)


@pytest.mark.parametrize(("item", "names"), PAUSES.values(), ids=PAUSES.keys())
def test_a_planted_pause_concerns_those_alone_whom_it_names(
    aws: boto3.Session, table: str, store: Store, item: dict[str, Any], *, names: bool
) -> None:
    """Nobody, if it cannot be read whom."""
    store.register(a_source(), NOW)
    plant(aws, table, "PAUSE", TASK, item)
    read = store.pauses()
    assert read.read == store.pauses_all() == ()
    assert read.unreadable == {TASK}
    assert (store.unreadable("orders", read.affected) is not None) is names
    assert store.unreadable("other", read.affected) is None
    assert isinstance(store.forget("orders"), InUse) is names
    with pytest.raises(Unreadable):
        store.paused(TASK)


@pytest.mark.parametrize("version", [None, {"S": "x"}], ids=["none", "letters"])
@pytest.mark.parametrize("edited", [True, False])
def test_a_spec_without_a_version_can_be_registered_again(
    aws: boto3.Session,
    table: str,
    store: Store,
    version: dict[str, str] | None,
    *,
    edited: bool,
) -> None:
    """As the notice asks for; until then it is not run."""
    store.register(a_source(), NOW)
    without_version(aws, table, version)
    assert store.unreadable("orders", ()) is not None
    again = a_source(restart_tasks=True) if edited else a_source()
    assert store.register(again, NOW) == 1
    assert store.spec("orders") == (again, 1)
    assert store.register(a_source(ca_overlap=False), NOW) == 2


@pytest.mark.parametrize("version", [None, {"S": "x"}], ids=["none", "letters"])
def test_a_spec_without_a_version_can_be_forgotten(
    aws: boto3.Session, table: str, store: Store, version: dict[str, str] | None
) -> None:
    """And its name is free again; no run that knew a version gets the claim before."""
    store.register(a_source(), NOW)
    without_version(aws, table, version)
    claimed = store.claim("orders", "run", NOW, lambda _: None, version=1)
    assert getattr(claimed, "edited", False)
    assert store.forget("orders") is True
    assert store.spec("orders") is None
    assert store.register(a_source(), NOW) == 1


def test_a_spec_without_a_version_is_not_forgotten_when_others_cannot_be_registered(
    aws: boto3.Session, table: str, store: Store
) -> None:
    """It was registered before: to take it back is not to forget it."""
    store.register(a_source(), NOW)
    without_version(aws, table, None)
    before = store.registration(a_source(restart_tasks=True))
    store.register(a_source(restart_tasks=True), NOW)
    assert store._take_back([(a_source(restart_tasks=True), before)], NOW) == {"orders"}
    assert store.spec("orders") is not None


@pytest.mark.parametrize(
    "item",
    [{}, {"log": {"N": "1"}, "run": {"S": "r"}}, {"log": {"S": "{}"}}],
    ids=["nothing", "a number", "an empty log"],
)
def test_a_planted_undo_log_concerns_its_source_alone(
    aws: boto3.Session, table: str, store: Store, item: dict[str, Any]
) -> None:
    """It cannot be read, whatever is wrong with it."""
    store.register(a_source(), NOW)
    plant(aws, table, "UNDO#orders", "UNDO", item)
    with pytest.raises(Unreadable):
        store.unfinished("orders")
    assert "UNDO" in (store.unreadable("orders", ()) or "")
    assert isinstance(store.forget("orders"), InUse)


def test_a_state_whose_times_have_no_zone_cannot_be_read(
    aws: boto3.Session, table: str, store: Store
) -> None:
    """Nobody could say how long ago that was: it is shown as what cannot be read."""
    item = {"name": {"S": "ghost"}, "due_at": {"S": "2026-01-01T00:00:00"}}
    plant(aws, table, "SOURCE#ghost", "STATE", item)
    assert [found.cause for found in store.states_all()[0].findings] == ["source_invalid"]


def without_version(aws: boto3.Session, table: str, version: dict[str, str] | None) -> None:
    """Take the version from the SPEC of orders, or write another in its place."""
    change: dict[str, Any] = {"UpdateExpression": "REMOVE version"}
    if version is not None:
        change = {
            "UpdateExpression": "SET version = :v",
            "ExpressionAttributeValues": {":v": version},
        }
    key = {"pk": {"S": "SPEC#orders"}, "sk": {"S": "SPEC"}}
    aws.client("dynamodb").update_item(TableName=table, Key=key, **change)
