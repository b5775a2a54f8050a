"""Two executions of Onboard for one source, one endpoint, or one source in two versions.

The second one begins, and ends, while the first enters a state. ``make test`` plays some states,
``make chaos`` all.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.aws import Execution
from sandbox.aws.machine import Where
from sandbox.chaos.promises import Watch
from sandbox.world import ENDPOINT, NAME
from tests.scenarios.live import Live
from tests.scenarios.test_for_hours import ALL, left_to_the_schedule

CHILD = (
    "Claim source",
    "Read material",
    "Probe TLS",
    "Plan changes",
    "Import CA",
    "Rehearse",
    "Pause tasks",
    "Configure endpoint",
    "Configure endpoint: wait",
    "Test connection",
    "Resume tasks",
    "Read replication slots",
    "Import certificate",
    "Record certification",
)
PARENT = ("Register sources", "Run sources", "Select sources", "Certify sources", "Tidy", "Report")
OTHER = "twin"


def at_once(live: Live, state: str, act: Callable[[], object]) -> list[object]:
    """Do something once as an execution enters a state; return what came of it."""
    known = {*live.cloud.child_states(), *PARENT}
    assert state in known
    came: list[object] = []
    begun: list[None] = []

    def listener(where: Where) -> None:
        if where.state == state and not begun:
            begun.append(None)
            came.append(act())

    live.cloud.on_state(listener)
    return came


def specs(live: Live) -> dict[str, int]:
    found = {item["pk"]["S"]: item for item in live.cloud.items() if item["sk"]["S"] == "SPEC"}
    return {key.removeprefix("SPEC#"): int(item["version"]["N"]) for key, item in found.items()}


def settles(live: Live, watch: Watch) -> None:
    assert left_to_the_schedule(live, watch) == []
    live.tick(2)
    assert left_to_the_schedule(live, watch) == []
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.unfinished == []


SECOND: dict[str, dict[str, Any]] = {
    "the same": {},
    "another version": {"probe_plaintext": True, "replaces": None},
}


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize(
    "state",
    (*PARENT, *CHILD) if ALL else ("Certify sources", "Pause tasks", "Record certification"),
)
def test_a_source_is_onboarded_twice_at_once(live: Live, state: str, second: str) -> None:
    """Neither run meets what the other does half done; the spec that was registered last rules."""
    live.certified()
    watch = Watch(live.world, (NAME,), ("certified", "deferred"))
    came = at_once(live, state, lambda: live.change(**SECOND[second]))
    live.change()
    assert len(came) == 1
    settles(live, watch)
    stops = [one for one in watch.begun() if one.operation == "stop"]
    assert len(stops) == 1  # for one change
    edited = second != "the same"
    spec = json.loads(live.world.item(f"SPEC#{NAME}", "SPEC")["spec"])
    if state != "Register sources":  # then the first one registers last
        assert spec.get("probe_plaintext", False) is edited
        assert live.world.record()["version"] == specs(live)[NAME] == (3 if edited else 2)


def hears_of_it(live: Live, run: object, loser: str, winner: str) -> None:
    """The one that is too late is not registered, or its record says why it is refused."""
    if live.world.outcome(loser) is not None:
        assert live.world.outcome(loser) == "refused"
        assert "endpoint_taken" in live.world.causes(loser)
        return
    assert isinstance(run, Execution)
    assert run.error == "InvalidEvent"
    assert winner in (run.cause or "")


@pytest.mark.parametrize("named", ["identifier", "other case", "arn"])
@pytest.mark.parametrize(
    "state",
    (*PARENT, *CHILD)
    if ALL
    else ("Certify sources", "Configure endpoint: wait", "Test connection"),
)
def test_an_endpoint_is_onboarded_under_two_names_at_once(
    live: Live, state: str, named: str
) -> None:
    """While the first one makes it: one has the endpoint, and the other hears who."""
    found: list[str] = []

    def twin() -> Execution | None:
        endpoint = {"identifier": ENDPOINT, "other case": ENDPOINT.upper()}.get(named)
        endpoint = endpoint or (live.endpoint or {}).get("EndpointArn")
        if endpoint is None:
            return None  # it has no ARN yet
        found.append(endpoint)
        return live.world.onboard(name=OTHER, endpoint=endpoint, restart_tasks=True)

    came = at_once(live, state, twin)
    first = live.world.onboard(restart_tasks=True)
    assert len(came) == 1
    live.tick(3)
    outcomes = {NAME: live.world.outcome(), OTHER: live.world.outcome(OTHER)}
    if not found:
        assert outcomes == {NAME: "certified", OTHER: None}
        return
    loser = OTHER if outcomes[NAME] == "certified" else NAME
    (winner,) = {NAME, OTHER} - {loser}
    assert outcomes[winner] == "certified"
    if named == "arn":  # whoever makes it holds its ARN before anybody can name that
        assert (loser, outcomes[OTHER]) == (OTHER, None)
    hears_of_it(live, first if loser == NAME else came[0], loser, winner)
    assert len(live.dms.endpoints()) == 1
    owners = {item["source"]["S"] for item in live.cloud.items() if item["sk"]["S"] == "OWNER"}
    assert winner in owners
    since = live.now
    live.tick(minutes=24 * 60)
    live.tick()
    assert not {"ModifyEndpoint", "CreateEndpoint", "DeleteEndpoint"} & set(live.asked(since))
