"""From a fresh clone to the first `certified`, by the commands of the README's second section.

    python -m bench.first_use [--setup]

It clones this checkout into a folder of its own, serves an account there, evaluates `sandbox env`
in bash, and certifies `orders`, as a newcomer types it. With `--setup` the clone installs all that
it needs by `make`, over the network, as `make sandbox` does the first time; else it uses what this
checkout has installed, and the line says so. How long somebody reads in between is not counted.

Exit status 1 when it took more than two minutes.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sandbox.serve.process import served_from

_ROOT = Path(__file__).resolve().parent.parent
_BOUND = 120.0
_SECONDS = 900
_INSTALLED = (".venv", ".venv-awscli", "node_modules", "wheelhouse")


class Stopwatch:
    """Prints what each stage took; ``total`` is their sum, in seconds."""

    def __init__(self) -> None:
        self.total = 0.0

    @contextmanager
    def stage(self, words: str) -> Iterator[None]:
        """Time one stage."""
        begun = time.monotonic()
        yield
        took = time.monotonic() - begun
        self.total += took
        print(f"{took:7.1f} s  {words}", flush=True)


def _run(command: list[str], folder: Path) -> str:
    """Run a command that must succeed; return what it prints."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def _enter(stack: ExitStack, clone: Path) -> None:
    """Serve an account from the clone until the stack ends."""
    try:
        stack.enter_context(served_from(clone, ".venv/bin/python"))
    except ValueError as closed:
        raise SystemExit(str(closed)) from None


def main() -> int:
    """Measure, print each stage, and say whether the bound was kept."""
    parser = argparse.ArgumentParser(description="from a fresh clone to the first `certified`")
    parser.add_argument("--setup", action="store_true", help="install all of it, over the network")
    chosen = parser.parse_args()
    watch = Stopwatch()
    with tempfile.TemporaryDirectory(prefix="certifier-first-use-") as folder:
        clone = Path(folder) / "certifier"
        with watch.stage("git clone"):
            _run(["git", "clone", "--quiet", "--no-local", str(_ROOT), str(clone)], Path(folder))
        if chosen.setup:
            with watch.stage("set-up, over the network"):
                _run(["make", "setup", ".venv-awscli/.stamp"], clone)
        else:
            for name in _INSTALLED:
                (clone / name).symlink_to((_ROOT / name).resolve())
            print("         -  set-up: that of this checkout, not measured")
        with ExitStack() as stack:
            with watch.stage("make sandbox, until it says what to type"):
                _enter(stack, clone)
            typed = (
                'eval "$(.venv/bin/python -m sandbox env)"'
                " && certifier certify build/sandbox/orders.json"
            )
            with watch.stage("the first certification"):
                printed = _run(["bash", "-c", typed], clone)
    if "orders: certified" not in printed:
        raise SystemExit(printed)
    kept = watch.total <= _BOUND
    cores = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{watch.total:7.1f} s  in all on {cores}; at most {_BOUND:.0f} s is", end=" ")
    print("kept" if kept else "MISSED")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
