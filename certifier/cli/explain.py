"""``certifier explain``: the cause and remedy behind a text of DMS, libpq or PostgreSQL."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from certifier.diagnosis import explain
from certifier.vocabulary import Cause

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

_READ = 64 * 1024


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "explain",
        help="the cause and remedy behind a LastFailureMessage or a libpq error",
        description="Name the cause behind a text: a DMS LastFailureMessage, an error of libpq or"
        " PostgreSQL, or the name of a cause.",
        epilog="exit status: 0 the cause is known; 1 it is not; 2 wrong usage",
    )
    parser.add_argument("text", metavar="TEXT", help="the text; - reads it from standard input")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print cause, what was seen, and remedy: 0 known, 1 unknown."""
    text = sys.stdin.read(_READ) if args.text == "-" else args.text
    found = explain(text)
    if args.json:
        payload = {"cause": found.cause, "seen": found.seen, "remedy": found.remedy}
        print(json.dumps(payload, indent=2, ensure_ascii=False))
    else:
        at = f"  at {found.stage}" if found.stage else ""
        print(f"{found.cause}{at}\n  seen    {found.seen}\n  remedy  {found.remedy}")
    return 1 if found.cause is Cause.UNKNOWN else 0
