"""From a fresh clone to the first ``certified``, as ``python -m bench.first_use`` measures it."""

import re
import subprocess
import sys

import pytest

from tests.docs.markdown import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_the_first_certification_takes_less_than_two_minutes() -> None:
    """Clone, account and certification, by the README's commands; set-up is not measured here."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.first_use"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    stages = re.findall(r"^ *([\d.]+) s  (.+)$", done.stdout, re.MULTILINE)
    assert [words for _, words in stages[:3]] == [
        "git clone",
        "make sandbox, until it says what to type",
        "the first certification",
    ]
    assert float(stages[3][0]) < 120
    assert "at most 120 s is kept" in stages[3][1]
