"""How an execution ended: each source, why, what DMS said, what to do, and when it goes on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.text import Text

from certifier.cli.plans import opening, show_intent, totals
from certifier.cli.terminal import STYLES, Cell, Terminal
from certifier.models import Finding, errors_first
from certifier.run.record import Certification
from certifier.run.summary import Line
from certifier.text import clock_time, counted, printable, span
from certifier.vocabulary import Outcome, Severity

IN_FULL = 3
"""As many sources as have all their findings shown one by one; of more, equal ones are folded."""
NAMED = 6
WORST_FIRST = (
    Outcome.TASK_STOPPED,
    Outcome.FAILED,
    Outcome.ROLLED_BACK,
    Outcome.REFUSED,
    Outcome.DEFERRED,
    Outcome.PLANNED,
    Outcome.CERTIFIED,
)


@dataclass(frozen=True)
class Ended:
    """One source of an execution.

    Attributes:
        record: ``None``: it has none, or one of another version.
        held_by: for a deferred source: who has it, since when, at which step.
        steps: how long each step took, where that is known.
    """

    line: Line
    record: Certification | None = None
    held_by: str = ""
    steps: Mapping[str, float] | None = None


def show_endings(
    terminal: Terminal, endings: Sequence[Ended], *, to_open: Callable[[str], str], now: datetime
) -> None:
    """Print every source, the worst first, and its findings; equal ones once.

    Args:
        to_open: returns the command that shows the page of a source.
    """
    worst = sorted(endings, key=lambda e: (_weight(e.line), e.line.name))
    fold = len(worst) > IN_FULL
    for ended in worst:
        _show_line(terminal, ended, to_open=to_open, now=now, alone=not fold)
    if fold:
        for found, names in _folded(worst):
            terminal.gap()
            terminal.finding(found, of=_named(names))


def _weight(line: Line) -> tuple[bool, int]:
    return not line.pending_restarts, WORST_FIRST.index(line.outcome)


def word_of(line: Line) -> Text:
    """Return how a source stands, in a word, in its colour."""
    if line.waits:
        return Text("waits for its window", style="blue")
    return Text(line.outcome.words, style=STYLES[line.outcome])


def _show_line(
    terminal: Terminal, ended: Ended, *, to_open: Callable[[str], str], now: datetime, alone: bool
) -> None:
    line = ended.line
    text = Text(printable(line.name), style="bold")
    text.append("  ").append_text(word_of(line))
    if line.ssl_mode:
        text.append(f"  {line.ssl_mode}", style="not bold default")
    if line.days_left is not None:
        text.append(f"  {counted(line.days_left, 'day')} left", style="not bold default")
    if line.pending_restarts:
        waits = counted(line.pending_restarts, "task")
        text.append(f"  {waits} waiting for a restart", style="bold red")
    terminal.line(text, hang=2)
    record = ended.record
    findings = _worth_saying(record, line) if record is not None else ()
    if alone:
        for found in findings:
            terminal.finding(found, indent=2, source=line.name)
    if not findings and line.seen and (alone or record is None):
        cause = f"{line.cause}: " if line.cause else ""
        terminal.line(f"{cause}{printable(line.seen)}", indent=2, hang=2)
    terminal.facts(_facts(ended, now, alone=alone, to_open=to_open), indent=2)


def _worth_saying(record: Certification, line: Line) -> tuple[Finding, ...]:
    """Return the findings, the weightiest first; advice only of a source that ended well."""
    findings = errors_first(record.findings)
    if line.outcome is Outcome.CERTIFIED:
        return findings
    return tuple(found for found in findings if found.severity is not Severity.ADVICE) or findings


def _facts(
    ended: Ended, now: datetime, *, alone: bool, to_open: Callable[[str], str]
) -> Iterator[tuple[str, Cell]]:
    line, record = ended.line, ended.record
    if ended.held_by:
        yield "who", printable(ended.held_by)
    if line.opens_at is not None and line.waits:
        window = None if record is None else record.spec.get("restart_tasks")
        yield "until", opening(line.opens_at, window, now)
    if not alone:
        return
    if line.next_due is not None:
        due = line.next_due
        left = f"in {span(due - now)}" if due > now else "at the next tick of the schedule"
        yield "again", f"{clock_time(due)}, {left}"
    if ended.steps:
        total = sum(ended.steps.values())
        parts = ", ".join(f"{name} {_seconds(took)}" for name, took in ended.steps.items())
        yield "took", printable(f"{_seconds(total)}: {parts}", 2000)
    if line.record:
        yield "page", Text(printable(to_open(line.name), 500), style="dim")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else span(timedelta(seconds=round(seconds)))


def _folded(endings: Sequence[Ended]) -> Iterator[tuple[Finding, list[str]]]:
    """Yield each cause once, with the sources that it was found in, the weightiest first."""
    groups: dict[tuple[str, str, str], tuple[Finding, list[str]]] = {}
    for ended in endings:
        if ended.record is None:
            continue
        for found in _worth_saying(ended.record, ended.line):
            if found.severity is Severity.ADVICE:
                continue
            key = (found.cause.value, found.severity.value, found.remedy)
            names = groups.setdefault(key, (found, []))[1]
            if ended.line.name not in names:
                names.append(ended.line.name)
    yield from sorted(groups.values(), key=lambda group: group[0].severity.weight)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:NAMED])
    more = f", and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{counted(len(names), 'source')}: {shown}{more}"


def show_plans(terminal: Terminal, endings: Sequence[Ended], *, now: datetime, do: str) -> None:
    """Print what a run would do to each source, and all in one line."""
    for ended in endings:
        if ended.record is None or ended.record.intent is None:
            cause = f": {ended.line.cause}" if ended.line.cause else ""
            terminal.line(f"{printable(ended.line.name)}  {ended.line.outcome.value}{cause}")
            if ended.line.seen:
                terminal.line(printable(ended.line.seen), indent=2, hang=2)
        else:
            show_intent(terminal, ended.record, now)
        terminal.gap()
    terminal.line(totals([e.record for e in endings if e.record is not None]), hang=2)
    if any(e.record and e.record.intent and e.record.intent.changes_anything for e in endings):
        terminal.line(f"Do it:  {printable(do, 500)}")
