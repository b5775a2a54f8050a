"""``certifier unpause``: let a source be run again."""

import argparse
import sys
from typing import TYPE_CHECKING

from certifier.cli.installation import add_options, find, guarded, missing
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "unpause",
        help="let a paused source be run again",
        description="End what `certifier pause` began; the source is due at once.",
        epilog="exit status: 0 done; 1 it was not paused; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Unpause the source: 0 done, 1 it was not paused."""
    return guarded("unpause", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    name = printable(args.name, 80)
    place = find(args)
    if not place.store.end_hold(args.name, place.now()):
        if place.store.state(args.name) is None:
            return missing("unpause", args.name, place)
        print(f"certifier unpause: {name} is not paused", file=sys.stderr)
        return 1
    print(f"{name} is due now")
    return 0
