"""``certifier status``: the fleet at a glance."""

import argparse
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from certifier.cli.installation import add_options, complain, find, guarded
from certifier.run.state import Breaker, SourceState
from certifier.text import printable
from certifier.vocabulary import Outcome

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

STYLES = {
    Outcome.CERTIFIED: "green",
    Outcome.REFUSED: "yellow",
    Outcome.ROLLED_BACK: "yellow",
    Outcome.FAILED: "bold red",
    Outcome.PLANNED: "blue",
    Outcome.DEFERRED: "blue",
}


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "status",
        help="the fleet: outcome, mode, days to expiry, last certified, due, pending restarts",
        description="Show every registered source as the last run left it.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these sources")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the fleet: 0, or 1 when a name is not registered."""
    return guarded("status", lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    store = find(args).store
    states = store.states_all()
    if unknown := set(args.names) - {state.name for state in states}:
        complain("status", f"not registered: {', '.join(sorted(unknown))}")
        return 1
    chosen = [state for state in states if not args.names or state.name in args.names]
    now, breaker = datetime.now(UTC), store.breaker()
    if args.json:
        payload = {
            "sources": [_payload(state, now) for state in chosen],
            "breaker": _breaker(breaker),
        }
        print(json.dumps(payload, indent=2))
    else:
        _show(chosen, breaker, now)
    return 0


def _days_left(state: SourceState, now: datetime) -> int | None:
    return None if state.expires_at is None else (state.expires_at - now).days


def _payload(state: SourceState, now: datetime) -> dict[str, Any]:
    """Return one source as JSON says it."""
    return {
        "name": state.name,
        "outcome": state.outcome,
        "causes": [found.cause for found in state.findings],
        "ssl_mode": state.ssl_mode,
        "days_left": _days_left(state, now),
        "expires": state.expires,
        "certified_at": _iso(state.certified_at),
        "due_at": _iso(state.due_at),
        "pending_restarts": list(state.pending_restarts),
        "running": state.claim.execution if state.claim else None,
        "held_by_breaker": state.held_by_breaker,
        "record": state.record,
    }


def _breaker(breaker: Breaker) -> dict[str, Any]:
    return {"open": breaker.open, "since": _iso(breaker.open_since)}


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


def _show(states: Sequence[SourceState], breaker: Breaker, now: datetime) -> None:
    console = Console()
    if breaker.open:
        console.print(
            Text(
                "Changes are stopped: several ended badly within a day. Look at them, then "
                "`certifier reset-breaker`.",
                style="bold red",
            )
        )
    if not states:
        console.print("No source is registered.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in (
        "source",
        "outcome",
        "mode",
        "days left",
        "last certified",
        "due",
        "pending_restarts",
    ):
        table.add_column(column, overflow="fold")
    for state in states:
        table.add_row(*_row(state, now))
    console.print(table)
    counts = ", ".join(f"{count} {word}" for word, count in _counts(states))
    console.print(Text(f"{len(states)} sources: {counts}", style="dim"))


def _counts(states: Iterable[SourceState]) -> list[tuple[str, int]]:
    words = [state.outcome.value if state.outcome else "not run yet" for state in states]
    return [(word, words.count(word)) for word in sorted(set(words))]


def _row(state: SourceState, now: datetime) -> list[Text]:
    outcome = state.outcome
    word = Text("not run yet", style="dim")
    if outcome is not None:
        cause = "" if outcome is Outcome.CERTIFIED else _first_cause(state)
        word = Text(outcome.value + cause, style=STYLES[outcome])
    if state.claim is not None:
        word.append(" (running)", style="cyan")
    days = _days_left(state, now)
    style = "" if days is None else "bold red" if days < 7 else "yellow" if days < 30 else ""
    return [
        Text(printable(state.name)),
        word,
        Text(state.ssl_mode or "–"),
        Text("–" if days is None else str(days), style=style),
        Text(_ago(state.certified_at, now)),
        Text(_due(state, now)),
        Text(
            str(len(state.pending_restarts)) if state.pending_restarts else "–",
            style="bold red" if state.pending_restarts else "",
        ),
    ]


def _first_cause(state: SourceState) -> str:
    return f": {state.findings[0].cause.value}" if state.findings else ""


def _ago(when: datetime | None, now: datetime) -> str:
    return "never" if when is None else f"{_span(now - when)} ago"


def _due(state: SourceState, now: datetime) -> str:
    if state.held_by_breaker:
        return "after reset-breaker"
    if state.due_at is None:
        return "when asked"
    return "now" if state.due_at <= now else f"in {_span(state.due_at - now)}"


def _span(span: timedelta) -> str:
    """Return a span of time in its largest sensible unit."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{max(minutes, 0)} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
