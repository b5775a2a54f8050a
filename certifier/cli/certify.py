"""``certifier certify``: start an execution in AWS, follow it, and print how it ended."""

import argparse
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from certifier.aws.states import ExecutionState
from certifier.cli.endings import Ended, show_endings, show_plans
from certifier.cli.following import RUNNING, follow, viewing
from certifier.cli.given_files import UnreadableFile, read_file
from certifier.cli.installation import (
    Installation,
    add_options,
    again,
    complain,
    find,
    guarded,
    not_registered,
)
from certifier.cli.numbers import FOLLOWED
from certifier.cli.records import read_record
from certifier.cli.terminal import Terminal
from certifier.cli.unanswered import perhaps
from certifier.json_keys import KeyTwiceError, each_key_once
from certifier.run.answer import reason_of
from certifier.run.event import report_key, run_id
from certifier.run.kept import shown
from certifier.run.summary import Line, Summary
from certifier.source import InvalidSource, Source, parse_source
from certifier.text import clock_time, printable
from certifier.triggers import NAMES_AT_ONCE, SOURCES_AT_ONCE
from certifier.vocabulary import Mode, Outcome

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

EVENT_LIMIT = 262_144 - 2_048
"""Characters of input: an execution takes 262,144, and passes them on with names of its own."""
SOURCE_LIMIT = 1024 * 1024
WOULD_CHANGE = 2
"""The exit status of ``--plan --exit-code`` when a run would change something."""
INTERRUPTED = 130


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "certify",
        help="start a run in AWS, follow it, print the outcome",
        description="Register the sources of files and certify them, or certify registered ones by"
        " name. What waits for its window is not certified yet.",
        epilog="exit status: 0 all are certified (with --plan: none would be refused); 1 not, or"
        " not yet; 2 wrong usage (with --plan --exit-code: something would change)",
    )
    parser.add_argument(
        "what", nargs="*", metavar="FILE|NAME", help="source files (*.json), or registered names"
    )
    parser.add_argument("--all", action="store_true", help="every registered source")
    parser.add_argument(
        "--plan",
        action="store_true",
        help="change nothing: show each field from and to, which tasks would stop, and when",
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="with --plan: exit status 2 when something would change",
    )
    parser.add_argument("--detach", action="store_true", help="start, and do not wait")
    parser.add_argument(
        "--timeout",
        type=FOLLOWED,
        default=120.0,
        metavar="MINUTES",
        help="how long to follow (120)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Start and follow: 0 all certified, 1 not, 2 wrong usage or no way to start."""
    return guarded("certify", lambda: _run(args, sleep))


class Wrong(Exception):
    """The arguments cannot be used. ``status`` is what the command exits with."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def _run(args: argparse.Namespace, sleep: Callable[[float], None]) -> int:
    try:
        event = _event(args)
    except Wrong as wrong:
        complain("certify", str(wrong))
        return wrong.status
    text = json.dumps(event)
    if too_many := _too_many(event, text):
        return complain("certify", too_many)
    place = find(args)
    if unknown := _unknown(event, place):
        complain("certify", unknown)
        return 1
    name = f"certify-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    # Registering has a door of its own, with a permission of its own. Its run has the same name.
    door = place.deployment.onboard if "sources" in event else place.deployment.machine
    with perhaps("the run goes on in AWS", again(args, "certifier", "watch", name)):
        execution = place.states.start(door, name, text)
    if args.detach:
        print(json.dumps({"execution": execution}) if args.json else execution)
        return 0
    return see_it_end(args, place, execution, sleep, command="certify")


def _unknown(event: dict[str, Any], place: Installation) -> str:
    """Return which names nobody has registered, or somebody has paused; empty: all may run."""
    states = {name: place.store.state(name) for name in event.get("names", ())}
    unknown = [name for name, state in states.items() if state is None]
    if not unknown:
        holds = {name: state.on_hold for name, state in states.items() if state and state.on_hold}
        paused = [f"{name}: {hold.words(name)}" for name, hold in holds.items()]
        return "" if event.get("mode") == "plan" else "\n  ".join(paused)
    known = [state.name for state in place.store.states_all()]
    return "\n  ".join(not_registered(name, known) for name in unknown)


def see_it_end(
    args: argparse.Namespace,
    place: Installation,
    execution: str,
    sleep: Callable[[float], None],
    *,
    command: str,
) -> int:
    """Follow an execution and print how it ended; return the exit status."""
    terminal = Terminal.on_stderr() if args.json else Terminal()
    run = run_id(execution)
    try:
        with viewing(terminal) as view:
            state = follow(place, execution, view, timedelta(minutes=args.timeout), sleep)
    except KeyboardInterrupt:
        on = "the run goes on in AWS, no longer followed; follow it again with"
        complain(command, f"{on}\n  {again(args, 'certifier', 'watch', run)}")
        return INTERRUPTED
    if state is None or state.status == RUNNING:
        known = "not known to Step Functions yet" if state is None else "still running"
        follow_on = again(args, "certifier", "watch", run)
        complain(command, f"{known}, and no longer followed; go on with\n  {follow_on}")
        return 1
    return _print_end(args, terminal, place, state)


# -- what to run


def _event(args: argparse.Namespace) -> dict[str, Any]:
    """Return the input of the execution.

    Raises:
        Wrong: nothing or too much is named, a file cannot be read, or a source has mistakes.
    """
    files = [what for what in args.what if _is_file(what)]
    names = [what for what in args.what if what not in files]
    if not (files or names or args.all):
        raise Wrong("give source files, or registered names, or --all", 2)
    if args.all and (files or names):
        raise Wrong("--all is every source: give it without names or files", 2)
    if files and names:
        apart = f"{_short(files)} is a file, {_short(names)} a name"
        raise Wrong(f"files and names cannot be certified together: {apart}", 2)
    if args.exit_code and not args.plan:
        raise Wrong("--exit-code needs --plan: without it the change is made", 2)
    if args.exit_code and args.detach:
        what = "--exit-code waits for the end, and --detach does not"
        raise Wrong(f"{what}: give one of them", 2)
    mode = {"mode": "plan"} if args.plan else {}
    if args.all:
        return {"all": True, **mode}
    if names:
        return {"names": names, **mode}
    problems: list[str] = []
    sources = [source for file in files for source in _read(Path(file), problems)]
    if problems:
        raise Wrong("\n  ".join(("these sources have mistakes:", *problems)), 1)
    plain = [source.model_dump(mode="json", exclude_defaults=True) for source in sources]
    return {"sources": plain, **mode}


def _too_many(event: Mapping[str, Any], text: str) -> str | None:
    """Return what to do about an input that no execution takes; ``None``: one does."""
    registers = "sources" in event
    given = event["sources"] if registers else event.get("names", ())
    most = SOURCES_AT_ONCE if registers else NAMES_AT_ONCE
    if len(text) > EVENT_LIMIT:
        why = f"has {len(text):,} characters, and an execution takes {EVENT_LIMIT:,}"
        parts = -(-len(text) // EVENT_LIMIT) + 1  # one more, since sources differ in length
    elif len(given) > most:
        why, parts = f"may name {most:,}", 0
    else:
        return None
    parts = max(parts, -(-len(given) // most))
    return (
        f"{len(given):,} sources at once are too many: the request {why}; "
        f"certify them in about {parts} portions"
    )


def _short(words: Sequence[str]) -> str:
    return printable(words[0], 80)


def _is_file(what: str) -> bool:
    # isfile: of a name that no file can have, Path.is_file raises
    return what.endswith(".json") or "/" in what or os.path.isfile(what)  # noqa: PTH113


def _read(file: Path, problems: list[str]) -> Iterator[Source]:
    """Yield the sources in a file: one, or a list of them."""
    try:
        body = read_file(file, SOURCE_LIMIT)
    except UnreadableFile as error:
        raise Wrong(str(error), 2) from None
    if len(body) > SOURCE_LIMIT:
        problems.append(f"{file}: larger than 1 MiB")
        return
    if not body.strip():
        problems.append(f"{file}: is empty")
        return
    try:
        data = json.loads(body, object_pairs_hook=each_key_once)
    except KeyTwiceError as twice:
        problems.append(f"{file}: {printable(twice.key, 60)}: stands twice in one object")
        return
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        problems.append(f"{file}: is not JSON: it cannot be read at {where}")
        return
    except UnicodeDecodeError:
        problems.append(f"{file}: is not JSON: it is not text in UTF-8")
        return
    except RecursionError:
        problems.append(f"{file}: is nested too deep for a source")
        return
    except ValueError:  # int() bounds the digits that it converts
        problems.append(f"{file}: has a number of too many digits")
        return
    if data == []:
        problems.append(f"{file}: is a list without a source")
    for index, item in enumerate(data if isinstance(data, list) else [data]):
        try:
            yield parse_source(item)
        except InvalidSource as wrong:
            where = f"{file}[{index}]" if isinstance(data, list) else str(file)
            problems.extend(f"{where}: {_hinted(problem)}" for problem in wrong.problems)


def _hinted(problem: str) -> str:
    """Return the problem, with what was meant where the file is what a pipeline sends."""
    if not problem.startswith("sources: is not a known field"):
        return problem
    return "sources: is not a known field: a file holds one source, or a list of them"


# -- the end


def _summary(body: bytes | None) -> Summary | None:
    """Return the report of an execution; ``None``: there is none that this version can read."""
    try:
        return None if body is None else shown(Summary, body)
    except ValidationError:
        return None


def _print_end(
    args: argparse.Namespace, terminal: Terminal, place: Installation, state: ExecutionState
) -> int:
    """Print how every source ended, and where the evidence lies; return the exit status."""
    report = report_key(state.arn)
    body = place.documents.get(f"{report}.json")
    summary = _summary(body)
    now = place.now()
    endings = [_ended(args, place, line) for line in summary.lines] if summary else []
    planned = summary is not None and summary.mode is Mode.PLAN
    if args.json:
        print(json.dumps(_payload(state, summary, endings), indent=2))
        return _status(args, state, endings, planned=planned)

    def to_open(name: str) -> str:
        return again(args, "certifier", "open", name)

    if planned:
        show_plans(terminal, endings, now=now, do=_to_do_it(args, endings))
    else:
        show_endings(terminal, endings, to_open=to_open, now=now)
        _print_registration(args, terminal, place, endings)
    if state.status != "SUCCEEDED" and (summary is None or summary.problem or not endings):
        why = printable(reason_of(state.cause or ""), 4000)
        terminal.line(f"{state.status}: {why}", style="bold red")
    if summary is not None:
        page = report.rpartition("/")[2]
        terminal.line(f"report: {printable(to_open(page), 500)}", style="dim")
    return _status(args, state, endings, planned=planned)


def _status(
    args: argparse.Namespace, state: ExecutionState, endings: Sequence[Ended], *, planned: bool
) -> int:
    if state.status != "SUCCEEDED":
        return 1
    if not planned:
        return 0 if all(e.line.outcome is Outcome.CERTIFIED for e in endings) else 1
    changes = (e.record.intent for e in endings if e.record is not None)
    would = any(intent is not None and intent.changes_anything for intent in changes)
    return WOULD_CHANGE if would and getattr(args, "exit_code", False) else 0


def _to_do_it(args: argparse.Namespace, endings: Sequence[Ended]) -> str:
    """Return the command that makes what was planned."""
    what = list(getattr(args, "what", ())) or [ended.line.name for ended in endings]
    words = ["--all"] if getattr(args, "all", False) else what
    return again(args, "certifier", "certify", *words)


def _payload(
    state: ExecutionState, summary: Summary | None, endings: Sequence[Ended]
) -> dict[str, Any]:
    """Return the end as JSON says it: the summary, and of each source findings and plan."""
    sources = [
        {
            "name": ended.line.name,
            "outcome": ended.line.outcome.value,
            "opens_at": None if ended.line.opens_at is None else ended.line.opens_at.isoformat(),
            "next_due": None if ended.line.next_due is None else ended.line.next_due.isoformat(),
            "held_by": ended.held_by or None,
            "findings": [
                found.model_dump(mode="json")
                for found in (ended.record.findings if ended.record else ())
            ],
            "plan": ended.record.intent.model_dump(mode="json")
            if ended.record and ended.record.intent
            else None,
        }
        for ended in endings
    ]
    return {
        "execution": state.arn,
        "status": state.status,
        "cause": None if state.cause is None else reason_of(state.cause),
        "summary": None if summary is None else summary.model_dump(mode="json"),
        "sources": sources,
    }


def _ended(args: argparse.Namespace, place: Installation, line: Line) -> Ended:
    record = None if line.record is None else read_record(place.documents, line.record)
    held_by = _held_by(args, place, line) if line.outcome is Outcome.DEFERRED else ""
    steps = None
    if record is not None and line.outcome is not Outcome.DEFERRED:
        steps = place.states.durations(record.run)
    return Ended(line, record, held_by, steps)


def _held_by(args: argparse.Namespace, place: Installation, line: Line) -> str:
    """Return who has a source that a run left alone, since when, and at which step that is."""
    state = place.store.state(line.name)
    if state is None:
        return ""
    if state.held_by_breaker:
        since = place.store.breaker().open_since
        when = "" if since is None else f" since {clock_time(since)}"
        reset = again(args, "certifier", "reset-breaker")
        return f"the circuit breaker, open{when}: {reset}, once you have looked"
    if state.claim is None:
        return "another execution had it, which has ended meanwhile"
    step = place.states.current_state(state.claim.execution)
    at = f", now at {step}" if step else ""
    who = run_id(state.claim.execution)
    return f"the execution {who} has it since {clock_time(state.claim.since)}{at}"


def _print_registration(
    args: argparse.Namespace, terminal: Terminal, place: Installation, endings: Sequence[Ended]
) -> None:
    """Say of sources that were never certified so far that they are registered all the same."""
    good = (Outcome.CERTIFIED, Outcome.PLANNED)
    new = [
        ended.line.name
        for ended in endings
        if ended.record is not None and ended.record.version == 1 and ended.line.outcome not in good
    ]
    for name in new:
        state = place.store.state(name)
        if state is None or state.certified_at is not None:
            continue
        terminal.line(
            f"{printable(name)} is registered all the same, and is tried again;"
            f" to drop it: {again(args, 'certifier', 'forget', printable(name))}",
            hang=2,
        )
