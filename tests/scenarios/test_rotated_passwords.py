"""A password is rotated: in the secret, on the endpoint, and for a pair of users."""

from collections.abc import Iterator

import pytest

from sandbox.dms import Switches
from sandbox.world import CREDENTIALS, ENDPOINT
from tests.scenarios.live import DAY, Live

OWN, FIRST, LATER = "orders_login", "the-first-password-of-1", "a-later-password-of-42"


@pytest.fixture
def own(live: Live) -> Iterator[Live]:
    """The source logs in as a user of its own, so that the task's other end is not concerned."""
    live.world.server.execute(f"CREATE ROLE {OWN} LOGIN PASSWORD '{FIRST}'")
    live.world.put_credentials(FIRST, username=OWN)
    yield live
    live.world.server.execute(f"DROP ROLE {OWN}")


def rotate(live: Live, *, alter: bool = True) -> None:
    """Single-user rotation: the old password dies at once."""
    if alter:
        live.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{LATER}'")
    live.world.put_credentials(LATER, username=OWN)
    live.cloud.emit_secret_label(CREDENTIALS)


def test_a_secret_is_rotated_and_the_endpoint_that_refers_to_it_is_only_tested(own: Live) -> None:
    """DMS reads the secret itself; a running task keeps its connections, and is not stopped."""
    own.certified(ssl_mode="verify-full")
    since = own.now
    rotate(own)
    assert (own.outcome, own.status()) == ("certified", "running")
    assert own.asked(since) == []


def test_a_secret_that_is_ahead_of_the_database_is_refused_by_the_probe(own: Live) -> None:
    """The database still has the old password; when it follows, the source is certified."""
    own.certified(ssl_mode="verify-full")
    rotate(own, alter=False)
    assert (own.outcome, own.status()) == ("refused", "running")
    assert "password_rejected" in own.causes
    own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{LATER}'")
    own.tick(minutes=DAY)
    assert own.outcome == "certified"


def test_a_password_on_the_endpoint_is_rotated_with_the_secret(own: Live) -> None:
    """Inline: rehearsed, paused, set, tested, resumed; the applied version is remembered."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full")
    before = own.world.state()["applied_version"]
    rotate(own)
    assert (own.outcome, own.status(), own.unfinished) == ("certified", "running", [])
    assert own.world.state()["applied_version"] != before
    since = own.now
    own.tick(minutes=DAY)
    assert own.outcome == "certified"
    assert own.asked(since) == []


@pytest.mark.shows("endpoint_holds_old_password")
def test_an_old_password_on_the_endpoint_of_a_running_task_is_an_error(own: Live) -> None:
    """The task runs on with its old connections, and could not start again: a person must know."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full", restart_tasks=False)
    rotate(own)
    assert (own.outcome, own.status()) == ("refused", "running")
    found = own.found("endpoint_holds_old_password")
    assert (found["severity"], "orders-to-warehouse" in found["seen"]) == ("error", True)
    assert any("endpoint_holds_old_password" in body for _, body in own.cloud.notices)


def test_an_alternating_user_is_switched_with_its_password(own: Live) -> None:
    """Both users work all the time, so a rollback to the old one works."""
    own.world.server.execute(f"CREATE ROLE {OWN}_clone LOGIN PASSWORD '{LATER}'")
    try:
        own.certified(credentials_mode="inline", ssl_mode="verify-full")
        own.world.put_credentials(LATER, username=f"{OWN}_clone")
        own.cloud.emit_secret_label(CREDENTIALS)
        assert (own.outcome, own.status()) == ("certified", "running")
        assert own.endpoint["Username"] == f"{OWN}_clone"
    finally:
        own.world.server.execute(f"DROP ROLE {OWN}_clone")


def test_an_alternating_user_that_dms_cannot_use_is_rolled_back(own: Live) -> None:
    """User and password go back together, read at the version that was set before."""
    own.world.server.execute(f"CREATE ROLE {OWN}_clone LOGIN PASSWORD '{LATER}'")
    try:
        own.certified(credentials_mode="inline", ssl_mode="verify-full")
        own.dms.fail_after_change(ENDPOINT)
        own.world.put_credentials(LATER, username=f"{OWN}_clone")
        own.cloud.emit_secret_label(CREDENTIALS)
        assert (own.outcome, own.status()) == ("rolled_back", "running")
        assert own.endpoint["Username"] == OWN
        own.dms.judge = lambda _: None
        own.client.test_connection(EndpointArn=own.arn, ReplicationInstanceArn=own.world.instance)
        own.dms.settle()
        own.cloud.clock.advance(60)
        statuses = {c["Status"] for c in own.dms.connections() if c["EndpointArn"] == own.arn}
        assert statuses == {"successful"}
    finally:
        own.world.server.execute(f"DROP ROLE {OWN}_clone")


@pytest.mark.shows("broken_before")
def test_an_old_password_that_is_dead_is_rolled_back_to_in_vain(own: Live) -> None:
    """Single-user rotation, and DMS cannot connect with the new settings either."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full")
    stuck: list[None] = []
    own.when("Configure endpoint", lambda: stuck.append(None))
    own.fails("timeout expired", lambda one: bool(stuck) and one["EndpointIdentifier"] == ENDPOINT)
    rotate(own)
    assert (own.outcome, own.status()) == ("failed", "stopped")
    assert {"broken_before", "task_not_restarted"} <= own.causes
    own.dms.judge = lambda _: None
    own.tick(8)  # the same change is not made again for an hour
    assert (own.outcome, own.status(), own.unfinished) == ("certified", "running", [])


@pytest.mark.parametrize("hidden", [True, False], ids=["hidden test", "no hidden test"])
@pytest.mark.parametrize("works", [True, False], ids=["works", "does not work any more"])
def test_a_new_password_is_proven_by_a_test_of_its_own(
    own: Live, hidden: bool, works: bool
) -> None:
    """Nothing else changes on the endpoint, so no earlier test, ours or DMS's own, tells of it."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full")
    own.dms.switches = Switches(hidden_test_after_modify=hidden)
    if not works:
        own.when(
            "Test connection",
            lambda: own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD 'set-once-more'"),
        )
    rotate(own)
    assert own.outcome == ("certified" if works else "failed")
    assert ("password_rejected" in own.causes) is not works
    assert own.status() == ("running" if works else "stopped")


def test_a_secret_that_changes_in_the_middle_of_a_run_is_pinned(own: Live) -> None:
    """The run sets the version that it has read, and not the one that is current by then."""
    own.certified(credentials_mode="inline", ssl_mode="verify-full", task=False)
    own.when(
        "Configure endpoint",
        lambda: own.world.put_credentials("never-set-anywhere", username=OWN),
    )
    rotate(own)
    assert own.outcome == "certified"
