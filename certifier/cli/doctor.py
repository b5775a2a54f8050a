"""``certifier doctor``: is this installation all right, and may you use it."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from certifier.aws.deployment import Deployment, find_deployment
from certifier.aws.doctor import Doctor, Tried
from certifier.cli.installation import add_options, clients, complain, guarded
from certifier.cli.reasons import reason
from certifier.cli.terminal import Cell, Terminal
from certifier.errors import CertifierError, Refused
from certifier.text import clock_time, counted, printable, span
from certifier.version import VERSION

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

LATE = timedelta(minutes=25)
"""The schedule ticks every ten minutes; two that are missed are one too many."""


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "doctor",
        help="is the installation all right, and may you use it",
        description="Look at what goes wrong first: the stack and its version, what you may do,"
        " prefixes and buckets, who gets notices, where the probe runs, the schedule and its last"
        " tick. Reads only.",
        epilog="exit status: 0 all is right; 1 something is not; 2 there is no such stack",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class Check:
    """What was looked at, and what was seen. ``good``: ``None`` when it cannot be said."""

    what: str
    good: bool | None
    seen: str
    do: str = ""


def run(args: argparse.Namespace) -> int:
    """Look: 0 all right, 1 not, 2 no such stack."""
    return guarded("doctor", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    made = clients(args)
    try:
        deployment = find_deployment(made.client("cloudformation"), args.stack)
    except Refused as refused:
        return complain("doctor", reason(refused))
    checks = list(examined(Doctor(made), deployment, args.stack, made.clock.now()))
    if args.json:
        print(json.dumps([check.__dict__ for check in checks], indent=2))
    else:
        show(Terminal(), checks)
    return 1 if any(check.good is False for check in checks) else 0


def examined(doctor: Doctor, deployment: Deployment, stack: str, now: datetime) -> Iterator[Check]:
    """Yield one check after the other; what may not be looked at is said so."""
    yield _you(doctor)
    yield _version(deployment, stack)
    for what, answer in doctor.rights(deployment):
        yield _right(what, answer)
    yield Check("secrets", None, deployment.secret_prefixes or "the stack does not say")
    yield Check("bundles", None, deployment.bundle_buckets or "no bucket is allowed")
    yield Check("probe", None, deployment.probe_place or "the stack does not say")
    yield _notices(doctor, deployment)
    yield _schedule(doctor, stack)
    yield _tick(doctor, deployment, now)


def _you(doctor: Doctor) -> Check:
    caller = doctor.caller()
    seen = caller or "AWS does not say who you are"
    return Check("you", caller is not None, seen, "" if caller else "aws sts get-caller-identity")


def _version(deployment: Deployment, stack: str) -> Check:
    if deployment.version is None:
        return Check("version", None, f"the stack {stack} does not say which version it is")
    same = deployment.version == VERSION
    seen = f"the stack {stack} is {deployment.version}, this command {VERSION}"
    return Check("version", same, seen, "" if same else "deploy, or install the same version")


def _right(what: str, answer: Tried) -> Check:
    do = "" if answer.good else "attach a policy of the stack (docs/operate/permissions.md)"
    return Check(what, answer.good, answer.seen, do)


def _notices(doctor: Doctor, deployment: Deployment) -> Check:
    try:
        confirmed, pending = doctor.subscriptions(deployment.topic)
    except CertifierError as error:
        return Check("notices", None, f"cannot be looked at: {error}")
    return notices(confirmed, pending)


def notices(confirmed: int, pending: int) -> Check:
    """Return whether notices reach anybody, by how many addresses have confirmed, and not yet."""
    if not confirmed and not pending:
        return Check("notices", False, "nobody gets any", "add an address: the setting notify")
    seen = f"{counted(confirmed, 'address', 'addresses')} confirmed"
    if not pending:
        return Check("notices", True, seen)
    return Check("notices", False, f"{seen}, {pending} not", "confirm the mail that AWS has sent")


def _schedule(doctor: Doctor, stack: str) -> Check:
    try:
        found = doctor.schedules(stack)
    except CertifierError as error:
        return Check("schedule", None, f"cannot be looked at: {error}")
    if not found:
        return Check("schedule", None, f"none has a name that begins with {stack}-")
    good = all(state == "ENABLED" for state in found)
    seen = "enabled" if good else "disabled"
    return Check("schedule", good, seen, "" if good else "enable it in EventBridge Scheduler")


def _tick(doctor: Doctor, deployment: Deployment, now: datetime) -> Check:
    try:
        last = doctor.last_start(deployment.machine)
    except CertifierError as error:
        return Check("last run", None, f"cannot be looked at: {error}")
    if last is None:
        return Check("last run", False, "the state machine has never run", "wait ten minutes")
    good = now - last <= LATE
    seen = f"{clock_time(last)}, {span(now - last)} ago"
    return Check("last run", good, seen, "" if good else "look at the schedule and the queue")


def show(terminal: Terminal, checks: list[Check]) -> None:
    """Print what was seen, a line each."""
    terminal.rows([_row(check) for check in checks])
    bad = sum(1 for check in checks if check.good is False)
    terminal.gap()
    terminal.line(f"{counted(bad, 'thing')} to do" if bad else "nothing to do")


def _row(check: Check) -> list[Cell]:
    word = {
        True: Text("ok", style="green"),
        False: Text("not ok", style="bold red"),
        None: Text("–", style="dim"),
    }[check.good]
    do = f"  → {check.do}" if check.do else ""
    return [Text(check.what), word, printable(f"{check.seen}{do}", 1000)]
