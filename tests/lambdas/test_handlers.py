"""Every handler has the one shape, imports quickly, and says at once what its environment lacks."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.cold_start import SOURCE_RATIO, load
from certifier.errors import InvalidSettings, Unexpected
from lambdas._step import Step
from stacks.functions import STEPS
from tests.days import ANOTHER_PROCESS

LAMBDAS = Path(__file__).resolve().parents[2] / "lambdas"
NAMES = sorted(path.stem for path in LAMBDAS.glob("[a-z]*.py"))
BYTE_CODE_RATIO = 2.2
"""How long a handler may take where byte code is kept: pydantic alone is 0.46 there."""
ROUNDS, MOST_ROUNDS = 3, 12
LATER = frozenset({"cryptography", "pg8000", "scramp", "jinja2", "difflib"})
"""What is loaded when a step first needs it, and not with the handler."""


def ratio(module: str, byte_code: Path | None, bound: float) -> float:
    """Return the best time of a few, in the best of boto3 alone, side by side.

    While that is above the bound, a few more: other work on the machine takes its caches away.
    """
    ours, boto3 = [], []
    for number in range(1, MOST_ROUNDS + 1):
        ours.append(load(module, byte_code=byte_code).seconds)
        boto3.append(load("boto3", byte_code=byte_code).seconds)
        if number >= ROUNDS and min(ours) / min(boto3) <= bound:
            break
    return min(ours) / min(boto3)


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
    everywhere = {"TABLE", "BUCKET", "INSTALLATION"}
    assert everywhere | {*step.environment} >= missing >= everywhere


def test_a_wrong_variable_is_named_and_its_sentence_reads_as_it_was_written() -> None:
    """Only the name is in capitals: that is how the environment has it."""
    environ = {
        "TABLE": "t",
        "BUCKET": "b",
        "INSTALLATION": "i",
        "POLICY": '{"raise_to_error": ["hostname_mismatch"], "bits": 1}',
        "ALLOWED_BUNDLE_BUCKETS": "7",
    }
    with pytest.raises(InvalidSettings) as caught:
        handler("read_material").bind(environ)
    policy, *_ = sorted(p for p in caught.value.problems if "raise_to_error" in p)
    assert policy.startswith("POLICY.raise_to_error.0: hostname_mismatch is not a policy cause")
    assert "POLICY.bits: is not a known field" in caught.value.problems
    assert "ALLOWED_BUNDLE_BUCKETS: must be a list" in caught.value.problems


def test_an_event_of_another_shape_is_one_clear_error() -> None:
    """It names the fields, and touches nothing. The machine wrote it, so it is not called the
    caller's mistake, of which no alarm rings: what a caller wrote is read by the step itself.
    """
    bound = handler("claim_source").bind({"TABLE": "t", "BUCKET": "b", "INSTALLATION": "i"})
    with pytest.raises(Unexpected, match="run: is required"):
        bound({"nonsense": 1}, None)


@ANOTHER_PROCESS
def test_the_garbage_collector_waits_for_the_imports_alone() -> None:
    """After them it is on, whichever function was loaded."""
    code = "import gc, sys, importlib; importlib.import_module(sys.argv[1]); print(gc.isenabled())"
    for name in NAMES:
        command = [sys.executable, "-c", code, f"lambdas.{name}"]
        done = subprocess.run(
            command, cwd=LAMBDAS.parent, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == "True\n", name


@pytest.mark.slow
@pytest.mark.real_clock("it times other processes, which have the machine's clock")
def test_no_handler_takes_long_to_import(tmp_path: Path) -> None:
    """Cold starts: what only some runs need is loaded later, and the rest does not burden boto3.

    The slowest of all is timed from byte code and from source text.
    """
    load(*(f"lambdas.{name}" for name in NAMES), byte_code=tmp_path)  # which it writes
    loaded = {name: load(f"lambdas.{name}", byte_code=tmp_path) for name in NAMES}
    assert {
        name: one.packages & LATER for name, one in loaded.items() if one.packages & LATER
    } == {}
    slowest = max(loaded, key=lambda name: loaded[name].seconds)
    assert ratio(f"lambdas.{slowest}", tmp_path, BYTE_CODE_RATIO) <= BYTE_CODE_RATIO, slowest
    assert ratio(f"lambdas.{slowest}", None, SOURCE_RATIO) <= SOURCE_RATIO, slowest
