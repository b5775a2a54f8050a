"""What the commands share that talk to AWS: which installation, and how its errors are shown."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from certifier.aws.clients import Clients
from certifier.aws.clock import ServiceClock
from certifier.aws.deployment import Deployment, find_deployment
from certifier.aws.s3 import Documents
from certifier.aws.states import States
from certifier.aws.store import Store
from certifier.cli import did_you_mean
from certifier.cli.reasons import reason
from certifier.cli.unanswered import PerhapsDoneError
from certifier.errors import CertifierError
from certifier.run.state import SourceState
from certifier.text import clock_time, printable, quoted

STACK = "Certifier"


def add_options(parser: argparse.ArgumentParser, *, stack: bool = True) -> None:
    """Add the options that say where in AWS to look."""
    group = parser.add_argument_group("where in AWS")
    if stack:
        group.add_argument(
            "--stack",
            default=os.environ.get("CERTIFIER_STACK") or STACK,
            help=f"name of the CloudFormation stack (CERTIFIER_STACK; default {STACK})",
        )
    group.add_argument("--region", help="AWS Region (default: that of the environment)")
    group.add_argument("--profile", help="AWS profile (default: that of the environment)")


def again(args: argparse.Namespace, *words: str) -> str:
    """Return a command to type, in the installation that the options of this one name."""
    standard = {"stack": os.environ.get("CERTIFIER_STACK") or STACK}
    where = [
        f"--{name} {shlex.quote(value)}"
        for name in ("stack", "region", "profile")
        if (value := getattr(args, name, None)) and value != standard.get(name)
    ]
    return " ".join([*(shlex.quote(word) for word in words), *where])


@dataclass(frozen=True)
class Installation:
    """One deployed Certifier."""

    deployment: Deployment
    store: Store
    documents: Documents
    states: States
    clock: ServiceClock

    def now(self) -> datetime:
        """Return what time it is there."""
        return self.clock.now()


def clients(args: argparse.Namespace) -> Clients:
    """Return the clients of the profile and Region that the options name."""
    return Clients.of_profile(args.profile, args.region)


def find(args: argparse.Namespace) -> Installation:
    """Return the installation that the options name.

    Raises:
        Refused: there is none, or AWS does not let us look.
    """
    made = clients(args)
    deployment = find_deployment(made.client("cloudformation"), args.stack)
    return Installation(
        deployment=deployment,
        store=Store(made.client("dynamodb"), deployment.table),
        documents=Documents(made.client("s3"), deployment.bucket),
        states=States(made.client("stepfunctions")),
        clock=made.clock,
    )


def guarded(command: str, work: Callable[[], int]) -> int:
    """Run a command; an error of ours is one line on stderr and exit status 2."""
    try:
        return work()
    except CertifierError as error:
        return complain(command, reason(error))
    except PerhapsDoneError as unknown:
        return complain(command, str(unknown))


def complain(command: str, text: str) -> int:
    """Say on stderr what is wrong, and return exit status 2."""
    lines = "\n".join(printable(line, 2000) for line in text.splitlines())
    print(f"certifier {command}: {lines}", file=sys.stderr)
    return 2


def missing(command: str, name: str, place: Installation) -> int:
    """Say that nobody registered a source, and what was meant; return the exit status."""
    complain(command, not_registered(name, [state.name for state in place.store.states_all()]))
    return 1


def when_due(state: SourceState) -> str:
    """Return when a source is run next, as words for whoever finds that nothing is to be done."""
    if state.claim is not None:
        return "a run has it now"
    return "no run is due" if state.due_at is None else f"due {clock_time(state.due_at)}"


def not_registered(name: str, known: Sequence[str]) -> str:
    """Return the sentence about a name that nobody registered."""
    return f"{quoted(name, 80)} is not a registered source{did_you_mean(name, known)}"
