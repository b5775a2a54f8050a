"""``certifier forget``: drop a source; its endpoint stays as it is."""

import argparse
import sys
from typing import TYPE_CHECKING

from certifier.aws.store import InUse
from certifier.cli.installation import add_options, again, find, guarded, missing
from certifier.cli.records import keys_of
from certifier.cli.unanswered import perhaps
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "forget",
        help="drop a source; the endpoint is left alone",
        description="Drop a source. Refused while a run has it, a change is unfinished, or a task"
        " is paused for it. The DMS endpoint, its certificate and the records stay.",
        epilog="exit status: 0 done, also when it was forgotten before; 1 not registered, or in"
        " use; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Forget the source: 0 it is forgotten, 1 never registered, or held."""
    return guarded("forget", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    name = printable(args.name, 80)
    place = find(args)
    with perhaps(f"{name} is forgotten", again(args, "certifier", "status", name)):
        done = place.store.forget(args.name)
    match done:
        case InUse(by=by):
            print(f"certifier forget: {name} has {printable(by)}", file=sys.stderr)
            return 1
        case False if keys_of(place.documents, args.name):
            history = again(args, "certifier", "history", name)
            print(f"{name} is not registered any more; its records stay: {history}")
            return 0
        case False:
            return missing("forget", args.name, place)
        case _:
            print(f"{name} is forgotten; its endpoint is as it was")
            return 0
