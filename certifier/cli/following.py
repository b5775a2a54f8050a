"""Follow an execution: what each of its sources is doing, until it ends."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from certifier.aws.states import ExecutionState
from certifier.cli.installation import Installation
from certifier.cli.streams import nobody_reads
from certifier.cli.terminal import STYLES, Terminal
from certifier.run.event import run_id
from certifier.text import printable
from certifier.vocabulary import Outcome

POLL_SECONDS = 2.0
UNSEEN_POLLS = 30
"""How often in a row, for about a minute, Step Functions may not know what it has started."""
LOOKED_AT = 10
"""How many sources are asked for their present state in each round."""
SHOWN = 20
"""How many sources the live view shows one by one."""
RUNNING = "RUNNING"

Word = str | Outcome
View = Callable[[Mapping[str, Word]], None]
Sleep = Callable[[float], None]


def follow(
    place: Installation,
    execution: str,
    view: View,
    patience: timedelta,
    sleep: Sleep = time.sleep,
) -> ExecutionState | None:
    """Show what each source is doing until the execution ends, or patience does.

    Raises:
        BrokenPipeError: whoever read it has left.
    """
    run = run_id(execution)
    names: tuple[str, ...] = ()
    unseen = 0
    state = None
    for _ in range(max(1, int(patience.total_seconds() / POLL_SECONDS))):
        state = place.states.describe(execution)
        unseen = unseen + 1 if state is None else 0
        if not names:
            manifest = place.documents.read_manifest(f"runs/{run}/manifest.json")
            names = tuple(item["name"] for item in manifest)
        outcomes = place.documents.outcomes(run)
        view(_words(place, names, outcomes))
        if nobody_reads():
            raise BrokenPipeError
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
def viewing(terminal: Terminal) -> Iterator[View]:
    """Give a view: a live table on a terminal, a line for each change anywhere else."""
    if terminal.is_live:
        with Live(console=terminal.console, transient=True, refresh_per_second=8) as live:
            yield lambda words: live.update(_live(words))
        return
    shown: dict[str, Word] = {}

    def changes(words: Mapping[str, Word]) -> None:
        for name, word in words.items():
            if shown.get(name) != word:
                terminal.line(f"{printable(name)}: {printable(str(word))}")
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
