"""What goes on for hours while a change is under way: a service that is away, a function that dies.

The schedule goes on all the while. Afterwards it alone has to keep every promise of
docs/operate/guarantees.md, which are looked at as in the cases that are drawn by machine. ``make
test`` plays some, ``make chaos`` all.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from sandbox.aws import Call, Kind, deploy
from sandbox.aws.calls import NOT_STEPS
from sandbox.chaos.promises import Watch
from sandbox.world import NAME
from tests.scenarios.live import DAY, Live

STATES = (
    "Claim source",
    "Read material",
    "Import CA",
    "Rehearse",
    "Pause tasks",
    "Configure endpoint",
    "Test connection",
    "Resume tasks",
    "Record certification",
)
HOURS = 3
ALL = os.environ.get("CERTIFIER_CHAOS") == "all"
SOME = STATES if ALL else ("Read material", "Configure endpoint", "Resume tasks")
"""At which states ``make test`` takes something away; ``make chaos`` does at all of them."""
SERVICES = ("sns", "events", "s3", "dynamodb", "secretsmanager", "dms")
OUTAGES = [
    (service, state)
    for nth, service in enumerate(SERVICES)
    for at, state in enumerate(STATES)
    if ALL or at == len(STATES) - 1 - nth
]


def left_to_the_schedule(live: Live, watch: Watch) -> list[str]:
    """Let the schedule work until no promise is broken, for some days at most; return those."""
    for minutes in (*[10] * 12, *[60] * 12, *[DAY] * 3):
        if not watch.broken() and live.unfinished == []:
            break
        live.tick(minutes=minutes)
    return watch.broken()


@contextmanager
def away(live: Live, service: str) -> Iterator[Callable[[], None]]:
    """Give what takes a service away from every step, until the context ends."""
    is_away: list[None] = []

    def at_call(call: Call) -> None:
        if is_away and call.service == service and call.caller not in NOT_STEPS:
            live.cloud.faults.inject(service, call.operation, Kind.BEFORE, caller=call.caller)

    live.cloud.calls.on_call.append(at_call)
    try:
        yield lambda: is_away.append(None)
    finally:
        live.cloud.calls.on_call.remove(at_call)
        live.cloud.faults.clear()


@pytest.mark.parametrize(("service", "state"), OUTAGES)
def test_a_service_is_away_for_hours(live: Live, service: str, state: str) -> None:
    """From whichever state on: nothing is broken, lost, or stopped without a word."""
    live.certified()
    watch = Watch(live.world, (NAME,), ("certified", "rolled_back"))
    with away(live, service) as goes:
        live.when(state, goes)
        live.change()
        live.tick(HOURS * 6)
    assert left_to_the_schedule(live, watch) == []
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")


@contextmanager
def dying(step: str, error: str) -> Iterator[None]:
    """Have the function of a step end before it answers, however often it is called."""
    invoke = deploy.Functions.invoke

    def dies(functions: deploy.Functions, function: object, event: object) -> tuple[str, bool, str]:
        if f".{step}." in str(getattr(function, "handler", "")):
            return deploy._error(error, "no answer"), True, ""
        return invoke(functions, function, event)  # type: ignore[arg-type]

    with patch.object(deploy.Functions, "invoke", dies):
        yield


FUNCTIONS = (
    "read_material",
    "probe_tls",
    "plan_changes",
    "import_ca",
    "rehearse_changes",
    "pause_tasks",
    "configure_endpoint",
    "test_connection",
    "resume_tasks",
    "record_certification",
)


@pytest.mark.shows("function_cut_off")
@pytest.mark.parametrize("step", FUNCTIONS if ALL else FUNCTIONS[::3])
def test_a_function_has_no_memory_for_hours(live: Live, step: str) -> None:
    """It dies each time; who reads of it knows where to look, and the schedule finishes."""
    live.certified()
    watch = Watch(live.world, (NAME,), ("certified", "rolled_back"))
    with dying(step, "Runtime.ExitError"):
        live.change()
        live.tick(HOURS * 6)
        if step != "record_certification":
            found = live.found("function_cut_off")
            assert "REPORT" in found["remedy"]
            assert "unexpected" not in live.causes
    assert left_to_the_schedule(live, watch) == []
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
