"""``certifier certify``: start an execution in AWS, follow it, and print how it ended."""

import argparse
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from certifier.aws.states import ExecutionState
from certifier.cli.installation import Installation, add_options, complain, find, guarded
from certifier.cli.status import STYLES
from certifier.run.answer import reason_of
from certifier.run.summary import Line, Summary
from certifier.source import InvalidSource, Source, parse_source
from certifier.text import printable
from certifier.vocabulary import Outcome

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

POLL_SECONDS = 2.0
UNSEEN_POLLS = 30
"""How often in a row, for about a minute, Step Functions may not know what it has started."""
EVENT_LIMIT = 262_144 - 2_048
"""Characters of input: an execution takes 262,144, and passes them on with names of its own."""
LOOKED_AT = 10
"""How many sources are asked for their present state in each round."""
SHOWN = 20
"""How many sources the live view shows one by one."""
SOURCE_LIMIT = 1024 * 1024
RUNNING = "RUNNING"


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "certify",
        help="start a run in AWS, follow it, print the outcome",
        description="Register the sources of files and certify them, or certify registered ones by"
        " name. Exit status 0 when all are certified (with --plan: planned).",
    )
    parser.add_argument(
        "what", nargs="*", metavar="FILE|NAME", help="source files (*.json), or registered names"
    )
    parser.add_argument("--all", action="store_true", help="every registered source")
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    parser.add_argument("--detach", action="store_true", help="start, and do not wait")
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="MINUTES", help="how long to follow (120)"
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
    if len(text) > EVENT_LIMIT:
        return complain("certify", _too_large(event, text))
    place = find(args)
    name = f"certify-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    # Registering has a door of its own, with a permission of its own. Its run has the same name.
    door = place.deployment.onboard if "sources" in event else place.deployment.machine
    execution = place.states.start(door, name, text)
    if args.detach:
        print(json.dumps({"execution": execution}) if args.json else execution)
        return 0
    console = Console(stderr=True) if args.json else Console()
    with _view(console) as view:
        state = _follow(place, execution, view, sleep, timedelta(minutes=args.timeout))
    if state is None or state.status == RUNNING:
        known = "not known to Step Functions yet" if state is None else "still running"
        complain("certify", f"{known}, and no longer followed: {execution}")
        return 1
    _tell(args, console, place, state)
    return 0 if state.status == "SUCCEEDED" else 1


# -- what to run


def _event(args: argparse.Namespace) -> dict[str, Any]:
    """Return the input of the execution.

    Raises:
        Wrong: nothing or too much is named, a file cannot be read, or a source has mistakes.
    """
    files = [what for what in args.what if _is_file(what)]
    names = [what for what in args.what if what not in files]
    if sum((bool(files), bool(names), args.all)) != 1:
        raise Wrong("give source files, or registered names, or --all", 2)
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


def _too_large(event: dict[str, Any], text: str) -> str:
    """Return what to do about an input that no execution takes."""
    parts = -(-len(text) // EVENT_LIMIT) + 1  # one more, since sources differ in length
    return (
        f"{len(event.get('sources') or event['names'])} sources at once are too many: the request "
        f"has {len(text):,} characters, and an execution takes {EVENT_LIMIT:,}; certify them in "
        f"about {parts} portions"
    )


def _is_file(what: str) -> bool:
    return what.endswith(".json") or "/" in what or Path(what).is_file()


def _read(file: Path, problems: list[str]) -> Iterator[Source]:
    """Yield the sources in a file: one, or a list of them."""
    try:
        with file.open("rb") as opened:
            body = opened.read(SOURCE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file's name"
        raise Wrong(f"{file}: {reason}", 2) from None
    if len(body) > SOURCE_LIMIT:
        problems.append(f"{file}: larger than 1 MiB")
        return
    try:
        data = json.loads(body)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        problems.append(f"{file}: is not JSON: it cannot be read at {where}")
        return
    except (ValueError, RecursionError):
        problems.append(f"{file}: is not JSON")
        return
    for index, item in enumerate(data if isinstance(data, list) else [data]):
        try:
            yield parse_source(item)
        except InvalidSource as wrong:
            where = f"{file}[{index}]" if isinstance(data, list) else str(file)
            problems.extend(f"{where}: {problem}" for problem in wrong.problems)


# -- following


Word = str | Outcome
View = Callable[[Mapping[str, Word]], None]


def _follow(
    place: Installation,
    execution: str,
    view: View,
    sleep: Callable[[float], None],
    patience: timedelta,
) -> ExecutionState | None:
    """Show what each source is doing until the execution ends, or patience does."""
    run_id = execution.rsplit(":", 1)[-1]
    names: tuple[str, ...] = ()
    unseen = 0
    for _ in range(max(1, int(patience.total_seconds() / POLL_SECONDS))):
        state = place.states.describe(execution)
        unseen = unseen + 1 if state is None else 0
        if not names:
            manifest = place.documents.read_manifest(f"runs/{run_id}/manifest.json")
            names = tuple(item["name"] for item in manifest)
        outcomes = place.documents.outcomes(run_id)
        view(_words(place, names, outcomes))
        if unseen >= UNSEEN_POLLS or (state is not None and state.status != RUNNING):
            return state
        sleep(POLL_SECONDS)
    return state


def _words(
    place: Installation, names: tuple[str, ...], outcomes: Mapping[str, Outcome]
) -> dict[str, Word]:
    """Return for each source its outcome, or the state of the machine that it is in."""
    words: dict[str, Word] = {}
    asked = 0
    for name in names:
        words[name] = outcomes.get(name, "waiting")
        if name in outcomes or asked == LOOKED_AT:
            continue
        asked += 1
        remembered = place.store.state(name)
        if remembered is not None and remembered.claim is not None:
            running = place.states.current_state(remembered.claim.execution)
            words[name] = running or "running"
    return words


@contextmanager
def _view(console: Console) -> Iterator[View]:
    """Give a view: a live table on a terminal, a line for each change anywhere else."""
    if console.is_terminal:
        with Live(console=console, transient=True, refresh_per_second=8) as live:
            yield lambda words: live.update(_live(words))
        return
    shown: dict[str, Word] = {}

    def changes(words: Mapping[str, Word]) -> None:
        for name, word in words.items():
            if shown.get(name) != word:
                console.print(Text(f"{printable(name)}: {printable(str(word))}"))
        shown.update(words)

    yield changes


def _live(words: Mapping[str, Word]) -> RenderableType:
    done = [word for word in words.values() if isinstance(word, Outcome)]
    head = Spinner("dots", text=Text(f"{len(done)} of {len(words)} done"))
    table = Table(box=None, show_header=False, pad_edge=False)
    busy = sorted(words.items(), key=lambda item: isinstance(item[1], Outcome))
    for name, word in busy[:SHOWN]:
        style = STYLES[word] if isinstance(word, Outcome) else "dim" if word == "waiting" else ""
        table.add_row(Text(printable(name)), Text(printable(str(word)), style=style))
    return Group(head, table)


# -- the end


def _tell(
    args: argparse.Namespace, console: Console, place: Installation, state: ExecutionState
) -> None:
    """Print how every source ended, and where the evidence lies."""
    run_id = state.arn.rsplit(":", 1)[-1]
    body = place.documents.get(f"reports/{run_id}.json")
    summary = None if body is None else Summary.model_validate_json(body)
    if args.json:
        payload = {
            "execution": state.arn,
            "status": state.status,
            "cause": None if state.cause is None else reason_of(state.cause),
            "summary": None if summary is None else summary.model_dump(mode="json"),
        }
        print(json.dumps(payload, indent=2))
        return
    bucket = f"s3://{place.documents.bucket}"
    for line in summary.lines if summary else ():
        _tell_line(console, line, bucket)
    if state.status != "SUCCEEDED":
        why = printable(reason_of(state.cause or ""))
        console.print(Text(f"{state.status}: {why}", style="bold red"))
    if summary is not None:
        console.print(Text(f"report: {bucket}/reports/{run_id}.html", style="dim"))


def _tell_line(console: Console, line: Line, bucket: str) -> None:
    text = Text(printable(line.name), style="bold")
    text.append(f"  {line.outcome.value}", style=STYLES[line.outcome])
    if line.ssl_mode:
        text.append(f"  {line.ssl_mode}")
    if line.days_left is not None:
        text.append(f"  {line.days_left} days left")
    if line.pending_restarts:
        text.append(f"  {line.pending_restarts} tasks waiting for a restart", style="bold red")
    console.print(text)
    if line.seen:
        cause = f"{line.cause}: " if line.cause else ""
        console.print(Text(f"  {cause}{printable(line.seen)}"))
    if line.record:
        console.print(Text(f"  {bucket}/{line.record}.html", style="dim"))
