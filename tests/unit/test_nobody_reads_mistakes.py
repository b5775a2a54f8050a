"""A command whose mistakes nobody reads still ends as one that was mistaken."""

import os
import subprocess
import sys

from tests.days import ANOTHER_PROCESS


def _unread(*words: str) -> int:
    reads, writes = os.pipe()
    os.close(reads)
    try:
        return subprocess.run(
            [sys.executable, "-m", "certifier", *words],
            stdout=subprocess.DEVNULL,
            stderr=writes,
            check=False,
            timeout=60,
        ).returncode
    finally:
        os.close(writes)


@ANOTHER_PROCESS
def test_wrong_usage_fails_also_when_nobody_reads_why() -> None:
    """A pipeline that has closed standard error does not take a mistyped command for a success."""
    assert _unread("certfy", "orders") == 2
    assert _unread("certify", "") == 2
    assert _unread("certify", "orders", "--unknown") == 2
