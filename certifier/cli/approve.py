"""``certifier approve``: let a source's new CAs be trusted, after a person has looked."""

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
        "approve",
        help="let the new CAs of a source be trusted",
        description="Approve the CAs that wait in a source's bundle, which were never there before"
        " (setting new_anchor_needs_consent), and make the source due. Compare their fingerprints"
        " with what the CA's owner says first: `certifier status --json`.",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Approve: 0 done, 1 when nothing waits."""
    return guarded("approve", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    place = find(args)
    approved = place.store.approve_anchors(args.name, place.now())
    if not approved:
        if place.store.state(args.name) is None:
            return missing("approve", args.name, place)
        name = printable(args.name, 80)
        print(f"certifier approve: no CA of {name} waits for approval", file=sys.stderr)
        return 1
    for fingerprint in approved:
        print(f"approved: SHA-256 {printable(fingerprint)}")
    print("due now")
    return 0
