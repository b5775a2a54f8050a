"""The machine's expressions say the same in the sandbox as in the reference implementation.

AWS names the version of JSONata that Step Functions runs: 2.0.6 of the npm package. The sandbox
runs another implementation of it. Every expression that runs met is evaluated by both, over what
the runs met and over what they could have met.
"""

import copy
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from jsonata.utils import Utils

from sandbox.aws import jsonata
from sandbox.world import World
from tests.docs.markdown import ROOT

REFERENCE = "2.0.6"
SCRIPT = Path(__file__).with_name("jsonata.js")
LEAST = 60
"""Expressions that a life meets; the definition has few more."""
EDGES: tuple[Any, ...] = (
    None,
    "",
    [],
    {},
    0,
    False,
    [None],
    ["one"],
    {"done": False},
    'a "quoted" text, C:\\new\nline, {% $x %}, ünï',
    {"Error": "Busy", "Cause": '{"errorType": "Busy", "errorMessage": "\\"x\\""}'},
)
Met = dict[str, tuple[str, dict[str, Any]]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def met() -> Met:
    """Expressions and bindings in a life: certified, rotated, refused, rolled back, killed."""
    found: Met = {}
    plain = jsonata._EXPRESSIONS.evaluate

    def evaluate(text: str, bindings: Mapping[str, Any]) -> Any:
        _remember(found, text, _json(bindings))
        return plain(text, bindings)

    with World.start() as world, patch.object(jsonata._EXPRESSIONS, "evaluate", evaluate):
        world.onboard(restart_tasks=True)
        world.add_task()
        world.renew()
        assert world.outcome() == "certified"
        world.recertify("plan")
        world.onboard(name="invoices", endpoint="invoices-source", host="elsewhere.example.com")
        assert world.outcome("invoices") == "refused"
        world.issue()
        world.cloud.dms.fail_after_change("orders-source")
        world.announce()
        assert world.outcome() == "rolled_back"
        world.cloud.dms.judge = lambda _: None
        world.cloud.stop_child_at("Test connection")
        world.serve()
        world.recertify()
        world.cloud.tick()
    assert len({text for text, _ in found.values()}) >= LEAST
    return found


def _remember(found: Met, text: str, bindings: dict[str, Any]) -> None:
    found.setdefault(json.dumps([text, bindings], sort_keys=True), (text, bindings))


def _json(value: Any) -> Any:
    """The value as JSON has it; what the engine has for null is None."""
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value


def edges(met: Met) -> Met:
    """What each expression could have met: each variable, and each of its states, as an edge."""
    found: Met = {}
    once = dict(met.values())
    for text, bindings in once.items():
        for changed in _changed(bindings, text):
            _remember(found, text, changed)
    return found


def _changed(bindings: dict[str, Any], text: str) -> Iterator[dict[str, Any]]:
    named = [name for name in bindings if name != "states" and f"${name}" in text]
    for name in named:
        yield {key: value for key, value in bindings.items() if key != name}
        for edge in EDGES:
            yield {**bindings, name: edge}
    for part in ("input", "result", "errorOutput"):
        if f"$states.{part}" not in text:
            continue
        for edge in EDGES:
            changed = copy.deepcopy(bindings)
            changed["states"][part] = edge
            yield changed
        for key in dict(bindings["states"].get(part) or {}):
            for edge in EDGES:
                changed = copy.deepcopy(bindings)
                changed["states"][part][key] = edge
                yield changed


def ours(text: str, bindings: dict[str, Any]) -> dict[str, Any]:
    """What the sandbox says."""
    bound = {key: Utils.NULL_VALUE if v is None else v for key, v in bindings.items()}
    try:
        return {"value": jsonata._EXPRESSIONS.evaluate(text, bound)}
    except jsonata.JsonataError:
        return {}


def theirs(asked: Met) -> list[dict[str, Any]]:
    """What the reference implementation says."""
    done = subprocess.run(
        ["node", SCRIPT],
        cwd=ROOT,
        input=json.dumps(list(asked.values())),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["version"] == REFERENCE, "run `npm ci`: the lock names another version"
    return [{key: a[key] for key in a if key == "value"} for a in said["answers"]]


def differences(asked: Met) -> list[str]:
    """Where the two differ, in words."""
    return [
        f"{text} over {json.dumps(bindings)[:2000]}: {mine} here, {reference} there"
        for (text, bindings), reference in zip(asked.values(), theirs(asked), strict=True)
        if (mine := ours(text, bindings)) != reference
    ]


def test_both_say_the_same_over_what_the_runs_met(met: Met) -> None:
    """Every expression, over every binding of a whole life."""
    assert differences(met) == []


def test_both_say_the_same_over_the_edges(met: Met) -> None:
    """null, missing, empty, one-element lists, error texts with quotes, in every place."""
    asked = edges(met)
    assert len(asked) >= 5 * LEAST
    assert differences(asked) == []
