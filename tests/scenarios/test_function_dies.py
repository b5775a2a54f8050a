"""A function ends before it has answered, after it has done its work or before, however often it is
called: no memory, no time, or what Lambda does not say.

Nothing but the answer is lost then. ``make test`` plays some steps, ``make chaos`` all.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from certifier.errors import LAMBDA_CUT_OFF
from sandbox.aws import deploy
from sandbox.chaos.promises import Watch
from sandbox.world import NAME
from tests.scenarios.live import Live
from tests.scenarios.test_for_hours import ALL, left_to_the_schedule

# What Step Functions itself says of its own time limit, no function can say.
ERRORS = tuple(error for error in LAMBDA_CUT_OFF if not error.startswith("States."))
OF_A_SOURCE = (
    "claim_source",
    "read_material",
    "probe_tls",
    "plan_changes",
    "import_ca",
    "rehearse_changes",
    "pause_tasks",
    "configure_endpoint",
    "test_connection",
    "resume_tasks",
    "import_certificate",
    "record_certification",
)
OF_ALL = ("register_sources", "select_sources", "tidy", "report")
SOME = ("claim_source", "pause_tasks", "configure_endpoint", "resume_tasks", "record_certification")
CASES = [
    pytest.param(step, after, id=f"{step}-{'after' if after else 'before'}")
    for step in (*OF_ALL, *OF_A_SOURCE)
    for after in (False, True)
    if ALL or (after and step in SOME)
]


@contextmanager
def dying(step: str, error: str, *, after: bool) -> Iterator[list[None]]:
    """Have the function of a step die each time; yield how often it did."""
    invoke = deploy.Functions.invoke
    died: list[None] = []

    def dies(functions: deploy.Functions, function: object, event: object) -> tuple[str, bool, str]:
        if f".{step}." not in str(getattr(function, "handler", "")):
            return invoke(functions, function, event)  # type: ignore[arg-type]
        died.append(None)
        if after:
            invoke(functions, function, event)  # type: ignore[arg-type]
        return deploy._error(error, "no answer"), True, ""

    with patch.object(deploy.Functions, "invoke", dies):
        yield died


def nothing_unproven(live: Live) -> list[str]:
    """Return what no run may leave: a change that was neither tested nor can be rolled back."""
    if live.mode == "verify-ca" or "undo" in live.unfinished:
        return []
    if live.world.record()["verified"]["dms_test"]["connected"]:
        return []
    return [f"{live.mode}, {live.outcome}, {live.unfinished}"]


@pytest.mark.parametrize("hours", [0, 3] if ALL else [0])
@pytest.mark.parametrize(("step", "after"), CASES)
def test_a_function_that_dies_each_time_leaves_nothing_unproven(
    live: Live, step: str, after: bool, hours: int
) -> None:
    """For one execution, or for hours: a change without proof has its undo log, the report has
    every source, and once the function lives again the schedule finishes alone."""
    live.certified()
    watch = Watch(live.world, (NAME,), ("certified", "rolled_back"))
    error = ERRORS[len(step) % len(ERRORS)]
    with dying(step, error, after=after) as died:
        run = live.change()
        assert nothing_unproven(live) == []
        for _ in range(hours * 6):
            live.tick()
            assert nothing_unproven(live) == []
    assert len(died) > 1
    if step not in ("import_certificate", "record_certification"):
        assert run.status == "FAILED"
        assert error in (run.error or "") or NAME in (run.cause or "")
    if step in OF_ALL:
        live.change()
    assert left_to_the_schedule(live, watch) == []
    live.tick(2, minutes=60)
    assert left_to_the_schedule(live, watch) == []
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
