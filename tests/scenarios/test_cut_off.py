"""Cut off anywhere: every fault at every call and every state of a run, then only the schedule.

``make test`` plays the rotation under a running task, and ends a case once its story is like the
undisturbed one again; ``make chaos`` plays every story, every case to its end, and outages too.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.chaos import STORIES

ALL = os.environ.get("CERTIFIER_CHAOS") == "all"
SHARES = 4 if ALL else 2
MINUTES = 60 if ALL else 15

CASES = [
    pytest.param(story, share, id=f"{story}-{share}")
    for story in (STORIES if ALL else ["rotate"])
    for share in range(1, SHARES + 1)
]


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + 60)
@pytest.mark.parametrize(("story", "share"), CASES)
def test_cut_off(
    story: str, share: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The end is that of the undisturbed story: endpoint, certificates, connections, tasks."""
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", "sandbox.chaos", story, "--jobs=1", f"--json={result}"]
    command += [f"--share={share}/{SHARES}", "--outages" if ALL else "--join"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=MINUTES * 60
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(result.read_text())
    record_property("cut_off", row)
    assert row["cases"] > 0
    assert row["failed"] == []


NEVER_TAKES_OVER = """
import sys
from datetime import timedelta
from certifier.aws.store import claims
from sandbox.chaos.__main__ import main
claims.TAKE_OVER = timedelta(days=365)
sys.exit(main(["create", "--only", "Rehearse#2 stop"]))
"""


def test_a_fault_that_is_not_survived_is_reported_with_the_way_to_see_it_again() -> None:
    """A Certifier that replaces no dead owner fails, and the case can be played alone."""
    done = subprocess.run(
        [sys.executable, "-c", NEVER_TAKES_OVER],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 1, done.stderr
    assert '"claim": true' in done.stderr
    assert "python -m sandbox.chaos create --only 'Rehearse#2 stop'" in done.stderr
