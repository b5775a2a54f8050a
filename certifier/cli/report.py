"""``certifier report``: the page of the fleet, of one installation or of several."""

import argparse
import contextlib
import os
import sys
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from certifier.aws.fleet import gather
from certifier.cli.installation import STACK, Installation, complain, find, guarded
from certifier.errors import CertifierError, Refused
from certifier.fleet.facts import InstallationFacts
from certifier.fleet.page import fleet_page
from certifier.report.fleet import console_address, fleet_html
from certifier.run.group import is_in_group
from certifier.text import printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

FILE = "certifier-fleet.html"
SECONDS = 120.0
"""How long the records of one installation are read; most are known from its last execution."""


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "report",
        help="the fleet page: who needs a person, which CA is trusted by whom, what expires",
        description="Write one HTML page of every source, from the table and the last records. "
        "Given several times, --profile, --region and --stack name several installations, which "
        "come into one page: the first of each belong together, then the second, and so on; one "
        "that is given once holds for all.",
        epilog="exit status: 0; 1 an installation could not be read, which the page then says; 2"
        " wrong usage, or a file that cannot be written",
    )
    parser.add_argument(
        "--output", default=FILE, metavar="FILE", help=f"where to write it (default {FILE})"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.add_argument(
        "--group",
        metavar="NAME",
        help="only one team's sources: by their endpoints' tag, or how their names begin",
    )
    group = parser.add_argument_group("where in AWS")
    for option, what in (
        ("--stack", "name of the CloudFormation stack (CERTIFIER_STACK; default Certifier)"),
        ("--region", "AWS Region (default: that of the environment)"),
        ("--profile", "AWS profile (default: that of the environment)"),
    ):
        group.add_argument(option, action="append", metavar=option[2:].upper(), help=what)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the page: 0, or 1 when an installation could not be read, which the page then says."""
    return guarded("report", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    chosen = _installations(args.stack, args.region, args.profile)
    if chosen is None:
        return complain(
            "report", "--profile, --region and --stack: give each once, or as often as the others"
        )
    read = [_read(each, alone=len(chosen) == 1) for each in chosen]
    shown = [facts for facts, _ in read]
    now = max((then for _, then in read if then is not None), default=datetime.now(UTC))
    if args.group is not None:
        shown = [_of_group(each, args.group) for each in shown]
        if not any(each.sources or each.problem for each in shown):
            return complain("report", f"no source is in the group {printable(args.group)}")
    page = fleet_page(shown, now)
    path = Path(args.output)
    try:
        path.write_text(fleet_html(page), encoding="utf-8")
    except OSError as error:
        return complain("report", f"{path}: {error.strerror}")
    print(f"{page.headline}: {path}")
    for each in shown:
        if each.problem:
            complain("report", f"{each.label}: {each.problem}")
        if each.unread:
            complain("report", f"{each.label}: {each.unread} records were not read in time")
    if args.open and not _opened(path):
        complain("report", f"no browser could be started; the page is {path}")
    return 1 if any(each.problem for each in shown) else 0


def _installations(
    stacks: Sequence[str] | None, regions: Sequence[str] | None, profiles: Sequence[str] | None
) -> list[argparse.Namespace] | None:
    """Return where to look; None when the options cannot be put together."""
    given: list[list[str | None]] = [
        list(each) if each else [None] for each in (stacks, regions, profiles)
    ]
    count = max(map(len, given))
    if any(len(each) not in (1, count) for each in given):
        return None
    stack_else = os.environ.get("CERTIFIER_STACK") or STACK
    return [
        argparse.Namespace(stack=stack or stack_else, region=region, profile=profile)
        for stack, region, profile in zip(
            *(each * (count // len(each)) for each in given), strict=True
        )
    ]


def _read(where: argparse.Namespace, *, alone: bool) -> tuple[InstallationFacts, datetime | None]:
    """Return one installation, and what time it is there; one of several may not be readable.

    Raises:
        CertifierError: the only one cannot be read.
    """
    words = (where.profile, where.region, where.stack)
    try:
        installation = find(where)
        gathered = gather(installation.store, installation.documents, seconds=SECONDS)
    except CertifierError as error:
        if alone:
            raise
        seen = error.seen if isinstance(error, Refused) and error.seen else str(error)
        label = " · ".join(filter(None, words))
        problem = seen or type(error).__name__
        return InstallationFacts(label, record_url=str, problem=problem), None
    partition, region, account = _place(installation)
    bucket = installation.deployment.bucket
    facts = InstallationFacts(
        label=f"{where.stack} · {region} · {account}",
        record_url=lambda key: console_address(partition, region, bucket, f"{key}.html"),
        sources=gathered.sources,
        bundles=gathered.digests.bundles,
        breaker=gathered.breaker,
        finished_at=gathered.digests.finished_at,
        report=gathered.digests.report,
        unread=gathered.unread,
        abandoned=gathered.abandoned,
    )
    return facts, installation.now()


def _of_group(shown: InstallationFacts, group: str) -> InstallationFacts:
    """Return an installation with the sources of one group alone."""
    sources = (each for each in shown.sources if is_in_group(each.name, each.state.group, group))
    return replace(shown, sources=tuple(sources))


def _place(installation: Installation) -> tuple[str, str, str]:
    """Return partition, Region and account, which the ARN of the state machine holds."""
    _, partition, _, region, account, *_ = installation.deployment.machine.split(":")
    return partition, region, account


def _opened(path: Path) -> bool:
    with contextlib.redirect_stdout(sys.stderr):
        try:
            return webbrowser.open(path.resolve().as_uri())
        except webbrowser.Error:
            return False
