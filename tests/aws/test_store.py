"""The store against DynamoDB: who may write, what is due, what outlives a run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.aws.store import Claimed, Held, NotClaimed, Recorded, Store
from certifier.diagnosis import finding
from certifier.endpoint.facts import EndpointFields
from certifier.errors import ClaimLost, InvalidEvent
from certifier.run.documents import UndoLog
from certifier.run.state import Claim, Marker, Pause, Recording
from certifier.source import Source, parse_source
from certifier.vocabulary import Cause, Outcome, SslMode, Witness

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
    assert store.names_all() == ("orders",)
    assert store.endpoint_owner("Orders-Source") == "orders"


def test_the_same_spec_again_keeps_its_version_and_an_edit_raises_it(
    store: Store, orders: Source
) -> None:
    """Registering is idempotent; another spec replaces the whole and begins the back-off anew."""
    assert store.register(orders, NOW + MINUTE) == 1
    edited = a_source(port=5433)
    assert store.register(edited, NOW + MINUTE) == 2
    assert store.spec("orders") == (edited, 2)
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
    assert store.own_endpoint("orders", RUN, "orders-source", ARN) is None
    assert store.own_endpoint("orders", RUN, "orders-source", ARN) is None
    with pytest.raises(InvalidEvent, match="endpoint_taken"):
        store.register(a_source("sales", endpoint=ARN), NOW)
    store.register(a_source("sales"), NOW)
    store.claim("sales", OTHER, NOW, alive)
    assert store.own_endpoint("sales", OTHER, ARN) == "orders"


def test_another_endpoint_forgets_the_old_one(store: Store, orders: Source) -> None:
    """A source that moves to another endpoint gives the old one free under all of its names."""
    store.claim("orders", RUN, NOW, alive)
    store.own_endpoint("orders", RUN, ARN)
    store.remember("orders", RUN, endpoint_arn=ARN, applied=EndpointFields(port=5432))
    store.record("orders", RUN, recording(), breaker_limit=3)
    store.register(a_source(endpoint="orders-new"), NOW)
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
    store.own_endpoint("orders", RUN, "orders-source", ARN)
    store.remember("orders", RUN, applied_version="v1")
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
    store.write_undo("orders", RUN, UNDO)
    store.record("orders", RUN, recording(Outcome.FAILED), breaker_limit=3)
    with pytest.raises(InvalidEvent, match="an undo log"):
        store.register(moved, NOW)
    store.claim("orders", RUN, NOW, alive)
    store.pause_task("orders", RUN, TASK, NOW)
    store.record("orders", RUN, recording(erase_undo=True), breaker_limit=3)
    with pytest.raises(InvalidEvent, match=f"paused tasks: {TASK}"):
        store.register(moved, NOW)
    assert store.register(a_source(port=5433), NOW) == 2


def test_a_claim_makes_the_source_due_in_ten_minutes(store: Store, claimed: Claimed) -> None:
    """If the run dies, the schedule takes the source up again by itself."""
    assert store.due(NOW + 9 * MINUTE, 10) == []
    assert store.due(NOW + 10 * MINUTE, 10) == ["orders"]
    state = store.require_claim("orders", RUN)
    assert state.claim is not None
    assert NOW + 10 * MINUTE < state.claim.due_at < NOW + 11 * MINUTE


def test_the_same_execution_may_claim_twice(store: Store, claimed: Claimed) -> None:
    """A claim whose answer was lost is made again and answers the same."""
    assert store.claim("orders", RUN, NOW + MINUTE, alive) == Claimed(
        store.require_claim("orders", RUN), None, paused=False
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
            store.require_claim("orders", RUN)


def test_what_an_earlier_run_left_behind_comes_with_the_claim(
    store: Store, claimed: Claimed
) -> None:
    """The new owner learns of the undo log and of paused tasks."""
    store.write_undo("orders", RUN, UNDO)
    store.pause_task("orders", RUN, TASK, NOW)
    got = store.claim("orders", OTHER, NOW + 5 * MINUTE, ended(NOW))
    assert isinstance(got, Claimed)
    assert got.undo == UNDO
    assert got.paused


def test_an_unknown_source_cannot_be_claimed(store: Store) -> None:
    """A source that was forgotten meanwhile is not brought back by a claim."""
    assert store.claim("orders", RUN, NOW, alive) == NotClaimed(owner=None)
    assert store.state("orders") is None


def test_every_write_of_a_run_stops_with_its_claim(store: Store, claimed: Claimed) -> None:
    """Once another execution owns the source, the old owner can write nothing more."""
    store.pause_task("orders", RUN, TASK, NOW)
    pauses = store.pauses_all()
    store.claim("orders", OTHER, NOW + 5 * MINUTE, ended(NOW))
    marker = Marker(settings_digest="d", accepted_at=NOW)
    for write in (
        lambda: store.require_claim("orders", RUN),
        lambda: store.write_undo("orders", RUN, UNDO),
        lambda: store.remember("orders", RUN, endpoint_arn=ARN),
        lambda: store.note_canary("orders", RUN, "certifier-canary-orders"),
        lambda: store.note_creating("orders", RUN, "orders-source"),
        lambda: store.mark_test("orders", RUN, "key", marker),
        lambda: store.own_endpoint("orders", RUN, ARN),
        lambda: store.pause_task("orders", RUN, TASK, NOW, anew=True),
        lambda: store.note_stopped("orders", RUN, TASK, NOW),
        lambda: store.note_started("orders", RUN, TASK, NOW),
        lambda: store.delete_pause("orders", RUN, TASK),
        lambda: store.record("orders", RUN, recording(), breaker_limit=3),
    ):
        with pytest.raises(ClaimLost):
            write()
    assert store.undo("orders") is None
    assert store.endpoint_owner(ARN) is None
    assert store.pauses_all() == pauses


def test_markers_live_as_long_as_the_claim(store: Store, claimed: Claimed) -> None:
    """Markers are kept by key, replaced, removed, and gone with the next claim."""
    marker = Marker(settings_digest="d", accepted_at=NOW, testing_seen=True)
    store.mark_test("orders", RUN, f"{ARN}|rep:A", marker)
    store.mark_test("orders", RUN, f"{ARN}|rep:B", marker)
    store.mark_test("orders", RUN, f"{ARN}|rep:B", None)
    assert store.require_claim("orders", RUN).markers == {f"{ARN}|rep:A": marker}
    store.claim("orders", OTHER, NOW + 5 * MINUTE, ended(NOW))
    assert store.require_claim("orders", OTHER).markers == {}


def test_what_is_remembered_can_be_forgotten(store: Store, claimed: Claimed) -> None:
    """A canary is noted before it is made and forgotten when it is gone."""
    store.note_canary("orders", RUN, "certifier-canary-orders")
    assert store.require_claim("orders", RUN).canary == "certifier-canary-orders"
    store.note_canary("orders", RUN, None)
    assert store.require_claim("orders", RUN).canary is None
    with pytest.raises(ValueError, match="due_at"):
        store.remember("orders", RUN, due_at=NOW)


def test_record_writes_everything_at_once(store: Store, claimed: Claimed) -> None:
    """Outcome, findings, next time and the release of the claim are one transaction."""
    found = finding(Cause.CERTIFICATE_EXPIRES_SOON, place=Witness.PROBE, seen="in 12 days")
    store.write_undo("orders", RUN, UNDO)
    store.mark_test("orders", RUN, "key", Marker(settings_digest="d", accepted_at=NOW))
    done = recording(
        findings=(found,),
        erase_undo=True,
        state={
            "expires_at": NOW + timedelta(days=12),
            "certified_at": NOW,
            "applied": EndpointFields(port=5432),
        },
    )
    assert store.record("orders", RUN, done, breaker_limit=3) == Recorded(Outcome.CERTIFIED)
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
    store.write_undo("orders", RUN, UNDO)
    bad = recording(Outcome.ROLLED_BACK, erase_undo=True, bad_end=True)
    first = store.record("orders", RUN, bad, breaker_limit=1)
    assert (
        store.record("orders", RUN, bad, breaker_limit=1)
        == first
        == Recorded(Outcome.ROLLED_BACK, opened=True)
    )
    assert len(store.breaker().ends) == 1


def test_an_event_in_the_middle_of_a_run_is_not_lost(store: Store, claimed: Claimed) -> None:
    """Who asks while a run is under way gets another run: Record leaves that time alone."""
    store.set_due(["orders", "unknown"], NOW + MINUTE)
    store.record("orders", RUN, recording(), breaker_limit=3)
    assert store.due(NOW + MINUTE, 10) == ["orders"]
    assert store.state("unknown") is None


def test_a_source_without_a_next_time_is_not_due(store: Store, claimed: Claimed) -> None:
    """What the breaker deferred waits until the breaker is reset."""
    waiting = recording(Outcome.DEFERRED, due_at=None, state={"held_by_breaker": True})
    store.record("orders", RUN, waiting, breaker_limit=3)
    assert store.due(NOW + timedelta(days=400), 10) == []
    assert store.reset_breaker(NOW + MINUTE) == ("orders",)
    assert store.due(NOW + MINUTE, 10) == ["orders"]
    assert store.reset_breaker(NOW + MINUTE) == ()


def test_three_bad_ends_in_a_day_open_the_breaker_until_a_person_closes_it(store: Store) -> None:
    """An end older than a day no longer counts; a closed breaker begins from nothing."""
    ends = [NOW - timedelta(hours=25), NOW - timedelta(hours=2), NOW - MINUTE, NOW]
    opened = []
    for i, at in enumerate(ends):
        store.register(a_source(f"s{i}"), at)
        store.claim(f"s{i}", f"{RUN}-{i}", at, alive)
        end = recording(Outcome.FAILED, at=at, bad_end=True)
        opened.append(store.record(f"s{i}", f"{RUN}-{i}", end, breaker_limit=3).opened)
    assert opened == [False, False, False, True]
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
    pause = store.pause(TASK)
    assert pause is not None
    return pause


def test_a_task_is_started_by_whoever_leaves_last(both: Store) -> None:
    """The last source stays in the pause until the task runs, so that a death loses nothing."""
    both.pause_task(*ORDERS, TASK, NOW)
    both.pause_task(*SALES, TASK, NOW + MINUTE)
    both.note_stopped(*ORDERS, TASK, NOW + 2 * MINUTE)
    both.note_stopped(*SALES, TASK, NOW + 9 * MINUTE)
    pause = paused(both)
    assert pause.sources == ("orders", "sales")
    assert pause.since == NOW
    assert pause.stop_date == NOW + 2 * MINUTE
    assert both.leave_pause(*ORDERS, TASK) is False
    assert both.pauses_of("orders") == ()
    assert both.leave_pause(*SALES, TASK) is True
    assert [p.task_arn for p in both.pauses_of("sales")] == [TASK]
    assert both.delete_pause(*SALES, TASK) is True
    assert both.pauses_all() == ()
    assert both.delete_pause(*SALES, TASK) is True
    assert both.leave_pause(*SALES, TASK) is False


def test_a_task_that_runs_is_paused_anew(both: Store) -> None:
    """What is noted of an earlier stop does not count for a task that has been started since."""
    both.pause_task(*ORDERS, TASK, NOW)
    both.note_stopped(*ORDERS, TASK, NOW + MINUTE)
    both.note_started(*ORDERS, TASK, NOW + 2 * MINUTE)
    both.note_started(*ORDERS, "another", NOW)
    both.pause_task(*SALES, TASK, NOW + 3 * MINUTE)
    pause = paused(both)
    assert (pause.stop_date, pause.started_at) == (NOW + MINUTE, NOW + 2 * MINUTE)
    both.pause_task(*ORDERS, TASK, NOW + 4 * MINUTE, anew=True)
    pause = paused(both)
    assert (pause.since, pause.stop_date, pause.started_at) == (NOW + 4 * MINUTE, None, None)
    assert pause.sources == ("orders", "sales")
    assert both.pause("another") is None


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
        both.pause_task(*who, TASK, NOW, retained=seen, anew=anew)
        assert paused(both).retained == kept


def test_a_pause_that_another_source_joined_is_not_deleted(both: Store) -> None:
    """Who joins while the last one starts the task keeps the pause, and stops it again."""
    both.pause_task(*ORDERS, TASK, NOW)
    assert both.leave_pause(*ORDERS, TASK) is True
    both.pause_task(*SALES, TASK, NOW)
    assert both.delete_pause(*ORDERS, TASK) is False
    assert [p.sources for p in both.pauses_all()] == [("sales",)]


def test_a_source_in_the_middle_of_something_is_not_forgotten(
    store: Store, claimed: Claimed
) -> None:
    """A claim, an undo log and a pause each hold it; then nothing of it remains."""
    assert isinstance(store.forget("orders"), Held)
    store.write_undo("orders", RUN, UNDO)
    store.pause_task("orders", RUN, TASK, NOW)
    store.record("orders", RUN, recording(), breaker_limit=3)
    held = store.forget("orders")
    assert isinstance(held, Held)
    assert "undo log" in held.by
    assert TASK in held.by
    store.claim("orders", OTHER, NOW, alive)
    store.delete_pause("orders", OTHER, TASK)
    store.own_endpoint("orders", OTHER, ARN)
    store.record("orders", OTHER, recording(erase_undo=True), breaker_limit=3)
    assert store.forget("orders") is True
    assert store.forget("orders") is False
    assert store.names_all() == ()
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


def test_the_whole_fleet_is_read(store: Store) -> None:
    """Every source is found, by name, by spec, by state and by what is due."""
    for i in range(120):
        store.register(a_source(f"s{i:03d}", database="d" * 63), NOW)
    assert len(store.names_all()) == 120
    assert list(store.specs_all()) == [f"s{i:03d}" for i in range(120)]
    assert store.specs_all()["s007"] == (a_source("s007", database="d" * 63), 1)
    assert len(store.states_all()) == 120
    assert len(store.due(NOW, 500)) == 120


def test_undo_logs_of_all_sources_are_found(store: Store, claimed: Claimed) -> None:
    """Tidy asks which certificates an unfinished change may still need."""
    store.write_undo("orders", RUN, UNDO)
    assert store.undo_all() == {"orders": UNDO}
    assert store.undo_with_run("orders") == (UNDO, RUN)
