"""An attribute that nobody of ours has written concerns its own source alone."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import boto3
import pytest

from certifier.aws.store import Claimed, Store
from certifier.errors import InvalidEvent, Unreadable
from certifier.run.state import BadEnd, Breaker, Marker
from tests import days
from tests.aws.test_other_versions import plant, raw
from tests.aws.test_store import ARN, NOW, RUN, TASK, UNDO, a_source, alive, recording

ODD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a number": {"N": "1"},
    "null": {"NULL": True},
    "a list": {"L": [{"S": "x"}]},
    "a map": {"M": {"x": {"S": "y"}}},
    "bytes": {"B": b"\xff"},
    "a set": {"SS": ["orders"]},
    "empty": {"S": ""},
    "letters": {"S": "\x1b[2J\u202e"},
    "a day without a zone": {"S": "2026-01-01T00:00:00"},
    "a flag": {"BOOL": True},
}
odd = pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
VERSIONS = ("1.5", "0.5", "0", "-3", "1e30", "9e125", "1.0000000000001")


def attribute(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {name: value} if value else {}


@odd
def test_an_owner_that_names_nobody_keeps_an_endpoint_from_nobody(
    aws: boto3.Session, table: str, store: Store, value: dict[str, Any]
) -> None:
    """A text keeps it for whomever it may mean, and the refusal says so; all else for nobody."""
    plant(aws, table, "ENDPOINT#orders-source", "OWNER", attribute("source", value))
    if "S" in value:
        with pytest.raises(InvalidEvent, match="endpoint_taken") as caught:
            store.register(a_source(), NOW)
        assert str(caught.value).isprintable()
    else:
        assert store.endpoint_owner("orders-source") is None
        assert store.register(a_source(), NOW) == 1
        assert store.endpoint_owner("orders-source") == "orders"
        store.claim("orders", RUN, NOW, alive)
        plant(aws, table, "ENDPOINT#another", "OWNER", attribute("source", value))
        assert store.hold("orders", RUN).own_endpoint("another") is None
        assert store.endpoint_owner("another") == "orders"
    assert store.register(a_source("other"), NOW) == 1


@odd
def test_a_certificate_that_is_unused_since_nobody_knows_when_is_so_from_now_on(
    aws: boto3.Session, table: str, store: Store, value: dict[str, Any]
) -> None:
    """And the others are tidied."""
    plant(aws, table, "UNUSED", "odd", attribute("since", value))
    assert store.unused() == {"odd": None}
    assert store.note_unused("odd", NOW) == NOW
    assert store.unused() == {"odd": NOW}
    assert store.note_unused("odd", NOW + timedelta(days=8)) == NOW
    assert store.take_unused("odd", NOW)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_breaker_of_an_odd_version_can_be_reset_and_counted_on(
    aws: boto3.Session, table: str, store: Store, version: str
) -> None:
    """Whatever number lies there, the next write takes its place, and nobody is busy for ever."""
    end = BadEnd(at=NOW, source="orders", run="r")
    opened = Breaker(ends=(end,), open_since=NOW, opened_by="r").model_dump_json(
        exclude_defaults=True
    )
    plant(aws, table, "BREAKER", "STATE", {"breaker": {"S": opened}, "version": {"N": version}})
    assert store.breaker().open
    store.register(a_source(), NOW)
    store.claim("orders", RUN, NOW, alive)
    store.hold("orders", RUN).record(recording(due_at=None), breaker_limit=3)
    assert store.breaker().open
    store.reset_breaker(NOW)
    assert not store.breaker().open
    store.claim("orders", RUN, NOW, alive)
    bad = recording(bad_end=RUN)
    store.hold("orders", RUN).record(bad, breaker_limit=1)
    assert store.breaker().open


@pytest.mark.parametrize("version", VERSIONS)
def test_a_spec_of_an_odd_version_can_be_run_replaced_or_forgotten(
    aws: boto3.Session, table: str, store: Store, version: str
) -> None:
    """It is of the version before its fraction, or of none, which is said and can be put right."""
    for name in ("orders", "other"):
        store.register(a_source(name), NOW)
        item = raw(aws, table, f"SPEC#{name}", "SPEC")
        plant(aws, table, f"SPEC#{name}", "SPEC", {**item, "version": {"N": version}})
    if version.startswith("1."):
        got = store.claim("orders", RUN, NOW, alive, version=1)
        assert isinstance(got, Claimed)
        store.hold("orders", RUN).record(recording(), breaker_limit=3)
    else:
        assert "SPEC" in (store.unreadable("orders", ()) or "")
    edited = a_source(restart_tasks=True)
    assert store.register(edited, NOW) in {1, 2}
    assert store.unreadable("orders", ()) is None
    assert store.forget("other") is True


COUNTS: dict[str, dict[str, Any]] = {
    "a fraction": {"N": "1.5"},
    "below nothing": {"N": "-1"},
    "beyond counting": {"N": "9e125"},
    "letters": {"S": "1"},
    "null": {"NULL": True},
}


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS.keys())
def test_what_counts_nothing_cannot_be_read(
    aws: boto3.Session, table: str, store: Store, count: dict[str, Any]
) -> None:
    """In a pause or in a log; and neither stops another source."""
    store.register(a_source(), NOW)
    store.claim("orders", RUN, NOW, alive)
    held = store.hold("orders", RUN)
    held.pause(TASK, NOW)
    held.write_undo(UNDO)
    pause, log = raw(aws, table, "PAUSE", TASK), raw(aws, table, "UNDO#orders", "UNDO")
    for field in ("turn", "starts"):
        plant(aws, table, "PAUSE", TASK, {**pause, field: count})
        assert store.pauses().affected == {"orders"}
    plant(aws, table, "UNDO#orders", "UNDO", {**log, "tries": count})
    with pytest.raises(Unreadable):
        store.unfinished("orders")


@pytest.mark.parametrize("value", [ODD["a number"], ODD["letters"], {"S": "no"}, {"S": "True"}])
def test_a_change_is_proven_by_what_we_have_written_alone(
    aws: boto3.Session, table: str, store: Store, value: dict[str, Any]
) -> None:
    """What is not our word for it proves nothing: the change is tested, or rolled back."""
    store.register(a_source(), NOW)
    store.claim("orders", RUN, NOW, alive)
    store.hold("orders", RUN).write_undo(UNDO)
    item = raw(aws, table, "UNDO#orders", "UNDO")
    plant(aws, table, "UNDO#orders", "UNDO", {**item, "proven": value})
    found = store.unfinished("orders")
    assert found is not None
    assert not found.proven


def test_what_cannot_be_a_source_takes_nobodys_turn(
    aws: boto3.Session, table: str, store: Store
) -> None:
    """Items with a time of their own, under keys that no source has, lie before the good one."""
    for number in range(30):
        due = {"due_partition": {"S": "due"}, "due_at": {"S": "2026-01-01T00:00:00Z"}}
        plant(aws, table, f"SOURCE#No{number}", "STATE", due)
        plant(aws, table, "PAUSE", f"task-{number}", due)
    store.register(a_source(), NOW)
    assert store.due(NOW, 5) == ["orders"]


SHARED: dict[str, tuple[str, str]] = {
    "SPEC": ("SPEC#orders", "SPEC"),
    "STATE": ("SOURCE#orders", "STATE"),
    "UNDO": ("UNDO#orders", "UNDO"),
    "PAUSE": ("PAUSE", TASK),
    "OWNER": ("ENDPOINT#orders-source", "OWNER"),
    "UNUSED": ("UNUSED", "abc"),
    "BREAKER": ("BREAKER", "STATE"),
    "TIDY": ("TIDY", "DAY"),
}


EVERY = 16 if days.days() else 8
"""Each attribute has one value of so many, in turn; all of them take half a minute."""


@pytest.mark.parametrize("kind", days.some(SHARED))
def test_whatever_lies_in_any_attribute_the_other_source_is_run(
    aws: boto3.Session, table: str, store: Store, kind: str
) -> None:
    """Every reading of the whole table goes on, and says nothing bad of who is not concerned."""
    for name in ("orders", "other"):
        store.register(a_source(name), NOW)
    store.claim("orders", RUN, NOW, alive)
    held = store.hold("orders", RUN)
    held.pause(TASK, NOW, endpoints=[ARN], retained={"slot": 1})
    held.note_stop(TASK, taken=True)
    held.note_stopped(TASK, NOW)
    held.note_started(TASK, NOW)
    held.write_undo(UNDO)
    held.count_try()
    held.mark_test("k", Marker(settings_digest="d", accepted_at=NOW))
    store.note_unused("abc", NOW)
    assert store.first_of_day(NOW, "execution")
    written = Breaker(ends=(BadEnd(at=NOW, source="orders", run="r"),))
    breaker = {"breaker": {"S": written.model_dump_json(exclude={"version", "unreadable"})}}
    plant(aws, table, "BREAKER", "STATE", {**breaker, "version": {"N": "1"}})
    item = raw(aws, table, *SHARED[kind])
    values = [*ODD.values(), *COUNTS.values()]
    for number, attribute_name in enumerate(sorted(item.keys() - {"pk", "sk"})):
        for value in values[number % EVERY :: EVERY]:
            if attribute_name in {"due_at", "due_partition"} and value and not value.get("S"):
                continue  # DynamoDB takes no key of an index but a text
            kept = {key: one for key, one in item.items() if key != attribute_name}
            plant(aws, table, *SHARED[kind], {**kept, **attribute(attribute_name, value)})
            look(store)
    plant(aws, table, *SHARED[kind], {})
    look(store)


def look(store: Store) -> None:
    """Read all that a tick, the report, tidying and the commands read of the whole table."""
    for states in (store.states_all(), tuple(state for state, _, _, _ in store.fleet())):
        assert [(s.name, s.findings) for s in states if s.name == "other"] == [("other", ())]
        assert not [s.name for s in states if s.name not in {"orders", "other"}]
    assert store.specs_all()["other"] == (a_source("other"), 1)
    pauses = store.pauses()
    assert pauses.affected <= {"orders"}
    assert store.obstacle("other", pauses.affected) is None
    store.obstacle("orders", pauses.affected)
    assert "other" in store.due(NOW, 5)
    assert store.due_count(NOW) >= 1
    assert store.could_register([a_source("other")]) == {"other": 1}
    assert store.could_register([a_source("third")]) == {"third": 0}
    assert store.set_aside_for("other") is None
    store.certificates_in_logs()
    store.endpoint_owner("orders-source")
    store.breaker()
    store.unused()
    for read in (store.state, store.spec, store.unfinished, store.pauses_of):
        with suppress(Unreadable):
            read("orders")
