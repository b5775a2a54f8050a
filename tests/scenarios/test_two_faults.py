"""Two things at once: a second fault, a lagging read, a person or another run in the way."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sandbox.aws.calls import Call
from sandbox.aws.machine import Where
from sandbox.dms import Durations, Switches
from sandbox.world import CREDENTIALS, ENDPOINT, TARGET
from tests.scenarios.live import Live

DAY = 24 * 60
SLOW = Durations(testing=60)


def new_settings_fail(live: Live) -> None:
    """Let DMS not connect with the new settings of the real endpoint, its canary passing."""
    live.fails(
        "timeout expired",
        lambda one: one["EndpointIdentifier"] == ENDPOINT and one["SslMode"] == "verify-full",
    )


# ------------------------------------------------------------------ whose verdict


@pytest.mark.parametrize("shown", [35.0, 60.0])
def test_a_verdict_of_before_proves_no_change(live: Live, shown: float) -> None:
    """DMS goes on showing it while our test is under way; what comes of the test counts."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = Switches(hidden_test_after_modify=False, old_status_shown_for=shown)
    new_settings_fail(live)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("rolled_back", "verify-ca", "running")
    assert "connection_timeout" in live.causes
    assert live.unfinished == []


@pytest.mark.parametrize("shown", [35.0, 60.0, 3600.0])
def test_a_good_change_is_proven_although_the_verdict_of_before_is_shown(
    live: Live, shown: float
) -> None:
    """By ``testing``, or by a test after the old verdict was deleted."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = Switches(old_status_shown_for=shown)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


@pytest.mark.parametrize("shown", [35.0, 60.0])
def test_yesterdays_verdict_certifies_nothing(live: Live, shown: float) -> None:
    """An unchanged source that DMS no longer connects with, and an old verdict that is shown."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = replace(live.dms.switches, old_status_shown_for=shown)
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    live.tick(minutes=DAY)
    assert live.outcome == "failed"
    assert "connection_timeout" in live.causes


def test_an_unchanged_source_is_proven_although_the_verdict_of_before_is_shown(live: Live) -> None:
    """The old verdict is deleted, nothing else, and only because nothing else proves the new."""
    live.certified()
    live.dms.durations = SLOW
    live.dms.switches = replace(live.dms.switches, old_status_shown_for=60.0)
    since = live.now
    live.tick(minutes=DAY)
    assert (live.outcome, live.status()) == ("certified", "running")
    assert live.asked(since) == ["DeleteConnection"]


# ------------------------------------------------------------------ whose settings


def test_a_read_that_lags_hides_no_change_from_the_rollback(live: Live) -> None:
    """DMS took the change and shows the old settings for a while; then a fault ends the change."""
    live.certified()
    live.dms.durations = Durations(modify_unseen=300)
    live.when(
        "Configure endpoint: wait",
        lambda: live.unavailable("dms", "DescribeEndpoints", 7, caller="configure_endpoint"),
    )
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "running")
    assert live.unfinished == []


@pytest.mark.shows("changed_meanwhile")
@pytest.mark.parametrize(("operation", "nth"), [("DescribeEndpoints", 2), ("ModifyEndpoint", 1)])
def test_what_somebody_sets_before_our_write_stays(live: Live, operation: str, nth: int) -> None:
    """Between undo log and write, or while our write is refused because of theirs."""
    live.certified()
    calls: list[Call] = []

    def somebody(call: Call) -> None:
        if call.caller == "configure_endpoint" and call.operation == operation:
            calls.append(call)
            if len(calls) == nth:
                live.modify(SslMode="require")

    live.cloud.calls.on_call.append(somebody)
    try:
        live.change()
    finally:
        live.cloud.calls.on_call.remove(somebody)
    assert (live.mode, live.status()) == ("require", "running")
    assert "changed_meanwhile" in live.causes
    assert live.unfinished == []


def test_a_write_of_the_run_that_was_taken_over_is_rolled_back_too(live: Live) -> None:
    """It was about to write when its claim was lost: nothing is proven before that is over."""
    live.certified()
    new_settings_fail(live)
    live.cloud.stop_child_at("Resume tasks")
    live.change()
    assert (live.mode, live.status()) == ("verify-ca", "stopped")
    begun: list[datetime] = []

    def late(where: Where) -> None:
        now = live.cloud.clock.now()
        if where.child and where.state == "Claim source":
            begun.append(now)
        elif begun and now - begun[0] > timedelta(seconds=10) and live.mode == "verify-ca":
            begun.clear()
            live.modify(SslMode="verify-full")

    live.cloud.on_state(late)
    live.cloud.tick()
    live.dms.judge = lambda _: None
    assert (live.mode, live.status(), live.unfinished) == ("verify-ca", "running", [])
    assert begun == []  # it has written


# ------------------------------------------------------------------ whose stop


@pytest.mark.shows("task_left_alone")
def test_a_task_that_a_person_stops_before_our_stop_stays_stopped(live: Live) -> None:
    """Between our read and our stop, which DMS does not take then."""
    live.certified()

    def person(call: Call) -> None:
        if call.operation == "StopReplicationTask" and live.status() == "running":
            live.dms.set_task(live.task, status="stopped")

    live.cloud.calls.on_call.append(person)
    try:
        live.change()
    finally:
        live.cloud.calls.on_call.remove(person)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "stopped")
    assert "task_left_alone" in live.causes
    assert live.unfinished == []


def test_a_task_that_a_person_started_and_stopped_after_our_run_died_stays_stopped(
    live: Live,
) -> None:
    """Our run died before it saw the StopDate of its own stop."""
    live.certified()
    live.when("Pause tasks: wait", lambda: live.cloud.stop_child_at("Pause tasks: done?"))
    live.change()
    assert "stop_date" not in live.world.item("PAUSE", live.task)
    live.cloud.clock.advance(60)
    live.client.start_replication_task(
        ReplicationTaskArn=live.task, StartReplicationTaskType="resume-processing"
    )
    live.cloud.clock.advance(60)
    live.client.stop_replication_task(ReplicationTaskArn=live.task)
    live.cloud.clock.advance(60)
    live.tick(3)
    assert (live.status(), live.unfinished) == ("stopped", [])


# ------------------------------------------------------------------ windows


def opens_in(live: Live, minutes: float, lasts: float) -> tuple[str, datetime]:
    """Return a window that opens then, in whole minutes, and when that is."""
    opens = (live.cloud.clock.now() + timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    closes = opens + timedelta(minutes=lasts)
    return f"{opens:%a} {opens:%H:%M}-{closes:%H:%M} UTC", opens


def test_a_short_window_is_for_stopping_alone(live: Live) -> None:
    """Rehearsed ahead of its opening, the change is made in a window of five minutes."""
    live.certified()
    window, opens = opens_in(live, 2 * DAY, lasts=5)
    live.change(restart_tasks=window)
    assert live.outcome == "planned"
    assert live.due_in() == pytest.approx(DAY, abs=1)
    live.tick(minutes=DAY)
    assert live.due_in() == pytest.approx(DAY - 15, abs=2)
    since = live.now
    live.tick(minutes=DAY - 12)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    (stop,) = live.cloud.calls.of("dms", operation="StopReplicationTask", since=since)
    assert opens <= stop.at < opens + timedelta(minutes=5)


@pytest.mark.shows("window_missed")
def test_a_change_that_misses_its_window_twice_is_reported(live: Live) -> None:
    """Another task is being modified each time, so that nothing may be stopped."""
    live.certified()
    live.dms.add_task(
        "busy",
        source=live.arn,
        target=(live.world.endpoint(TARGET) or {})["EndpointArn"],
        instance=live.world.instance,
        status="modifying",
    )
    window, opens = opens_in(live, DAY, lasts=5)
    live.change(restart_tasks=window)
    for week in range(2):
        assert "window_missed" not in live.causes
        until = opens + timedelta(weeks=week, minutes=-12) - live.cloud.clock.now()
        live.tick(minutes=until.total_seconds() / 60)
        assert (live.outcome, live.status()) == ("planned", "running")
        live.tick(minutes=DAY)
    assert "window_missed" in live.causes
    assert any("window_missed" in body for _, body in live.cloud.notices)


# ------------------------------------------------------------------ passwords

OWN, FIRST, LATER = "orders_login", "the-first-password-of-1", "a-later-password-of-42"


@pytest.fixture
def own(live: Live) -> Iterator[Live]:
    """The source logs in as a user of its own, with a password that is set on the endpoint."""
    live.world.server.execute(f"CREATE ROLE {OWN} LOGIN PASSWORD '{FIRST}'")
    live.world.put_credentials(FIRST, username=OWN)
    live.certified(credentials_mode="inline", ssl_mode="verify-full")
    yield live
    live.world.server.execute(f"DROP ROLE {OWN}")


def rotate(live: Live) -> None:
    live.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{LATER}'")
    live.world.put_credentials(LATER, username=OWN)
    live.cloud.emit_secret_label(CREDENTIALS)


def password(live: Live) -> str | None:
    """Return the password that is set on the endpoint, which DMS shows to nobody."""
    return live.dms.state.endpoints[live.arn].password


def test_a_password_that_was_not_sent_is_not_remembered_as_applied(own: Live) -> None:
    """The run gave up before its write; DMS connects, with the old password, and is believed."""
    own.dms.judge = lambda _: ""  # the old password works as well
    own.unavailable("dms", "ModifyEndpoint")
    rotate(own)
    assert own.outcome == "failed"
    assert password(own) == FIRST
    own.cloud.faults.clear()
    own.tick()
    own.dms.judge = lambda _: None
    own.tick(2)
    assert (own.outcome, own.status(), own.unfinished) == ("certified", "running", [])
    assert password(own) == LATER


def test_a_password_that_was_rolled_back_is_not_remembered_as_applied(own: Live) -> None:
    """The run was cut off after its rollback, before it could record it."""
    changed: list[None] = []
    own.when("Test connection", lambda: changed.append(None))
    own.when("Test rolled-back settings", changed.clear)
    own.dms.judge = lambda one: "timeout expired" if changed and one["Status"] else ""
    own.cloud.stop_child_at("Record certification")
    rotate(own)
    assert password(own) == FIRST
    own.dms.judge = lambda _: ""
    own.tick(2)
    own.dms.judge = lambda _: None
    own.tick(2, minutes=DAY)
    assert (own.outcome, own.status(), own.unfinished) == ("certified", "running", [])
    assert password(own) == LATER


def test_a_rejected_password_that_we_think_is_set_is_set_once_more(own: Live) -> None:
    """Whatever has become of it: once, and not again and again."""
    rotate(own)
    assert own.outcome == "certified"
    own.dms.state.endpoints[own.arn].password = FIRST
    own.tick(minutes=DAY)
    assert own.outcome == "failed"
    assert "password_rejected" in own.causes
    own.tick()
    assert (own.outcome, own.status(), own.unfinished) == ("certified", "running", [])
    assert password(own) == LATER
    own.fails(
        f'FATAL:  password authentication failed for user "{OWN}"',
        lambda one: one["EndpointIdentifier"] == ENDPOINT,
    )
    since = own.now
    own.tick(6, minutes=DAY)
    assert own.asked(since).count("ModifyEndpoint") <= 2
