"""``certifier status``: the fleet, what is wrong first and what is fine counted."""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from certifier.cli.installation import (
    Installation,
    add_options,
    again,
    complain,
    find,
    guarded,
    not_registered,
)
from certifier.cli.numbers import whole
from certifier.cli.plans import opening
from certifier.cli.streams import nobody_reads
from certifier.cli.terminal import Cell, Terminal
from certifier.cli.unfinished import begun, finished_by, still_running
from certifier.run.group import group_of, is_in_group
from certifier.run.standing import Left, Standing, Stands, expiring, folded, stands, worst_first
from certifier.run.state import Breaker
from certifier.text import counted, printable, span

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

FORMAT = "certifier.status/1"
STYLES = {
    Standing.STOPPED: "bold red",
    Standing.UNFINISHED: "bold red",
    Standing.FAILED: "bold red",
    Standing.ROLLED_BACK: "yellow",
    Standing.REFUSED: "yellow",
    Standing.HELD: "yellow",
    Standing.PAUSED: "magenta",
    Standing.NOT_RUN: "dim",
    Standing.WAITS: "blue",
    Standing.DEFERRED: "blue",
    Standing.PLANNED: "blue",
    Standing.CERTIFIED: "green",
}
_LASTING = (Standing.STOPPED, Standing.UNFINISHED, Standing.PAUSED)
SORTS: dict[str, Callable[[Stands], Any]] = {
    "name": lambda each: each.name,
    "expiry": lambda each: (each.days_left is None, each.days_left or 0, each.name),
    "due": lambda each: (each.state.due_at is None, each.state.due_at, each.name),
}
SOON, URGENT = 30, 7
"""Days: an expiry is listed, and checked."""
NAMED = 3
SEEN_SHOWN = 160
REFRESH_SECONDS = 10.0
ROUNDS = 24 * 60 * 6
COLUMNS = (
    *("source", "standing", "cause", "mode", "days_left", "last_run", "certified", "due"),
    *("pending_restarts", "endpoint"),
)


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "status",
        help="the fleet: what needs a person first, what expires, what is fine",
        description="Show the registered sources as their last runs left them: the worst first,"
        " equal reasons in one line, those that are fine counted.",
        epilog="exit status: 0; 1 when a name is not registered, or with --check when a person"
        " must look; 2 wrong usage",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these sources")
    parser.add_argument("--all", action="store_true", help="one line for each source")
    parser.add_argument(
        "--failing",
        action="store_true",
        help="only those that need a person, or whose run was cut off",
    )
    parser.add_argument(
        "--expiring",
        type=whole(0, 100_000),
        metavar="DAYS",
        help="only those with fewer days left",
    )
    parser.add_argument(
        "--group",
        metavar="NAME",
        help="only those of one group: by their endpoints' tag, or how their names begin",
    )
    parser.add_argument(
        "--sort", choices=("worst", *SORTS), default="worst", help="worst, name, expiry or due"
    )
    parser.add_argument("--wide", action="store_true", help="fold nothing, show every column")
    parser.add_argument("--watch", action="store_true", help="show it again every 10 seconds")
    parser.add_argument(
        "--check",
        action="store_true",
        help="one line for monitoring; exit status 1 when a task is stopped, a run was cut"
        " off, a source needs a person, changes are stopped, or something expires within"
        f" {URGENT} days",
    )
    parser.add_argument(
        "-o", "--output", choices=("text", "tsv", "json"), default="text", help="text, tsv or json"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, sleep: Callable[[float], None] = time.sleep) -> int:
    """Print the fleet: 0, or 1 when a name is not registered, or a check fails."""
    if args.json and args.output == "tsv":
        return complain("status", "--json and --output tsv: give one of them")
    return guarded("status", lambda: _run(args, sleep))


def _run(args: argparse.Namespace, sleep: Callable[[float], None]) -> int:
    place = find(args)
    for number in range(ROUNDS if args.watch else 1):
        if number:
            sleep(REFRESH_SECONDS)
        status = _once(args, place, repeated=number > 0)
        if args.watch and nobody_reads():
            break
    return status


def _once(args: argparse.Namespace, place: Installation, *, repeated: bool) -> int:
    store = place.store
    breaker = store.breaker()
    states, logs = store.states_and_logs()
    pauses = store.pauses_all()  # after the claims: a run that begins meanwhile stops none so soon
    now = place.now()
    if unknown := sorted(set(args.names) - {state.name for state in states}):
        known = [state.name for state in states]
        complain("status", "\n  ".join(not_registered(name, known) for name in unknown))
        return 1
    running = still_running(place.states.ended_at, begun(states, pauses, logs), now)
    fleet = [
        stands(
            state,
            pauses,
            now,
            has_log=state.name in logs,
            is_running=state.name in running,
        )
        for state in states
    ]
    chosen = _chosen(args, fleet)
    if args.check:
        return _check(chosen, breaker)
    if args.json or args.output == "json":
        print(json.dumps(payload(chosen, breaker), indent=2))
    elif args.output == "tsv":
        print("\t".join(COLUMNS))
        for each in chosen:
            print("\t".join(map(printable, _tsv(each))))
    else:
        terminal = Terminal()
        if repeated and terminal.is_live:
            terminal.console.clear()
        listed = args.all or args.wide or bool(args.names)
        show(
            terminal,
            chosen,
            breaker,
            now,
            listed=listed,
            wide=args.wide,
            of=len(fleet),
            args=args,
        )
    return 0


def _chosen(args: argparse.Namespace, fleet: Iterable[Stands]) -> list[Stands]:
    chosen = [each for each in fleet if not args.names or each.name in args.names]
    if args.group is not None:
        chosen = [each for each in chosen if is_in_group(each.name, each.state.group, args.group)]
    if args.failing:
        chosen = [each for each in chosen if each.standing.is_failing]
    if args.expiring is not None:
        chosen = expiring(chosen, args.expiring)
    return worst_first(chosen) if args.sort == "worst" else sorted(chosen, key=SORTS[args.sort])


def _group(each: Stands) -> str:
    return group_of(each.name, each.state.group)


# -- for programs


def payload(fleet: Sequence[Stands], breaker: Breaker) -> dict[str, Any]:
    """Return the fleet as JSON says it."""
    return {
        "format": FORMAT,
        "sources": [_payload(each) for each in fleet],
        "breaker": {"open": breaker.open, "since": _iso(breaker.open_since)},
    }


def _payload(each: Stands) -> dict[str, Any]:
    state = each.state
    cause = each.cause
    return {
        "name": state.name,
        "group": _group(each),
        "standing": each.standing.value,
        "outcome": state.outcome,
        "cause": None if cause is None else cause.cause.value,
        "severity": None if cause is None else cause.severity.value,
        "seen": None if cause is None else cause.seen,
        "said": None if cause is None else cause.raw,
        "causes": [found.cause for found in state.findings],
        "findings": [
            {"cause": found.cause, "severity": found.severity, "seen": found.seen}
            for found in state.findings
        ],
        "endpoint": state.endpoint,
        "endpoint_arn": state.endpoint_arn,
        "ssl_mode": state.ssl_mode,
        "days_left": each.days_left,
        "expires": state.expires,
        "since": _iso(each.since),
        "recorded_at": _iso(state.recorded_at),
        "certified_at": _iso(state.certified_at),
        "due_at": _iso(state.due_at),
        "opens_at": _iso(state.opens_at) if each.standing is Standing.WAITS else None,
        "pending_restarts": list(state.pending_restarts),
        "unfinished": None if each.left is None else _left(each.left),
        "running": state.claim.execution if state.claim else None,
        "paused": None if state.on_hold is None else state.on_hold.model_dump(mode="json"),
        "held_by_breaker": state.held_by_breaker,
        "record": state.record,
    }


def _left(left: Left) -> dict[str, Any]:
    return {
        "tasks": [pause.task_arn for pause in left.tasks],
        "undo_log": left.has_log,
        "since": _iso(left.since),
    }


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


def _tsv(each: Stands) -> Iterator[str]:
    state = each.state
    yield state.name
    yield each.standing.value
    yield each.cause.cause.value if each.cause else ""
    yield state.ssl_mode or ""
    yield "" if each.days_left is None else str(each.days_left)
    for when in (state.recorded_at, state.certified_at, state.due_at):
        yield _iso(when) or ""
    yield str(len(state.pending_restarts))
    yield state.endpoint or ""


def _check(fleet: Sequence[Stands], breaker: Breaker) -> int:
    """Print one line, and return 1 when somebody must look."""
    bad = [each for each in fleet if each.standing.is_failing]
    soon = expiring(fleet, URGENT)
    parts = [f"{each.name}: {each.standing.words}" for each in bad[:NAMED]]
    if len(bad) > NAMED:
        rest = bad[NAMED:]
        person = all(each.standing.needs_a_person for each in rest)
        words = ("more needs a person", "more need a person") if person else ("more", "more")
        parts.append(counted(len(rest), *words))
    parts += [f"{each.name} expires in {counted(each.days_left or 0, 'day')}" for each in soon[:1]]
    if breaker.open:
        parts.insert(0, "changes are stopped")
    if parts:
        print("NOT OK: " + "; ".join(map(printable, parts)))
        return 1
    print(f"OK: {counted(len(fleet), 'source')}")
    return 0


# -- for people


def show(
    terminal: Terminal,
    fleet: Sequence[Stands],
    breaker: Breaker,
    now: datetime,
    *,
    listed: bool = False,
    wide: bool = False,
    of: int = 0,
    args: argparse.Namespace | None = None,
) -> None:
    """Print the fleet.

    Args:
        fleet: in the order in which they are to be shown.
        listed: also those that are fine, one by one.
        wide: every column, and nothing folded.
        of: how many are registered, of which these were chosen.
        args: name the installation, for the commands that are printed.
    """
    where = args or argparse.Namespace()
    if not fleet:
        first = again(where, "certifier", "certify", "orders.json")
        none_yet = f"No source is registered yet: {first} registers the first."
        terminal.line("No source is like that." if of else none_yet, hang=2)
        return
    terminal.line(_head(fleet, breaker), hang=2)
    if breaker.open:
        stopped = "Changes are stopped: several ended badly within a day. Look at them, then:"
        if breaker.is_unread:
            stopped = "Changes are stopped: this version cannot read the circuit breaker. Then:"
        reset = again(where, "certifier", "reset-breaker")
        terminal.line(f"{stopped}  {reset}", style="bold red", hang=2)
    rest = [each for each in fleet if listed or not each.standing.is_fine]
    if rest:
        terminal.gap()
    if wide:
        heads = [head.replace("_", " ") for head in (*COLUMNS[:-1], "why")]
        terminal.rows([_wide(each, now) for each in rest], heads=heads)
    else:
        apart = listed or terminal.width is None  # a pipe is searched for names
        groups = [[each] for each in rest] if apart else folded(rest)
        terminal.rows([_row(group, now) for group in groups])
    if not listed:
        rows = list(_counted(fleet))
        if rows:
            terminal.gap()
            terminal.facts(rows)


def _head(fleet: Sequence[Stands], breaker: Breaker) -> Text:
    need = sum(1 for each in fleet if each.standing.needs_a_person)
    first = min((each.days_left for each in fleet if each.days_left is not None), default=None)
    parts = [counted(len(fleet), "source")]
    parts.append(f"{counted(need, 'needs', 'need')} a person" if need else "none needs a person")
    if cut_off := sum(1 for each in fleet if each.standing is Standing.UNFINISHED):
        parts.append(f"{cut_off:,} unfinished")
    parts.append("changes stopped" if breaker.open else "changes allowed")
    if first is not None:
        parts.append(
            f"first expiry in {counted(first, 'day')}" if first >= 0 else "one has expired"
        )
    return Text(" · ".join(parts), style="bold")


def _row(group: Sequence[Stands], now: datetime) -> list[Cell]:
    first = group[0]
    word = Text(first.standing.words, style=STYLES[first.standing])
    if len(group) > 1:
        cause = first.cause.cause.value if first.cause else "no cause"
        names = ", ".join(printable(each.name) for each in group[:NAMED])
        more = ", … (--wide)" if len(group) > NAMED else ""
        return [Text(f"{cause}, {len(group)}×"), word, "", "", names + more]
    if first.state.claim is not None and first.left is None:
        word.append(" (running)", style="cyan")
    return [
        Text(printable(first.name)),
        word,
        _since(first, now),
        _next(first, now),
        printable(_why(first, now), SEEN_SHOWN),
    ]


def _wide(each: Stands, now: datetime) -> list[Cell]:
    state = each.state
    days = each.days_left
    style = "" if days is None else "bold red" if days < URGENT else "yellow" if days < SOON else ""
    return [
        Text(printable(each.name)),
        Text(each.standing.words, style=STYLES[each.standing]),
        each.cause.cause.value if each.cause else "–",
        state.ssl_mode or "–",
        Text("–" if days is None else str(days), style=style),
        _ago(state.recorded_at, now),
        _ago(state.certified_at, now),
        _next(each, now),
        str(len(state.pending_restarts)) if state.pending_restarts else "–",
        printable(_why(each, now), 1000) or "–",
    ]


def _since(each: Stands, now: datetime) -> str:
    if each.standing in _LASTING and each.since is not None:
        return f"for {span(now - each.since)}"
    return _ago(each.since, now)


def _ago(when: datetime | None, now: datetime) -> str:
    return "never" if when is None else f"{span(now - when)} ago"


def _next(each: Stands, now: datetime) -> str:
    """Return when it is looked at again."""
    state = each.state
    if state.on_hold is not None:
        return "after unpause"
    if state.held_by_breaker:
        return "after reset-breaker"
    if state.due_at is None:
        return "when asked"
    if each.standing is Standing.UNFINISHED:
        return "next tick" if state.due_at <= now else f"due in {span(state.due_at - now)}"
    verb = "retry " if each.standing.needs_a_person else ""
    return f"{verb}now" if state.due_at <= now else f"{verb}in {span(state.due_at - now)}"


def _why(each: Stands, now: datetime) -> str:
    """Return the reason: DMS's own words where a task does not start."""
    if each.standing is Standing.WAITS and each.state.opens_at is not None:
        return f"until {opening(each.state.opens_at, None, now)}"
    if each.state.on_hold is not None and each.standing is Standing.PAUSED:
        return f"{each.state.on_hold.by}: {each.state.on_hold.why}"
    if each.standing is Standing.UNFINISHED and each.left is not None:
        by = finished_by(each.state, is_stuck=each.left.is_stuck)
        return f"{each.left.words}; {by}"
    cause = each.cause
    if cause is None:
        return ""
    if each.standing is Standing.STOPPED:
        return cause.raw or cause.seen
    at = f" ({cause.stage.value})" if cause.stage else ""
    return f"{cause.cause.value}{at}"


def _counted(fleet: Sequence[Stands]) -> Iterator[tuple[str, str]]:
    """Yield what expires soon, and how many are fine."""
    soon = expiring(fleet, SOON)
    if soon:
        shown = " · ".join(f"{each.days_left} d {printable(each.name)}" for each in soon[:NAMED])
        more = f" … {len(soon)} in {SOON} days" if len(soon) > NAMED else ""
        yield "expiring", shown + more
    fine = sum(1 for each in fleet if each.standing.is_fine)
    if fine:
        yield "fine", f"{fine:,} certified"
