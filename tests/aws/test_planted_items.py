"""Items that nobody of ours has written concern nobody but the source that they name."""

from typing import Any

import boto3
import pytest

from certifier.aws.store import Store
from tests.aws.test_store import NOW, a_source

SPECS: dict[str, dict[str, Any]] = {
    "nested too deep": {"spec": {"S": "[" * 50_000}, "version": {"N": "1"}},
    "cut off": {"spec": {"S": '{"name": "ghost"'}, "version": {"N": "1"}},
    "a number of 6,000 digits": {"spec": {"S": "9" * 6000}, "version": {"N": "1"}},
    "no spec": {"version": {"N": "1"}},
    "no version": {"spec": {"S": "{}"}},
    "a version of letters": {"spec": {"S": "{}"}, "version": {"S": "x"}},
    "bytes": {"spec": {"B": b"\xff"}, "version": {"N": "1"}},
    "another name": {
        "spec": {"S": a_source().model_dump_json(exclude_defaults=True)},
        "version": {"N": "1"},
    },
}
STATES: dict[str, dict[str, Any]] = {
    "a broken number": {"name": {"S": "ghost"}, "reverts": {"N": "1.5"}},
    "bytes": {"name": {"B": b"\xff"}},
    "the name of another": {"name": {"S": "orders"}},
    "a name that moves a terminal": {"name": {"S": "\x1b[2J\u202e"}},
    "no name": {"outcome": {"S": "certified"}},
}


@pytest.fixture
def store(aws: boto3.Session, table: str) -> Store:
    """A table with one good source."""
    kept = Store(aws.client("dynamodb"), table)
    kept.register(a_source(), NOW)
    return kept


def plant(aws: boto3.Session, table: str, pk: str, sk: str, item: dict[str, Any]) -> None:
    """Write an item past the store."""
    whole = {"pk": {"S": pk}, "sk": {"S": sk}, **item}
    aws.client("dynamodb").put_item(TableName=table, Item=whole)


@pytest.mark.parametrize("item", SPECS.values(), ids=SPECS.keys())
def test_a_planted_spec_stops_no_other_source(
    aws: boto3.Session, table: str, store: Store, item: dict[str, Any]
) -> None:
    """It cannot be read, whatever is wrong with it; the good one is."""
    plant(aws, table, "SPEC#ghost", "SPEC", item)
    specs = store.specs_all()
    assert specs["ghost"] is None
    assert specs["orders"] is not None
    assert [state.name for state, _, _, _ in store.fleet()] == ["orders"]


@pytest.mark.parametrize("item", STATES.values(), ids=STATES.keys())
def test_a_planted_state_stops_no_other_source(
    aws: boto3.Session, table: str, store: Store, item: dict[str, Any]
) -> None:
    """It is shown as what cannot be read, under the name of its key, and no other source is."""
    plant(aws, table, "SOURCE#ghost", "STATE", item)
    for states in (store.states_all(), tuple(state for state, _, _, _ in store.fleet())):
        assert [state.name for state in states] == ["ghost", "orders"]
        assert [found.cause for found in states[0].findings] == ["source_invalid"]
        assert states[1].findings == ()


@pytest.mark.parametrize("name", ["\x1b[31m\u202eorders", "", "Orders", "a" * 41, "or/ders"])
def test_what_no_source_can_be_called_is_passed_over(
    aws: boto3.Session, table: str, store: Store, name: str
) -> None:
    """It would stand in mails, on pages and in terminals."""
    plant(aws, table, f"SOURCE#{name}", "STATE", {"name": {"S": name or "x"}})
    plant(aws, table, f"SPEC#{name}", "SPEC", SPECS["cut off"])
    assert list(store.specs_all()) == ["orders"]
    assert [state.name for state in store.states_all()] == ["orders"]
    assert [state.name for state, _, _, _ in store.fleet()] == ["orders"]
