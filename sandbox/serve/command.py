"""``python -m sandbox serve``, and ``env``, ``do``, ``mail`` and ``reset`` for other terminals."""

import argparse
import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandbox import acts
from sandbox.aws.cloud import TICK_MINUTES
from sandbox.postgres import PostgresError
from sandbox.serve import account as served
from sandbox.serve import http as server
from sandbox.serve.watch import watched
from sandbox.world import NAME, World

COMMANDS = ("serve", "env", "do", "mail", "reset")
SPEED = 30.0
SPEED_LIMIT = 3600.0
_CONTROL_SECONDS = 600.0


def main(arguments: Sequence[str]) -> int:
    """Run one of :data:`COMMANDS`: exit status 0 done, 1 it could not be done, 2 wrong usage."""
    args = _parser().parse_args(arguments)
    try:
        status: int = args.run(args)
    except ValueError as wrong:
        print(f"sandbox {args.command}: {wrong}", file=sys.stderr)
        return 1
    except PostgresError as error:
        print(f"sandbox {args.command}: PostgreSQL could not be started: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Any, text: str, **more: Any) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, **more)
        made.add_argument(
            "--folder", type=Path, help=f"the account's folder (default {served.FOLDER})"
        )
        made.set_defaults(run=run)
        return made

    serve = add("serve", _serve, "serve an AWS account on a loopback port, until Ctrl-C")
    serve.add_argument("--port", type=int, default=server.PORT, help="another one when taken")
    serve.add_argument("--speed", type=_speed, default=SPEED, help="of its clock (default 30)")
    serve.add_argument("--sources", type=int, default=0, help="certify so many more at first")
    add("env", _env, 'shell lines for another terminal: eval "$(python -m sandbox env)"')
    acts_text = "\n".join(
        f"  {name:22}{(act.__doc__ or '').splitlines()[0]}" for name, act in acts.ACTS.items()
    )
    do = add(
        "do",
        _do,
        "let something happen to the source orders",
        epilog=f"acts:\n{acts_text}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    do.add_argument("words", nargs="+", metavar="ACT", help="an act, and its argument")
    add("mail", _mail, "show the notices as they would arrive")
    add("reset", _reset, "begin again with the account as it was at first")
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 1 <= speed <= SPEED_LIMIT:
        raise argparse.ArgumentTypeError(f"between 1 and {SPEED_LIMIT:.0f}")
    return speed


# ---------------------------------------------------------------------- serve


def _serve(args: argparse.Namespace) -> int:
    options = served.Options(speed=args.speed, sources=args.sources)
    with served.held_folder(args.folder or served.FOLDER) as folder:
        account = served.Account(options, folder)
        file = served.account_file(folder)
        file.unlink(missing_ok=True)
        print("Starting PostgreSQL, deploying Certifier, making an estate …", flush=True)
        with watched(file), server.serving(account, port=args.port) as port, _ended_by(account):

            def ready(world: World, again: bool) -> None:
                url = f"http://{server.ADDRESS}:{port}"
                served.write_account(folder, url)
                text = "\nThe account was reset.\n" if again else ""
                print(text + _banner(world, folder, url, args.speed), flush=True)

            try:
                account.run(ready)
            finally:
                file.unlink(missing_ok=True)
    print("\nThe account has ended; nothing is left behind.", flush=True)
    return 0


@contextmanager
def _ended_by(account: served.Account) -> Iterator[None]:
    """Ctrl-C, a closed terminal and SIGTERM end the account; while it opens, at once."""

    def end(*_: Any) -> None:
        account.end()
        if not account.is_open:
            raise KeyboardInterrupt

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, end) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _banner(world: World, folder: Path, url: str, speed: float) -> str:
    option = "" if folder == served.FOLDER else f" --folder {folder}"
    source = folder / f"{NAME}.json"
    seconds = f"{TICK_MINUTES * 60 / speed:.3g}"
    return f"""\
An AWS account at {url} with Certifier deployed; PostgreSQL {world.server.server_version} at \
{world.host}:{world.server.port}.
In another terminal:
  eval "$({_python()} -m sandbox env{option})"
  certifier discover
  certifier certify {source} --plan
  certifier certify {source} && certifier status {NAME}
  aws dms describe-endpoints
Ten minutes pass every {seconds} seconds. Let something happen:
  {_python()} -m sandbox do renew | rotate-password | wrong-ca | add-task | break-after-change
      | kill | tick | …  (do --help lists them all), and read the notices: … mail
Ctrl-C ends it; nothing is left behind."""


def _python() -> str:
    """The interpreter as it is typed: relative where that is shorter."""
    try:
        return str(Path(sys.executable).relative_to(Path.cwd()))
    except ValueError:
        return sys.executable


# ---------------------------------------------------------------------- other terminals


def _env(args: argparse.Namespace) -> int:
    for line in served.environment(args.folder or served.FOLDER, os.environ):
        print(line)
    return 0


def _do(args: argparse.Namespace) -> int:
    acts.Asked.of(tuple(args.words))
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
        ValueError: it does not answer, or says no.
    """
    parts = urlsplit(_url(args.folder))
    if parts.hostname not in (server.ADDRESS, "localhost"):
        raise ValueError(f"AWS_ENDPOINT_URL is not a served account: {parts.hostname}")
    connection = http.client.HTTPConnection(
        server.ADDRESS, parts.port or server.PORT, timeout=_CONTROL_SECONDS
    )
    try:
        connection.request(
            "POST", server.CONTROL + word, json.dumps(given), {server.CONTROL_HEADER: "1"}
        )
        answer = connection.getresponse()
        body = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        raise ValueError("the account does not answer: python -m sandbox serve") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(str(body.get("message", "")))
    return body


def _url(folder: Path | None) -> str:
    if folder is None and (url := os.environ.get("AWS_ENDPOINT_URL")):
        return url
    try:
        account = json.loads(served.account_file(folder or served.FOLDER).read_text("utf-8"))
        return str(account["url"])
    except (OSError, ValueError, KeyError):
        name = folder or served.FOLDER
        raise ValueError(f"no account is served from {name}: python -m sandbox serve") from None
