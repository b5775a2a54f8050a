"""Two things at once, drawn by a seed: a second fault, a late write, another run, a person.

``make test`` plays some dozens of cases, ``make chaos`` thousands. A case that breaks a promise
prints its name, with which ``python -m sandbox.chaos.pairs`` plays it again.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.chaos import STORIES
from sandbox.chaos.happening import What

ALL = os.environ.get("CERTIFIER_CHAOS") == "all"
MINUTES = 60 if ALL else 10
EACH, SHARES = 100, 3
"""How many cases of each story and kind ``make chaos`` plays in each of so many shares."""

FEW = {
    ("rotate", What.FAULTS): 6,
    ("rollback", What.FAULTS): 4,
    ("rotate", What.OVERLAP): 6,
    ("shared", What.RUNS): 4,
    ("rotate", What.PEOPLE): 6,
    ("password", What.PEOPLE): 4,
}
"""How many ``make test`` plays."""

CASES = (
    [
        pytest.param(story, what, EACH * share + 1, EACH, id=f"{story}-{what}-{share + 1}")
        for story in STORIES
        for what in What
        for share in range(SHARES)
    ]
    if ALL
    else [pytest.param(s, what, 1, count, id=f"{s}-{what}") for (s, what), count in FEW.items()]
)


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + 60)
@pytest.mark.parametrize(("story", "what", "first", "count"), CASES)
def test_two_things_at_once(story: str, what: What, first: int, count: int, tmp_path: Path) -> None:
    """Whatever is drawn, every promise is kept once the schedule alone has worked."""
    result = tmp_path / "pairs.json"
    command = [sys.executable, "-m", "sandbox.chaos.pairs", story, what]
    command += [str(first), str(count), f"--json={result}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=MINUTES * 60
    )
    assert done.returncode == 0, done.stderr
    row = json.loads(result.read_text())
    assert row["cases"] == count
    assert row["happened"] >= count // 2  # what is drawn does strike
    assert row["broken"] == []


NEVER_TAKES_OVER = """
from datetime import timedelta
from certifier.aws.store import claims
claims.TAKE_OVER = timedelta(days=365)
"""

TAKES_A_TASK_FOR_RUNNING = """
from certifier.steps import resume_tasks
resume_tasks._move_on = lambda *_, **__: None
"""

PLAYS = """
import sys
from sandbox.chaos.pairs import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("planted", "count", "broken"),
    [
        (NEVER_TAKES_OVER, 6, "orders has claim"),
        (TAKES_A_TASK_FOR_RUNNING, 2, "is stopped, and nobody knows"),
    ],
)
def test_a_broken_promise_is_reported_with_the_way_to_see_it_again(
    planted: str, count: int, broken: str
) -> None:
    """A Certifier with a planted fault fails, and the case can be played alone."""
    done = subprocess.run(
        [sys.executable, "-c", planted + PLAYS, "rotate", "faults", "1", str(count)],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 1, done.stderr
    assert broken in done.stderr
    assert re.search(r"python -m sandbox\.chaos\.pairs rotate faults \d --say", done.stderr)
