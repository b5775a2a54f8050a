"""``python -m sandbox serve``: one account from its opening to Ctrl-C."""

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sandbox.aws.cloud import TICK_MINUTES
from sandbox.postgres import PostgresError
from sandbox.serve.account import Account, Options
from sandbox.serve.folder import ADDRESS, FOLDER, account_file, held_folder, write_account
from sandbox.serve.http import serving
from sandbox.serve.watch import watched
from sandbox.world import NAME, World


def serve(folder: Path, *, port: int, speed: float, sources: int) -> int:
    """Serve an account until somebody ends it.

    Raises:
        ValueError: this machine lacks what it needs.
    """
    with _held(folder) as held:
        account = Account(Options(speed=speed, sources=sources), held)
        try:
            _serve(account, port)
        except PostgresError as error:
            raise ValueError(f"PostgreSQL could not be started: {error}") from None
        except TimeoutError as error:
            raise ValueError(f"the sources were not certified in time: {error}") from None
    print("\nThe account has ended; nothing is left behind.", flush=True)
    return 0


@contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """A folder to serve from.

    Raises:
        ValueError: it cannot be made or written.
    """
    with ExitStack() as stack:
        try:
            held = stack.enter_context(held_folder(folder))
            account_file(held).unlink(missing_ok=True)
        except OSError as error:
            raise ValueError(f"{folder} cannot be used: {error.strerror}") from None
        yield held


def _serve(account: Account, port: int) -> None:
    file = account_file(account.folder)
    print("Starting PostgreSQL, deploying Certifier, making an estate …", flush=True)
    with watched(file), serving(account, port=port) as taken, _ended_by(account):
        url = f"http://{ADDRESS}:{taken}"

        def ready(world: World, again: bool) -> None:
            write_account(account.folder, url, world.cloud.region)
            text = "\nThe account was reset.\n" if again else ""
            print(text + _banner(world, account, url), flush=True)

        try:
            account.run(ready)
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def _ended_by(account: Account) -> Iterator[None]:
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


def _banner(world: World, account: Account, url: str) -> str:
    option = "" if account.folder == FOLDER else f" --folder {account.folder}"
    source = account.folder / f"{NAME}.json"
    seconds = f"{TICK_MINUTES * 60 / account.options.speed:.3g}"
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
