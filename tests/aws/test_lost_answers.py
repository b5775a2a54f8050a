"""DynamoDB under load, or in trouble: calls come too fast, answers are lost, reasons are mixed.

Every write of the store is made undisturbed, then with its answer lost, then throttled: what it
says, and what the table holds, must be the same, or it says that nobody knows. A throttle is never
read as "somebody else has it", and a lost answer never as a failure of what was done.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber

from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.aws.store.items import source_key
from certifier.aws.table import ConditionFailed
from certifier.diagnosis import finding
from certifier.errors import Busy, Throttled, Unavailable, Unexpected
from certifier.run.pending import OnceSent
from certifier.run.state import BadEnd, Breaker, Marker, OnHold, Pause
from certifier.vocabulary import Cause, Outcome, Witness
from tests.aws.test_store import (
    ARN,
    MINUTE,
    NOW,
    OTHER,
    RUN,
    TASK,
    UNDO,
    a_source,
    alive,
    ended,
    recording,
)
from tests.days import some

WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}
EVERY_TRY = 3
LATER = NOW + 5 * MINUTE


@dataclass
class Trouble:
    """What befalls the next attempts of writes: an error of DynamoDB, silence after the write was
    made (``None``), or nothing (``{}``). A transaction that is tried again with its
    token is not made again."""

    coming: list[dict[str, Any] | None] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)


@contextmanager
def troubled() -> Iterator[Trouble]:
    trouble = Trouble()
    before = botocore_stubber.process_request

    def process(request: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"")
        operation = str(target.decode() if isinstance(target, bytes) else target).split(".")[-1]
        if operation not in WRITES:
            return before(request)
        befalls = trouble.coming.pop(0) if trouble.coming else {}
        if befalls is CANCELED and operation != "TransactWriteItems":
            befalls = TOO_FAST
        if befalls:
            headers = {"Content-Type": "application/x-amz-json-1.0"}
            return befalls.get("status", 400), headers, json.dumps(befalls["body"])
        token = json.loads(request.body).get("ClientRequestToken")
        answer: Any = trouble.made.get(token) or before(request)
        if token is not None and answer[0] == 200:
            trouble.made[token] = answer
        if befalls is None:
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    botocore_stubber.process_request = process  # type: ignore[method-assign]
    try:
        yield trouble
    finally:
        botocore_stubber.process_request = before  # type: ignore[method-assign]


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's back-off
    with troubled() as trouble:
        yield trouble


def says(code: str, *reasons: str, status: int = 400) -> dict[str, Any]:
    """Return an error of DynamoDB, with the reasons of a transaction."""
    name = f"com.amazonaws.dynamodb.v20120810#{code}"
    body: dict[str, Any] = {"__type": name, "message": "as a test says"}
    if reasons:
        body["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return {"status": status, "body": body}


# -- what each write says


def claimed(store: Store) -> None:
    store.register(a_source(), NOW)
    store.claim("orders", RUN, NOW, alive)


def begun(store: Store) -> None:
    claimed(store)
    store.hold("orders", RUN).write_undo(UNDO)


def taken_over(store: Store) -> None:
    begun(store)
    store.claim("orders", OTHER, LATER, ended(NOW))


def pausing(store: Store) -> None:
    claimed(store)
    store.hold("orders", RUN).pause(TASK, NOW)


def sharing(store: Store) -> None:
    pausing(store)
    store.register(a_source("sales"), NOW)
    store.claim("sales", OTHER, NOW, alive)
    store.hold("sales", OTHER).pause(TASK, NOW)


def recorded(store: Store) -> None:
    claimed(store)
    store.hold("orders", RUN).record(
        recording(state={"pending_anchors": ("a" * 64, "b" * 64)}), breaker_limit=3
    )


def on_hold(store: Store) -> None:
    recorded(store)
    store.put_on_hold("orders", OnHold(by="me", why="a move", since=NOW))


def opened(store: Store) -> None:
    claimed(store)
    ends = (BadEnd(at=NOW, source="orders", run=RUN),)
    store._table.write(put_breaker(store._table, Breaker(open_since=NOW, ends=ends)))
    waits = recording(Outcome.DEFERRED, due_at=None)
    store.hold("orders", RUN).record(waits, breaker_limit=3)


def unused(store: Store) -> None:
    store.note_unused("digest", NOW)


def waiting(store: Store) -> None:
    pausing(store)
    store.hold("orders", RUN).record(recording(), breaker_limit=3)


Act = Callable[[Store], object]


def held(act: Callable[[Any], object]) -> Act:
    return lambda store: act(store.hold("orders", RUN))


def record(store: Store) -> Outcome | None:
    """As Record certification does, which has looked before whether it has recorded."""
    state = store.state("orders")
    if state is not None and state.recorded_by == RUN:
        return state.outcome
    ends = recording(bad_end=RUN, erase_undo=True)
    return store.hold("orders", RUN).record(ends, breaker_limit=1).outcome


A_PAUSE = Pause(task_arn=TASK, sources=("orders",), since=NOW)
MARKER = Marker(settings_digest="d", accepted_at=NOW)
EDIT = a_source(port=5433, replaces=1)
SENT = UNDO.model_copy(update={"accepted": True})

ACTS: dict[str, tuple[Callable[[Store], object], Act]] = {
    "register": (lambda _: None, lambda store: store.register(a_source(), NOW)),
    "register an edit": (recorded, lambda store: store.register(EDIT, LATER)),
    "register a move": (
        recorded,
        lambda store: store.register(a_source(endpoint="new", replaces=1), LATER),
    ),
    "claim": (
        lambda store: store.register(a_source(), NOW),
        lambda store: store.claim("orders", RUN, NOW, alive, version=1, started=NOW),
    ),
    "take over": (claimed, lambda store: store.claim("orders", OTHER, LATER, ended(NOW))),
    "own an endpoint": (claimed, held(lambda it: it.own_endpoint(ARN))),
    "remember": (claimed, held(lambda it: it.remember(endpoint_arn=ARN))),
    "mark a test": (claimed, held(lambda it: it.mark_test("k", MARKER))),
    "write the log": (claimed, held(lambda it: it.write_undo(UNDO))),
    "note what is sent": (begun, held(lambda it: it.note_sent(SENT))),
    "prove": (begun, held(lambda it: it.prove_undo("v1"))),
    "count a try": (
        taken_over,
        lambda store: store.hold("orders", OTHER).count_try(),
    ),
    "pause": (claimed, held(lambda it: it.pause(TASK, NOW, endpoints=(ARN,)))),
    "pause anew": (pausing, held(lambda it: it.pause(TASK, LATER, anew=True, turn=0))),
    "note a stop": (pausing, held(lambda it: it.note_stop(TASK, taken=True))),
    "note a stopped task": (pausing, held(lambda it: it.note_stopped(TASK, LATER))),
    "leave": (sharing, held(lambda it: it.leave(TASK))),
    "delete a pause": (pausing, held(lambda it: it.delete_pause(A_PAUSE))),
    "leave instead": (sharing, held(lambda it: it.delete_pause(A_PAUSE))),
    "record": (begun, record),
    "forget": (recorded, lambda store: store.forget("orders")),
    "approve": (recorded, lambda store: store.approve_anchors("orders", LATER)),
    "approve one": (recorded, lambda store: store.approve_anchors("orders", LATER, ["a" * 16])),
    "put on hold": (
        recorded,
        lambda store: store.put_on_hold("orders", OnHold(by="me", why="a move", since=NOW)),
    ),
    "end a hold": (on_hold, lambda store: store.end_hold("orders", LATER)),
    "release": (waiting, lambda store: store.release("orders", TASK, LATER)),
    "reset the breaker": (opened, lambda store: store.reset_breaker(LATER)),
    "tidy": (lambda _: None, lambda store: store.first_of_day(NOW, "me")),
    "note an unused one": (lambda _: None, lambda store: store.note_unused("digest", NOW)),
    "note what was sent": (
        recorded,
        lambda store: store.note_sent_of("orders", RUN, OnceSent(notified={"x": NOW})),
    ),
    "make due": (recorded, lambda store: store.set_due(["orders"], LATER)),
    "set aside": (recorded, lambda store: store.set_aside("orders", LATER, "why")),
}


def items(store: Store) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store._table.client.scan(TableName=store._table.name)["Items"]
    return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


@pytest.fixture
def stage(store: Store) -> "Stage":
    """Return what empties the table and prepares it for an act."""

    def begin(name: str) -> tuple[Store, Act]:
        for item in items(store):
            key = {part: item[part] for part in ("pk", "sk")}
            store._table.client.delete_item(TableName=store._table.name, Key=key)
        prepare, act = ACTS[name]
        prepare(store)
        return store, act

    return begin


Stage = Callable[[str], tuple[Store, Act]]


@pytest.mark.parametrize("name", some(ACTS))
def test_a_write_whose_answer_was_lost_says_what_it_has_done(
    stage: Stage, trouble: Trouble, name: str
) -> None:
    """botocore tries again, and meets what it has written itself."""
    store, act = stage(name)
    expected, after = act(store), items(store)
    for nth in range(2):  # of those that the act makes
        store, act = stage(name)
        trouble.coming = [*[{}] * nth, None]
        assert act(store) == expected
        assert items(store) == after
        trouble.coming.clear()


@pytest.mark.parametrize(
    "name", some(sorted(ACTS.keys() - {"approve", "approve one", "end a hold"}))
)
def test_a_write_of_which_nobody_knows_can_be_made_again(
    stage: Stage, trouble: Trouble, name: str
) -> None:
    """Every answer is lost, although it was made each time; the step is called once more."""
    store, act = stage(name)
    expected, after = act(store), items(store)
    store, act = stage(name)
    trouble.coming = [None] * EVERY_TRY
    try:
        assert act(store) == expected  # it has looked at what came of it
    except Unavailable:
        again = act(store)
        assert again == (False if name in ("forget", "release") else expected)  # it is not there
    if name == "release":
        store.set_due(["orders"], LATER)  # the pause has made it due within the hour
    assert items(store) == after


TOO_FAST = says("ProvisionedThroughputExceededException")
CANCELED = says("TransactionCanceledException", "None", "ThrottlingError")


@pytest.mark.parametrize("said", [TOO_FAST, CANCELED], ids=["alone", "in a transaction"])
@pytest.mark.parametrize("name", some(ACTS))
def test_a_throttle_says_nothing_of_who_has_what(
    stage: Stage, trouble: Trouble, name: str, said: dict[str, Any]
) -> None:
    """Nothing was written, the machine tries again, and it is as if it had not been."""
    store, act = stage(name)
    expected, after = act(store), items(store)
    store, act = stage(name)
    before = items(store)
    trouble.coming = [said] * EVERY_TRY
    with pytest.raises(Throttled):
        act(store)
    assert items(store) == before
    trouble.coming.clear()
    assert act(store) == expected
    assert items(store) == after


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        (("ConditionalCheckFailed", "None"), ConditionFailed),
        (("ConditionalCheckFailed", "ThrottlingError"), ConditionFailed),
        (("TransactionConflict", "ConditionalCheckFailed"), ConditionFailed),
        (("ProvisionedThroughputExceeded", "TransactionConflict"), Throttled),
        (("TransactionConflict", "None"), Busy),
        (("ItemCollectionSizeLimitExceeded", "None"), Unexpected),
        (("ValidationError", "ThrottlingError"), Throttled),
        (("ValidationError", "TransactionConflict"), Busy),
        (("ValidationError",), Unexpected),
        (("None", "None"), Unavailable),
        ((), Unavailable),
    ],
)
def test_what_the_reasons_of_a_transaction_mean(
    stage: Stage, trouble: Trouble, reasons: tuple[str, ...], error: type[Exception]
) -> None:
    """A condition that did not hold is true whatever befell the other writes; what passes by itself
    comes before what does not, which the next try says again."""
    store, _ = stage("register")
    write = store._table.put_op(source_key("orders", "SPEC"))
    trouble.coming = [says("TransactionCanceledException", *reasons)]
    with pytest.raises(error):
        store._table.transact([write])


def test_what_the_service_made_before_it_failed_is_not_made_twice(
    stage: Stage, trouble: Trouble
) -> None:
    """InternalServerError after the write: botocore tries again, and a count counts once."""
    store, act = stage("record")
    expected = act(store)
    store, act = stage("record")
    trouble.coming = [None, says("InternalServerError", status=500)]
    assert act(store) == expected
    assert len(store.breaker().ends) == 1


# -- what an item has no room for


def test_a_run_is_recorded_however_much_others_have_written(store: Store) -> None:
    """A kilobyte of four-byte letters in each of many findings; the errors stay."""
    claimed(store)
    words = "\U0001f512" * 1024
    found = [
        finding(cause, place=Witness.DMS_TEST, seen=words, raw=words)
        for cause in (*[Cause.CA_NOT_STRICT] * 60, Cause.PASSWORD_REJECTED)
    ]
    many = {"unsent": tuple(found)}  # events of months in which no notice could be sent
    ended_so = recording(Outcome.FAILED, findings=tuple(found), state=many)
    store.hold("orders", RUN).record(ended_so, breaker_limit=3)
    state = store.state("orders")
    assert state is not None
    assert state.claim is None
    assert state.findings[-1].cause is Cause.PASSWORD_REJECTED
    assert len(state.findings) > 5
    assert len(state.unsent) > 5


def test_all_that_was_registered_is_seen_although_the_answer_is_lost(
    store: Store, trouble: Trouble
) -> None:
    """Of the second of two transactions: what was made is not taken back, nor reported failed."""
    many = tuple(a_source(f"s-{n:03}") for n in range(40))
    trouble.coming = [{}, *[None] * EVERY_TRY]
    assert set(store.register_all(many, NOW).values()) == {1}
    assert len(store.specs_all()) == 40


def test_an_endpoint_that_another_lets_go_of_at_that_moment_is_ours_only_once_it_is_written(
    store: Store,
) -> None:
    """The condition was lost to a source that is gone when one looks."""
    claimed(store)
    store.register(a_source("sales", endpoint=ARN), NOW)
    held_by_us = store.hold("orders", RUN)
    gone: list[object] = []

    def forget(params: dict[str, Any], **_: Any) -> None:
        if "ENDPOINT#" in params["Key"]["pk"]["S"] and not gone:
            gone.append(store.forget("sales"))

    store._table.client.meta.events.register(
        "provide-client-params.dynamodb.GetItem", forget, unique_id="a test"
    )
    try:
        assert held_by_us.own_endpoint(ARN) is None
    finally:
        store._table.client.meta.events.unregister(
            "provide-client-params.dynamodb.GetItem", forget, unique_id="a test"
        )
    assert gone == [True]
    assert store.endpoint_owner(ARN) == "orders"
