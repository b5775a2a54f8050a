"""The folder of a served account: what other terminals read there, and the commands of its ``bin``.

It imports little: `env`, `do` and `mail` are typed often.
"""

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FOLDER = Path("build/sandbox")
FOLDERS = 20
"""How many accounts may be served from one folder at the same time."""
ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "127.0.0.1"
PORT = 4566
CONTROL = "/_sandbox/"
WRONG_USAGE = "WrongUsage"
"""The code of the answer to what is not an act."""
CONTROL_HEADER = "X-Sandbox-Control"


def leave_own_account() -> None:
    """Take out of the environment how its owner reaches AWS: a profile, an address, credentials.

    To be called before boto3 is imported by anything: moto asks it for a session at once.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


@contextmanager
def held_folder(folder: Path) -> Iterator[Path]:
    """A folder that no other account is served from: this one, or one beside it with a number.

    Raises:
        ValueError: all of them are taken.
    """
    for number in range(1, FOLDERS + 1):
        chosen = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        chosen.mkdir(parents=True, exist_ok=True)
        with (chosen / "lock").open("w") as lock:
            if _locked(lock):
                yield chosen
                return
    raise ValueError(f"{FOLDERS} accounts are served from {folder} already")


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def account_file(folder: Path) -> Path:
    """The file that names the account served from a folder."""
    return folder / "account.json"


def write_account(folder: Path, url: str, region: str) -> None:
    """Write what other terminals need: the account's file, and the commands of ``bin``."""
    binaries = folder / "bin"
    binaries.mkdir(exist_ok=True)
    python = shlex.quote(sys.executable)
    # ROOT last: `certifier` is the checkout's own, wherever it is called from.
    _write_command(
        binaries / "certifier",
        f'PYTHONPATH={shlex.quote(str(ROOT))} exec {python} -P -m certifier "$@"',
    )
    aws = ROOT / ".venv-awscli" / "bin" / "aws"
    if aws.is_file():
        # The command takes an endpoint for SQS from this option alone.
        command = f'exec {shlex.quote(str(aws))} --endpoint-url "$AWS_ENDPOINT_URL" "$@"'
        _write_command(binaries / "aws", command)
    account = {"url": url, "region": region, "pid": os.getpid()}
    account_file(folder).write_text(json.dumps(account) + "\n", "utf-8")


def _write_command(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", "utf-8")
    path.chmod(0o755)


def environment(folder: Path, known: Mapping[str, str]) -> Iterator[str]:
    """Yield the shell lines that point ``aws`` and ``certifier`` at the account.

    Args:
        known: the environment that they are for; what could lead elsewhere in it is unset.

    Raises:
        ValueError: no account is served from the folder.
    """
    try:
        account = json.loads(account_file(folder).read_text("utf-8"))
    except (OSError, ValueError):
        raise ValueError(f"no account is served from {folder}: python -m sandbox serve") from None
    settings = {
        "AWS_ENDPOINT_URL": account["url"],
        "AWS_REGION": account["region"],
        "AWS_DEFAULT_REGION": account["region"],
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    elsewhere = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "CERTIFIER_STACK")
    other = [name for name in known if name.startswith("AWS_ENDPOINT_URL_")]
    for name in (*elsewhere, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", *sorted(other)):
        yield f"unset {name}"
    for name, value in settings.items():
        yield f"export {name}={shlex.quote(value)}"
    yield f'export PATH={shlex.quote(str((folder / "bin").resolve()))}:"$PATH"'
