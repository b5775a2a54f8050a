"""``certifier unpause``: let a source be run again."""

import argparse
from typing import TYPE_CHECKING

from certifier.cli.installation import add_options, again, find, guarded, missing, when_due
from certifier.cli.unanswered import perhaps
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "unpause",
        help="let a paused source be run again",
        description="End what `certifier pause` began; the source is due at once.",
        epilog="exit status: 0 done, also when it was not paused; 1 not registered; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Unpause the source: 0 it is not paused now, 1 not registered."""
    return guarded("unpause", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    name = printable(args.name, 80)
    place = find(args)
    with perhaps(
        f"{name} is not paused any more, and due", again(args, "certifier", "status", name)
    ):
        ended = place.store.end_hold(args.name, place.now())
    if ended:
        print(f"{name} is due now")
        return 0
    if (state := place.store.state(args.name)) is None:
        return missing("unpause", args.name, place)
    print(f"{name} is not paused; {when_due(state)}")
    return 0
