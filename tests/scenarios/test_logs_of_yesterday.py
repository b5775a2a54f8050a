"""What an undo log would give back is gone meanwhile: the source still finds its way."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.world import CREDENTIALS, ENDPOINT, NAME
from tests.scenarios.live import Live

OWN, FIRST, LATER = "orders_login", "the-first-password-of-1", "a-later-password-of-42"
OTHER_SECRET = "dms/orders-2"


@pytest.fixture
def own(live: Live) -> Iterator[Live]:
    """The source logs in as a user of its own, with a password that is set on the endpoint."""
    live.world.server.execute(f"CREATE ROLE {OWN} LOGIN PASSWORD '{FIRST}'")
    live.world.put_credentials(FIRST, username=OWN)
    live.certified(credentials_mode="inline", ssl_mode="verify-full")
    yield live
    live.world.server.execute(f"DROP ROLE {OWN}")


def well(live: Live) -> tuple[Any, ...]:
    return (live.outcome, live.mode, live.status(), live.unfinished)


WELL: tuple[Any, ...] = ("certified", "verify-full", "running", [])


def cut_off(own: Live) -> None:
    """A rotation is cut off after its write, before its proof."""
    own.cloud.stop_child_at("Test connection")
    own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{LATER}'")
    own.world.put_credentials(LATER, username=OWN)
    own.cloud.emit_secret_label(CREDENTIALS)
    assert own.unfinished == ["claim", "undo", own.task]


def third(own: Live) -> dict[str, Any]:
    """The password is changed once more, and lies in another secret; the first one is deleted.

    Returns the source as it names that one.
    """
    own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD 'the-third-password-of-7'")
    value = {
        "username": OWN,
        "password": "the-third-password-of-7",
        "host": own.world.host,
        "port": own.world.server.port,
    }
    arn = own.world._marked(own.cloud.put_secret(OTHER_SECRET, value), "credentials")
    source = own.world.source(credentials=arn, credentials_mode="inline", restart_tasks=True)
    own.cloud.client("secretsmanager").delete_secret(
        SecretId=CREDENTIALS, ForceDeleteWithoutRecovery=True
    )
    return source


def test_the_whole_secret_is_gone_and_the_source_names_another(own: Live) -> None:
    """Neither old nor new connects, and neither password can be read any more."""
    cut_off(own)
    own.cloud.run({"sources": [third(own)]})
    own.tick(12)
    assert well(own) == WELL


def test_the_old_version_of_a_password_is_gone(own: Live) -> None:
    """Two more versions push it out of the secret; what connects is in it."""
    cut_off(own)
    for password in ("another-password-of-9", "the-last-password-of-10"):
        own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{password}'")
        own.world.put_credentials(password, username=OWN)
    own.tick(12)
    assert well(own) == WELL


@pytest.mark.parametrize("started", [True, False], ids=["tasks run again", "tasks are stopped"])
def test_an_instance_that_is_gone_keeps_no_change_open(live: Live, started: bool) -> None:
    """DMS cannot test from it any more: rolled back, until the source does not name it."""
    second = live.dms.add_instance("replication-2")
    both = [live.world.instance, second]
    live.certified(replication_instances=both)
    live.cloud.stop_child_at("Test connection")
    live.change(replication_instances=both)
    assert live.unfinished == ["claim", "undo", live.task]
    if started:
        live.dms.set_task(live.task, status="running")
    live.dms.state.instances.pop(second)
    for pair in [pair for pair in live.dms.state.connections if second in pair]:
        live.dms.state.connections.pop(pair)
    live.tick()
    assert well(live) == ("failed", "verify-ca", "running", [])
    assert "instance_unavailable" in live.causes
    assert any(NAME in subject for subject, _ in live.cloud.notices)
    live.change(replication_instances=[live.world.instance])
    assert well(live) == WELL


@pytest.mark.parametrize("started", [True, False], ids=["tasks run again", "tasks are stopped"])
def test_what_connects_neither_way_for_an_hour_is_finished_after_it(
    live: Live, started: bool
) -> None:
    """Whether or not a person has started the task meanwhile."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.change()
    if started:
        live.dms.set_task(live.task, status="running")
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    live.tick(6)
    live.dms.judge = lambda _: None
    live.tick(12)
    assert well(live) == WELL
