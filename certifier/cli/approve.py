"""``certifier approve``: let a source's new CAs be trusted, after a person has looked."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from certifier.cli.installation import (
    Installation,
    add_options,
    again,
    find,
    guarded,
    missing,
    when_due,
)
from certifier.cli.unanswered import perhaps
from certifier.run.approval import SHORTEST, chosen
from certifier.text import counted, printable

_SHOWN = 20

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "approve",
        help="let the new CAs of a source be trusted",
        description="Approve the CAs that wait in a source's bundle, which were never there before"
        " (setting new_anchor_needs_consent), and make the source due. Compare their fingerprints"
        " with what the CA's owner says first: `certifier status --json`. Name those that you have"
        " compared, since the bundle may be another one by now.",
        epilog="exit status: 0, also when nothing waits any more; 1 what was named was never in the"
        " bundle, or is not all that was named; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    parser.add_argument(
        "fingerprints",
        nargs="*",
        type=_fingerprint,
        metavar="SHA256",
        help=f"the CAs that you have compared, by {SHORTEST} digits or more (default: all that"
        " wait)",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def _fingerprint(text: str) -> str:
    """Return a fingerprint, or its beginning, as it is remembered."""
    plain = text.replace(":", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST},64}}", plain):
        raise argparse.ArgumentTypeError(
            f"{printable(text, 80)} is not a SHA-256: {SHORTEST} to 64 hexadecimal digits"
        )
    return plain


def run(args: argparse.Namespace) -> int:
    """Approve: 0 nothing that was named waits now, 1 it never was there, or not all of it waits."""
    return guarded("approve", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    place = find(args)
    name = printable(args.name, 80)
    with perhaps("they are approved", again(args, "certifier", "status", "--json", name)):
        approved, left = place.store.approve_anchors(args.name, place.now(), args.fingerprints)
    if not approved:
        return _nothing_approved(args, place, left)
    for fingerprint in approved:
        print(f"approved: SHA-256 {printable(fingerprint)}")
    for fingerprint in left:
        print(f"still waits: SHA-256 {printable(fingerprint)}")
    print("due now")
    return 0


def _nothing_approved(args: argparse.Namespace, place: Installation, waiting: Sequence[str]) -> int:
    """Say what is true: 0 when all that was named has been approved before, or nothing waits."""
    if (state := place.store.state(args.name)) is None:
        return missing("approve", args.name, place)
    name, due = printable(args.name, 80), when_due(state)
    # A CA that is known and does not wait is approved, or a certified run has used it.
    settled, _ = chosen([one for one in state.anchors if one not in waiting], args.fingerprints)
    if args.fingerprints and not settled:
        never = f"no CA of {name} waits for approval, nor has one that you named been in its bundle"
        said = _others(args.fingerprints, waiting) if waiting else never
        print(f"certifier approve: {said}", file=sys.stderr)
        return 1
    if not args.fingerprints:
        print(f"no CA of {name} waits for approval; {due}")
        return 0
    for fingerprint in settled:
        print(f"does not wait any more: SHA-256 {printable(fingerprint)}")
    for fingerprint in waiting:
        print(f"still waits: SHA-256 {printable(fingerprint)}")
    print(due)
    return 0


def _others(named: Sequence[str], waiting: Sequence[str]) -> str:
    """Return that what was named does not wait, and what does."""
    gone = [one for one in named if not any(each.startswith(one) for each in waiting)]
    listed = ", ".join(map(printable, waiting[:_SHOWN]))
    more = f", and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
    return (
        f"nothing was approved: {counted(len(gone), 'CA')} that you named"
        f" {'does' if len(gone) == 1 else 'do'} not wait ({', '.join(gone)}); what waits is"
        f" {listed}{more}"
    )
