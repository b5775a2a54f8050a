"""What guarantees.md promises of a live endpoint and its tasks, each promise broken into once."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from sandbox.aws.machine import Where
from sandbox.world import NAME, World

_numbers = itertools.count(1)


class Live:
    """A certified source of its own, with a running task, in a world that others share."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.name = f"live-{next(_numbers)}"
        self.identifier = f"{self.name}-source"
        world.onboard(**self.spec("verify-ca"))
        assert world.outcome(self.name) == "certified"
        self.task = self.add_task("task")

    def spec(self, ssl_mode: str, **more: Any) -> dict[str, Any]:
        source = {"name": self.name, "endpoint": self.identifier, "ssl_mode": ssl_mode}
        return {"restart_tasks": True, **source, **more}

    def raise_mode(self, **more: Any) -> None:
        """A change that needs the task to stop: verify-ca becomes verify-full."""
        self.world.onboard(**self.spec("verify-full", **more))

    def add_task(self, what: str, **more: Any) -> str:
        target = self.world.endpoint("warehouse-target") or {}
        return self.world.cloud.dms.add_task(
            f"{self.name}-{what}",
            source=self.endpoint["EndpointArn"],
            target=target["EndpointArn"],
            instance=self.world.instance,
            **more,
        )

    @property
    def endpoint(self) -> Mapping[str, Any]:
        return self.world.endpoint(self.identifier) or {}

    @property
    def outcome(self) -> str | None:
        return self.world.outcome(self.name)

    @property
    def causes(self) -> set[str]:
        return set(self.world.causes(self.name))

    @property
    def unfinished(self) -> list[str]:
        return self.world.unfinished(self.name)

    def status(self, task: str | None = None) -> str:
        (found,) = (
            one["Status"]
            for one in self.world.cloud.dms.tasks()
            if one["ReplicationTaskArn"] == (task or self.task)
        )
        return str(found)

    def settings(self) -> Mapping[str, Any]:
        return {k: v for k, v in self.endpoint.items() if k != "Status"}

    def operations(self, since: int) -> list[str]:
        """What DMS was asked to write since then, in order."""
        return [c.operation for c in self.world.cloud.calls.of("dms", writes=True, since=since)]

    def when(self, state: str, act: Callable[[], object]) -> None:
        """Do something, once, as the only child of the next run enters a state."""
        done: list[object] = []

        def listener(where: Where) -> None:
            if where.state == state and where.child and not done:
                done.append(None)
                act()

        self.world.cloud.on_state(listener)


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with World.start() as world:
        world.onboard()
        world.add_task(target="warehouse-target")
        yield world


@pytest.fixture
def live(shared: World) -> Live:
    """A fresh source; what an earlier test did to the judge and the breaker is over."""
    shared.cloud.dms.judge = lambda _: None
    shared.cloud.client("dynamodb").delete_item(
        TableName=shared.cloud.table, Key={"pk": {"S": "BREAKER"}, "sk": {"S": "STATE"}}
    )
    return Live(shared)


def test_a_change_is_rehearsed_paused_made_tested_and_resumed(live: Live) -> None:
    """In this order, one stop, one modify, one start; the canary is gone."""
    since = len(live.world.cloud.calls)
    live.raise_mode()
    assert live.outcome == "certified"
    assert live.endpoint["SslMode"] == "verify-full"
    assert live.status() == "running"
    assert live.unfinished == []
    asked = [one for one in live.operations(since) if one != "TestConnection"]
    assert asked == [
        "CreateEndpoint",
        "DeleteEndpoint",
        "StopReplicationTask",
        "ModifyEndpoint",
        "StartReplicationTask",
    ]


def test_a_change_that_dms_cannot_connect_with_is_rolled_back(live: Live) -> None:
    """The rehearsal passed, the change did not: old settings, tested, and the task runs again."""
    before = live.settings()
    live.world.cloud.dms.fail_after_change(live.identifier)
    live.raise_mode()
    assert live.outcome == "rolled_back"
    assert live.settings() == before
    assert live.status() == "running"
    assert live.unfinished == []


def test_a_change_that_the_rehearsal_refuses_touches_nothing(live: Live) -> None:
    """No task is stopped and the endpoint is not modified."""
    live.world.cloud.dms.judge = lambda endpoint: (
        "timeout expired" if endpoint["EndpointIdentifier"].startswith("certifier-canary") else None
    )
    since, before = len(live.world.cloud.calls), live.settings()
    live.raise_mode()
    assert live.outcome == "refused"
    assert live.settings() == before
    assert not {"StopReplicationTask", "ModifyEndpoint"} & set(live.operations(since))
    assert live.unfinished == []


def test_without_permission_a_running_task_is_never_stopped(live: Live) -> None:
    """`restart_tasks` is false by default: refused, and the task is named."""
    since = len(live.world.cloud.calls)
    live.raise_mode(restart_tasks=False)
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "tasks_running" in live.causes
    assert not {"StopReplicationTask", "ModifyEndpoint"} & set(live.operations(since))


def test_a_task_that_does_not_run_is_never_touched(live: Live) -> None:
    """Stopped, failed and ready tasks stay what they are; only the running one is stopped."""
    others = {status: live.add_task(status, status=status) for status in ("stopped", "failed")}
    others["ready"] = live.add_task("ready", status="ready")
    since = len(live.world.cloud.calls)
    live.raise_mode()
    assert live.outcome == "certified"
    assert {status: live.status(task) for status, task in others.items()} == {
        status: status for status in others
    }
    assert live.operations(since).count("StopReplicationTask") == 1
    assert live.operations(since).count("StartReplicationTask") == 1


def test_a_task_that_could_not_start_again_is_not_stopped(live: Live) -> None:
    """The task's other endpoint does not connect: refused before the stop."""
    live.world.cloud.dms.judge = lambda endpoint: (
        "timeout expired" if endpoint["EndpointIdentifier"] == "warehouse-target" else None
    )
    since = len(live.world.cloud.calls)
    live.raise_mode()
    assert (live.outcome, live.status()) == ("refused", "running")
    assert "task_could_not_restart" in live.causes
    assert not {"StopReplicationTask", "ModifyEndpoint"} & set(live.operations(since))


def test_a_task_that_a_person_stopped_again_stays_stopped(live: Live) -> None:
    """The StopDate is no longer ours: it is left alone, and said."""

    def person() -> None:
        live.world.cloud.dms.set_task(live.task, status="running")
        live.world.cloud.clock.advance(60)
        live.world.cloud.dms.set_task(live.task, status="stopped")

    live.when("Test connection", person)
    since = len(live.world.cloud.calls)
    live.raise_mode()
    assert (live.outcome, live.status()) == ("certified", "stopped")
    assert "task_left_alone" in live.causes
    assert "StartReplicationTask" not in live.operations(since)
    assert live.unfinished == []


def test_what_somebody_else_changed_since_is_not_rolled_back(live: Live) -> None:
    """The endpoint is no longer as we left it: nobody's change is overwritten."""

    def somebody() -> None:
        live.world.cloud.client("dms").modify_endpoint(
            EndpointArn=live.endpoint["EndpointArn"], EngineName="postgres", SslMode="require"
        )

    live.world.cloud.dms.fail_after_change(live.identifier)
    live.when("Roll back endpoint", somebody)
    live.raise_mode()
    assert live.outcome == "failed"
    assert "changed_meanwhile" in live.causes
    assert live.endpoint["SslMode"] == "require"


@pytest.mark.parametrize("state", ["Pause tasks: wait", "Configure endpoint: wait", "Resume tasks"])
def test_a_run_that_is_killed_is_finished_by_the_schedule(live: Live, state: str) -> None:
    """Stopped in the middle of a change: ticks alone bring endpoint and task to a good end."""
    live.world.cloud.stop_child_at(state)
    live.raise_mode()
    assert live.unfinished != []
    for _ in range(4):
        live.world.cloud.tick()
    assert live.status() == "running"
    assert live.outcome == "certified"
    assert live.endpoint["SslMode"] == "verify-full"
    assert live.unfinished == []


def test_a_pending_restart_is_notified_and_retried_until_it_runs(live: Live) -> None:
    """A task that fails when it is started: a person is notified at once, and every tick tries."""
    live.when(
        "Resume tasks",
        lambda: live.world.cloud.dms.set_task(live.task, start_failure="the slot is in use"),
    )
    live.raise_mode()
    assert live.unfinished == [live.task]
    assert "task_not_restarted" in live.causes
    assert any(live.name in subject for subject, _ in live.world.cloud.notices)
    live.world.cloud.tick()
    assert live.unfinished == [live.task]
    live.world.cloud.dms.set_task(live.task, start_failure=None)
    live.world.cloud.tick()
    assert (live.status(), live.unfinished) == ("running", [])


def test_after_bad_ends_no_further_change_begins(live: Live) -> None:
    """Three changes end badly in a day: the next one is deferred, until a person says go on."""
    others = [live, Live(live.world), Live(live.world)]
    last = Live(live.world)
    for other in others:
        live.world.cloud.dms.fail_after_change(other.identifier)
        other.raise_mode()
        assert other.outcome == "rolled_back"
    live.world.cloud.dms.judge = lambda _: None
    since = len(live.world.cloud.calls)
    last.raise_mode()
    assert (last.outcome, last.status()) == ("deferred", "running")
    assert not {"StopReplicationTask", "ModifyEndpoint"} & set(last.operations(since))
    assert any("changes are stopped" in subject for subject, _ in live.world.cloud.notices)
    assert live.world.outcome(NAME) == "certified"
