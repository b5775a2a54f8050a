"""Replication slots around a pause: what a login sees, what notices say."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.aws.machine import Where
from sandbox.world import CREDENTIALS, NAME, World

SLOT = "orders_slot"
KILOBYTE = 1024


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A certified source with a running task, and a logical slot that nobody reads from."""
    with World.start() as made:
        made.server.restart(settings={"wal_level": "logical", "synchronous_commit": "on"})
        made.server.execute(f"SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")
        made.server.execute("CREATE TABLE orders_log (line text)")
        made.onboard(ssl_mode="verify-ca")
        assert made.outcome() == "certified"
        made.add_task()
        yield made


def write(world: World, kilobytes: int = 500) -> None:
    """Let applications write that much into the database, and so into its WAL."""
    world.server.execute(
        f"INSERT INTO orders_log SELECT repeat('x', 1000) FROM generate_series(1, {kilobytes})"
    )


def when(world: World, state: str, act: Callable[[], object]) -> None:
    """Do something, once, as a child enters a state."""
    done: list[None] = []

    def listener(where: Where) -> None:
        if where.state == state and where.child and not done:
            done.append(None)
            act()

    world.cloud.on_state(listener)


def change(world: World) -> None:
    """A change that needs the task to stop, whichever test came before on this worker."""
    now = (world.endpoint() or {}).get("SslMode")
    mode = "verify-ca" if now == "verify-full" else "verify-full"
    read = world.record()["version"]
    world.onboard(ssl_mode=mode, restart_tasks=True, allow_downgrade=True, replaces=read)


def seen(world: World, when: str) -> dict[str, Any]:
    """What the newest record says of the slot."""
    slots = {slot["name"]: slot for slot in world.record()["slots"][when] or ()}
    return dict(slots[SLOT])


def page(world: World) -> str:
    """The newest record as people read it."""
    pages = world.cloud.objects(f"records/{NAME}/")
    return pages[max(key for key in pages if key.endswith(".html"))].decode()


def test_what_is_retained_is_shown_before_and_after_a_pause(world: World) -> None:
    """The probe sees it before anything stops, the second look once the tasks were resumed."""
    when(world, "Configure endpoint", lambda: write(world))
    change(world)
    assert world.outcome() == "certified"
    before, after = seen(world, "before"), seen(world, "after")
    assert (before["active"], after["active"]) == (False, False)
    assert after["retained_bytes"] - before["retained_bytes"] > 500 * KILOBYTE
    assert f"{SLOT}<" in page(world)
    assert " kB</td>" in page(world)
    assert world.unfinished() == []


def test_without_a_pause_nobody_looks_twice(world: World) -> None:
    """An unchanged source costs one login; its record shows the slots of that."""
    (child,) = world.recertify().children
    assert "Read replication slots" not in child.states
    assert seen(world, "before")["retained_bytes"] > 0
    assert world.record()["slots"]["after"] is None


def test_the_notice_of_a_pending_restart_says_what_the_server_keeps(world: World) -> None:
    """How much WAL, and how much more than before the pause; ticks compare with the same look."""
    (task,) = (one["ReplicationTaskArn"] for one in world.cloud.dms.tasks())
    world.cloud.dms.set_task(task, start_failure="the slot is in use")
    when(world, "Pause tasks", lambda: write(world))
    change(world)
    assert world.unfinished() == [task]
    (text,) = (message for subject, message in world.cloud.notices if "IS STOPPED" in subject)
    (line,) = (line for line in text.splitlines() if SLOT in line)
    grown = seen(world, "after")["retained_bytes"] - seen(world, "before")["retained_bytes"]
    assert grown > 500 * KILOBYTE
    assert line.endswith(f", {grown / KILOBYTE:.1f} kB more than before the stop")

    at_pause = world.record()["slots"]["at_pause"]
    assert at_pause == {SLOT: seen(world, "before")["retained_bytes"]}
    write(world)
    world.cloud.tick()
    assert world.record()["slots"]["at_pause"] == at_pause
    assert seen(world, "before")["retained_bytes"] > at_pause[SLOT] + grown
    assert "WAL kept at the pause" in page(world)

    world.cloud.dms.set_task(task, start_failure=None)
    world.cloud.tick()
    assert world.unfinished() == []
    assert world.record()["slots"]["at_pause"] == {}


def test_a_run_that_finishes_another_tells_it_too(world: World) -> None:
    """It reads no material; the second look takes that of the run that was cut off."""
    (task,) = (one["ReplicationTaskArn"] for one in world.cloud.dms.tasks())
    world.cloud.dms.set_task(task, start_failure="the slot is in use")
    world.cloud.stop_child_at("Configure endpoint: wait")
    change(world)
    assert "undo" in world.unfinished()
    write(world)
    before = len(world.cloud.notices)
    for _ in range(4):
        if "undo" in world.unfinished():
            world.cloud.tick()
    assert "interrupted_run_finished" in world.causes()
    ((subject, text),) = world.cloud.notices[before:]
    assert "IS STOPPED" in subject
    assert " more than before the stop" in text
    world.cloud.dms.set_task(task, start_failure=None)
    world.cloud.tick()
    assert world.unfinished() == []


def test_a_second_look_that_cannot_log_in_does_no_harm(world: World) -> None:
    """It is advisory: the run ends as it would have, and the record says that it does not know."""
    when(world, "Read replication slots", world.server.stop)
    change(world)
    world.server.restart()
    secret = world.arn(CREDENTIALS)
    assert_not_known(world)

    def forget() -> None:
        world.cloud.client("secretsmanager").delete_secret(SecretId=secret)

    when(world, "Read replication slots", forget)
    change(world)
    world.cloud.client("secretsmanager").restore_secret(SecretId=secret)
    assert_not_known(world)


def assert_not_known(world: World) -> None:
    assert world.outcome() == "certified"
    assert set(world.causes()) <= {"mode_could_be_raised", "endpoint_weakened"}
    assert seen(world, "before")["retained_bytes"] > 0
    assert world.record()["slots"]["after"] is None
    assert world.unfinished() == []
