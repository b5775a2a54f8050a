"""What a run has left unfinished, or is in the middle of: claim, undo log and stopped tasks.

With the ARNs in full: the commands of the runbook take them.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from rich.text import Text

from certifier.aws.store import Store
from certifier.aws.store.reads import Unfinished
from certifier.cli.terminal import Cell
from certifier.errors import Unreadable
from certifier.run.state import Pause, SourceState
from certifier.text import clock_time, printable, span

UNREADABLE = "another version of Certifier wrote it, and this one cannot read it"


def read_undo(store: Store, name: str) -> Unfinished | str | None:
    """Return the undo log of a source; a sentence for one that this version cannot read."""
    try:
        return store.unfinished(name)
    except Unreadable:
        return UNREADABLE


def unfinished(
    state: SourceState, pauses: Iterable[Pause], found: Unfinished | str | None, now: datetime
) -> Iterator[tuple[str, Cell]]:
    """Yield what is unfinished now, whatever the last record says.

    Args:
        pauses: the tasks that are stopped for the source; of those that the record reports as
            waiting for a restart, only the ARN is new.
    """
    for pause in pauses:
        if pause.task_arn in state.pending_restarts:
            yield "task", printable(pause.task_arn)
            continue
        since = f"{pause.task_arn}, since {clock_time(pause.since)} ({span(now - pause.since)})"
        what = "for a change that is not finished"
        yield "stopped", Text(printable(f"{since}, {what}"), style="bold red")
    if state.claim is not None:
        claim = state.claim
        yield "running", printable(f"{claim.execution}, since {clock_time(claim.since)}")
    match found:
        case Unfinished():
            yield "undo log", printable(_change(found, now), 2000)
        case str():
            yield "undo log", found


def _change(found: Unfinished, now: datetime) -> str:
    log = found.log
    how = "DMS connects with it" if found.proven else "neither proven nor rolled back"
    fields = ", ".join(log.fields) or "the new endpoint"
    since = ""
    if log.written_at is not None:
        since = f" since {clock_time(log.written_at)} ({span(now - log.written_at)})"
    return f"{fields} of {log.endpoint_identifier}{since}: {how}"
