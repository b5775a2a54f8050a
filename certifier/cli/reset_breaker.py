"""``certifier reset-breaker``: close the breaker again, after a person has looked."""

import argparse
from typing import TYPE_CHECKING

from certifier.cli.installation import add_options, again, find, guarded
from certifier.cli.unanswered import perhaps

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "reset-breaker",
        help="let changes begin again after several ended badly",
        description="Close the breaker, which stops changes after several ended badly within a"
        " day, and make due what it has deferred. Look at those ends first: `certifier status`.",
        epilog="exit status: 0, also when changes were not stopped; 2 wrong usage",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Close the breaker: always 0."""
    return guarded("reset-breaker", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    place = find(args)
    store = place.store
    was_open = store.breaker().open
    with perhaps("changes may begin again", again(args, "certifier", "status")):
        names = store.reset_breaker(place.now())
    print("changes may begin again" if was_open else "changes were not stopped")
    if names:
        print(f"due now: {', '.join(names)}")
    return 0
