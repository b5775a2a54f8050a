"""``python -m sandbox.chaos [STORY...]``: play stories with every fault, say what came of it."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sandbox.chaos.explore import Case, Explorer, Played, Repaired, Result, everything, staged
from sandbox.chaos.stories import STORIES
from sandbox.postgres import PostgresError


def main(arguments: list[str]) -> int:
    """Play; exit status 1 when a case does not end well, 2 when the machine lacks something."""
    chosen = _arguments(arguments)
    # What macOS asks for proxies is not safe in a copy of a process.
    os.environ.setdefault("no_proxy", "*")
    console = Console(highlight=False, stderr=True)
    rows = []
    try:
        for name in chosen.stories or STORIES:
            result, seconds = _play(name, chosen, console)
            rows.append(row(result, seconds))
    except PostgresError as error:
        console.print(f"[red]PostgreSQL could not be started:[/] {escape(str(error))}")
        return 2
    if chosen.json:
        chosen.json.write_text(json.dumps(rows))
    console.print(table(rows))
    return 1 if any(each["failed"] for each in rows) else 0


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.chaos", description=__doc__)
    parser.add_argument("stories", nargs="*", choices=[*STORIES, []], metavar="STORY")
    parser.add_argument("--only", metavar="TEXT", help="cases with this text in their name")
    parser.add_argument("--outages", action="store_true", help="outages of a service too")
    parser.add_argument(
        "--join", action="store_true", help="end a case once it is like the undisturbed story again"
    )
    parser.add_argument("--share", default="1/1", metavar="K/N", help="the K-th of N shares")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what came of it")
    return parser.parse_args(arguments)


def _play(name: str, chosen: argparse.Namespace, console: Console) -> tuple[Result, float]:
    share, shares = map(int, chosen.share.split("/"))
    console.print(f"[bold]{name}[/]: {STORIES[name].summary}")
    began = time.monotonic()
    with staged(STORIES[name]) as world:
        result = Explorer(
            world,
            STORIES[name],
            chosen=_choice(chosen),
            share=(share - 1, shares),
            join=chosen.join,
            jobs=chosen.jobs,
            heard=lambda played: _say(console, name, played),
        ).play()
    return result, time.monotonic() - began


def _choice(chosen: argparse.Namespace) -> Callable[[Case], bool]:
    only: str | None = chosen.only
    if only is not None:
        return lambda case: only in str(case)
    return (lambda _: True) if chosen.outages else everything


def _say(console: Console, story: str, played: Played) -> None:
    """Print a case that did not end well, and how to see it again."""
    if not played.wrong:
        return
    console.print(f"[red]✗ {escape(str(played.case))}[/]")
    for line in (*played.wrong, *played.trail):
        console.print(f"    {escape(line)}", soft_wrap=True)
    again = f"python -m sandbox.chaos {story} --only '{played.case}'"
    console.print(f"    [dim]{escape(again)}[/]", soft_wrap=True)


def row(result: Result, seconds: float) -> dict[str, Any]:
    """Return what came of a story, as numbers."""
    repaired = Counter(played.repaired for played in result.played if not played.wrong)
    return {
        "story": result.story,
        "calls": result.calls,
        "states": result.states,
        "cases": len(result.played),
        "faults": dict(Counter(played.case.fault for played in result.played)),
        "well": {kind.value: repaired[kind] for kind in Repaired},
        "failed": [str(played.case) for played in result.failed],
        "seconds": seconds,
    }


def table(rows: Iterable[dict[str, Any]]) -> Table:
    """Return calls and states, faults injected, and how many ended well."""
    shown = Table(title="Cut off anywhere, then left to the schedule")
    for name in ("story", "calls", "states", "faults injected", "ended well"):
        shown.add_column(name, justify="left" if name == "story" else "right")
    for each in rows:
        well = sum(each["well"].values())
        how = ", ".join(f"{n} {kind}" for kind, n in each["well"].items() if n)
        faults = ", ".join(f"{n} {kind}" for kind, n in sorted(each["faults"].items()))
        shown.add_row(
            each["story"],
            str(each["calls"]),
            str(each["states"]),
            f"{each['cases']}\n[dim]{faults}[/]",
            f"[{'green' if not each['failed'] else 'red'}]{well}[/]\n[dim]{how}[/]",
        )
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
