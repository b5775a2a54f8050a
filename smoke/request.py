"""What a smoke needs to know: flags, or environment variables of the same names."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from certifier.certificate import certificates_in

SILENT_HOST = "192.0.2.1"  # RFC 5737: an address that nobody has
LONGEST = 240  # characters of an input that a message repeats
LARGEST = 1 << 20  # bytes of a file that are read
_INSTANCE = re.compile(r"arn:aws[\w-]*:dms:[\w-]+:\d{12}:rep:[\w-]+")
_SECRET = re.compile(r"arn:aws[\w-]*:secretsmanager:[\w-]+:\d{12}:secret:.+-[A-Za-z0-9]{6}")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/.+")
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,253}")
_PREFIX = "CERTIFIER_SMOKE_"
_NEEDED = ("instance", "secret", "ca")


class WrongInput(Exception):
    """The flags or variables do not make sense; the text is one line for a person."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A PostgreSQL that DMS reaches, and the CA that its certificate verifies against."""

    host: str
    port: int | None
    ca_pem: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a smoke works with.

    Attributes:
        instance: ARN of a replication instance; secret: ARN of the login's secret, which holds
            host, port, username and password as DMS wants them; ca_pem: what the server's
            certificate verifies against.
        role: lets DMS read the secret. alias: another name or address of the server, for which its
            certificate is not. intermediate_pem: an intermediate CA of the server, alone.
        silent_host: answers nothing, so that a test takes its time.
        with_task, with_acm: what is only done when asked for. database: the secret's when None.
    """

    instance: str
    secret: str
    ca_pem: str
    role: str | None = None
    alias: str | None = None
    intermediate_pem: str | None = None
    self_signed: Server | None = None
    silent_host: str = SILENT_HOST
    database: str | None = None
    with_task: bool = False
    with_acm: bool = False
    minutes: int = 60

    @property
    def region(self) -> str:
        """The Region of the replication instance, in which everything is made."""
        return self.instance.split(":")[3]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line asks for. ``request`` is None when nothing was said of an account."""

    request: Request | None
    sweep: bool = False
    json: bool = False
    profile: str | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WrongInput(message)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = _Parser(
        prog="python -m smoke",
        description="Ask a real AWS account what DMS does where nobody has confirmed it.",
        epilog="Every VALUE can also stand in the environment: --self-signed-ca is "
        f"{_PREFIX}SELF_SIGNED_CA. AWS credentials come from where boto3 looks. Without them, or "
        "without any flag, the smoke says what it would do and ends.",
    )
    value = made.add_argument
    value("--instance", metavar="ARN", help="replication instance to test from (needed)")
    value("--secret", metavar="ARN", help="secret: host, port, username, password (needed)")
    value("--ca", metavar="FILE", help="CA that the server's certificate verifies against (needed)")
    value("--database", metavar="NAME", help="default: the secret's dbname, else postgres")
    value("--role", metavar="ARN", help="role by which DMS reads the secret")
    value("--alias", metavar="HOST", help="name of the server that its certificate does not cover")
    value("--intermediate", metavar="FILE", help="the server's intermediate CA, alone")
    value("--self-signed-host", metavar="HOST[:PORT]", help="a self-signed server, same login")
    value("--self-signed-ca", metavar="FILE", help="its certificate")
    value("--silent-host", metavar="HOST", help=f"a host that drops packets ({SILENT_HOST})")
    value("--minutes", metavar="N", help="end after so long, clean-up not counted (60)")
    value("--profile", metavar="NAME", help="AWS profile")
    flag = {"action": "store_true"}
    made.add_argument("--with-task", **flag, help="also a CDC task; it leaves objects in databases")  # type: ignore[arg-type]
    made.add_argument("--with-acm", **flag, help="also ACM: 4 of the 5,000 imports of a year")  # type: ignore[arg-type]
    made.add_argument("--sweep", **flag, help="delete what earlier smokes left, and end")  # type: ignore[arg-type]
    made.add_argument("--json", **flag, help="print JSON only")  # type: ignore[arg-type]
    return made


def wanted(arguments: Sequence[str], environ: Mapping[str, str]) -> Wanted:
    """Read flags and environment.

    Raises:
        WrongInput: something is missing, malformed, or cannot be opened.
    """
    given = vars(parser().parse_args(list(arguments)))
    for name, value in given.items():
        if value is None:
            given[name] = environ.get(_PREFIX + name.upper()) or None
    options = {"json": given["json"], "profile": given["profile"], "sweep": given["sweep"]}
    named = {name for name, value in given.items() if value} - {"json", "profile", "sweep"}
    if given["sweep"] and given["instance"] is None:
        raise WrongInput("--sweep needs --instance, for the Region")
    if not named:
        return Wanted(request=None, **options)
    request = _request(given)
    missing = [f"--{name}" for name in _NEEDED if given[name] is None]
    if missing and not given["sweep"]:
        raise WrongInput(f"missing: {', '.join(missing)}")
    return Wanted(request=request, **options)


def _request(given: Mapping[str, str | None]) -> Request:
    _matching(given, "instance", _INSTANCE, "the ARN of a replication instance")
    _matching(given, "secret", _SECRET, "a full secret ARN, with its six characters at the end")
    _matching(given, "role", _ROLE, "the ARN of a role")
    for name in ("alias", "silent_host", "self_signed_host"):
        _matching(given, name, _HOST, "a host")
    minutes = given["minutes"] or "60"
    if not minutes.isdecimal() or not 1 <= int(minutes) <= 600:
        raise WrongInput(f"--minutes {minutes[:LONGEST]!r} is not a number from 1 to 600")
    if (given["self_signed_host"] is None) != (given["self_signed_ca"] is None):
        raise WrongInput("--self-signed-host and --self-signed-ca belong together")
    return Request(
        instance=given["instance"] or "",
        secret=given["secret"] or "",
        ca_pem=_pem(given, "ca") or "",
        role=given["role"],
        alias=given["alias"],
        intermediate_pem=_pem(given, "intermediate"),
        self_signed=_self_signed(given),
        silent_host=given["silent_host"] or SILENT_HOST,
        database=given["database"],
        with_task=bool(given["with_task"]),
        with_acm=bool(given["with_acm"]),
        minutes=int(minutes),
    )


def _self_signed(given: Mapping[str, str | None]) -> Server | None:
    pem = _pem(given, "self_signed_ca")
    if pem is None:
        return None
    host, _, port = (given["self_signed_host"] or "").partition(":")
    if port and not (port.isdecimal() and 1 <= int(port) <= 65_535):
        raise WrongInput(f"--self-signed-host: {port[:LONGEST]!r} is not a port")
    return Server(host=host, port=int(port) if port else None, ca_pem=pem)


def _matching(
    given: Mapping[str, str | None], name: str, pattern: re.Pattern[str], allowed: str
) -> None:
    """Refuse what does not match, without a word of it: it may be a secret in the wrong place."""
    value = given[name]
    if value is not None and not pattern.fullmatch(value):
        raise WrongInput(f"--{name.replace('_', '-')} is not {allowed}")


def _pem(given: Mapping[str, str | None], name: str) -> str | None:
    """Return the text of a file of certificates."""
    path = given[name]
    if path is None:
        return None
    flag = "--" + name.replace("_", "-")
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST).decode("ascii", errors="replace")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "cannot be opened"
        raise WrongInput(f"{flag} {path[:LONGEST]!r}: {why}") from None
    if not certificates_in(text):
        raise WrongInput(f"{flag} {path[:LONGEST]!r} holds no certificate in PEM")
    return text
