"""One run at a time over a source, and what a dead run has begun is finished."""

import json
from typing import Any

import pytest

from certifier.aws.store import Store
from sandbox.world import NAME, PAIR
from tests.scenarios.live import Live


def test_two_executions_over_one_source_never_interleave(live: Live) -> None:
    """The second one, in the middle of the first, writes nothing and ends as deferred."""
    live.certified()
    seen: list[Any] = []

    def second() -> None:
        before = live.now
        run = live.world.recertify()
        child = run.child(NAME)
        writes = [
            c
            for c in live.cloud.calls.of(writes=True, since=before)
            if c.execution == child.arn and c.service in ("dms", "acm")
        ]
        seen.append((run.status, child.outcome, writes))

    live.when("Pause tasks: wait", second)
    live.change()
    assert seen == [("FAILED", "deferred", [])]
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


def test_an_event_in_the_middle_of_a_run_is_not_lost(live: Live) -> None:
    """The secret changes while a run is under way: the next tick takes it up."""
    live.certified()

    def renewed() -> None:
        live.world.issue()
        live.world.put_pair()
        (run,) = live.cloud.emit_secret_label(PAIR)
        assert run.child(NAME).outcome == "deferred"

    live.when("Test connection", renewed)
    live.change()
    assert live.outcome == "certified"
    assert live.due_in() <= 0
    live.world.serve()
    live.tick()
    assert live.outcome == "certified"
    assert live.world.authority.certificate_pem.decode().strip() in live.world.trusted()
    assert live.status() == "running"


@pytest.mark.shows("interrupted_run_finished")
def test_what_a_dead_run_has_begun_is_finished_by_the_next(live: Live) -> None:
    """Proven as it is, without a look at any material, and due at once for a whole run."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.change()
    assert "undo" in live.unfinished
    child = live.cloud.tick().child(NAME)
    assert child.states[:3] == ["Claim source", "Claimed?", "Test connection"]
    assert "Read material" not in child.states
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])
    assert "interrupted_run_finished" in live.causes
    assert live.due_in() <= 0
    live.tick()
    assert live.outcome == "certified"
    assert "interrupted_run_finished" not in live.causes


def test_a_dead_owner_is_replaced_only_after_its_functions_must_have_ended(live: Live) -> None:
    """A Lambda of the dead run may still be at work for two minutes."""
    live.certified(task=False)
    live.cloud.stop_child_at("Probe TLS")
    live.change()
    live.cloud.clock.advance(30)
    early = live.world.recertify()
    assert early.child(NAME).outcome == "deferred"
    live.cloud.clock.advance(minutes=3)
    late = live.world.recertify()
    assert late.child(NAME).outcome == "certified"


@pytest.mark.parametrize(
    ("step", "extra"),
    [
        ("import_ca", {}),
        ("rehearse_changes", {"round": 0, "rounds": 10}),
        ("pause_tasks", {"round": 0, "rounds": 10, "action": "apply"}),
        ("configure_endpoint", {"round": 0, "rounds": 10, "action": "apply"}),
        ("configure_endpoint", {"round": 0, "rounds": 10, "action": "roll_back"}),
        ("test_connection", {"round": 0, "rounds": 10, "settings": "new"}),
        ("resume_tasks", {"round": 0, "rounds": 10}),
        ("import_certificate", {}),
        ("record_certification", {}),
    ],
)
def test_a_step_of_a_redriven_execution_does_nothing(
    live: Live, step: str, extra: dict[str, Any]
) -> None:
    """Its claim is gone: it raises ClaimLost, and writes to no service."""
    live.certified(task=False)
    run = live.change()
    child = run.child(NAME)
    live.world.recertify()
    event = {
        "run": child.arn,
        "parent": run.arn,
        "mode": "apply",
        "origin": "direct",
        "source": child.input["source"],
        **extra,
    }
    (function,) = (
        f["FunctionName"]
        for f in live.cloud.client("lambda").list_functions()["Functions"]
        if f["Handler"].split(".")[-2] == step
    )
    before, items = live.now, live.cloud.items()
    answer = live.cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    assert json.load(answer["Payload"])["errorType"] == "ClaimLost"
    assert live.cloud.items() == items
    assert live.cloud.calls.of("dms", "acm", writes=True, since=before) == []


def test_an_edit_in_the_middle_of_a_run_is_taken_up_by_the_next(live: Live) -> None:
    """The run goes on with the spec that it began with."""
    live.certified()
    live.when("Rehearse", lambda: live.change(ssl_mode="verify-full", probe_plaintext=True))
    live.change()
    assert live.outcome == "certified"
    assert live.world.record()["version"] == 2
    live.tick()
    assert live.world.record()["version"] == 3


def test_a_source_is_not_forgotten_in_the_middle_of_a_run(live: Live) -> None:
    """Its claim holds it; afterwards it can go, and the endpoint stays."""
    from certifier.aws.store import InUse

    live.certified(task=False)
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    answers: list[Any] = []
    live.when("Rehearse", lambda: answers.append(store.forget(NAME)))
    live.change()
    assert isinstance(answers[0], InUse)
    assert live.outcome == "certified"
    assert store.forget(NAME) is True
    assert live.mode == "verify-full"


def test_a_source_with_a_change_under_way_keeps_its_endpoint(live: Live) -> None:
    """An edit that names another endpoint is refused while an undo log is there."""
    live.certified()
    live.cloud.stop_child_at("Test connection")
    live.change()
    run = live.change(endpoint="another-source")
    assert run.status == "FAILED"
    assert "undo log" in str(run.cause)
