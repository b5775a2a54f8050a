"""``python -m smoke``: ask a real account; without one, say what would be asked.

Exit status: 0 reported or planned, 1 something did not hold, ended early or was left behind, 2
wrong input.
"""

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from certifier.aws.clients import Clients, translate
from certifier.aws.dms import Dms
from certifier.aws.secrets import Secrets
from certifier.errors import CertifierError, Refused
from smoke import show
from smoke.account import Account, Login, login_of
from smoke.request import Wanted, WrongInput, wanted
from smoke.run import play

NOTHING_GIVEN = "No replication instance was given."
NO_CREDENTIALS = "There are no AWS credentials."
NOBODY = Login(host="", port=0, username="", password="\0", database="")
"""A sweep logs in nowhere."""


def main(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    session: Callable[..., boto3.Session] = boto3.Session,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
    out: TextIO | None = None,
) -> int:
    """Run the command line; every collaborator can be given by a test."""
    console = Console(file=out or sys.stdout, highlight=False)
    time_of: dict[str, Any] = {"now": now, "sleep": sleep}
    try:
        asked = wanted(arguments, environ)
        if asked.request is None:
            return _planned(console, asked, NOTHING_GIVEN)
        made = session(profile_name=asked.profile, region_name=asked.request.region)
        if made.get_credentials() is None:
            return _planned(console, asked, NO_CREDENTIALS)
        clients = Clients(made)
        if asked.sweep:
            return _swept(console, Account(asked.request, clients, NOBODY, run="", **time_of))
        login = login_of(asked.request, Secrets(clients.client("secretsmanager")))
        run = secrets.token_hex(4)
        account = Account(asked.request, clients, login, run=run, **time_of)
        return _smoked(console, account, as_json=asked.json)
    except WrongInput as problem:
        return _wrong(str(problem))
    except Refused as problem:
        return _wrong(problem.seen or problem.cause.value)
    except (ClientError, BotoCoreError) as problem:
        return _wrong(f"{type(problem).__name__}: {translate(problem)}")
    except CertifierError as problem:
        return _wrong(f"{type(problem).__name__}: {problem}")
    except KeyboardInterrupt:
        print("interrupted while cleaning up; `python -m smoke --sweep` goes on", file=sys.stderr)
        return 1


def _planned(console: Console, asked: Wanted, why: str) -> int:
    if asked.json:
        console.print(show.plan_json(why), markup=False, soft_wrap=True)
    else:
        show.plan(console, why)
    return 0


def _wrong(problem: str) -> int:
    print(show.usage(problem), file=sys.stderr)
    return 2


def _swept(console: Console, account: Account) -> int:
    left = account.sweep()
    show.leftovers(console, left)
    return 1 if left else 0


def _smoked(console: Console, account: Account, *, as_json: bool) -> int:
    _require_instance(account.dms, account.instance)
    progress = Console(stderr=True, highlight=False, markup=False)
    progress.print(f"run {account.run} in {account.request.region}")
    book = play(account, say=progress.print)
    if as_json:
        text = show.book_json(book, run=account.run, region=account.request.region)
        console.print(text, markup=False, soft_wrap=True)
    else:
        show.tables(console, book)
        console.print("\nThe switches that play this account:")
        console.print(show.switches_json(book), markup=False, soft_wrap=True)
    return 0 if book.holds else 1


def _require_instance(dms: Dms, arn: str) -> None:
    for instance in dms.instances((arn,)):
        if instance.status != "available":
            raise WrongInput(f"--instance: {instance.identifier} is {instance.status}")
        return
    raise WrongInput("--instance: there is no such replication instance in this account")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
