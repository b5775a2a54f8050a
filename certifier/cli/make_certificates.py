"""``certifier make-certificates``: an authority, and a server certificate for PostgreSQL."""

import argparse
import errno
import json
import os
import re
import shlex
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certifier.certificate.make import MAX_LEAF_DAYS, KeyType, Made, host_problem, make
from certifier.text import printable, quoted

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

ROOT, SERVER, SERVER_KEY, ROOT_KEY = "root.crt", "server.crt", "server.key", "root.key"
GITIGNORE: Final = ".gitignore"
IGNORED: Final = b"*.key"
_MAX_ROOT_DAYS: Final = 7300
_MAX_NAME: Final = 64
_PUBLIC, _SECRET = 0o644, 0o600


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "make-certificates",
        help="make an authority and a server certificate for PostgreSQL",
        description="Make a root certificate and a server certificate below it. Nothing is ever"
        " overwritten. The root's key is thrown away, so that nobody can sign with it again,"
        " unless --keep-root-key is given.",
        epilog="exit status: 0 made; 1 a file is there already; 2 wrong usage, or a file that"
        " cannot be written",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to; made when missing")
    parser.add_argument(
        "--host",
        dest="hosts",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME",
        help="DNS names and IP addresses under which clients reach the server",
    )
    parser.add_argument(
        "--key-type",
        choices=[each.value for each in KeyType],
        default=KeyType.EC_P256.value,
        metavar="TYPE",
        help=f"{', '.join(KeyType)} (default: %(default)s)",
    )
    parser.add_argument(
        "--days",
        type=_days(MAX_LEAF_DAYS),
        default=397,
        metavar="N",
        help=f"validity of the server certificate, at most {MAX_LEAF_DAYS} (default: %(default)s)",
    )
    parser.add_argument(
        "--root-days",
        type=_days(_MAX_ROOT_DAYS),
        default=3650,
        metavar="N",
        help=f"validity of the root, at most {_MAX_ROOT_DAYS} (default: %(default)s)",
    )
    parser.add_argument(
        "--root-name",
        type=_root_name,
        default="PostgreSQL root CA",
        metavar="NAME",
        help="common name of the root (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-root-key",
        action="store_true",
        help=f"write {ROOT_KEY} too, to sign with it later; keep it off the server",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def _days(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= most:
            raise argparse.ArgumentTypeError(f"must be a number of days from 1 to {most}")
        return int(text)

    return parse


def _root_name(text: str) -> str:
    if not 1 <= len(text) <= _MAX_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"must be 1 to {_MAX_NAME} printable characters")
    return text


def run(args: argparse.Namespace) -> int:
    """Make the certificates and write them; 1 when a file is there already, 2 for wrong usage."""
    problems = [
        f"--host {quoted(host, 80)} {problem}"
        for host in args.hosts
        if (problem := host_problem(host)) is not None
    ]
    if args.root_days < args.days:
        problems.append("--root-days must not be less than --days")
    if problems:
        return _complain(2, *problems)
    directory: Path = args.directory
    made = make(
        args.hosts,
        key_type=KeyType(args.key_type),
        days=args.days,
        root_days=args.root_days,
        root_name=args.root_name,
        now=datetime.now(UTC),
    )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        written = _write(directory, _files(made, keep_root_key=args.keep_root_key))
    except FileExistsError as error:
        return _complain(
            1, f"{error.filename} is there already; nothing is overwritten, and nothing was written"
        )
    except OSError as error:
        return _complain(2, f"{error.filename}: {error.strerror}")
    if args.json:
        print(json.dumps({"hosts": args.hosts, "files": [str(path) for path in written]}, indent=2))
    else:
        host = args.hosts[0].replace("*", "db")
        print(_explained(directory.resolve(), host, written, keeps=args.keep_root_key))
    return 0


def _complain(status: int, *problems: str) -> int:
    for problem in problems:
        print(f"certifier make-certificates: {printable(problem)}", file=sys.stderr)
    return status


def _files(made: Made, *, keep_root_key: bool) -> dict[str, tuple[bytes, int]]:
    """Return content and mode of each file by its name."""
    files = {
        ROOT: (made.root, _PUBLIC),
        SERVER: (made.server, _PUBLIC),
        SERVER_KEY: (made.server_key, _SECRET),
    }
    return {**files, ROOT_KEY: (made.root_key, _SECRET)} if keep_root_key else files


def _write(directory: Path, files: Mapping[str, tuple[bytes, int]]) -> list[Path]:
    """Write all files or none, each only where there is none yet.

    Raises FileExistsError, with the name, when one is there; OSError when the folder is unusable.
    """
    for name in (*files, ROOT_KEY):
        if os.path.lexists(directory / name):
            raise FileExistsError(errno.EEXIST, "exists", str(directory / name))
    written: list[Path] = []
    try:
        for name, (content, mode) in files.items():
            path = directory / name
            # O_EXCL: a file, or a link, that came between the look and now is not written to
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET)
            written.append(path)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                os.fchmod(handle, mode)
        _ignore(directory / GITIGNORE)
    except OSError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def _ignore(path: Path) -> None:
    """Keep keys out of git: write the list, or add to the one that is there."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    if IGNORED not in lines:
        path.write_bytes(b"\n".join([*lines, IGNORED, b""]))


def _explained(directory: Path, host: str, written: Sequence[Path], *, keeps: bool) -> str:
    """Say what was written, and how PostgreSQL, Docker Compose and clients use it."""
    files = "\n".join(
        f"  {path.name:<11} {stat.S_IMODE(path.stat().st_mode):04o}  {_PURPOSE[path.name]}"
        for path in written
    )
    root_key = (
        f"Whoever has {ROOT_KEY} can issue certificates that your clients trust: keep it offline."
        if keeps
        else "The root's key was thrown away: to renew, make both anew and replace the CA bundle."
    )
    return _TEXT.format(
        directory=directory,
        files=files,
        root_key=root_key,
        certificate=_quoted(directory / SERVER),
        key=_quoted(directory / SERVER_KEY),
        mount=json.dumps(f"{directory}:/certificates:ro"),
        conninfo=shlex.quote(
            f"host={host} sslmode=verify-full sslrootcert={_conninfo(directory / ROOT)}"
        ),
        inspect=shlex.join(
            [
                *("certifier", "inspect", "--certificate", str(directory / SERVER)),
                *("--private-key", str(directory / SERVER_KEY)),
                *("--ca-bundle", str(directory / ROOT), "--host", host),
            ]
        ),
    )


def _quoted(path: Path) -> str:
    """Quote a value for postgresql.conf."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "''") + "'"


def _conninfo(path: Path) -> str:
    """Quote a value for a connection string, where that is needed."""
    if not re.search(r"[\s'\\]", str(path)):
        return str(path)
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"


_PURPOSE: Final = {
    ROOT: "what clients and DMS trust: the CA bundle of the source",
    SERVER: "what PostgreSQL serves",
    SERVER_KEY: "its private key; PostgreSQL's user must own it",
    ROOT_KEY: "the root's private key; not for the server",
}
_TEXT: Final = """\
Written to {directory}:
{files}

{root_key}

postgresql.conf (then: SELECT pg_reload_conf()):
  ssl = on
  ssl_cert_file = {certificate}
  ssl_key_file = {key}

pg_hba.conf (refuses what is not encrypted):
  hostssl all all all scram-sha-256

docker-compose.yml (the key is copied, because its owner must be PostgreSQL's user):
  services:
    postgres:
      image: postgres:18
      volumes:
        - {mount}
      entrypoint:
        - bash
        - -ceu
        - |
          install -d -o postgres -g postgres -m 700 /run/tls
          install -o postgres -g postgres -m 600 /certificates/server.key /run/tls/server.key
          install -o postgres -g postgres -m 644 /certificates/server.crt /run/tls/server.crt
          exec docker-entrypoint.sh "$$@"
        - --
      command:
        - postgres
        - -cssl=on
        - -cssl_cert_file=/run/tls/server.crt
        - -cssl_key_file=/run/tls/server.key

Try it:
  psql {conninfo}
  {inspect}"""
