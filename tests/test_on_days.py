"""The tests on several days, from their start to the last line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import on_days

WORDS = (
    "import sys; from tests import on_days; on_days.FORKS = {}; "
    "sys.exit(on_days.main(sys.argv[1:]))"
)


def run(*arguments: str, forks: bool, days: str = "+40,29-feb") -> tuple[int, list[str]]:
    """Return the status, and what was printed."""
    done = subprocess.run(
        [sys.executable, "-c", WORDS.format(forks), *arguments],
        cwd=on_days.ROOT,
        check=False,
        env=os.environ | {"CERTIFIER_DAYS": days, "CERTIFIER_TURNS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=110,
    )
    return done.returncode, done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("forks", [False, *([True] if on_days.FORKS else [])])
def test_each_day_is_a_process_with_its_clock(forks: bool) -> None:
    """Forked from one that has imported all, or started anew."""
    name = "tests/test_days.py::test_the_process_believes_its_day"
    status, printed = run(name, forks=forks)
    *each, last = printed
    assert (status, last.partition(";")[0]) == (0, "2 runs on 2 days")
    days = sorted(line.partition(" in ")[0] for line in each)
    assert days == ["+40: 1 passed", "29-feb: 1 passed"]


@pytest.mark.slow
def test_a_day_on_which_a_test_fails_is_shown_in_full(tmp_path: Path) -> None:
    """Its status is the one of all."""
    test = tmp_path / "test_leap.py"
    test.write_text(
        "from datetime import UTC, datetime\n"
        "def test_leap() -> None:\n"
        "    assert (datetime.now(UTC).month, datetime.now(UTC).day) != (2, 29)\n"
    )
    status, printed = run(
        str(test), "--rootdir", str(tmp_path), "-p", "tests.conftest", forks=False
    )
    assert status == 1
    assert any("assert (2, 29) != (2, 29)" in line for line in printed), printed
