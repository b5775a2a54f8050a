"""``certifier history``: what the runs of a source came to, the newest first."""

import argparse
import json
from typing import TYPE_CHECKING

from rich.text import Text

from certifier.cli.installation import add_options, find, guarded, missing
from certifier.cli.numbers import whole
from certifier.cli.records import keys_of, read_record
from certifier.cli.terminal import STYLES, Cell, Terminal
from certifier.run.past import Past, past
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

READ = 50


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "history",
        help="what the runs of a source came to, the newest first",
        description="Show the last runs of a source, one line each: what was changed, what failed,"
        " how long tasks did not run. Equal ones in a row are one line.",
        epilog="exit status: 0; 1 not registered, and without records; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a source, also one that was forgotten")
    parser.add_argument(
        "--limit",
        type=whole(1, 1000),
        default=READ,
        metavar="N",
        help=f"how many runs to read ({READ})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the history: 0, or 1 when there is none of that name."""
    return guarded("history", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    place = find(args)
    keys = keys_of(place.documents, args.name)[: args.limit]
    if not keys and place.store.state(args.name) is None:
        return missing("history", args.name, place)
    records = [record for key in keys if (record := read_record(place.documents, key)) is not None]
    lines = past(records)
    if args.json:
        print(json.dumps([_payload(line) for line in lines], indent=2))
        return 0
    terminal = Terminal()
    if not lines:
        terminal.line("No run has ended yet.")
    terminal.rows([_row(line) for line in lines])
    return 0


def _row(line: Past) -> list[Cell]:
    word = Text(line.outcome.words, style=STYLES[line.outcome])
    if line.is_plan:
        word.append(" (plan)", style="dim")
    what = printable(line.what, 300) or "nothing to change"
    if line.count > 1:
        what += f" ({line.count} runs, since {line.first:%Y-%m-%d %H:%M} UTC)"
    return [f"{line.last:%Y-%m-%d %H:%M} UTC", word, what]


def _payload(line: Past) -> dict[str, object]:
    return {
        "at": line.last.isoformat(),
        "since": line.first.isoformat(),
        "runs": line.count,
        "outcome": line.outcome.value,
        "plan": line.is_plan,
        "what": line.what,
    }
