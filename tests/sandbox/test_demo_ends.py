"""How the demo ends when somebody has seen enough."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.story_page import GLOSSARY
from tests.docs.markdown import ROOT

# ``python -m sandbox``, also where whoever runs the tests in the background has them ignore Ctrl-C.
DEMO = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("sandbox", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.real_clock("it starts PostgreSQL and the account in a process of their own")
def test_ctrl_c_ends_the_demo_without_a_traceback(tmp_path: Path) -> None:
    """One sentence, exit status 130, and no server is left; the glossary came first."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-c", DEMO, str(tmp_path / "demo")],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        begin = [process.stdout.readline() for _ in range(4)]
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert [line.strip() for line in begin[1:3]] == list(GLOSSARY)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert out.rstrip().endswith("ended; nothing is left behind")
