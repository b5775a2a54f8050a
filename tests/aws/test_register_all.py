"""All sources of an input are registered or none, whatever happens in between."""

from typing import Any

import boto3
import pytest

from certifier.aws.store import Store
from certifier.aws.store.sources import TOGETHER
from certifier.aws.table import ConditionFailed, Table
from certifier.errors import Busy, InvalidEvent, Unavailable
from certifier.source import Source
from tests.aws.test_store import NOW, a_source

MANY = TOGETHER // 3 + 3  # three writes each: two transactions


def spec(name: str, **changes: Any) -> Source:
    """A source of its own endpoint."""
    return a_source(name, **changes)


def many(count: int, **changes: Any) -> tuple[Source, ...]:
    return tuple(spec(f"s-{n:03}", **changes) for n in range(count))


@pytest.fixture
def store(aws: boto3.Session, table: str) -> Store:
    return Store(aws.client("dynamodb"), table)


def kept(store: Store) -> dict[str, int]:
    """The version of every registered source."""
    scanned = store._table.scan("SPEC#", "SPEC")
    return {str(item["pk"]).removeprefix("SPEC#"): int(item["version"]) for item in scanned}


def interrupted(
    store: Store, monkeypatch: pytest.MonkeyPatch, nth: int, act: Any, times: int = 1
) -> None:
    """Do something before the ``nth`` transaction from now on, ``times`` in a row."""
    real, calls = Table.transact, [0]

    def transact(self: Table, writes: Any) -> None:
        calls[0] += 1
        if nth <= calls[0] < nth + times:
            act()
        real(self, writes)

    monkeypatch.setattr(Table, "transact", transact)


def test_one_name_registered_by_two_at_the_same_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other was first, with another host: of this input nothing is stored, its own sources
    included, and it says what to read.
    """
    other = spec("sales", host="theirs.example.com")
    interrupted(store, monkeypatch, 1, lambda: store.register(other, NOW))
    with pytest.raises(InvalidEvent, match=r"sources\.1\.host: moves"):
        store.register_all((spec("orders"), spec("sales"), spec("stock")), NOW)
    assert kept(store) == {"sales": 1}
    assert store.endpoint_owner("orders-source") is None


def test_an_endpoint_that_another_takes_at_the_same_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither source of the input is stored, and the endpoint is the other's."""
    other = spec("mine", endpoint="stock-source")
    interrupted(store, monkeypatch, 1, lambda: store.register(other, NOW))
    with pytest.raises(InvalidEvent, match="endpoint_taken"):
        store.register_all((spec("orders"), spec("stock")), NOW)
    assert kept(store) == {"mine": 1}


def failing() -> None:
    raise Unavailable("TransactWriteItems")


def test_what_one_transaction_does_not_take_is_taken_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one fails: what was new is gone, with its endpoint; an edit is as before, so that
    the same input, which the machine tries again, is registered then.
    """
    store.register(spec("s-000", host="before.example.com"), NOW)
    edited = (spec("s-000", replaces=1), *many(MANY)[1:])
    interrupted(store, monkeypatch, 2, failing)
    with pytest.raises(Unavailable):
        store.register_all(edited, NOW)
    assert kept(store) == {"s-000": 1}
    registered = store.registration(spec("s-000")).known
    assert registered is not None
    assert registered.host == "before.example.com"
    assert store.endpoint_owner("s-001-source") is None
    assert store.state("s-001") is None
    monkeypatch.undo()
    assert store.register_all(edited, NOW)["s-000"] == 2
    assert len(kept(store)) == MANY


def test_a_source_that_was_to_move_is_taken_back_to_its_endpoint(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the old one again, and not the new one."""
    store.register(spec("s-000", endpoint="old-source"), NOW)
    interrupted(store, monkeypatch, 2, failing)
    with pytest.raises(Unavailable):
        store.register_all((spec("s-000", replaces=1), *many(MANY)[1:]), NOW)
    assert kept(store) == {"s-000": 1}
    assert store.endpoint_owner("old-source") == "s-000"
    assert store.endpoint_owner("s-000-source") is None


def test_what_a_run_has_begun_with_stays_and_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked learns which of the sources are registered, whatever the rest failed for."""

    def begun() -> None:
        monkeypatch.undo()
        store.claim("s-000", "run-1", NOW, lambda _: None)
        raise Unavailable("TransactWriteItems")

    interrupted(store, monkeypatch, 2, begun)
    with pytest.raises(Unavailable, match=r"TransactWriteItems; stay registered: s-000$"):
        store.register_all(many(MANY), NOW)
    assert kept(store) == {"s-000": 1}


def test_what_stays_is_named_beside_the_mistakes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run begins with the first source while another takes the endpoint of the last."""
    last = many(MANY)[-1]

    def both() -> None:
        monkeypatch.undo()
        store.claim("s-000", "run-1", NOW, lambda _: None)
        store.register(spec("mine", endpoint=last.endpoint), NOW)

    interrupted(store, monkeypatch, 2, both)
    with pytest.raises(InvalidEvent, match=r"endpoint_taken.*sources\.0: s-000 stays registered"):
        store.register_all(many(MANY), NOW)
    assert kept(store) == {"mine": 1, "s-000": 1}


def test_a_race_in_the_second_transaction_registers_all_or_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the endpoint of the last source: none of the others stays."""
    last = many(MANY)[-1]
    other = spec("mine", endpoint=last.endpoint)
    interrupted(store, monkeypatch, 2, lambda: store.register(other, NOW))
    with pytest.raises(InvalidEvent, match="endpoint_taken"):
        store.register_all(many(MANY), NOW)
    assert kept(store) == {"mine": 1}


def test_what_others_have_edited_meanwhile_is_not_taken_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have read our version and replaced it: theirs stays, all else is gone."""

    def edited() -> None:
        monkeypatch.undo()
        store.register(spec("s-000", replaces=1, host="theirs.example.com"), NOW)
        raise Unavailable("TransactWriteItems")

    interrupted(store, monkeypatch, 2, edited)
    with pytest.raises(Unavailable):
        store.register_all(many(MANY), NOW)
    assert kept(store) == {"s-000": 2}


def test_what_loses_every_race_is_tried_again_by_the_machine(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound on the attempts, and nothing is left of them."""

    def lost() -> None:
        raise ConditionFailed

    interrupted(store, monkeypatch, 1, lost, times=100)
    with pytest.raises(Busy):
        store.register_all(many(2), NOW)
    assert kept(store) == {}


def test_the_same_again_changes_nothing_and_makes_due(store: Store) -> None:
    """As many as an input may name."""
    most = many(2 * TOGETHER // 3)
    first = store.register_all(most, NOW)
    assert store.register_all(most, NOW) == first
    assert set(first.values()) == {1}
