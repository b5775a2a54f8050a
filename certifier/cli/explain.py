"""``certifier explain``: the cause and remedy behind a text of DMS, libpq or PostgreSQL."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from certifier.cli import did_you_mean
from certifier.diagnosis import explain
from certifier.text import printable
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
    found = explain(
        _decoded(sys.stdin.buffer.read(_READ)) if args.text == "-" else _word(args.text)
    )
    if args.json:
        payload = {"cause": found.cause, "seen": found.seen, "remedy": found.remedy}
        print(json.dumps(payload, indent=2, ensure_ascii=False))
    else:
        at = f"  at {found.stage}" if found.stage else ""
        print(f"{found.cause}{at}\n  seen  {found.seen}\n  do    {found.remedy}")
    if found.cause is Cause.UNKNOWN and (meant := did_you_mean(args.text, list(Cause))):
        print(
            f"certifier explain: {printable(args.text, 80)} is not a cause{meant}", file=sys.stderr
        )
    return 1 if found.cause is Cause.UNKNOWN else 0


def _word(given: str) -> str:
    """An argument; Python keeps bytes in it that are not UTF-8 as surrogates."""
    try:
        return _decoded(given.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return given


def _decoded(given: bytes) -> str:
    """The text in the encoding that it seems to have: a server writes in its own.

    UTF-8, UTF-16 with its mark (as PowerShell pipes it), or Western European, which no byte is
    invalid in.
    """
    if given.startswith((b"\xff\xfe", b"\xfe\xff")):
        return given.decode("utf-16", "replace")
    try:
        return given.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(given) == _READ and error.start >= _READ - 3:  # the end cut a letter in two
            return given.decode("utf-8-sig", "replace")
        return given.decode("latin-1")
