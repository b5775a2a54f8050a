"""``certifier inspect``: is this material good for a server, and if not, every reason why."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from certifier.certificate import (
    CertificateFacts,
    Intake,
    SecretParts,
    check_material,
    material_from_secret,
)
from certifier.certificate.pem import MAX_BYTES
from certifier.certificate.secret import PLAIN, NotASecret, parse_secret
from certifier.certificate.trust_sets import TrustWord
from certifier.cli.given_files import UnreadableFile, read_file
from certifier.cli.named_trust import named_bundle
from certifier.cli.terminal import DO, SAID, SEEN
from certifier.models import Finding, Policy, errors_first, errors_in
from certifier.roots import Roots
from certifier.text import printable
from certifier.vocabulary import Severity, SslMode

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

_FILES = ("certificate", "private_key", "chain", "ca_bundle")
_SHOWN = 5


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "inspect",
        help="look at certificate files, offline",
        description="Say whether certificate, key, chain and CA bundle belong together and can be"
        " used, and every reason why not. Nothing leaves this machine.",
        epilog="exit status: 0 accepted; 1 refused; 2 wrong usage, or a file that cannot be opened",
    )
    parser.add_argument(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="the server's, also with its whole chain; or the JSON of a secret that holds the pair",
    )
    parser.add_argument("--private-key", type=Path, metavar="FILE", help="never shown")
    parser.add_argument("--chain", type=Path, metavar="FILE", help="the intermediate CAs")
    parser.add_argument(
        "--ca-bundle",
        metavar="FILE",
        help=f"the CAs that are trusted; or a word that a source takes: {', '.join(TrustWord)}"
        " (a file of such a name: ./rds); rds and public need --host",
    )
    parser.add_argument(
        "--host", metavar="NAME", help="the name that the certificate must carry (verify-full)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, roots: Roots | None = None) -> int:
    """Read the files and judge them: 0 accepted, 1 refused, 2 a file cannot be opened."""
    if all(getattr(args, name) is None for name in _FILES):
        return _complain("give at least one of --certificate, --private-key, --chain, --ca-bundle")
    try:
        named = _named(args, roots or Roots())
    except ValueError as problem:
        return _complain(f"--ca-bundle: {problem}")
    try:
        files = {name: _read(getattr(args, name)) for name in _FILES if name not in named}
    except UnreadableFile as error:
        return _complain(str(error))
    files |= named
    now = datetime.now(UTC)
    parts = _from_secret(files)
    result = check_material(
        certificate=files["certificate"],
        private_key=files["private_key"],
        chain=files["chain"],
        ca=files["ca_bundle"],
        host=args.host,
        ssl_mode=_mode(args, files),
        now=now,
        policy=Policy(),
    )
    if parts is not None:
        findings = errors_first((*parts.findings, *parts.missing("file"), *result.findings))
        result = replace(result, findings=findings, accepted=not errors_in(findings))
    if args.json:
        print(_json(result))
    else:
        _show(result, now)
    return 0 if result.accepted else 1


def _named(args: argparse.Namespace, roots: Roots) -> dict[str, bytes | None]:
    """Return the CAs that a word stands for; empty when there is a file, or nothing.

    Raises:
        ValueError: the word does not fit.
    """
    if args.ca_bundle is None:
        return {}
    mode = SslMode.VERIFY_CA if args.host is None else SslMode.VERIFY_FULL
    pem = named_bundle(args.ca_bundle, args.host, mode, roots)
    return {} if pem is None else {"ca_bundle": pem}


def _from_secret(files: dict[str, bytes | None]) -> SecretParts | None:
    """Take certificate, key, chain and CA out of a JSON document, but for what has its own file.

    ``None`` when the certificate is PEM, or JSON that cannot be read: the intake says so.
    """
    given = files["certificate"]
    if given is None or len(given) > MAX_BYTES:
        return None
    secret = parse_secret(given)
    if isinstance(secret, NotASecret) or PLAIN in secret:
        return None
    parts = material_from_secret(secret)
    files["certificate"] = parts.certificate
    for name, own in (
        ("private_key", parts.private_key),
        ("chain", parts.chain),
        ("ca_bundle", parts.ca),
    ):
        files[name] = own if files[name] is None else files[name]
    return parts


def _mode(args: argparse.Namespace, files: dict[str, bytes | None]) -> SslMode:
    """As strict as what was given allows."""
    if args.host is not None:
        return SslMode.VERIFY_FULL
    return SslMode.REQUIRE if files["ca_bundle"] is None else SslMode.VERIFY_CA


def _read(path: Path | str | None) -> bytes | None:
    """Read a file as far as the intake looks."""
    return None if path is None else read_file(path, MAX_BYTES)


def _complain(problem: str) -> int:
    print(f"certifier inspect: {printable(problem)}", file=sys.stderr)
    return 2


def _json(result: Intake) -> str:
    return json.dumps(
        {
            "accepted": result.accepted,
            "findings": [found.model_dump(mode="json") for found in result.findings],
            "certificates": [facts.model_dump(mode="json") for facts in result.certificates],
            "chain": [facts.model_dump(mode="json") for facts in result.chain],
        },
        indent=2,
        ensure_ascii=False,
    )


_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.ADVICE: "blue"}


def _show(result: Intake, now: datetime) -> None:
    """Print for people. What certificates say has been escaped already; no markup is read in it."""
    console = Console(highlight=False, emoji=False)

    def show(line: str, style: str = "") -> None:
        console.print(Text(line, style), soft_wrap=True)

    show(*(("accepted", "bold green") if result.accepted else ("refused", "bold red")))
    for facts in result.chain:
        show("")
        for line in _of_certificate(facts, now):
            show(line)
    others = [facts for facts in result.certificates if facts not in result.chain]
    if others:
        show(f"\nbeside the chain: {len(others)}")
        for facts in others[:_SHOWN]:
            show(f"  {facts.title}")
        if len(others) > _SHOWN:
            show(f"  and {len(others) - _SHOWN} more")
    for found in result.findings:
        show(f"\n{found.severity.value}: {found.cause.value}", _STYLES[found.severity])
        for line in _of_finding(found):
            show(line)


def _of_certificate(facts: CertificateFacts, now: datetime) -> Iterator[str]:
    yield facts.title
    names = [*facts.names.dns, *facts.names.ips]
    if names:
        others = len(names[_SHOWN:]) + facts.names.more
        more = f", and {others} more" if others else ""
        yield f"  names      {', '.join(names[:_SHOWN])}{more}"
    if not facts.self_signed:
        yield f"  issuer     {facts.issuer or 'unreadable'}"
    if facts.not_before is not None and facts.not_after is not None:
        left = (facts.not_after - now).days
        days = f"{left} days left" if left >= 0 else "expired"
        yield f"  valid      {facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d} ({days})"
    yield f"  key        {facts.key or 'unreadable'}, signed with {facts.signature or 'unreadable'}"
    yield f"  SHA-256    {facts.sha256}"


def _of_finding(found: Finding) -> Iterator[str]:
    yield f"  {SEEN}       {found.seen}"
    if found.raw is not None:
        yield f"  {SAID}       {found.raw}"
    yield f"  {DO}         {found.remedy}"
