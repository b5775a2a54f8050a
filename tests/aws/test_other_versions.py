"""What one version of Certifier has written, another reads, or leaves as it is (decision 16)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import boto3
import pytest
from pydantic import BaseModel

from certifier.aws.clients import Clients
from certifier.aws.s3 import JSON, Documents
from certifier.aws.store import Store
from certifier.errors import Unreadable
from certifier.run.documents import LEFT_BY, MATERIAL, UndoLog
from certifier.run.event import Handover, Problem
from certifier.run.kept import shown
from certifier.run.pending import Pending
from certifier.run.state import BadEnd, Breaker, Marker, Pause, SourceState
from certifier.run.summary import ChildOutcome, Line, Summary
from certifier.source import Source
from certifier.vocabulary import Outcome
from tests.aws.test_store import NOW, RUN, TASK, UNDO, a_source, alive
from tests.goldens import golden

KEPT: tuple[type[BaseModel], ...] = (
    SourceState,
    Source,
    UndoLog,
    Pause,
    Breaker,
    Handover,
    Pending,
    ChildOutcome,
    *(document.type for left in LEFT_BY.values() for document in left),
)
"""Everything that another version than the one which wrote it may read."""


def reached(kind: Any, known: dict[str, type[BaseModel]]) -> None:
    """Add a type, and all that its fields can hold."""
    for part in get_args(kind):
        reached(part, known)
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__name__ not in known:
        known[kind.__name__] = kind
        for field in kind.model_fields.values():
            reached(field.annotation, known)


def fields() -> Iterator[str]:
    """Yield each field with its default, as a later version must have it too."""
    known: dict[str, type[BaseModel]] = {}
    for kind in KEPT:
        reached(kind, known)
    for name in sorted(known):
        for field, info in known[name].model_fields.items():
            default = (
                "" if info.is_required() else f" = {info.get_default(call_default_factory=True)!r}"
            )
            yield f"{name}.{field}{default}"


def test_no_field_of_what_is_kept_loses_or_changes_its_default() -> None:
    """A new field needs a default, or no log of yesterday can be read; a line that goes or changes
    here is an item that another version of Certifier cannot read, or reads as something else.
    """
    golden("kept-fields", "".join(f"{line}\n" for line in fields()))


def raw(aws: boto3.Session, table: str, pk: str, sk: str) -> dict[str, Any]:
    """Return an item as it lies there."""
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    return dict(aws.client("dynamodb").get_item(TableName=table, Key=key)["Item"])


def plant(aws: boto3.Session, table: str, pk: str, sk: str, item: Mapping[str, Any]) -> None:
    """Write an item past the store."""
    whole = {"pk": {"S": pk}, "sk": {"S": sk}, **item}
    aws.client("dynamodb").put_item(TableName=table, Item=whole)


def test_a_log_says_nothing_that_it_need_not(aws: boto3.Session, table: str, store: Store) -> None:
    """An earlier version, which lacks a field, reads the log as long as the field says nothing."""
    store.register(a_source(), NOW)
    store.claim("orders", RUN, NOW, alive)
    held = store.hold("orders", RUN)
    needed = {name for name, field in UndoLog.model_fields.items() if field.is_required()}
    for write in (held.write_undo, held.note_sent):
        write(UNDO)
        log = json.loads(raw(aws, table, "UNDO#orders", "UNDO")["log"]["S"])
        assert log.keys() == needed
        assert log["old"] == {"ssl_mode": "require"}
        assert store.undo("orders") == UNDO


def test_a_state_says_nothing_that_it_need_not(
    aws: boto3.Session, table: str, store: Store
) -> None:
    """The same holds for the values within STATE."""
    store.register(a_source(), NOW)
    store.claim("orders", RUN, NOW, alive)
    held = store.hold("orders", RUN)
    held.mark_test("k", Marker(settings_digest="d", accepted_at=NOW))
    marker = raw(aws, table, "SOURCE#orders", "STATE")["markers"]["M"]["k"]["M"]
    assert marker.keys() == {"settings_digest", "accepted_at"}
    state = store.state("orders")
    assert state is not None
    assert state.markers["k"] == Marker(settings_digest="d", accepted_at=NOW)


def test_a_document_says_nothing_that_it_need_not(clients: Clients, bucket: str) -> None:
    """What a run has read is read again by the run that finishes it, of whichever version."""
    documents = Documents(clients.client("s3"), bucket)
    documents.write("run-1", MATERIAL, MATERIAL.type(username="dms"))
    body = documents.get("runs/run-1/read_material.json")
    assert json.loads(body or b"") == {"username": "dms"}


EARLIER: dict[str, tuple[str, str, dict[str, Any]]] = {
    "SPEC": (
        "SPEC#orders",
        "SPEC",
        {
            "spec": {
                "S": '{"name": "orders", "endpoint": "orders-source", "host": "h.example.com",'
                ' "ssl_mode": "require"}'
            },
            "version": {"N": "1"},
        },
    ),
    "STATE": ("SOURCE#orders", "STATE", {"name": {"S": "orders"}}),
    "UNDO": (
        "UNDO#orders",
        "UNDO",
        {
            "log": {
                "S": '{"endpoint_arn": null, "endpoint_identifier": "orders-source",'
                ' "fields": ["ssl_mode"], "old": {}, "new": {}}'
            },
            "run": {"S": RUN},
        },
    ),
    "PAUSE": (
        "PAUSE",
        TASK,
        {"sources": {"SS": ["orders"]}, "since": {"S": "2026-01-01T00:00:00Z"}},
    ),
    "BREAKER": ("BREAKER", "STATE", {"breaker": {"S": "{}"}, "version": {"N": "1"}}),
    "OWNER": ("ENDPOINT#orders-source", "OWNER", {"source": {"S": "orders"}}),
    "UNUSED": ("UNUSED", "abc", {"since": {"S": "2026-01-01T00:00:00Z"}}),
}
"""Every item as the first version would have written it: with what has no default alone."""


def read(store: Store, kind: str) -> Any:
    """Read the item of a kind that a test has planted."""
    match kind:
        case "SPEC":
            return store.spec("orders")
        case "STATE":
            return store.state("orders")
        case "UNDO":
            return store.undo("orders")
        case "PAUSE":
            return store.paused(TASK)
        case "BREAKER":
            return store.breaker()
        case "OWNER":
            return store.endpoint_owner("orders-source")
        case _:
            return store.unused()["abc"]


@pytest.mark.parametrize("kind", EARLIER)
def test_a_later_version_reads_what_an_earlier_one_has_written(
    aws: boto3.Session, table: str, store: Store, kind: str
) -> None:
    """Whatever has been added since has a default."""
    plant(aws, table, *EARLIER[kind])
    got = read(store, kind)
    assert got is not None
    assert not getattr(got, "unreadable", False)


@pytest.mark.parametrize("kind", EARLIER)
def test_an_attribute_of_a_later_version_is_passed_over(
    aws: boto3.Session, table: str, store: Store, kind: str
) -> None:
    """It says nothing without which the rest is not true: what does lies in the log or spec."""
    pk, sk, item = EARLIER[kind]
    plant(aws, table, pk, sk, {**item, "of_later": {"BOOL": True}})
    assert read(store, kind) is not None
    assert raw(aws, table, pk, sk)["of_later"] == {"BOOL": True}


@pytest.mark.parametrize(("kind", "field"), [("SPEC", "spec"), ("UNDO", "log")])
def test_what_says_something_new_is_not_read_as_if_it_did_not(
    aws: boto3.Session, table: str, store: Store, kind: str, field: str
) -> None:
    """It cannot be read, and lies there as it was for the version that wrote it."""
    pk, sk, item = EARLIER[kind]
    newer = json.dumps({**json.loads(item[field]["S"]), "of_later": True})
    plant(aws, table, pk, sk, {**item, field: {"S": newer}})
    with pytest.raises(Unreadable):
        read(store, kind)
    assert raw(aws, table, pk, sk)[field] == {"S": newer}


def test_a_finding_of_a_later_version_blocks_no_source(
    aws: boto3.Session, table: str, store: Store
) -> None:
    """After a rollback of the deployment its cause has no name; the next run finds its own."""
    store.register(a_source(), NOW)
    known = {"cause": {"S": "unexpected"}, "severity": {"S": "error"}, "place": {"S": "workflow"}}
    known |= {"seen": {"S": "x"}, "remedy": {"S": "y"}}
    of_later = {"M": {**known, "cause": {"S": "of_later"}}}
    item = raw(aws, table, "SOURCE#orders", "STATE")
    plant(
        aws, table, "SOURCE#orders", "STATE", {**item, "findings": {"L": [of_later, {"M": known}]}}
    )
    state = store.state("orders")
    assert state is not None
    assert [found.cause for found in state.findings] == ["unexpected"]
    assert store.unreadable("orders", ()) is None


def test_what_onboard_of_another_version_hands_over_is_named(clients: Clients, bucket: str) -> None:
    """In the middle of a deployment: nothing is run, and the caller reads which object it is."""
    documents = Documents(clients.client("s3"), bucket)
    documents.put("onboarding/x.json", b'{"mode": "apply", "sources": [], "of_later": 1}', JSON)
    with pytest.raises(Unreadable, match=r"onboarding/x\.json"):
        documents.read_onboarding("x")


def test_an_open_breaker_of_an_earlier_version_stays_open(
    aws: boto3.Session, table: str, store: Store
) -> None:
    """Whoever reads it next counts on with the same version."""
    ends = (BadEnd(at=NOW, source="orders", run="r"),)
    opened = Breaker(ends=ends, open_since=NOW, opened_by="r")
    whole = opened.model_dump_json(exclude={"version", "unreadable", "was_unreadable"})
    plant(aws, table, "BREAKER", "STATE", {"breaker": {"S": whole}, "version": {"N": "4"}})
    assert store.breaker() == opened.model_copy(update={"version": 4})


def with_more(value: Any) -> Any:
    """Return plain values with one more field in every object of them."""
    match value:
        case dict():
            return {**{key: with_more(one) for key, one in value.items()}, "of_later": 1}
        case list():
            return [with_more(one) for one in value]
    return value


def test_a_report_of_a_later_installation_is_shown_by_an_earlier_command() -> None:
    """Nobody acts on it, so what is not known in it is passed over, on every level."""
    lines = (Line(name="orders", outcome=Outcome.CERTIFIED),)
    problem = Problem(error="Busy", cause="x")
    summary = Summary(execution="e", reported_at=NOW, lines=lines, problem=problem)
    of_later = json.dumps(with_more(json.loads(summary.model_dump_json())))
    assert shown(Summary, of_later) == summary
