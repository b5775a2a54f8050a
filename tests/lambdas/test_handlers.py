"""Every handler has the one shape, imports quickly, and says at once what its environment lacks."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from certifier.errors import InvalidEvent, InvalidSettings
from lambdas._step import Step
from stacks.functions import STEPS

LAMBDAS = Path(__file__).resolve().parents[2] / "lambdas"
NAMES = sorted(path.stem for path in LAMBDAS.glob("[a-z]*.py"))
IMPORT_RATIO = 1.6
"""How long a handler may take to import, measured in imports of boto3 alone."""
ROUNDS = 5

TIMER = """
import importlib, sys, time
start = time.process_time()
importlib.import_module(sys.argv[1])
print(time.process_time() - start)
"""


def seconds(module: str) -> float:
    """Return the processor time of one import in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", TIMER, module],
        cwd=LAMBDAS.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return float(done.stdout)


def handler(name: str) -> Step[Any, Any]:
    found: Step[Any, Any] = importlib.import_module(f"lambdas.{name}").handler
    return found


def test_every_function_of_the_stack_has_a_file_and_no_file_is_left_over() -> None:
    """One file in lambdas/, one row in stacks/functions.py."""
    assert sorted(step.name for step in STEPS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_handler_is_thin(name: str) -> None:
    """A file defines no logic: at most one function, and it only binds collaborators."""
    tree = ast.parse((LAMBDAS / f"{name}.py").read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    branches = [node for node in ast.walk(tree) if isinstance(node, ast.Try | ast.While)]
    assert len(functions) <= 2
    assert branches == []


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_environment_names_every_missing_variable(name: str) -> None:
    """All of them in one error, no value echoed."""
    step = next(step for step in STEPS if step.name == name)
    with pytest.raises(InvalidSettings) as caught:
        handler(name).bind({})
    missing = {problem.split(":")[0] for problem in caught.value.problems}
    assert {"TABLE", "BUCKET", *step.environment} >= missing >= {"TABLE", "BUCKET"}


def test_an_event_of_another_shape_is_one_clear_error() -> None:
    """It names the fields, and touches nothing."""
    bound = handler("claim_source").bind({"TABLE": "t", "BUCKET": "b"})
    with pytest.raises(InvalidEvent, match="run: is required"):
        bound({"nonsense": 1}, None)


def test_no_handler_takes_long_to_import() -> None:
    """Cold starts: at most 1.6 times boto3 alone; the best of a few rounds, side by side."""
    best = {name: seconds(f"lambdas.{name}") for name in NAMES}
    base = seconds("boto3")
    for _ in range(ROUNDS - 1):
        base = min(base, seconds("boto3"))
        worst = max(best, key=lambda name: best[name])
        best[worst] = min(best[worst], seconds(f"lambdas.{worst}"))
    slow = {
        name: round(took / base, 2) for name, took in best.items() if took > IMPORT_RATIO * base
    }
    assert slow == {}
