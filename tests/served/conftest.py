"""A served account of a process of its own, and a shell that reaches it, as a newcomer has both."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from sandbox.preloaded import preloaded
from tests.docs.markdown import ROOT

AWS = ROOT / ".venv-awscli" / "bin" / "aws"
SPEED = 120
OPENS_WITHIN = 240
COMMAND_SECONDS = 180
_KEPT = ("HOME", "LANG", "LC_ALL", "TMPDIR")


class Served:
    """One account, by its process, its folder, and what bash says in it.

    Attributes:
        variables: names that a document's commands use, as a reader would have set them.
        prefix: what every command is started by, such as one that makes it another user's.
    """

    def __init__(
        self, process: subprocess.Popen[str], folder: Path, prefix: Sequence[str] = ()
    ) -> None:
        self.process = process
        self.folder = folder
        self.prefix = tuple(prefix)
        self.banner = ""
        self.variables: dict[str, str] = {}

    @property
    def account(self) -> Any:
        """What the account's file says."""
        return json.loads((self.folder / "account.json").read_text())

    def sandbox(self, *arguments: str) -> str:
        """Run ``python -m sandbox`` in another terminal and return what it prints."""
        done = subprocess.run(
            [
                *self.prefix,
                sys.executable,
                "-m",
                "sandbox",
                arguments[0],
                "--folder",
                self.folder,
                *arguments[1:],
            ],
            cwd=ROOT,
            env=_plain(),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line in bash, where the account's environment was evaluated before."""
        return subprocess.run(
            [*self.prefix, "bash", "-c", line],
            cwd=ROOT,
            env={**self._environment, **self.variables},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    @cached_property
    def _environment(self) -> dict[str, str]:
        """What a shell's environment is after ``eval "$(python -m sandbox env)"``."""
        evaluated = f'eval "$({sys.executable} -m sandbox env --folder {self.folder})"; env -0'
        done = subprocess.run(
            ["bash", "-c", evaluated],
            cwd=ROOT,
            env=_plain(),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=True,
        )
        return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)

    def shell(self, line: str) -> str:
        """Run a line that must succeed and return what it prints."""
        done = self.run(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def json(self, line: str) -> Any:
        """Run a line that must succeed and return the JSON that it prints."""
        return json.loads(self.shell(line))

    def status(self, name: str = "orders") -> Mapping[str, Any]:
        """What ``certifier status`` says of a source."""
        (source,) = self.json(f"certifier status {name} --json")["sources"]
        return dict(source)

    def until(self, reached: Callable[[], bool], seconds: float = 90) -> None:
        """Look once in a while until something is reached."""
        deadline = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < deadline, "not reached in time"
            time.sleep(0.5)


def _plain() -> dict[str, str]:
    """An environment in which nothing of AWS is set."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**preloaded(), **kept, "PATH": os.environ["PATH"], "AWS_PROFILE": "somebody-elses"}


@contextmanager
def serving(folder: Path, *options: str, prefix: Sequence[str] = ()) -> Iterator[Served]:
    """Serve an account from that folder; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "sandbox", "serve", "--folder", folder, *options],
        cwd=ROOT,
        env=_plain(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    served = Served(process, folder, prefix)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            served.banner += line
            if "Ctrl-C ends it" in line:
                break
        else:
            pytest.fail(f"it did not open\n{served.banner}")
        yield served
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An account for all tests of a module, on any free port."""
    assert AWS.is_file(), "the aws command is not installed: make .venv-awscli/.stamp"
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, "--port", "0", "--speed", str(SPEED)) as made:
        yield made
