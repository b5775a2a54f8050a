"""What a run has left unfinished, or is in the middle of: claim, undo log and stopped tasks.

With the ARNs in full: the commands of the runbook take them.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from rich.text import Text

from certifier.aws.store import Store
from certifier.aws.store.reads import Unfinished
from certifier.cli.terminal import Cell
from certifier.errors import Refused, Unreadable
from certifier.run.standing import Stands, left_by_a_run
from certifier.run.state import Claim, Pause, SourceState
from certifier.text import clock_time, printable, span

ASKED = 20
"""Of so many sources Step Functions is asked whether the run that has them still runs."""
SETTLES = timedelta(seconds=30)
"""So long after its end a run may have been recorded after the table was read."""
UNREADABLE = "another version of Certifier wrote it, and this one cannot read it"


def begun(
    states: Iterable[SourceState], pauses: Sequence[Pause], logs: Container[str]
) -> list[SourceState]:
    """Return the sources of which something is begun and not finished, the oldest claim first."""
    found = [
        state
        for state in states
        if state.claim is not None
        and left_by_a_run(state, pauses, has_log=state.name in logs) is not None
    ]
    return sorted(found, key=lambda state: (state.claim and state.claim.since, state.name))


def still_running(
    ended_at: Callable[[Claim], datetime | None], sources: Iterable[SourceState], now: datetime
) -> frozenset[str]:
    """Return the names of those of which the run that has the claim still runs.

    Of others than the first ``ASKED``, and where asking is not permitted, a run counts as running
    until its rescue is due, ten minutes after its claim.

    Args:
        ended_at: asks Step Functions (``States.ended_at``).
    """
    running = set()
    for number, state in enumerate(sources):
        claim = state.claim
        if claim is None:
            continue
        runs = claim.due_at > now
        if number < ASKED:
            with suppress(Refused):
                ended = ended_at(claim)
                runs = ended is None or now - ended < SETTLES
        if runs:
            running.add(state.name)
    return frozenset(running)


def finished_by(state: SourceState, *, is_stuck: bool = False) -> str:
    """Return who finishes what a run that was cut off has left.

    ``is_stuck``: the ticks should have done so long ago.
    """
    if state.on_hold is not None:
        return "after unpause, the next tick finishes it"
    if state.due_at is None:
        return "certify it by its name to finish it"
    if is_stuck:
        return "stop its execution if it still runs, and see whether the schedule is enabled"
    return "the next tick finishes it"


def read_undo(store: Store, name: str) -> Unfinished | str | None:
    """Return the undo log of a source; a sentence for one that this version cannot read."""
    try:
        return store.unfinished(name)
    except Unreadable:
        return UNREADABLE


def unfinished(
    each: Stands, pauses: Iterable[Pause], found: Unfinished | str | None, now: datetime
) -> Iterator[tuple[str, Cell]]:
    """Yield what is unfinished now, whatever the last record says.

    Args:
        pauses: the tasks that are stopped for the source; of those that the record reports as
            waiting for a restart, only the ARN is new.
    """
    state = each.state
    for pause in pauses:
        if pause.task_arn in state.pending_restarts:
            yield "task", printable(pause.name_and_arn)
            continue
        since = f"{pause.name_and_arn}, since {clock_time(pause.since)} ({span(now - pause.since)})"
        what = "for a change that is not finished"
        yield "stopped", Text(printable(f"{since}, {what}"), style="bold red")
    if state.claim is not None:
        claim = state.claim
        label = "running"
        if each.left is not None:
            label = "cut off" if each.left.tasks or each.left.has_log else "stuck"
        yield label, printable(f"{claim.execution}, since {clock_time(claim.since)}")
    match found:
        case Unfinished():
            yield "undo log", printable(_change(found, now), 2000)
        case str():
            yield "undo log", found
    if each.left is not None:
        yield "next", finished_by(state, is_stuck=each.left.is_stuck)


def _change(found: Unfinished, now: datetime) -> str:
    log = found.log
    how = "DMS connects with it" if found.proven else "neither proven nor rolled back"
    fields = ", ".join(log.fields) or "the new endpoint"
    since = ""
    if log.written_at is not None:
        since = f" since {clock_time(log.written_at)} ({span(now - log.written_at)})"
    return f"{fields} of {log.endpoint_identifier}{since}: {how}"
