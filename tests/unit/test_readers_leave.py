"""A command whose output or error meets a closed pipe ends with the status that it would have had.

They run in a process of their own, since it is about the streams of a process. AWS is a port where
nobody answers.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from certifier.aws.states import ExecutionState
from certifier.cli import EXAMPLES
from certifier.cli.following import RUNNING, follow
from certifier.cli.streams import readers_may_leave
from tests.days import ANOTHER_PROCESS

NOBODY = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
}
FAILS: Sequence[tuple[int, tuple[str, ...]]] = (
    (1, ("probe", "127.0.0.1:9")),
    (1, ("explain", "no such text")),
    (1, ("inspect", "--certificate", __file__)),
    (2, ("inspect", "--certificate", "/nowhere")),
    (2, ("make-certificates", "/proc/nowhere", "--host", "a.example.com")),
    (2, ("schema", "nothing")),
    (2, ("completion", "nothing")),
    (2, ("discover",)),
    (2, ("certify", "/nowhere.json")),
    (2, ("certify", "orders")),
    (2, ("watch",)),
    (2, ("status",)),
    (2, ("status", "--check")),
    (2, ("report", "--output", "/dev/null")),
    (2, ("show", "orders")),
    (2, ("history", "orders")),
    (2, ("open", "orders")),
    (2, ("approve", "orders")),
    (2, ("pause", "orders", "--why", "moving")),
    (2, ("unpause", "orders")),
    (2, ("release", "orders", "a-task")),
    (2, ("forget", "orders")),
    (2, ("reset-breaker",)),
    (2, ("doctor",)),
    (2, ("notify-test",)),
)


EACH = """
import json, os, sys
from certifier.cli import main
statuses = []
for words in json.loads(sys.argv[1]):
    reads, writes = os.pipe()
    os.close(reads)
    for number in json.loads(sys.argv[2]):
        os.dup2(writes, number)
    os.close(writes)
    statuses.append(main(words))
with open(sys.argv[3], "w") as file:
    json.dump(statuses, file)
"""


def ends(
    file: Path, commands: Sequence[Sequence[str]], closed: Sequence[int], *python: str
) -> list[int]:
    """Return the exit status of each command, one after the other in a process of their own.

    Args:
        file: for the answer.
        closed: the numbers of the streams that nobody reads.
        python: options of Python.
    """
    arguments = (json.dumps(commands), json.dumps(closed), str(file))
    subprocess.run(
        [sys.executable, *python, "-c", EACH, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **NOBODY},
        check=True,
        timeout=120,
    )
    statuses: list[int] = json.loads(file.read_text())
    return statuses


def test_every_command_is_here() -> None:
    """One that is new gets its row."""
    assert {words[0] for _, words in FAILS} == set(EXAMPLES)


@ANOTHER_PROCESS
@pytest.mark.parametrize(
    ("closed", "python"), [((1,), ()), ((2,), ()), ((1, 2), ()), ((1, 2), ("-u",))]
)
def test_a_failure_that_nobody_reads_is_one(
    tmp_path: Path, closed: Sequence[int], python: Sequence[str]
) -> None:
    """``certifier ... | head -0`` and ``2>&1 | true`` under ``pipefail``, buffered or not."""
    got = ends(tmp_path / "statuses", [words for _, words in FAILS], closed, *python)
    assert dict(zip(FAILS, got, strict=True)) == {each: each[0] for each in FAILS}


@ANOTHER_PROCESS
def test_a_success_stays_one(tmp_path: Path) -> None:
    """``certifier schema | head -1`` is nobody's failure."""
    commands = (("--help",), ("schema",), ("completion", "bash"), ("explain", "ssl_off"))
    assert ends(tmp_path / "statuses", commands, (1,)) == [0] * len(commands)


class Running:
    """An execution that does not end; ``asked``: how often somebody has looked."""

    def __init__(self) -> None:
        self.asked = 0

    def describe(self, execution: str) -> ExecutionState:
        self.asked += 1
        return ExecutionState(arn=execution, status=RUNNING)


def test_nobody_follows_a_run_for_a_reader_that_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """``certifier certify --all | head -1`` does not wait for two hours."""
    reads, writes = os.pipe()
    os.close(reads)
    monkeypatch.setattr(sys, "stdout", os.fdopen(writes, "w"))
    states = Running()
    documents = SimpleNamespace(read_manifest=lambda _: [], outcomes=lambda _: {})
    place: Any = SimpleNamespace(states=states, documents=documents)

    def view(_: object) -> None:
        print("orders: Probe TLS", flush=True)

    with readers_may_leave(), pytest.raises(BrokenPipeError):
        follow(place, "arn:run", view, timedelta(minutes=2), lambda _: None)
    assert states.asked == 1
