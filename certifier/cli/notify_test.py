"""``certifier notify-test``: send one notice the whole way that every notice goes."""

import argparse
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from certifier.cli.installation import add_options, again, complain, find, guarded
from certifier.cli.numbers import FOLLOWED
from certifier.cli.unanswered import perhaps
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

_POLL = 2.0  # seconds


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "notify-test",
        help="send a test notice, and see whether it arrives",
        description="Start an execution that runs no source and sends one notice: by the same"
        " function, with the same rights and to the same topic as every other one.",
        epilog="exit status: 0 it was sent; 1 it was not; 2 wrong usage",
    )
    parser.add_argument(
        "--timeout",
        type=FOLLOWED,
        default=2.0,
        metavar="MINUTES",
        help="how long to wait (2)",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Send it: 0 sent, 1 not."""
    return guarded("notify-test", lambda: _run(args, sleep))


def _run(args: argparse.Namespace, sleep: Callable[[float], None]) -> int:
    place = find(args)
    name = f"notify-test-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    event = json.dumps({"notify_test": True})
    with perhaps("a test notice is on its way", again(args, "certifier", "watch", name)):
        execution = place.states.start(place.deployment.machine, name, event)
    state = place.states.describe(execution)
    ends = time.monotonic() + 60 * args.timeout
    while (state is None or state.status == "RUNNING") and time.monotonic() < ends:
        sleep(_POLL)
        state = place.states.describe(execution)
    if state is None or state.status == "RUNNING":
        complain("notify-test", f"it still runs: {again(args, 'certifier', 'watch', name)}")
        return 1
    if state.status != "SUCCEEDED":
        complain(
            "notify-test", f"the notice was not sent: {printable(state.cause or state.status)}"
        )
        return 1
    print("sent: it should arrive within some minutes. If it does not: certifier doctor")
    return 0
