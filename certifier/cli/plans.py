"""How a plan is shown: every field from and to, what stops, when, and what happens if it fails."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from rich.text import Text

from certifier.cli.terminal import Cell, Terminal
from certifier.run.intent import Ca, IntendedChange, Intent, TaskToStop, Would
from certifier.run.plan import CERTIFICATE, PASSWORD
from certifier.run.record import Certification
from certifier.source import Source
from certifier.text import clock_time, counted, name_in, printable, span

WORDS = {
    Would.CHANGE: ("would change", "yellow"),
    Would.CREATE: ("would be created", "green"),
    Would.UNCHANGED: ("unchanged", "dim"),
    Would.REFUSED: ("would be refused", "bold red"),
}
_HASH = 8
_CAS_SHOWN = 6
_KEPT = ("ssl_mode", CERTIFICATE)
_LABELS = {CERTIFICATE: "trusted CA"}


def show_intent(terminal: Terminal, record: Certification, now: datetime) -> None:
    """Print what a run over one source would do."""
    intent = record.intent
    if intent is None:
        return
    word, style = WORDS[intent.would]
    place = f"{record.spec['host']}:{record.spec.get('port', Source.model_fields['port'].default)}"
    endpoint = name_in(record.spec["endpoint"])
    head = Text(printable(record.source), style="bold")
    terminal.line(head, "  ", Text(word, style=style), printable(f"  {endpoint} · {place}"), hang=2)
    if intent.changes or intent.acm or intent.kept:
        terminal.gap()
        terminal.facts(_facts(intent, now, record.name_of), indent=2)
    for found in record.findings:
        terminal.gap()
        terminal.finding(found, indent=2, source=record.source)


def _facts(
    intent: Intent, now: datetime, name_of: Callable[[str], str] = name_in
) -> Iterator[tuple[str, Cell]]:
    if intent.stops:
        names = ", ".join(_task(task) for task in intent.stops)
        again = "it" if len(intent.stops) == 1 else "them"
        stops = Text(f"stops {counted(len(intent.stops), 'task')}", style="bold yellow")
        yield stops.plain, Text(f"{names}, and restarts {again}", style="yellow")
    for change in intent.changes:
        yield from _change(change, create=intent.would is Would.CREATE)
    for name in _KEPT:
        if name in intent.kept:
            yield f"= {_LABELS.get(name, name)}", printable(intent.kept[name])
    if intent.acm is not None:
        new = f"{intent.acm.new[:_HASH]}…"
        old = intent.acm.old
        label = "~ ACM" if old else "+ ACM"
        yield label, f"{new} replaces {old[:_HASH]}…" if old else f"{new} is imported"
    if not intent.changes:
        return
    yield "when", _when(intent, now)
    if intent.rehearsed_from:
        instances = ", ".join(printable(name_of(arn)) for arn in intent.rehearsed_from)
        yield "before", f"DMS tries it with a canary from {instances}"
    yield "if it fails", _undo(intent)


def _task(task: TaskToStop) -> str:
    return printable(f"{task.identifier} ({_kind(task.migration_type)}, {task.status})")


def _kind(migration_type: str) -> str:
    """Return the kind of a task in the words of people."""
    return {"full-load": "full load", "full-load-and-cdc": "full load and cdc"}.get(
        migration_type, migration_type
    )


def _change(change: IntendedChange, *, create: bool) -> Iterator[tuple[str, str]]:
    label = f"{'+' if create else '~'} {_LABELS.get(change.field, change.field)}"
    stuck = "" if change.reversible or create else "  (cannot be rolled back)"
    if change.field == PASSWORD:
        yield label, f"the one of the secret's version {printable(change.new or '–')}{stuck}"
        return
    if not create and {ca.sha256 for ca in change.old_cas} & {ca.sha256 for ca in change.new_cas}:
        for number, value in enumerate(_apart(change.old_cas, change.new_cas)):
            yield ("" if number else label), f"{value}{'' if number else stuck}"
        return
    old = list(_values(change.old, change.old_cas))
    new = list(_values(change.new, change.new_cas))
    if create:
        old = []
    elif len(old) == len(new) == 1 and not change.new_cas:
        yield label, f"{old[0]} → {new[0]}{stuck}"
        return
    for number, value in enumerate(old):
        yield ("" if number else label), value
    for number, value in enumerate(new):
        first = not number
        arrow = "→ " if first and old else "  " if old else ""
        yield (label if first and not old else ""), f"{arrow}{value}{stuck if first else ''}"


def _apart(old: Sequence[Ca], new: Sequence[Ca]) -> Iterator[str]:
    """Yield two bundles that have CAs in common as one: what comes, what goes, what stays.

    What stays is cut off first: a new CA is what somebody looks for.
    """
    before, after = {ca.sha256 for ca in old}, {ca.sha256 for ca in new}
    marked = [f"+ {_ca(ca)}" for ca in new if ca.sha256 not in before]
    marked += [f"- {_ca(ca)}" for ca in old if ca.sha256 not in after]
    same = [f"= {_ca(ca)}" for ca in new if ca.sha256 in before]
    room = max(_CAS_SHOWN - len(marked), 0)
    yield from (*marked, *same[:room])
    if len(same) > room:
        yield f"= and {counted(len(same) - room, 'more', 'more')}"


def _ca(ca: Ca) -> str:
    until = "" if ca.until is None else f", until {ca.until:%Y-%m-%d}"
    return f"{printable(ca.subject)}  ({ca.sha256[:_HASH]}…{until})"


def _values(value: str | None, cas: Sequence[Ca]) -> Iterator[str]:
    if not cas:
        yield "none" if value is None else printable(value)
        return
    yield from map(_ca, cas[:_CAS_SHOWN])
    if len(cas) > _CAS_SHOWN:
        yield f"and {counted(len(cas) - _CAS_SHOWN, 'more', 'more')}"


def _when(intent: Intent, now: datetime) -> str:
    window = intent.restart_tasks
    if not intent.stops:
        return "at once: no task has to stop"
    if intent.opens_at is None:
        return "at once" if window is True else f"at once: the window {window} is open"
    return f"{opening(intent.opens_at, window, now)} (restart_tasks)"


def opening(opens_at: datetime, window: bool | str | None, now: datetime) -> str:
    """Return when a window opens: in its own zone, and how long that is from now."""
    zone = window.split()[-1] if isinstance(window, str) else None
    return f"{clock_time(opens_at, zone)}, in {span(opens_at - now)}"


def _undo(intent: Intent) -> str:
    if intent.would is Would.CREATE:
        return "the new endpoint is kept, and reported"
    stuck = [change.field for change in intent.changes if not change.reversible]
    if not stuck:
        return "the endpoint is rolled back"
    return f"the endpoint is rolled back, but for {', '.join(stuck)}"


def totals(records: Sequence[Certification]) -> str:
    """Return the last line of a plan over sources."""
    found = [record.intent.would for record in records if record.intent is not None]
    counts = {would: found.count(would) for would in Would}
    return (
        f"{counts[Would.CHANGE]:,} would change, {counts[Would.CREATE]:,} would be created, "
        f"{counts[Would.UNCHANGED]:,} unchanged, {counts[Would.REFUSED]:,} refused. "
        "Nothing was changed."
    )
