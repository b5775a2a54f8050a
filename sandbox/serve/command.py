"""``python -m sandbox serve``, and ``env``, ``do``, ``mail`` and ``reset`` for other terminals."""

import argparse
import http.client
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox.serve.folder import (
    ADDRESS,
    CONTROL,
    CONTROL_HEADER,
    FOLDER,
    PORT,
    WRONG_USAGE,
    account_file,
    environment,
    leave_own_account,
)

COMMANDS = ("serve", "env", "do", "mail", "reset", "picture")
SPEED = 30.0
SPEED_LIMIT = 3600
SOURCES_LIMIT = 500
_PORTS = 65535
_CONTROL_SECONDS = 600.0


class _WrongUsage(ValueError):
    """The account knows no such act, or argument of one."""


def main(arguments: Sequence[str]) -> int:
    """Run one of :data:`COMMANDS`: exit status 0 done, 1 it could not be done, 2 wrong usage."""
    args = _parser(arguments).parse_args(arguments)
    try:
        status: int = args.run(args)
    except _WrongUsage as wrong:
        print(f"sandbox {args.command}: {wrong}", file=sys.stderr)
        return 2
    except ValueError as wrong:
        print(f"sandbox {args.command}: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str, **more: Any) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, **more)
        made.add_argument("--folder", type=Path, help=f"the account's folder (default {FOLDER})")
        made.set_defaults(run=run)
        return made

    serve = add("serve", _serve, "serve an AWS account on a loopback port, until Ctrl-C")
    serve.add_argument(
        "--port",
        type=_between(0, _PORTS, whole=True),
        default=PORT,
        help=f"default {PORT}; another one when it is taken, any free one for 0",
    )
    serve.add_argument(
        "--speed",
        type=_between(1, SPEED_LIMIT),
        default=SPEED,
        help=f"of its clock, at most {SPEED_LIMIT:,} (default {SPEED:.0f})",
    )
    serve.add_argument(
        "--sources",
        type=_between(0, SOURCES_LIMIT, whole=True),
        default=0,
        help=f"so many more at first, at most {SOURCES_LIMIT}: copies of a few that are certified",
    )
    add("env", _env, 'shell lines for another terminal: eval "$(python -m sandbox env)"')
    do = add(
        "do",
        _do,
        "let something happen to the source orders",
        epilog=_acts(arguments),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    do.add_argument("words", nargs="+", metavar="ACT", help="an act, and its argument")
    add("mail", _mail, "show the notices as they would arrive")
    add("reset", _reset, "begin again with the account as it was at first")
    add("picture", _picture, "draw docs/picture.svg again, from a session with a new account")
    return parser


def _between(least: int, most: int, *, whole: bool = False) -> Callable[[str], float]:
    """Return what reads a number of the command line, and says what numbers there are."""

    def number(text: str) -> float:
        try:
            value: float = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number between {least} and {most}")
        return value

    return number


def _serve(args: argparse.Namespace) -> int:
    leave_own_account()
    from sandbox.serve.session import serve  # noqa: PLC0415 - it takes seconds

    return serve(args.folder or FOLDER, port=args.port, speed=args.speed, sources=args.sources)


def _picture(_: argparse.Namespace) -> int:
    from sandbox.serve import picture  # noqa: PLC0415 - it takes seconds

    picture.main(picture.PICTURE)
    print(picture.PICTURE)
    return 0


def _acts(arguments: Sequence[str]) -> str | None:
    """What can be done, when it is asked for."""
    if arguments[:1] != ["do"] or not {"-h", "--help"} & {*arguments}:
        return None
    leave_own_account()
    from sandbox import acts  # noqa: PLC0415 - it takes seconds

    listed = (
        f"  {name:23}{(act.__doc__ or '').splitlines()[0]}" for name, act in acts.ACTS.items()
    )
    return "\n".join(("acts:", *listed))


def _env(args: argparse.Namespace) -> int:
    for line in environment(args.folder or FOLDER, os.environ):
        print(line)
    return 0


def _do(args: argparse.Namespace) -> int:
    print(_asked(args, "do", {"words": args.words}))
    return 0


def _mail(args: argparse.Namespace) -> int:
    notices = _asked(args, "mail", {})
    for subject, body in notices:
        print(f"Subject: {subject}\n\n{body}\n{'-' * 72}")
    if not notices:
        print("No notice was sent.")
    return 0


def _reset(args: argparse.Namespace) -> int:
    print(_asked(args, "reset", {}))
    return 0


def _asked(args: argparse.Namespace, word: str, given: dict[str, Any]) -> Any:
    """Ask the account that serves; the folder that is named, else the environment's account.

    Raises:
        _WrongUsage: there is no such act.
        ValueError: it does not answer, or says no.
    """
    parts = urlsplit(_url(args.folder))
    if parts.hostname not in (ADDRESS, "localhost"):
        raise ValueError(f"AWS_ENDPOINT_URL is not a served account: {parts.hostname}")
    connection = http.client.HTTPConnection(ADDRESS, parts.port or PORT, timeout=_CONTROL_SECONDS)
    try:
        connection.request("POST", CONTROL + word, json.dumps(given), {CONTROL_HEADER: "1"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        raise ValueError("the account does not answer: python -m sandbox serve") from None
    finally:
        connection.close()
    if body and answer.status != 200 and body.get("__type") == WRONG_USAGE:
        raise _WrongUsage(str(body.get("message", "")))
    if answer.status != 200:
        raise ValueError(str(body.get("message", "")))
    return body


def _url(folder: Path | None) -> str:
    if folder is None and (url := os.environ.get("AWS_ENDPOINT_URL")):
        return url
    try:
        account = json.loads(account_file(folder or FOLDER).read_text("utf-8"))
        return str(account["url"])
    except (OSError, ValueError, KeyError):
        name = folder or FOLDER
        raise ValueError(f"no account is served from {name}: python -m sandbox serve") from None
