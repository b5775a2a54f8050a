"""The cold start of every handler: what its import loads, and how long it takes beside boto3's.

``python -m bench.cold_start [--before COMMIT] [--rounds N]`` imports each handler in a fresh
interpreter from source text, which is what Lambda does, since the layer holds no byte code
(docs/decisions/0005). ``--before`` measures another commit too, from a work tree of its own that is
removed again. It fails when a handler of today takes more than ``SOURCE_RATIO`` imports of boto3.

Times are processor times, the best of some rounds in which every handler and boto3 take turns, so
that a busy machine burdens all of them alike.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
SOURCE_RATIO = 1.6
"""How long a handler may take to import from source text, in imports of boto3 alone."""
ROUNDS = 5

_TIMER = """
import importlib, sys, time
before = len(sys.modules)
start = time.process_time()
for name in sys.argv[1:]:
    importlib.import_module(name)
print(time.process_time() - start, len(sys.modules) - before)
print(*{name.partition(".")[0] for name in sys.modules})
"""


@dataclass(frozen=True)
class Loaded:
    """Imports in a fresh interpreter.

    Attributes:
        seconds: processor time.
        count: how many modules they loaded.
        packages: the top-level modules that are there afterwards.
    """

    seconds: float
    count: int
    packages: frozenset[str]


def load(*modules: str, byte_code: Path | None = None, root: Path = ROOT) -> Loaded:
    """Import modules, from byte code kept in a folder, or from source text alone.

    Raises:
        subprocess.CalledProcessError: one cannot be imported.
    """
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": str(byte_code or "/nowhere")}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if byte_code is None:
        environ["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", _TIMER, *modules],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    took, found = done.stdout.splitlines()
    seconds, count = took.split()
    return Loaded(float(seconds), int(count), frozenset(found.split()))


def handlers(root: Path) -> list[str]:
    """Return the modules of the handlers of a work tree."""
    return [f"lambdas.{file.stem}" for file in sorted((root / "lambdas").glob("[a-z]*.py"))]


@dataclass(frozen=True)
class ColdStart:
    """One handler: the modules that it loads, and its time in imports of boto3."""

    count: int
    ratio: float


def cold_starts(root: Path, rounds: int) -> Mapping[str, ColdStart]:
    """Measure every handler of a work tree."""
    names = handlers(root)
    measured = [{name: load(name, root=root) for name in ("boto3", *names)} for _ in range(rounds)]
    best = {name: min(one[name].seconds for one in measured) for name in measured[0]}
    return {name: ColdStart(measured[0][name].count, best[name] / best["boto3"]) for name in names}


@contextmanager
def work_tree(commit: str) -> Iterator[Path]:
    """Check a commit out beside this work tree, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="cold-start-") as folder:
        place = Path(folder, "tree")
        git = ("git", "-C", str(ROOT), "worktree")
        subprocess.run((*git, "add", "--quiet", "--detach", str(place), commit), check=True)
        try:
            yield place
        finally:
            subprocess.run((*git, "remove", "--force", str(place)), check=True)


def table(before: Mapping[str, ColdStart] | None, after: Mapping[str, ColdStart]) -> Table:
    """Return the handlers in rows; without ``before`` only as they are."""
    drawn = Table("handler", title="Cold starts (modules; time in imports of boto3)")
    columns = [one for one in (("before", before), ("now", after)) if one[1] is not None]
    for head, _ in columns:
        drawn.add_column(f"{head}: modules", justify="right")
        drawn.add_column("time", justify="right")
    for name in sorted({*(before or ()), *after}):
        cells = [name.removeprefix("lambdas.")]
        for _, column in columns:
            one = (column or {}).get(name)
            cells += ["", ""] if one is None else [str(one.count), f"{one.ratio:.2f}"]
        drawn.add_row(*cells)
    return drawn


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return 1 when a handler takes too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold_start")
    parser.add_argument("--before", metavar="COMMIT", help="measure this commit too")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    args = parser.parse_args(arguments)
    before = None
    if args.before is not None:
        with work_tree(args.before) as place:
            before = cold_starts(place, args.rounds)
    after = cold_starts(ROOT, args.rounds)
    Console(width=100).print(table(before, after))
    slow = [name for name, one in after.items() if one.ratio > SOURCE_RATIO]
    for name in slow:
        print(f"{name} takes more than {SOURCE_RATIO} imports of boto3")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
