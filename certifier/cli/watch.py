"""``certifier watch``: follow an execution that runs already, and print how it ended."""

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from certifier.cli.certify import see_it_end
from certifier.cli.following import POLL_SECONDS, UNSEEN_POLLS
from certifier.cli.installation import Installation, add_options, complain, find, guarded
from certifier.cli.numbers import FOLLOWED
from certifier.run.event import run_id
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "watch",
        help="follow a run that was started before, or elsewhere",
        description="Follow an execution and print how it ended. Ctrl-C ends the watching alone.",
        epilog="exit status: 0 all its sources are certified; 1 not, or nothing runs; 2 wrong"
        " usage",
    )
    parser.add_argument(
        "execution",
        nargs="?",
        metavar="EXECUTION",
        help="name or ARN of the execution; default: the one that was started last and still runs",
    )
    parser.add_argument(
        "--timeout",
        type=FOLLOWED,
        default=120.0,
        metavar="MINUTES",
        help="how long to follow (120)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Follow: 0 all certified, 1 not, or nothing runs."""
    return guarded("watch", lambda: _run(args, sleep))


def _run(args: argparse.Namespace, sleep: Callable[[float], None]) -> int:
    place = find(args)
    if args.execution is None:
        execution, what = _newest(place), "nothing runs now"
    else:
        execution = _named(place, args.execution, sleep)
        what = "Step Functions knows no execution of that name"
    if execution is None:
        complain("watch", f"{what}: certifier status shows how the last runs ended")
        return 1
    if not args.json:
        print(f"watching {printable(run_id(execution))}")
    return see_it_end(args, place, execution, sleep, command="watch")


def _newest(place: Installation) -> str | None:
    """Return the execution of the main machine that was started last and still runs."""
    running = place.states.running(place.deployment.machine)
    return running[0] if running else None


def _named(place: Installation, execution: str, sleep: Callable[[float], None]) -> str | None:
    """Return the ARN of an execution by its name or ARN; the doors give theirs the same name.

    One that was started a moment ago may not be visible yet, so it is looked for for a minute.
    """
    doors = (place.deployment.machine, place.deployment.onboard)
    begin = [door.replace(":stateMachine:", ":execution:") for door in doors]
    if execution.startswith("arn:"):
        arns = [execution] if execution.startswith(tuple(begin)) else []
    else:
        arns = [f"{door}:{execution}" for door in begin]
    for number in range(UNSEEN_POLLS if arns else 0):
        for arn in arns:
            if place.states.describe(arn) is not None:
                return arn
        if number == 0:
            complain("watch", "not known to Step Functions yet; looking again for a minute")
        sleep(POLL_SECONDS)
    return None
