"""``certifier show``: the newest record of a source, in the terminal."""

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from certifier.cli.installation import add_options, again, find, guarded, missing
from certifier.cli.plans import opening, show_intent
from certifier.cli.records import read_record
from certifier.cli.status import STYLES as STANDINGS
from certifier.cli.terminal import Cell, Terminal
from certifier.cli.unfinished import begun, read_undo, still_running, unfinished
from certifier.run.event import run_id
from certifier.run.record import Certification, TaskRecord
from certifier.run.settled import open_first
from certifier.run.standing import Stands, stands
from certifier.run.why_stopped import why_stopped
from certifier.text import clock_time, counted, name_in, printable, size, span
from certifier.vocabulary import SslMode

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "show",
        help="a source: how it stands, its last record, every finding with what to do",
        description="Show how a source stands, and the record of its last run: findings, tasks,"
        " what was changed, what was verified and by whom.",
        epilog="exit status: 0; 1 not registered; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a registered source")
    parser.add_argument("--json", action="store_true", help="print the record, as JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the source: 0, or 1 when nobody registered it."""
    return guarded("show", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    place = find(args)
    state, now = place.store.state(args.name), place.now()
    if state is None:
        return missing("show", args.name, place)
    record = read_record(place.documents, state.record) if state.record else None
    if args.json:
        print("null" if record is None else json.dumps(record.model_dump(mode="json"), indent=2))
        return 0
    pauses = place.store.pauses_of(args.name)
    undo = read_undo(place.store, args.name)
    logs = {state.name} if undo is not None else set()
    running = still_running(place.states.ended_at, begun([state], pauses, logs), now)
    each = stands(state, pauses, now, has_log=undo is not None, is_running=state.name in running)
    rest = unfinished(each, pauses, undo, now)
    page = again(args, "certifier", "open", printable(args.name, 80))
    show(Terminal(), each, record, now, rest, page=page)
    return 0


def show(
    terminal: Terminal,
    each: Stands,
    record: Certification | None,
    now: datetime,
    unfinished: Iterable[tuple[str, Cell]] = (),
    *,
    page: str = "",
) -> None:
    """Print how a source stands, what is unfinished of it, and its last record.

    Args:
        page: the command that opens the record's page.
    """
    state = each.state
    word = Text(each.standing.words, style=STANDINGS[each.standing])
    head = Text(printable(each.name), style="bold")
    mode = f"  {state.ssl_mode}" if state.ssl_mode else ""
    terminal.line(head, "  ", word, mode, hang=2)
    terminal.facts(_standing(each, record, now, unfinished), indent=2)
    if record is None:
        terminal.line("no record: no run has ended yet, or it is of another version", indent=2)
        return
    for found in open_first(record.findings, record.settled):
        done = found.cause in record.settled
        terminal.gap()
        of = "settled by this run" if done else ""
        terminal.finding(found, indent=2, of=of, source=each.name)
    terminal.gap()
    if record.intent is not None and record.intent.changes_anything:
        show_intent(terminal, record.model_copy(update={"findings": ()}), now)
        terminal.gap()
    terminal.facts(_record(record, page), indent=2)


def _standing(
    each: Stands,
    record: Certification | None,
    now: datetime,
    unfinished: Iterable[tuple[str, Cell]],
) -> Iterator[tuple[str, Cell]]:
    state = each.state
    if record is not None:
        for task in record.tasks.stopped:
            since = f"{task.identifier}, since {clock_time(task.since)} ({span(now - task.since)})"
            yield "stopped", Text(printable(since), style="bold red")
            if (why := why_stopped(task, record.findings)) and not task.said:
                yield "why", printable(why, 2000)
            else:
                yield "DMS says", printable(task.said or "nothing", 2000)
    if state.on_hold is not None:
        hold = state.on_hold
        yield "paused", printable(f"by {hold.by} since {clock_time(hold.since)}: {hold.why}")
    yield from unfinished
    if each.standing.value == "waits_for_its_window" and state.opens_at is not None:
        window = record.spec.get("restart_tasks") if record else None
        yield "until", opening(state.opens_at, window, now)
    if each.days_left is not None:
        what = f": {printable(state.expires)}" if state.expires else ""
        yield "expires", f"in {counted(each.days_left, 'day')}{what}"
    if state.recorded_at is not None:
        yield "last run", f"{clock_time(state.recorded_at)}, {span(now - state.recorded_at)} ago"
    if state.due_at is not None:
        left = f"in {span(state.due_at - now)}" if state.due_at > now else "now"
        yield "again", f"{clock_time(state.due_at)}, {left}"
    elif state.on_hold is None:
        yield "again", "when asked"


def _tasks(tasks: TaskRecord, name_of: Callable[[str], str] = name_in) -> Iterator[str]:
    """Yield what became of the tasks of a change: of each only what is so."""
    waiting = map(name_of, tasks.pending_restarts)
    if tasks.resumed:
        took = tasks.stopped_seconds
        longest = (
            "" if took is None else f"; the longest did not run for {span(timedelta(seconds=took))}"
        )
        names = ", ".join(map(name_of, tasks.resumed))
        yield f"stopped and started again: {names}{longest}"
    if tasks.pending_restarts:
        yield f"stopped, and waiting for a restart: {', '.join(waiting)}"
    left = [arn for arn in tasks.paused if arn not in (*tasks.resumed, *tasks.pending_restarts)]
    if left:
        yield f"stopped for the change: {', '.join(map(name_of, left))}"


def _value(field: str, value: str | None) -> str:
    if value is None:
        return "none"
    return f"{value[:8]}…" if field == "certificate" else value


def _record(record: Certification, page: str = "") -> Iterator[tuple[str, Cell]]:
    spec = record.spec
    yield "host", printable(f"{spec['host']}:{spec.get('port', 5432)}")
    if record.endpoint is not None:
        made = ", created by this run" if record.endpoint.created else ""
        mode = record.endpoint.fields.ssl_mode or SslMode.NONE
        yield "endpoint", printable(f"{record.endpoint.identifier}, {mode.value}{made}")
        yield "", printable(record.endpoint.arn)
    for change in record.changes if record.changed or record.rolled_back else ():
        back = ", rolled back" if record.rolled_back else ""
        was, now = _value(change.field, change.old), _value(change.field, change.new)
        yield "changed", printable(f"{change.field}: {was} → {now}{back}")
    if record.trust is not None and record.trust.anchors:
        names = ", ".join(facts.title for facts in record.trust.anchors[:4])
        more = len(record.trust.anchors) - 4
        yield "trusts", printable(names + (f", and {more} more" if more > 0 else ""))
    for label, proof in (
        ("probe", record.verified.probe),
        ("rehearsal", record.verified.rehearsal),
        ("DMS test", record.verified.dms_test),
    ):
        if proof is not None:
            yield label, f"connected, {proof.words}" if proof.connected else "did not connect"
        else:
            yield label, "not reached" if record.reached is None else "not needed"
    yield from (("tasks", printable(each, 2000)) for each in _tasks(record.tasks, record.name_of))
    for slot in record.slots.after or record.slots.before or ():
        if not slot.active:
            kept = "" if slot.retained_bytes is None else f", retains {size(slot.retained_bytes)}"
            yield "slot", printable(f"{slot.name}: nobody reads from it{kept}")
    yield "run", Text(run_id(record.run), style="dim")
    yield "version", f"{record.version} of the source"
    yield "page", Text(page or f"certifier open {record.source}", style="dim")
