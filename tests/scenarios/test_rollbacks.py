"""The table of rollbacks: what connects before and after a change, and what becomes of it."""

import pytest

from sandbox.world import ENDPOINT
from tests.scenarios.live import (
    DAY,
    NOT_TOUCHED,
    Live,
    connected,
    is_canary,
    verdicts,
    with_new_settings,
    with_old_settings,
)


def test_row_1_old_and_new_connect(live: Live) -> None:
    """Certified, and the task runs."""
    live.certified()
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.asked(since) == [
        "CreateEndpoint",
        "DeleteEndpoint",
        "StopReplicationTask",
        "ModifyEndpoint",
        "StartReplicationTask",
    ]
    record = live.world.record()
    assert connected(record) == {"probe": True, "rehearsal": True, "dms_test": True}
    assert record["tasks"]["stopped_seconds"] > 0


def test_row_2_new_fails_and_the_old_ones_connect_again(live: Live) -> None:
    """Rolled back: fields as they were, tested, and the task runs."""
    live.certified()
    before = dict(live.endpoint)
    live.fails("timeout expired", with_new_settings)
    live.change()
    assert (live.outcome, live.status()) == ("rolled_back", "running")
    assert live.endpoint == before
    assert "connection_timeout" in live.causes
    assert verdicts(live) == {"before": True, "canary": True, "new": False, "old": True}
    assert any("rolled back" in subject for subject, _ in live.cloud.notices)
    assert live.unfinished == []


@pytest.mark.shows("broken_after_rollback", "task_not_restarted")
def test_row_3_new_fails_and_the_old_ones_do_not_connect_any_more(live: Live) -> None:
    """Failed, and the task keeps waiting for a restart, until DMS connects and a tick starts it."""
    live.certified()
    modified: list[None] = []
    live.when("Configure endpoint: wait", lambda: modified.append(None))
    live.fails(
        "timeout expired",
        lambda one: bool(modified) and (with_new_settings(one) or with_old_settings(one)),
    )
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "stopped")
    assert {"broken_after_rollback", "task_not_restarted"} <= live.causes
    assert live.unfinished == [live.task]
    live.tick()
    assert live.status() == "stopped"
    modified.clear()
    live.tick(2)
    assert (live.status(), live.unfinished) == ("running", [])
    live.tick(8)  # the change itself is not made again for an hour
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])


def test_row_4_a_broken_endpoint_is_repaired(live: Live) -> None:
    """The old settings do not connect, the new ones do: that is what the change is for."""
    live.certified()
    live.fails("timeout expired", with_old_settings)
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert verdicts(live) == {"before": False, "canary": True, "new": True}


@pytest.mark.shows("broken_before", "task_not_restarted")
def test_row_5_broken_before_and_after(live: Live) -> None:
    """Rolled back, and the finding says that it did not connect before, either."""
    live.certified()
    live.fails("timeout expired", lambda one: with_new_settings(one) or with_old_settings(one))
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-ca", "stopped")
    assert {"broken_before", "task_not_restarted"} <= live.causes
    assert "broken_after_rollback" not in live.causes
    live.dms.judge = lambda _: None
    live.tick(3)
    assert live.status() == "running"
    live.tick(6)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


@pytest.mark.parametrize("broken", [False, True], ids=["connects", "is broken"])
def test_row_6_what_the_rehearsal_refuses_stops_no_task(live: Live, broken: bool) -> None:
    """Whatever the old settings do."""
    live.certified()
    live.fails(
        "timeout expired",
        lambda one: is_canary(one) or (broken and with_old_settings(one)),
    )
    since = live.now
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("refused", "verify-ca", "running")
    assert not NOT_TOUCHED & set(live.asked(since))


def test_a_created_endpoint_that_fails_its_test_is_kept_and_reported(live: Live) -> None:
    """There is nothing to roll back; the next run finds it and goes on from there."""
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    live.change()
    assert (live.outcome, live.mode) == ("failed", "verify-full")
    assert "connection_timeout" in live.causes
    assert live.unfinished == []
    live.dms.judge = lambda _: None
    live.tick(3)
    assert live.outcome == "certified"


def test_an_unchanged_source_that_fails_once_is_tested_again(live: Live) -> None:
    """A `failed` would block the next start of the task, so it is not believed at once."""
    live.certified()
    failures = iter(["timeout expired"])
    live.dms.judge = lambda _: next(failures, None)
    live.tick(minutes=DAY)
    assert live.outcome == "certified"
    assert "connection_timeout" not in live.causes
    connections = {c["Status"] for c in live.dms.connections() if c["EndpointArn"] == live.arn}
    assert connections == {"successful"}


def test_an_unchanged_source_that_fails_again_and_again_is_failed(live: Live) -> None:
    """Nothing is rolled back, nothing is stopped, and a person is notified."""
    live.certified()
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    since = live.now
    live.tick(minutes=DAY)
    assert (live.outcome, live.status()) == ("failed", "running")
    assert {"connection_timeout", "dms_differs_from_probe"} <= live.causes
    assert live.asked(since) == []
    tests = live.cloud.calls.of("dms", operation="TestConnection", since=since)
    assert len(tests) == 3
