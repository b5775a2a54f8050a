"""``certifier pause``: let a source not be run, on purpose, with who and why."""

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from certifier.aws.store import InUse
from certifier.cli.installation import (
    add_options,
    again,
    clients,
    complain,
    find,
    guarded,
    missing,
)
from certifier.cli.unanswered import perhaps
from certifier.run.state import OnHold
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

WHY_LIMIT = 200


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "pause",
        help="do not run a source for now, with who and why",
        description="Let a source not be run: not by the schedule, not by an event, not by its"
        " name, until `certifier unpause`. Plans go on. Refused while a run has it, a change is"
        " unfinished, or a task is stopped for it.",
        epilog="exit status: 0 done; 1 not registered, or in use; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    parser.add_argument("--why", required=True, metavar="TEXT", help="for whoever wonders")
    parser.add_argument("--who", metavar="NAME", help="default: who you are for AWS")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Pause the source: 0 done, 1 not registered or in use."""
    return guarded("pause", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    name, why = printable(args.name, 80), printable(args.why.strip(), WHY_LIMIT)
    if not why:
        return complain("pause", "--why is empty: say it for whoever wonders")
    place = find(args)
    who = printable(args.who or _caller(args) or getpass.getuser(), WHY_LIMIT)
    with perhaps(f"{name} is paused", again(args, "certifier", "status", name)):
        done = place.store.put_on_hold(args.name, OnHold(by=who, why=why, since=place.now()))
    match done:
        case InUse(by=by):
            print(f"certifier pause: {name} has {printable(by)}", file=sys.stderr)
            return 1
        case False:
            return missing("pause", args.name, place)
    print(f"{name} is paused by {who}; go on with: {again(args, 'certifier', 'unpause', name)}")
    return 0


def _caller(args: argparse.Namespace) -> str | None:
    """Return the name at the end of the caller's ARN, as AWS knows it."""
    arn = clients(args).caller()
    return None if arn is None else arn.rsplit(":", 1)[-1]
