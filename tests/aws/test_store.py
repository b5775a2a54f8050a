"""The store against DynamoDB: who may write, what is due, what outlives a run."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.aws.store import Claimed, Held, InUse, NotClaimed, Recorded, Store
from certifier.aws.store.breaker import put_breaker
from certifier.aws.store.items import source_key
from certifier.diagnosis import finding
from certifier.endpoint.facts import EndpointFields
from certifier.errors import ClaimLost, InvalidEvent
from certifier.run.documents import UndoLog
from certifier.run.pending import OnceSent
from certifier.run.state import BadEnd, Breaker, Claim, Marker, Pause, Recording
from certifier.source import Source, parse_source
from certifier.vocabulary import Cause, Outcome, SslMode, Witness
from tests.days import share

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RUN = "arn:aws:states:eu-west-1:111122223333:execution:machine/Certify:run-1"
OTHER = "arn:aws:states:eu-west-1:111122223333:execution:machine/Certify:run-2"
ARN = "arn:aws:dms:eu-west-1:111122223333:endpoint:ABCDEF"
TASK = "arn:aws:dms:eu-west-1:111122223333:task:T1"


def a_source(name: str = "orders", **fields: Any) -> Source:
    return parse_source(
        {
            "name": name,
            "endpoint": f"{name}-source",
            "host": f"{name}.example.com",
            "ssl_mode": "require",
            **fields,
        }
    )


def alive(_: Claim) -> datetime | None:
    return None


def ended(at: datetime) -> Any:
    return lambda _: at


def recording(outcome: Outcome = Outcome.CERTIFIED, **fields: Any) -> Recording:
    return Recording(**{"outcome": outcome, "at": NOW, "due_at": NOW + timedelta(days=1), **fields})


UNDO = UndoLog(
    endpoint_arn=ARN,
    endpoint_identifier="orders-source",
    fields=("ssl_mode",),
    old=EndpointFields(ssl_mode=SslMode.REQUIRE),
    new=EndpointFields(ssl_mode=SslMode.VERIFY_FULL),
)


@pytest.fixture
def orders(store: Store) -> Source:
    source = a_source()
    store.register(source, NOW)
    return source


@pytest.fixture
def claimed(store: Store, orders: Source) -> Claimed:
    got = store.claim("orders", RUN, NOW, alive)
    assert isinstance(got, Claimed)
    return got


def test_a_registered_source_is_stored_and_due(store: Store, orders: Source) -> None:
    """What was registered is read back with its version, and the next tick takes it."""
    assert store.spec("orders") == (orders, 1)
    assert store.due(NOW, 10) == ["orders"]
    assert set(store.specs_all()) == {"orders"}
    assert store.endpoint_owner("Orders-Source") == "orders"


def test_the_same_spec_again_keeps_its_version_and_an_edit_raises_it(
    store: Store, orders: Source
) -> None:
    """Registering is idempotent; another spec replaces the whole and begins the back-off anew."""
    assert store.register(orders, NOW + MINUTE) == 1
    edited = a_source(port=5433, replaces=1)
    assert store.register(edited, NOW + MINUTE) == 2
    assert store.spec("orders") == (edited.model_copy(update={"replaces": None}), 2)
    state = store.state("orders")
    assert state is not None
    assert (state.backoff, state.due_at) == (0, NOW + MINUTE)


def test_two_sources_on_one_endpoint_are_refused(store: Store, orders: Source) -> None:
    """The second source names the first one, and nothing of it is stored."""
    with pytest.raises(InvalidEvent, match=r"endpoint_taken.*'orders'"):
        store.register(a_source("sales", endpoint="ORDERS-SOURCE"), NOW)
    assert store.spec("sales") is None
    assert store.state("sales") is None


def test_an_arn_and_an_identifier_are_one_endpoint_once_both_are_known(
    store: Store, claimed: Claimed
) -> None:
    """A source that registers the ARN of an endpoint known by its identifier is refused."""
    held = store.hold("orders", RUN)
    assert held.own_endpoint("orders-source", ARN) is None
    assert held.own_endpoint("orders-source", ARN) is None
    assert store.hold("orders", RUN).own_endpoint("orders-source", ARN) is None
    with pytest.raises(InvalidEvent, match="endpoint_taken"):
        store.register(a_source("sales", endpoint=ARN), NOW)
    store.register(a_source("sales"), NOW)
    store.claim("sales", OTHER, NOW, alive)
    assert store.hold("sales", OTHER).own_endpoint(ARN) == "orders"


def test_another_endpoint_forgets_the_old_one(store: Store, orders: Source) -> None:
    """A source that moves to another endpoint gives the old one free under all of its names."""
    store.claim("orders", RUN, NOW, alive)
    held = store.hold("orders", RUN)
    held.own_endpoint(ARN)
    held.remember(endpoint_arn=ARN, applied=EndpointFields(port=5432))
    held.record(recording(), breaker_limit=3)
    store.register(a_source(endpoint="orders-new", replaces=1), NOW)
    state = store.state("orders")
    assert state is not None
    assert state.endpoint_arn is None
    assert state.applied is None
    assert store.endpoint_owner("orders-source") is None
    assert store.endpoint_owner(ARN) is None
    assert store.endpoint_owner("orders-new") == "orders"


def test_a_run_of_the_endpoint_before_does_not_get_the_claim(store: Store, orders: Source) -> None:
    """It was started before the source moved, and would remember the one for the other."""
    store.register(a_source(endpoint="orders-new"), NOW)
    got = store.claim("orders", RUN, NOW, alive, endpoint=orders.endpoint)
    assert got == NotClaimed(owner=None, moved=True)
    assert isinstance(store.claim("orders", RUN, NOW, alive, endpoint="Orders-New"), Claimed)


def test_another_name_of_the_same_endpoint_forgets_nothing(store: Store, orders: Source) -> None:
    """Letter case, or its ARN: the password that we set is still the one that we set."""
    store.claim("orders", RUN, NOW, alive)
    held = store.hold("orders", RUN)
    held.own_endpoint("orders-source", ARN)
    held.remember(applied_version="v1")
    for name in ("ORDERS-source", ARN, "orders-source"):
        store.register(a_source(endpoint=name), NOW)
        state = store.state("orders")
        assert state is not None
        assert (state.applied_version, state.is_of("orders-source")) == ("v1", True)


def test_the_endpoint_cannot_be_changed_while_a_run_has_the_source(
    store: Store, claimed: Claimed
) -> None:
    """A claim, an undo log and a pause each refuse it, and the text says which."""
    moved = a_source(endpoint="orders-new")
    with pytest.raises(InvalidEvent, match="a claim of the execution"):
        store.register(moved, NOW)
    store.hold("orders", RUN).write_undo(UNDO)
    store.hold("orders", RUN).record(recording(Outcome.FAILED), breaker_limit=3)
    with pytest.raises(InvalidEvent, match="an undo log"):
        store.register(moved, NOW)
    store.claim("orders", RUN, NOW, alive)
    store.hold("orders", RUN).pause(TASK, NOW)
    store.hold("orders", RUN).record(recording(erase_undo=True), breaker_limit=3)
    with pytest.raises(InvalidEvent, match=f"paused tasks: {TASK}"):
        store.register(moved, NOW)
    assert store.register(a_source(port=5433, replaces=1), NOW) == 2


def test_a_claim_makes_the_source_due_in_ten_minutes(store: Store, claimed: Claimed) -> None:
    """If the run dies, the schedule takes the source up again by itself."""
    assert store.due(NOW + 9 * MINUTE, 10) == []
    assert store.due(NOW + 10 * MINUTE, 10) == ["orders"]
    state = store.hold("orders", RUN).state
    assert state.claim is not None
    assert NOW + 10 * MINUTE < state.claim.due_at < NOW + 11 * MINUTE


def test_the_same_execution_may_claim_twice(store: Store, claimed: Claimed) -> None:
    """A claim whose answer was lost is made again and answers the same."""
    assert store.claim("orders", RUN, NOW + MINUTE, alive) == Claimed(
        store.hold("orders", RUN).state, None, paused=False
    )


def test_a_running_owner_keeps_the_source(store: Store, claimed: Claimed, table: str) -> None:
    """The loser learns who has it, and writes nothing."""
    before = store.state("orders")
    assert store.claim("orders", OTHER, NOW, alive) == NotClaimed(owner=RUN)
    assert store.state("orders") == before


@pytest.mark.parametrize(
    ("minutes", "taken"), [(0, False), (1, False), (2, False), (3, True), (100, True)]
)
def test_a_dead_owner_is_replaced_once_no_function_of_it_can_run(
    store: Store, claimed: Claimed, minutes: int, taken: bool
) -> None:
    """An owner that ended at most two minutes ago may still have a function that writes."""
    got = store.claim("orders", OTHER, NOW + minutes * MINUTE, ended(NOW))
    assert isinstance(got, Claimed) is taken
    if taken:
        with pytest.raises(ClaimLost):
            store.hold("orders", RUN)


def test_what_an_earlier_run_left_behind_comes_with_the_claim(
    store: Store, claimed: Claimed
) -> None:
    """The new owner learns of the undo log and of paused tasks."""
    store.hold("orders", RUN).write_undo(UNDO)
    store.hold("orders", RUN).pause(TASK, NOW)
    got = store.claim("orders", OTHER, NOW + 5 * MINUTE, ended(NOW))
    assert isinstance(got, Claimed)
    assert got.undo == UNDO
    assert got.paused


def test_an_unknown_source_cannot_be_claimed(store: Store) -> None:
    """A source that was forgotten meanwhile is not brought back by a claim."""
    assert store.claim("orders", RUN, NOW, alive) == NotClaimed(owner=None)
    assert store.state("orders") is None


def test_who_takes_over_knows_how_long_the_last_owner_may_still_write(
    store: Store, claimed: Claimed
) -> None:
    """Its end may have been seen wrongly; the longest function time after the take-over is safe."""
    assert claimed.state.claim is not None
    assert claimed.state.claim.is_alone(NOW)
    got = store.claim("orders", OTHER, NOW + 5 * MINUTE, ended(NOW))
    assert isinstance(got, Claimed)
    assert got.state.claim is not None
    assert not got.state.claim.is_alone(NOW + 7 * MINUTE)
    assert got.state.claim.is_alone(NOW + 7.1 * MINUTE)


def test_every_write_of_a_run_stops_with_its_claim(store: Store, claimed: Claimed) -> None:
    """Once another execution owns the source, the old owner can write nothing more."""
    held = store.hold("orders", RUN)
    held.pause(TASK, NOW)
    store.register(a_source("sales"), NOW)
    store.claim("sales", OTHER, NOW, alive)
    store.hold("sales", OTHER).pause(TASK, NOW)
    pauses = store.pauses_all()
    store.claim("orders", OTHER, NOW + 5 * MINUTE, ended(NOW))
    marker = Marker(settings_digest="d", accepted_at=NOW)
    writes: dict[str, Callable[[], object]] = {
        "write_undo": lambda: held.write_undo(UNDO),
        "prove_undo": lambda: held.prove_undo("v1"),
        "settle_undo": held.settle_undo,
        "count_try": held.count_try,
        "remember": lambda: held.remember(endpoint_arn=ARN),
        "note_canary": lambda: held.note_canary("certifier-canary-orders"),
        "note_creating": lambda: held.note_creating("orders-source"),
        "mark_test": lambda: held.mark_test("key", marker),
        "own_endpoint": lambda: held.own_endpoint(ARN),
        "pause": lambda: held.pause(TASK, NOW, anew=True),
        "note_sent": lambda: held.note_sent(UNDO),
        "note_stop": lambda: held.note_stop(TASK, taken=True),
        "note_stopped": lambda: held.note_stopped(TASK, NOW),
        "note_started": lambda: held.note_started(TASK, NOW),
        "leave": lambda: held.leave(TASK),
        "delete_pause": lambda: held.delete_pause(pauses[0]),
        "record": lambda: held.record(recording(), breaker_limit=3),
    }
    assert writes.keys() == public_methods(Held).keys()
    for write in writes.values():
        with pytest.raises(ClaimLost):
            write()
    with pytest.raises(ClaimLost):
        store.hold("orders", RUN)
    assert store.undo("orders") is None
    assert store.endpoint_owner(ARN) is None
    assert store.pauses_all() == pauses


def public_methods(of: type) -> dict[str, Any]:
    methods = inspect.getmembers(of, inspect.isfunction)
    return {name: method for name, method in methods if not name.startswith("_")}


def test_nothing_is_written_for_a_run_but_through_its_claim() -> None:
    """The store makes and checks a claim for a run; every write that follows is the claim's.

    Report has no claim. What it notes of a run counts only while that run was the last.
    """
    taking_a_run = {
        name
        for name, method in public_methods(Store).items()
        if "run" in inspect.signature(method).parameters
    }
    assert taking_a_run == {"claim", "hold", "note_sent_of"}


def test_what_was_sent_of_a_run_is_noted_only_while_it_was_the_last(
    store: Store, orders: Source
) -> None:
    """A run that was recorded since has its own notices; a source without a record has none."""
    before = store.state("orders")
    assert store.note_sent_of("orders", RUN, OnceSent(notified={"refused": NOW})) is False
    assert store.state("orders") == before


def test_a_source_that_nobody_or_another_has_is_not_held(store: Store, orders: Source) -> None:
    """Whoever holds it has claimed it before; asking for it claims nothing."""
    for name in ("orders", "unknown"):
        with pytest.raises(ClaimLost):
            store.hold(name, RUN)
    store.claim("orders", OTHER, NOW, alive)
    with pytest.raises(ClaimLost):
        store.hold("orders", RUN)
    held = store.hold("orders", OTHER)
    assert (held.name, held.run, held.state) == ("orders", OTHER, store.state("orders"))


def test_markers_live_as_long_as_the_claim(store: Store, claimed: Claimed) -> None:
    """Markers are kept by key, replaced, removed, and gone with the next claim."""
    marker = Marker(settings_digest="d", accepted_at=NOW, testing_seen=True)
    held = store.hold("orders", RUN)
    held.mark_test(f"{ARN}|rep:A", marker)
    held.mark_test(f"{ARN}|rep:B", marker)
    held.mark_test(f"{ARN}|rep:B", None)
    assert store.hold("orders", RUN).state.markers == {f"{ARN}|rep:A": marker}
    store.claim("orders", OTHER, NOW + 5 * MINUTE, ended(NOW))
    assert store.hold("orders", OTHER).state.markers == {}


def test_what_is_remembered_can_be_forgotten(store: Store, claimed: Claimed) -> None:
    """A canary is noted before it is made and forgotten when it is gone."""
    held = store.hold("orders", RUN)
    held.note_canary("certifier-canary-orders")
    assert store.hold("orders", RUN).state.canary == "certifier-canary-orders"
    held.note_canary(None)
    assert store.hold("orders", RUN).state.canary is None
    with pytest.raises(ValueError, match="due_at"):
        held.remember(due_at=NOW)


def test_record_writes_everything_at_once(store: Store, claimed: Claimed) -> None:
    """Outcome, findings, next time and the release of the claim are one transaction."""
    found = finding(Cause.CERTIFICATE_EXPIRES_SOON, place=Witness.PROBE, seen="in 12 days")
    held = store.hold("orders", RUN)
    held.write_undo(UNDO)
    held.mark_test("key", Marker(settings_digest="d", accepted_at=NOW))
    done = recording(
        findings=(found,),
        erase_undo=True,
        state={
            "expires_at": NOW + timedelta(days=12),
            "certified_at": NOW,
            "applied": EndpointFields(port=5432),
        },
    )
    assert held.record(done, breaker_limit=3) == Recorded(Outcome.CERTIFIED)
    state = store.state("orders")
    assert state is not None
    assert state.outcome is Outcome.CERTIFIED
    assert state.findings == (found,)
    assert state.expires_at == NOW + timedelta(days=12)
    assert state.applied == EndpointFields(port=5432)
    assert state.certified_at == NOW
    assert state.claim is None
    assert state.markers == {}
    assert state.due_at == NOW + timedelta(days=1)
    assert store.undo("orders") is None


def test_record_again_answers_the_same(store: Store, claimed: Claimed) -> None:
    """A second call after a lost answer does not lose the claim that it released itself."""
    held = store.hold("orders", RUN)
    held.write_undo(UNDO)
    bad = recording(Outcome.ROLLED_BACK, erase_undo=True, bad_end=RUN)
    first = held.record(bad, breaker_limit=1)
    assert held.record(bad, breaker_limit=1) == first == Recorded(Outcome.ROLLED_BACK, opened=True)
    assert len(store.breaker().ends) == 1


def test_an_event_in_the_middle_of_a_run_is_not_lost(store: Store, claimed: Claimed) -> None:
    """Who asks while a run is under way gets another run: Record leaves that time alone."""
    store.set_due(["orders", "unknown"], NOW + MINUTE)
    store.hold("orders", RUN).record(recording(), breaker_limit=3)
    assert store.due(NOW + MINUTE, 10) == ["orders"]
    assert store.state("unknown") is None


def opened(store: Store) -> Store:
    """Open the breaker."""
    end = BadEnd(at=NOW, source="stock", run="arn:stock")
    store._table.write(put_breaker(store._table, Breaker().after(end, 1)))
    return store


def test_a_source_without_a_next_time_is_not_due(store: Store, claimed: Claimed) -> None:
    """What the breaker deferred waits until the breaker is reset."""
    waiting = recording(Outcome.DEFERRED, due_at=None)
    opened(store).hold("orders", RUN).record(waiting, breaker_limit=3)
    assert store.due(NOW + timedelta(days=400), 10) == []
    assert store.reset_breaker(NOW + MINUTE) == ("orders",)
    assert store.due(NOW + MINUTE, 10) == ["orders"]
    assert store.reset_breaker(NOW + MINUTE) == ()


def test_what_waits_for_a_breaker_that_is_closed_already_is_due_at_once(
    store: Store, claimed: Claimed
) -> None:
    """The run saw it open; a person closed it before the run recorded."""
    held = opened(store).hold("orders", RUN)
    assert store.reset_breaker(NOW) == ()
    held.record(recording(Outcome.DEFERRED, due_at=None), breaker_limit=3)
    assert store.due(NOW, 10) == ["orders"]


def test_one_source_alone_never_opens_the_breaker(store: Store) -> None:
    """What is wrong with it is its own; and an end that is counted already counts no more."""
    store.register(a_source("orders"), NOW)
    for i in range(4):
        run = f"{RUN}-{i}"
        store.claim("orders", run, NOW, alive)
        end = recording(Outcome.FAILED, bad_end=f"{RUN}-{i // 2}")
        assert not store.hold("orders", run).record(end, breaker_limit=2).opened
    assert [end.run for end in store.breaker().ends] == [f"{RUN}-0", f"{RUN}-1"]


def test_what_is_to_be_finished_comes_first_and_beside_the_batch(store: Store) -> None:
    """A claim whose run may have died, an undo log or a pending restart, however late it is due."""
    for name in ("late", "first", "second"):
        store.register(a_source(name), NOW)
    store.claim("late", RUN, NOW, alive)
    assert store.due(NOW + 20 * MINUTE, 1) == ["late", "first"]
    store.set_due(["late"], NOW + 15 * MINUTE)
    assert store.due(NOW + 20 * MINUTE, 1) == ["late", "first"]
    soon = recording(due_at=NOW + 16 * MINUTE)
    store.hold("late", RUN).record(soon.model_copy(update={"first": True}), breaker_limit=3)
    assert store.due(NOW + 20 * MINUTE, 1) == ["late", "first"]
    store.claim("late", OTHER, NOW, alive)
    store.hold("late", OTHER).record(soon, breaker_limit=3)
    assert store.due(NOW + 20 * MINUTE, 10) == ["first", "second", "late"]


def test_a_source_that_ran_since_the_execution_began_is_not_claimed(store: Store) -> None:
    """Two ticks may choose it before either claims; without an execution's start, it is."""
    store.register(a_source("orders"), NOW)
    store.claim("orders", RUN, NOW, alive, started=NOW - MINUTE)
    store.hold("orders", RUN).record(recording(at=NOW + MINUTE), breaker_limit=3)
    late = NOW + 2 * MINUTE
    assert store.claim("orders", OTHER, late, alive, started=NOW) == NotClaimed(None, done=True)
    assert isinstance(store.claim("orders", OTHER, late, alive, started=late), Claimed)


def test_three_bad_ends_in_a_day_open_the_breaker_until_a_person_closes_it(store: Store) -> None:
    """An end older than a day no longer counts; a closed breaker begins from nothing."""
    ends = [NOW - timedelta(hours=25), NOW - timedelta(hours=2), NOW - MINUTE, NOW]
    opens = []
    for i, at in enumerate(ends):
        store.register(a_source(f"s{i}"), at)
        store.claim(f"s{i}", f"{RUN}-{i}", at, alive)
        end = recording(Outcome.FAILED, at=at, bad_end=f"{RUN}-{i}")
        opens.append(store.hold(f"s{i}", f"{RUN}-{i}").record(end, breaker_limit=3).opened)
    assert opens == [False, False, False, True]
    assert store.breaker().open_since == NOW
    store.reset_breaker(NOW)
    assert not store.breaker().open
    assert store.breaker().ends == ()


def test_due_gives_the_oldest_first_and_at_most_a_batch(store: Store) -> None:
    """Nobody starves: who waits longest comes first."""
    for i in (3, 1, 2, 4):
        store.register(a_source(f"s{i}"), NOW + i * MINUTE)
    assert store.due(NOW + 3 * MINUTE, 2) == ["s1", "s2"]
    assert store.due(NOW + 3 * MINUTE, 10) == ["s1", "s2", "s3"]


@pytest.fixture
def both(store: Store, claimed: Claimed) -> Store:
    """Two sources, ``orders`` and ``sales``, that ``RUN`` and ``OTHER`` are at work on."""
    store.register(a_source("sales"), NOW)
    store.claim("sales", OTHER, NOW, alive)
    return store


ORDERS, SALES = ("orders", RUN), ("sales", OTHER)


def paused(store: Store) -> Pause:
    pause = store.paused(TASK)
    assert pause is not None
    return pause


def test_a_task_is_started_by_whoever_leaves_last(both: Store) -> None:
    """The last source stays in the pause until the task runs, so that a death loses nothing."""
    orders, sales = both.hold(*ORDERS), both.hold(*SALES)
    orders.pause(TASK, NOW)
    sales.pause(TASK, NOW + MINUTE)
    orders.note_stopped(TASK, NOW + 2 * MINUTE)
    sales.note_stopped(TASK, NOW + 9 * MINUTE)
    pause = paused(both)
    assert pause.sources == ("orders", "sales")
    assert pause.since == NOW
    assert pause.stop_date == NOW + 2 * MINUTE
    assert orders.leave(TASK) is False
    assert both.pauses_of("orders") == ()
    assert sales.leave(TASK) is True
    assert [p.task_arn for p in both.pauses_of("sales")] == [TASK]
    pause = paused(both)
    assert sales.delete_pause(pause) is True
    assert both.pauses_all() == ()
    assert sales.delete_pause(pause) is True
    assert sales.leave(TASK) is False


def test_a_task_that_runs_is_paused_anew(both: Store) -> None:
    """What is noted of an earlier stop does not count for a task that has been started since."""
    orders = both.hold(*ORDERS)
    orders.pause(TASK, NOW)
    orders.note_stopped(TASK, NOW + MINUTE)
    orders.note_started(TASK, NOW + 2 * MINUTE)
    orders.note_started("another", NOW)
    both.hold(*SALES).pause(TASK, NOW + 3 * MINUTE)
    pause = paused(both)
    assert (pause.stop_date, pause.started_at) == (NOW + MINUTE, NOW + 2 * MINUTE)
    orders.pause(TASK, NOW + 4 * MINUTE, anew=True)
    pause = paused(both)
    assert (pause.since, pause.stop_date, pause.started_at) == (NOW + 4 * MINUTE, None, None)
    assert pause.sources == ("orders", "sales")
    assert both.paused("another") is None


def test_a_pause_remembers_what_slots_kept_before_it(both: Store) -> None:
    """The first look counts until the task is paused anew; who saw nothing changes nothing."""
    for who, seen, anew, kept in (
        (ORDERS, None, True, {}),
        (SALES, {"slot": 1}, False, {"slot": 1}),
        (ORDERS, {"slot": 2}, False, {"slot": 1}),
        (SALES, None, False, {"slot": 1}),
        (ORDERS, {"slot": 2**40}, True, {"slot": 2**40}),
        (ORDERS, None, True, {}),
    ):
        both.hold(*who).pause(TASK, NOW, retained=seen, anew=anew)
        assert paused(both).retained == kept


def test_a_pause_that_another_source_joined_is_not_deleted(both: Store) -> None:
    """Who joins while the last one starts the task keeps the pause, and stops it again."""
    orders = both.hold(*ORDERS)
    orders.pause(TASK, NOW)
    assert orders.leave(TASK) is True
    both.hold(*SALES).pause(TASK, NOW)
    assert orders.delete_pause(paused(both)) is False
    assert [p.sources for p in both.pauses_all()] == [("sales",)]


def test_a_pause_of_a_task_that_was_stopped_again_is_not_deleted(both: Store) -> None:
    """One has seen it run; before it says so, the other has stopped it, and left it to the first.

    Else each would take the other for the one that starts it.
    """
    orders, sales = both.hold(*ORDERS), both.hold(*SALES)
    orders.pause(TASK, NOW, anew=True)
    orders.note_started(TASK, NOW + MINUTE)
    assert orders.leave(TASK) is True
    seen_running = paused(both)
    sales.pause(TASK, NOW + 2 * MINUTE, anew=True)
    assert sales.leave(TASK) is False
    assert orders.delete_pause(seen_running) is False
    assert paused(both).sources == ("orders",)
    assert orders.delete_pause(paused(both)) is True


def test_a_stop_that_dms_took_from_anybody_of_us_is_ours(both: Store) -> None:
    """Two sources stop one task at once: who comes second is rejected, and it was still us."""
    orders, sales = both.hold(*ORDERS), both.hold(*SALES)
    orders.pause(TASK, NOW, anew=True)
    sales.note_stop(TASK, taken=False)
    assert paused(both).stop_taken is False
    orders.note_stop(TASK, taken=True)
    sales.note_stop(TASK, taken=False)
    assert paused(both).stop_taken is True
    orders.pause(TASK, NOW + MINUTE, anew=True)
    assert paused(both).stop_taken is None


def test_a_stop_that_another_source_has_begun_is_joined(both: Store) -> None:
    """Both have read the task running and no pause: the second takes nothing from the first."""
    orders, sales = both.hold(*ORDERS), both.hold(*SALES)
    orders.pause(TASK, NOW, anew=True, turn=0)
    orders.note_stop(TASK, taken=True)
    sales.pause(TASK, NOW, anew=True, turn=0)
    sales.note_stop(TASK, taken=False)
    assert (paused(both).stop_taken, paused(both).sources) == (True, ("orders", "sales"))
    orders.pause(TASK, NOW + MINUTE, anew=True, turn=paused(both).turn)
    assert paused(both).stop_taken is None


def test_a_source_in_the_middle_of_something_is_not_forgotten(
    store: Store, claimed: Claimed
) -> None:
    """A claim, an undo log and a pause each hold it; then nothing of it remains."""
    assert isinstance(store.forget("orders"), InUse)
    store.hold("orders", RUN).write_undo(UNDO)
    store.hold("orders", RUN).pause(TASK, NOW)
    store.hold("orders", RUN).record(recording(), breaker_limit=3)
    in_use = store.forget("orders")
    assert isinstance(in_use, InUse)
    assert "undo log" in in_use.by
    assert TASK in in_use.by
    store.claim("orders", OTHER, NOW, alive)
    held = store.hold("orders", OTHER)
    held.delete_pause(paused(store))
    held.own_endpoint(ARN)
    held.record(recording(erase_undo=True), breaker_limit=3)
    assert store.forget("orders") is True
    assert store.forget("orders") is False
    assert store.specs_all() == {}
    assert store.endpoint_owner("orders-source") is None
    assert store.endpoint_owner(ARN) is None


def test_only_the_first_execution_of_a_day_tidies(store: Store) -> None:
    """The same execution may ask again; another one is refused until midnight."""
    assert store.first_of_day(NOW, RUN)
    assert store.first_of_day(NOW + MINUTE, RUN)
    assert not store.first_of_day(NOW + MINUTE, OTHER)
    assert store.first_of_day(NOW + timedelta(days=1), OTHER)


def test_an_unused_certificate_keeps_its_first_date(store: Store) -> None:
    """Noting it again does not begin its seven days anew; use does."""
    assert store.note_unused("abc", NOW) == NOW
    assert store.note_unused("abc", NOW + MINUTE) == NOW
    assert store.unused() == {"abc": NOW}
    assert not store.take_unused("abc", NOW + MINUTE)
    assert store.take_unused("abc", NOW)
    assert not store.take_unused("abc", NOW)
    assert store.note_unused("abc", NOW + MINUTE) == NOW + MINUTE


@pytest.mark.slow
def test_the_whole_fleet_is_read(store: Store) -> None:
    """Every source is found, by name, by spec, by state and by what is due."""
    names = [f"s{number:03d}" for number in range(share(120))]
    for name in names:
        store.register(a_source(name, database="d" * 63), NOW)
    assert list(store.specs_all()) == names
    assert store.specs_all()["s007"] == (a_source("s007", database="d" * 63), 1)
    assert len(store.states_all()) == len(names)
    assert len(store.due(NOW, 500)) == len(names)


def test_certificates_in_undo_logs_are_found(store: Store, claimed: Claimed) -> None:
    """Tidy asks which ones an unfinished change may still need; what it cannot read counts, too."""
    old = EndpointFields(certificate_arn="arn:aws:dms:eu-west-1:1:cert:OLD")
    store.hold("orders", RUN).write_undo(UNDO.model_copy(update={"old": old}))
    store._table.write(
        store._table.update_op(
            source_key("sales", "UNDO"), set_={"log": '{"x": "arn:aws:dms:eu-west-1:1:cert:NEW"}'}
        )
    )
    assert store.certificates_in_logs() == {old.certificate_arn, "arn:aws:dms:eu-west-1:1:cert:NEW"}


def test_the_undo_log_says_who_wrote_it(store: Store, claimed: Claimed) -> None:
    """And how many runs have found it, each counted once."""
    held = store.hold("orders", RUN)
    held.write_undo(UNDO)
    assert (held.count_try(), held.count_try()) == (0, 0)
    held.prove_undo("v2")
    found = store.unfinished("orders")
    assert found is not None
    assert (found.run, found.proven, found.tries) == (RUN, True, 1)
    assert held._reads.state("orders").applied_version == "v2"  # type: ignore[union-attr]
    held.settle_undo()
    assert store.undo("orders") is None


def test_an_undo_log_goes_with_its_run(store: Store, claimed: Claimed) -> None:
    """Whoever finishes it knows whose change it was."""
    store.hold("orders", RUN).write_undo(UNDO)
    assert store.undo_with_run("orders") == (UNDO, RUN)
