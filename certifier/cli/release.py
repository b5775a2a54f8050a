"""``certifier release``: let a task that Certifier stopped stay stopped."""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from certifier.aws.store import InUse
from certifier.cli.installation import (
    Installation,
    add_options,
    again,
    complain,
    find,
    guarded,
    missing,
    when_due,
)
from certifier.cli.records import read_record
from certifier.cli.unanswered import perhaps
from certifier.text import name_in, printable

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "release",
        help="let a task that was stopped for a change stay stopped",
        description="Drop a pending restart: Certifier does not start the task again for this"
        " source. The task itself is left as it is. Refused while a run has the source.",
        epilog="exit status: 0 done, also when it did not wait; 1 another task waits, or a run has"
        " the source; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    parser.add_argument("task", metavar="TASK", help="the task: its identifier, or its ARN")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Release the task: 0 it does not wait, 1 another one does, or a run has the source."""
    return guarded("release", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    place, name, task = find(args), printable(args.name, 80), printable(args.task, 300)
    arn = _arn(place, args.name, args.task)
    done: InUse | bool = False
    if arn is not None:
        with perhaps(
            f"{task} does not wait for {name} any more", again(args, "certifier", "show", name)
        ):
            done = place.store.release(args.name, arn, place.now())
    match done:
        case InUse(by=by):
            print(f"certifier release: {name} has {printable(by)}", file=sys.stderr)
            return 1
        case False:
            return _does_not_wait(args, place)
    print(f"{task} stays as it is; {name} does not start it again, and is due now")
    return 0


def _does_not_wait(args: argparse.Namespace, place: Installation) -> int:
    """Say that a task does not wait: 1 when it may be a mistyped one of those that do, and while a
    run has the source, which may be about to stop it.
    """
    name = printable(args.name, 80)
    if (state := place.store.state(args.name)) is None:
        return missing("release", args.name, place)
    stopped = _stopped(place, args.name)
    named = {arn: identifier for identifier, arn in stopped.items()}
    waiting = [
        pause.identifier or named.get(pause.task_arn, name_in(pause.task_arn))
        for pause in place.store.pauses_of(args.name)
    ]
    said = f"{printable(args.task, 300)} does not wait for {name}"
    if waiting:
        said += f"; what waits: {printable(', '.join(waiting), 2000)}"
    if waiting and args.task not in {*stopped, *named, *map(name_in, named)}:
        complain("release", said)
        return 1
    said += f"; {when_due(state)}"
    if state.claim is not None:
        complain("release", said)
        return 1
    print(said)
    return 0


def _arn(place: Installation, name: str, task: str) -> str | None:
    """Return the ARN of a task that waits for a source, by its ARN, its end, or its identifier."""
    pauses = place.store.pauses_of(name)
    for pause in pauses:
        if task in (pause.task_arn, pause.identifier, name_in(pause.task_arn)):
            return pause.task_arn
    waiting = [pause.task_arn for pause in pauses]
    known = _stopped(place, name).get(task)
    return known if known in waiting else None


def _stopped(place: Installation, name: str) -> Mapping[str, str]:
    """Return the ARNs of the tasks that the last run has left stopped, by their identifiers."""
    state = place.store.state(name)
    record = read_record(place.documents, state.record) if state and state.record else None
    return {one.identifier: one.arn for one in record.tasks.stopped} if record else {}
