"""Which findings a run has settled itself: they say how it came, and nobody has to do anything."""

from collections.abc import Iterable

from certifier.models import Finding, errors_first
from certifier.run.dossier import Dossier
from certifier.vocabulary import Cause, Outcome

_BY_THE_CHANGE = frozenset({Cause.ENDPOINT_CA_DIFFERS, Cause.ENDPOINT_HOLDS_OLD_PASSWORD})


def settled_causes(found: Dossier, outcome: Outcome, *, undo_is_done: bool) -> frozenset[Cause]:
    """Return the causes that hold no longer at the end of a run.

    Args:
        undo_is_done: what an earlier run, or this one, began to change is proven or rolled back.
    """
    settled: set[Cause] = set()
    if outcome.is_proven and found.applied is not None and found.rolled_back is None:
        settled |= _BY_THE_CHANGE
    if undo_is_done:
        settled.add(Cause.INTERRUPTED_RUN_FINISHED)
    if not found.pauses and not found.others_pauses:
        settled.add(Cause.TASK_NOT_RESTARTED)
    if found.canary_left is None and outcome is not Outcome.REFUSED:
        settled.add(Cause.CANARY_LEFT)
    return frozenset(settled)


def open_first(findings: Iterable[Finding], settled: Iterable[Cause]) -> tuple[Finding, ...]:
    """Return findings by weight, those that the run has settled last."""
    done = frozenset(settled)
    return tuple(sorted(errors_first(findings), key=lambda found: found.cause in done))


def still_open(findings: Iterable[Finding], settled: Iterable[Cause]) -> tuple[Finding, ...]:
    """Return the findings that hold at the end of a run."""
    done = frozenset(settled)
    return tuple(found for found in findings if found.cause not in done)
