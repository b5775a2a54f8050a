"""``certifier discover``: every PostgreSQL endpoint of the account and Region, and what it lacks.

What else connects to PostgreSQL with a mode and a certificate, and is not managed, is listed with
the reason: data providers, and serverless replications with their endpoints.

Reads only, and in pages: DMS is asked for six lists and the tags of the endpoints, Secrets Manager
for those of their secrets, by which owners consent; nothing is tested. With ``--probe`` each host
is looked at from this machine, without a login, so that it can be said which stricter mode would
connect.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from certifier.cli.discovered import Discovered, Surface, SurfaceEnd, look_around
from certifier.cli.installation import add_options, clients, complain, guarded
from certifier.cli.progress import ProgressLine
from certifier.cli.source_files import write_source_files
from certifier.cli.terminal import Terminal
from certifier.models import Fact
from certifier.roots import Roots
from certifier.run.consent import consenting
from certifier.text import counted, printable
from certifier.vocabulary import SslMode

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "discover",
        help="read-only: every PostgreSQL endpoint, its mode, CA, tasks, and what could be raised",
        description="List the PostgreSQL endpoints of the account and Region. Changes nothing and"
        " has DMS test nothing.",
        epilog="exit status: 0; 2 wrong usage, or a file that cannot be written or is there",
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="look at each host from here, without login, and say which mode would connect",
    )
    parser.add_argument(
        "--emit",
        type=Path,
        metavar="DIR",
        help="write a source file to start from for each that no source keeps yet",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, roots: Roots | None = None) -> int:
    """List the endpoints: 0; 2 when AWS cannot be read or a file cannot be written."""
    return guarded("discover", lambda: _run(args, roots or Roots()))


def _run(args: argparse.Namespace, roots: Roots) -> int:
    services = clients(args)
    with ProgressLine() as progress:
        seen = look_around(services, args.stack, roots, progress, probing=args.probe)
    if args.json:
        listed: list[Fact] = [*seen.endpoints, *seen.surfaces]
        print(json.dumps([each.model_dump(mode="json") for each in listed], indent=2))
    else:
        _show(seen.endpoints, probed=args.probe)
        _show_surfaces(seen.surfaces)
    if seen.unlisted is not None:
        print(f"certifier discover: {printable(seen.unlisted, 2000)}", file=sys.stderr)
    if args.emit is None:
        return 0
    try:
        written = write_source_files(args.emit, seen.endpoints, seen.bundles)
    except OSError as error:
        return complain("discover", f"{error.filename}: {error.strerror}")
    for line in [] if args.json else written:
        print(printable(line, 2000))
    return 0


# -- showing


def _show(found: Sequence[Discovered], *, probed: bool) -> None:
    terminal = Terminal()
    if not found:
        terminal.line("No PostgreSQL endpoint in this account and Region.")
        return
    for each in found:
        _show_one(terminal, each, probed=probed)
    weak = sum(1 for each in found if not each.ssl_mode.verifies)
    kept = sum(1 for each in found if each.source is not None)
    terminal.gap()
    total = counted(len(found), "endpoint")
    terminal.line(f"{total} · {weak} verify nothing · {kept} kept by Certifier", style="dim")


def _show_surfaces(surfaces: Sequence[Surface]) -> None:
    """Print what is not managed, below what is."""
    if not surfaces:
        return
    terminal = Terminal()
    terminal.gap()
    for each in surfaces:
        name = Text(printable(each.identifier), style="bold")
        terminal.line(name, f"  {each.kind.replace('_', ' ')}", hang=2)
        for end in each.ends:
            style = "green" if end.ssl_mode.verifies else "yellow"
            rest = printable(" · ".join(_of_end(end)), 2000)
            terminal.line(Text(end.ssl_mode.value, style=style), "  ", rest, indent=4, hang=2)
        terminal.line(f"managed: no, because {each.why_not_managed}", indent=4, hang=2)


def _of_end(end: SurfaceEnd) -> Iterator[str]:
    if end.endpoint is not None:
        yield f"through {end.endpoint}"
    yield f"{end.host}:{end.port}" if end.host else "host in its secret"
    if end.certificate_arn is not None:
        yield end.certificate_arn
    if end.ca_days_left is not None:
        yield f"CA {counted(end.ca_days_left, 'day')} left"


def _show_one(terminal: Terminal, each: Discovered, *, probed: bool) -> None:
    """Print an endpoint in two lines: what it is, and what there is to do about it."""
    style = "green" if each.ssl_mode.verifies else "yellow"
    place = f"{each.host}:{each.port}" if each.host else "host in its secret"
    parts = [Text(printable(each.identifier), style="bold")]
    parts.append(Text(f"  {each.ssl_mode.value}", style=style))
    kept = f"kept by {each.source}" if each.source else "not kept"
    parts.append(Text(printable(f"  {kept} · {each.endpoint_type} · {place}"), style=""))
    terminal.line(*parts, hang=2)
    terminal.line(printable(" · ".join(_details(each, probed=probed)), 2000), indent=4)


def _details(each: Discovered, *, probed: bool) -> Iterator[str]:
    if each.ca_days_left is not None:
        yield f"CA {counted(each.ca_days_left, 'day')} left"
    yield ", ".join(sorted(set(each.connections.values()))) or "never tested"
    yield ", ".join(f"{name} {status}" for name, status in sorted(each.tasks.items())) or "no task"
    if each.source is None:
        yield f"consents to {_consents(each)}"
    advice = _advice(each, probed=probed)
    if advice:
        yield advice


def _consents(each: Discovered) -> str:
    """Return which sources may use the endpoint, and its secret where that says otherwise."""
    endpoint = _whom(each.consents)
    if each.secret is None or each.secret_consents == each.consents:
        return endpoint
    return f"{endpoint}; its secret: {_whom(each.secret_consents)}"


def _whom(tag: str | None) -> str:
    words = consenting(tag)
    return "any source" if words in ("+", "*") else words.replace(" ", ", ") or "nobody"


def _advice(each: Discovered, *, probed: bool) -> str:
    """Return what could be better, in a few words, and which word would stand for the CA."""
    said = _of_mode(each, probed=probed)
    return f"{said}; ca_bundle {each.ca_bundle.value}" if each.ca_bundle else said


def _of_mode(each: Discovered, *, probed: bool) -> str:
    if each.read_only:
        return "managed by a zero-ETL integration; left alone"
    if each.authentication == "iam":
        return "uses IAM authentication; left alone"
    if each.ssl_mode is SslMode.VERIFY_FULL:
        return ""
    if not probed:
        return "could perhaps be raised: --probe"
    if each.could_be is not None and each.could_be.strength > each.ssl_mode.strength:
        return f"could be {each.could_be.value} today" + (
            f"; {each.why_not}" if each.why_not else ""
        )
    return each.why_not or ""
