"""``certifier probe``: what libpq would say about a host, and why."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from certifier.certificate import CertificateFacts, certificate_facts, certificates_in
from certifier.certificate.trust_sets import TrustWord
from certifier.cli.address import NotAnAddress, parse_address
from certifier.cli.given_files import UnreadableFile, read_file
from certifier.cli.named_trust import named_bundle
from certifier.cli.numbers import whole
from certifier.cli.terminal import Terminal
from certifier.evidence import SlotFacts
from certifier.probe import (
    TLS_VERSIONS,
    AddressPolicy,
    Evidence,
    ProbeReport,
    ProbeRequest,
    Resolve,
    Timings,
    Verdict,
    probe,
    system_resolver,
)
from certifier.roots import Roots
from certifier.run.proposal import named_trust_fits
from certifier.text import printable, quoted, size
from certifier.vocabulary import SslMode

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

_FILE_LIMIT = 16 * 1024 * 1024
_MODES = ", ".join(("none", "disable", *list(SslMode)[1:]))
_NAMES_SHOWN = 8
_SYSTEM = "system"  # libpq's word
_SLOTS_SHOWN = 8


class Unusable(Exception):
    """The arguments cannot be used; the text says which, and what is allowed."""


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "probe",
        help="say what libpq, and so DMS, would say about a host, and why",
        description="Connect to a PostgreSQL server over TLS and say what libpq would say in every"
        " mode, and why. Without --user it stops after TLS.",
        epilog="exit status: 0 the mode passes; 1 it does not; 2 wrong usage, or a file that cannot"
        " be opened",
    )
    _add_where(parser)
    _add_trust(parser)
    _add_how(parser)
    parser.add_argument("--json", action="store_true", help="print JSON (reference/probe-json.md)")
    parser.set_defaults(run=run)


def _add_where(parser: argparse.ArgumentParser) -> None:
    """Which server, and who logs in there."""
    parser.add_argument(
        "host",
        metavar="HOST",
        help="the name that is dialled and verified; also HOST:PORT, or libpq's address"
        " postgres://USER:PASSWORD@HOST:PORT/DATABASE, whose password is never printed",
    )
    parser.add_argument("--port", type=whole(1, 65535), metavar="N", help="default 5432")
    parser.add_argument(
        "--address", metavar="IP", help="dial this address; HOST stays the name that is verified"
    )
    parser.add_argument(
        "--database", metavar="D", help="to log in to; default: named like the user"
    )
    parser.add_argument("--user", metavar="U", help="log in, and ask the server how it stands")
    parser.add_argument(
        "--password-env", metavar="VAR", help="the environment variable that holds the password"
    )


def _add_trust(parser: argparse.ArgumentParser) -> None:
    """What the server must show."""
    parser.add_argument(
        "--ssl-mode",
        type=_ssl_mode,
        metavar="MODE",
        help=f"the mode that decides the exit status: {_MODES}; default verify-full",
    )
    parser.add_argument(
        "--ca-bundle",
        metavar="FILE",
        help="libpq's sslrootcert; `system`: the CAs of this system, for verify-full alone; or a"
        f" word that a source takes: {', '.join(TrustWord)} (a file of such a name: ./rds)",
    )
    parser.add_argument(
        "--crl", type=Path, metavar="FILE", help="libpq's sslcrl; a folder: its sslcrldir"
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="what the server is meant to serve"
    )
    parser.add_argument(
        "--min-tls", type=_tls, metavar="V", help=f"{', '.join(TLS_VERSIONS)}; libpq's default 1.2"
    )
    parser.add_argument("--max-tls", type=_tls, metavar="V", help="the newest to offer")


def _add_how(parser: argparse.ArgumentParser) -> None:
    """How it is looked at, and what else is looked at."""
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds for everything; default 10",
    )
    parser.add_argument(
        "--plaintext", action="store_true", help="also ask whether a login without TLS is refused"
    )
    parser.add_argument(
        "--negotiation",
        choices=("postgres", "direct"),
        default="postgres",
        help="how TLS begins: after PostgreSQL's request, as always in DMS, or with the first byte,"
        " as libpq 17 can do (sslnegotiation)",
    )
    parser.add_argument(
        "--older-clients",
        action="store_true",
        help="also look as libpq 13 and older do, without a server name, and compare",
    )


def run(
    args: argparse.Namespace, resolve: Resolve = system_resolver, roots: Roots | None = None
) -> int:
    """Probe and print: 0 when the mode passes, 1 when it does not, 2 for wrong usage."""
    roots = roots or Roots()
    try:
        request = _request(_with_address(args), roots)
    except Unusable as problem:
        print(f"certifier probe: {printable(str(problem))}", file=sys.stderr)
        return 2
    report = probe(request, resolve=resolve)
    command = f"certifier probe {request.host} --ca-bundle"
    if (hint := named_trust_fits(report, roots.words_for, command=command)) is not None:
        report = report.model_copy(update={"findings": (*report.findings, hint)})
    if args.json:
        print(report.model_dump_json(indent=2))
    else:
        show(report, Terminal())
    return 0 if report.passed else 1


def _trust(args: argparse.Namespace, roots: Roots) -> bytes | None:
    if args.ca_bundle is None:
        return None
    try:
        named = named_bundle(args.ca_bundle, args.host, args.ssl_mode, roots)
    except ValueError as problem:
        raise Unusable(f"--ca-bundle: {problem}") from None
    return _read("--ca-bundle", Path(args.ca_bundle)) if named is None else named


def _request(args: argparse.Namespace, roots: Roots) -> ProbeRequest:
    if args.password_env is not None and args.user is None:
        raise Unusable("--password-env needs --user")
    if args.plaintext and args.user is None:
        raise Unusable("--plaintext needs --user, whose login it asks about")
    intended = _read("--certificate", args.certificate)
    system = args.ca_bundle == _SYSTEM
    folder = args.crl is not None and args.crl.is_dir()
    try:
        return ProbeRequest(
            args.host,
            port=args.port,
            address=args.address,
            database=args.database,
            user=args.user,
            password=_password(args),
            ssl_mode=args.ssl_mode,
            ca_bundle=None if system else _trust(args, roots),
            system_trust=system,
            crl=None if folder else _read("--crl", args.crl),
            crl_folder=str(args.crl) if folder else None,
            min_tls=args.min_tls,
            max_tls=args.max_tls,
            timeout=args.timeout,
            intended_leaf_sha256=None if intended is None else _leaf(intended),
            negotiation=args.negotiation,
            older_clients=args.older_clients,
            probe_plaintext=args.plaintext,
            policy=AddressPolicy.anywhere(),
        )
    except ValueError as error:
        raise Unusable(str(error)) from None


def _with_address(args: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments with what HOST says besides the host; an option counts more."""
    try:
        address = parse_address(args.host)
        mode = SslMode.VERIFY_FULL if address.ssl_mode is None else _ssl_mode(address.ssl_mode)
    except (NotAnAddress, argparse.ArgumentTypeError) as error:
        raise Unusable(str(error)) from None
    bundle = Path(address.ca_bundle) if address.ca_bundle else None
    said = {
        "port": 5432 if address.port is None else address.port,
        "user": address.user,
        "database": address.database,
        "ssl_mode": mode,
        "ca_bundle": bundle,
    }
    given = {name: value for name, value in vars(args).items() if value is not None}
    whole = {**vars(args), **said, **given, "host": address.host}
    return argparse.Namespace(**whole, password=address.password)


def _password(args: argparse.Namespace) -> Callable[[], str] | None:
    variable, known = args.password_env, args.password
    if variable is None:
        return None if known is None or args.user is None else lambda: known
    value = os.environ.get(variable)
    if value is None:
        raise Unusable(f"--password-env: the environment has no variable {variable}")
    return lambda: value


def _read(option: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = read_file(path, _FILE_LIMIT)
    except UnreadableFile as error:
        raise Unusable(f"{option}: {error}") from None
    if len(content) > _FILE_LIMIT:
        raise Unusable(f"{option}: {path}: larger than {_FILE_LIMIT} bytes")
    return content


def _leaf(pem: bytes) -> str:
    """The fingerprint of the one certificate that is not a CA, or of the only one."""
    found = [certificate_facts(der) for der in certificates_in(pem)]
    leaves = [facts for facts in found if not facts.is_ca] or found
    if len(leaves) != 1:
        raise Unusable(f"--certificate: {len(leaves)} server certificates where one is expected")
    return leaves[0].sha256


def _ssl_mode(word: str) -> SslMode:
    if word in ("allow", "prefer"):
        raise argparse.ArgumentTypeError(
            f"{word} is refused: DMS has no opportunistic mode, and such a connection can silently"
            " be plain text; use require, verify-ca or verify-full"
        )
    try:
        return SslMode.NONE if word == "disable" else SslMode(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quoted(word)} is not one of {_MODES}") from None


def _tls(word: str) -> str:
    version = word.removeprefix("TLSv")
    version = "1.0" if version == "1" else version
    if version not in TLS_VERSIONS:
        allowed = ", ".join(TLS_VERSIONS)
        raise argparse.ArgumentTypeError(f"{quoted(word)} is not one of {allowed}")
    return version


# ---- the sheet


def show(report: ProbeReport, terminal: Terminal) -> None:
    """Print the report for people: verdict, why, evidence. Text only, no markup is read."""
    evidence = report.evidence
    word = Text("PASS", "bold green") if report.passed else Text("FAIL", "bold red")
    place = f"{printable(evidence.host)}, port {evidence.port}"
    terminal.line(word, f"  {report.ssl_mode} to {place}", hang=2)
    terminal.gap()
    modes = [(mode.value, _of_verdict(report.verdicts.of(mode))) for mode in list(SslMode)[1:]]
    reading = report.verdicts.require.dms_reading
    if reading.differs:
        modes.append(("require in DMS", _verdict(reading.seen, passed=reading.passed)))
    terminal.facts(modes)
    for finding in report.findings:
        terminal.gap()
        terminal.finding(finding)
    terminal.gap()
    terminal.facts((label, Text(value)) for label, value in _of_evidence(evidence))


def _of_verdict(verdict: Verdict) -> Text:
    why = verdict.seen if verdict.cause is None else f"{verdict.cause}: {verdict.seen}"
    return _verdict(why, passed=verdict.passed)


def _verdict(why: str, *, passed: bool) -> Text:
    word = Text("pass", "green") if passed else Text("fail", "red")
    return word.append(f"  {printable(why)}", "default")


def _of_evidence(evidence: Evidence) -> Iterator[tuple[str, str]]:
    if evidence.addresses:
        yield "addresses", ", ".join(f"{a.ip} ({a.outcome})" for a in evidence.addresses)
    tls = evidence.tls
    if tls is not None:
        alpn = f", ALPN {printable(tls.alpn)}" if tls.alpn else ""
        yield "TLS", f"{tls.version}, {tls.cipher}{alpn}"
    if evidence.names:
        more = len(evidence.names) - _NAMES_SHOWN
        names = ", ".join(printable(name) for name in evidence.names[:_NAMES_SHOWN])
        yield "names", names + (f", and {more} more" if more > 0 else "")
    for number, facts in enumerate(evidence.chain):
        yield ("served" if number == 0 else "then"), _of_certificate(facts)
    if evidence.chain_length > len(evidence.chain):
        yield "", f"and {evidence.chain_length - len(evidence.chain)} more"
    if evidence.anchor is not None:
        yield "trusted", _of_certificate(evidence.anchor)
    if evidence.days_left is not None:
        yield "days left", str(evidence.days_left)
    if evidence.leaf_sha256 is not None:
        intended = {None: "", True: " (as intended)", False: " (another one is intended)"}
        yield "SHA-256", evidence.leaf_sha256 + intended[evidence.served_intended]
    if evidence.older_client is not None:
        leaf = evidence.older_client.leaf_sha256
        same = "the same certificate" if leaf == evidence.leaf_sha256 else "another certificate"
        yield "without SNI", same if leaf else "no TLS"
    yield from _of_login(evidence)
    yield "time", _of_timings(evidence.timings, evidence.connections)


def _of_certificate(facts: CertificateFacts) -> str:
    until = f"until {facts.not_after:%Y-%m-%d}" if facts.not_after else "no readable end"
    key = f"{facts.key or 'unreadable key'}, {facts.signature or 'unreadable signature'}"
    return f"{facts.title} ({until}; {key})"


def _of_login(evidence: Evidence) -> Iterator[tuple[str, str]]:
    login = evidence.login
    if login is not None and login.method is not None:
        bound = ", bound to this TLS connection" if login.channel_binding else ""
        how = "succeeded" if login.succeeded else "did not succeed"
        yield "login", f"{how}: {login.method}{bound}"
    if login is not None and login.server_version is not None:
        least = f", at least {login.min_tls}" if login.min_tls else ""
        standby = ", a standby" if login.in_recovery else ""
        ssl = f"ssl {login.ssl or 'unknown'}{least}"
        yield "server", f"PostgreSQL {login.server_version}{standby}, {ssl}"
        if login.session_ssl is not None:
            session = f"{login.session_version}, {login.session_cipher}"
            yield "its view", session if login.session_ssl else "this session has no TLS"
        others = login.plaintext_sessions
        count = "this role may not see them" if others is None else str(others)
        yield "plain text", f"other sessions without TLS: {count}"
        yield from _of_slots(login.slots or ())
    if evidence.plaintext is not None:
        answer = "accepted" if evidence.plaintext.accepted else "refused"
        yield "without TLS", f"{answer}: {printable(evidence.plaintext.seen)}"


def _of_slots(slots: Sequence[SlotFacts]) -> Iterator[tuple[str, str]]:
    """The slots that matter most for change data capture, which are shown first."""
    for number, slot in enumerate(slots[:_SLOTS_SHOWN]):
        state = "active" if slot.active else "nobody reads from it"
        kept = "" if slot.retained_bytes is None else f", keeps {size(slot.retained_bytes)} of WAL"
        status = "" if slot.wal_status is None else f", {printable(slot.wal_status)}"
        yield ("" if number else "slots"), f"{printable(slot.name)}: {state}{kept}{status}"
    if len(slots) > _SLOTS_SHOWN:
        yield "", f"and {len(slots) - _SLOTS_SHOWN} more"


def _of_timings(timings: Timings, connections: int) -> str:
    stages = timings.model_dump(exclude={"total"}, exclude_none=True)
    parts = ", ".join(f"{stage} {value:.1f}" for stage, value in stages.items())
    plural = "" if connections == 1 else "s"
    return f"{timings.total:.1f} ms ({parts}), {connections} connection{plural}"
