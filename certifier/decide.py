"""How a run ended, when the source is due again, and who must be told: pure decisions over values.

``ending`` reads what the steps of a run have left behind and gives the outcome (the words and the
table of restores are in docs/architecture.md). ``next_due`` is the table of due times, ``notice``
says what changed for a person. None of them knows a clock: ``now`` is an argument.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import field_validator

from certifier.diagnosis import CATALOGUE, finding, printable
from certifier.identity import acm_behind
from certifier.memory import Pause, SourceState
from certifier.models import (
    Configured,
    ConnectionTest,
    Fact,
    Finding,
    ImportedCa,
    ImportedCertificate,
    Leaf,
    Material,
    Plan,
    Rehearsal,
    SlotFacts,
    TaskWork,
    UndoLog,
    errors_in,
)
from certifier.outcome import Cause, Decision, Outcome, Place, Severity

DAY = timedelta(days=1)
OWED = timedelta(minutes=10)
BACK_OFF = (
    timedelta(0),  # the next tick
    timedelta(minutes=15),
    timedelta(minutes=60),
    *([timedelta(hours=1)] * 24),
)
"""How long after the first, second, ... run that ended the same way; after these, daily."""
TRIES_IN_VAIN = 2
"""How often a run that stopped tasks in vain is tried again soon: each time they stand still."""
PATIENCE = timedelta(days=7)
"""How long something that time may mend waits before a person is told."""

BAD = frozenset({Outcome.REFUSED, Outcome.RESTORED, Outcome.FAILED})
"""Outcomes that need a person, or at least one that knows."""

_OF_ONE_RUN = frozenset({Cause.REHEARSED_BY_PROBE_ONLY, Cause.CA_EXPIRED_DROPPED})
"""Warnings that say how a run went, not how the source is: nobody is woken for them."""


class Problem(Fact):
    """What the machine caught: the name of the error, and its text.

    Lambda wraps the text into JSON with a stack trace, which the machine cuts to a length; only the
    message in it is kept.
    """

    error: str
    cause: str = ""

    @field_validator("cause")
    @classmethod
    def _unwrapped(cls, cause: str) -> str:
        wrapped = _MESSAGE.match(cause)
        if wrapped is None:
            return printable(cause)
        try:
            return printable(str(json.loads(f'"{wrapped[1]}"')))
        except ValueError:
            return printable(wrapped[1])


_MESSAGE = re.compile(r'\s*\{\s*"errorMessage"\s*:\s*"((?:[^"\\]|\\.)*)')


class Found(Fact):
    """Everything that the steps of one run have left behind; ``None``: the step left nothing.

    Attributes:
        probe_findings: of the probe, as lenient as the source asks.
        refusals: of the steps that refused, in the order of the workflow.
        undo, undo_run: the undo log as it is now, and the execution that wrote it.
        pauses: of the tasks that we stopped for this source and that do not run again.
        slots, slots_again: the server's replication slots as the probe saw them, and after the
            tasks were resumed.
        canary_left: the identifier of a canary endpoint that could not be deleted.
        new_anchors: names of CAs in the bundle, or on the endpoint, that were never there before.
        acm_leaf: what ACM holds for the source, when the source has a pair.
    """

    material: Material | None = None
    probe_findings: tuple[Finding, ...] = ()
    plan: Plan | None = None
    imported_ca: ImportedCa | None = None
    rehearsal: Rehearsal | None = None
    paused: TaskWork | None = None
    applied: Configured | None = None
    put_back: Configured | None = None
    tested_new: ConnectionTest | None = None
    tested_old: ConnectionTest | None = None
    resumed: TaskWork | None = None
    acm: ImportedCertificate | None = None
    refusals: tuple[Finding, ...] = ()
    undo: UndoLog | None = None
    undo_run: str | None = None
    pauses: tuple[Pause, ...] = ()
    slots: tuple[SlotFacts, ...] | None = None
    slots_again: tuple[SlotFacts, ...] | None = None
    canary_left: str | None = None
    new_anchors: tuple[str, ...] = ()
    acm_leaf: Leaf | None = None

    @property
    def owed(self) -> tuple[str, ...]:
        """Return the ARNs of the tasks that do not run again."""
        return tuple(pause.task_arn for pause in self.pauses)

    @property
    def stopped_tasks(self) -> bool:
        """Whether this run has stopped tasks, or kept them from being started."""
        return self.paused is not None and bool(self.paused.tasks)

    @property
    def retained_before(self) -> Mapping[str, int]:
        """Return how much WAL each slot kept when the first of the owed tasks was to be stopped."""
        kept: dict[str, int] = {}
        for pause in sorted(self.pauses, key=lambda pause: pause.since):
            kept = {**pause.retained, **kept}
        return kept

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return what all steps found, in the order of the workflow, each finding once."""
        change = (
            self.plan,
            self.imported_ca,
            self.rehearsal,
            self.paused,
            self.applied,
            self.tested_new,
        )
        after = (self.put_back, self.tested_old, self.resumed, self.acm)
        found = list(self.material.findings) if self.material else []
        found += self.probe_findings
        found += [f for doc in change if doc for f in doc.findings]
        found += self.refusals  # why it ended, before what came of putting it back
        found += [f for doc in after if doc for f in doc.findings]
        return tuple(dict.fromkeys(found))

    @property
    def finishes_another(self) -> bool:
        """Whether this run only proved or put back what an earlier one had begun."""
        return self.undo is not None and self.material is None


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        findings: of all steps, and what the ending itself adds.
        erase_undo: the endpoint was proven new, or read back as old, or is not ours to put back.
        bad_end: this run changed something and ended badly: it counts for the breaker.
        waits_for_wave: the breaker is open, so the change did not begin.
        in_vain: this run stopped tasks, and then refused the change before it was begun.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    erase_undo: bool = False
    bad_end: bool = False
    waits_for_wave: bool = False
    in_vain: bool = False


def ending(found: Found, problem: Problem | None, *, run: str) -> Ending:
    """Return how the execution ``run`` ended, from what its steps left and what went wrong."""
    outcome = _outcome(found, problem)
    findings = found.findings
    findings += _of_problem(problem, findings)
    findings += _of_the_end(found, outcome, findings)
    changed = found.undo is not None and found.undo_run == run
    return Ending(
        outcome=outcome,
        findings=findings,
        erase_undo=found.undo is not None and _undo_is_done(found),
        bad_end=changed and outcome in (Outcome.RESTORED, Outcome.FAILED),
        waits_for_wave=outcome is Outcome.DEFERRED,
        in_vain=_in_vain(found, problem),
    )


def _outcome(found: Found, problem: Problem | None) -> Outcome:
    refused = _refused(problem)
    broke = problem is not None and not refused
    back = found.put_back
    if found.paused is not None and _has(found.paused.findings, Cause.WAVE_STOPPED):
        return Outcome.FAILED if broke else Outcome.DEFERRED
    if back is not None:
        connects = back.put_back and found.tested_old is not None and found.tested_old.passed
        return Outcome.RESTORED if connects and not broke else Outcome.FAILED
    if refused and found.undo is None and not found.stopped_tasks:
        return Outcome.REFUSED
    if problem is not None:
        return Outcome.FAILED
    if found.tested_new is not None and found.tested_new.passed:
        return Outcome.CERTIFIED
    if found.plan is not None and found.plan.decision is Decision.PLANNED:
        return Outcome.PLANNED
    return Outcome.FAILED


def _refused(problem: Problem | None) -> bool:
    return problem is not None and problem.error == "Refused"


def _in_vain(found: Found, problem: Problem | None) -> bool:
    return _refused(problem) and found.undo is None and found.stopped_tasks


def _undo_is_done(found: Found) -> bool:
    """Whether the endpoint was proven new, or what was to be put back is."""
    if found.put_back is not None:
        return found.put_back.put_back or found.put_back.settled
    return found.tested_new is not None and found.tested_new.passed


def _has(findings: Iterable[Finding], cause: Cause) -> bool:
    return any(found.cause is cause for found in findings)


def _of_problem(problem: Problem | None, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the finding for what the machine caught, unless a step has said it already."""
    if problem is None:
        return ()
    if problem.error == "Refused":
        if errors_in(findings):
            return ()
        cause = Cause(problem.cause) if problem.cause in set(Cause) else Cause.UNEXPECTED
        return (_workflow(cause, "a step refused, and its reasons could not be read"),)
    if problem.error in _PASSING:
        seen = f"AWS did not let a step finish: {problem.error}"
        return (_workflow(Cause.AWS_UNAVAILABLE, seen, problem.cause),)
    seen = f"a step ended with {problem.error}, which nobody foresaw"
    return (_workflow(Cause.UNEXPECTED, seen, problem.cause),)


_PASSING = frozenset(
    {
        "Retryable",
        "Throttled",
        "Busy",
        "NotYetConsistent",
        "Unavailable",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.TooManyRequestsException",
    }
)


def _workflow(cause: Cause, seen: str, raw: str | None = None) -> Finding:
    return finding(cause, place=Place.WORKFLOW, seen=seen, raw=raw or None)


def _of_the_end(
    found: Found, outcome: Outcome, findings: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    """Return what only the whole run shows."""
    added = []
    if found.finishes_another:
        what = {
            Outcome.CERTIFIED: "DMS connects with its new settings",
            Outcome.RESTORED: "the endpoint has its old settings again",
        }.get(outcome, "this run could not finish that")
        seen = f"an earlier run was cut off in the middle of a change; {what}"
        added.append(_workflow(Cause.INTERRUPTED_RUN_FINISHED, seen))
    told = " ".join(f.seen for f in findings if f.cause is Cause.TASK_OWED)
    if found.owed and not told:
        names = ", ".join(found.owed)
        seen = f"tasks that we stopped do not run again yet: {names}"
        added.append(_workflow(Cause.TASK_OWED, seen))
    if found.new_anchors:
        names = "; ".join(found.new_anchors)
        seen = f"the CA bundle, or the endpoint, holds a CA that was never there before: {names}"
        added.append(finding(Cause.ANCHOR_UNTRUSTED_BEFORE, place=Place.INTAKE, seen=seen))
    if found.canary_left is not None:
        seen = f"the canary endpoint {found.canary_left} could not be deleted; the next run tries"
        added.append(_workflow(Cause.CANARY_LEFT, seen))
    added += _of_acm(found, outcome)
    if outcome is Outcome.FAILED and not errors_in((*findings, *added)):
        seen = "the run ended without a result"
        added.append(_workflow(Cause.UNEXPECTED, seen))
    return tuple(added)


def _of_acm(found: Found, outcome: Outcome) -> list[Finding]:
    """Return whether ACM is in step with the pair: a side record, so none of it is an error."""
    added: list[Finding] = []
    if found.material is None or found.material.leaf_sha256 is None:
        return added
    given_up = found.acm is None and found.material.leaf_pem and outcome is Outcome.CERTIFIED
    if given_up:
        seen = "the import into ACM did not end; ACM was too busy, or did not answer"
        added.append(_workflow(Cause.ACM_FAILED, seen))
    tried = found.acm is not None or bool(given_up)
    behind = acm_behind(found.acm_leaf, found.material.leaf_sha256, tried=tried)
    return [*added, behind] if behind is not None else added


# -- when the source is due again


@dataclass(frozen=True)
class Due:
    """When a source is due again.

    Attributes:
        at: ``None``: not before somebody asks.
        reason, backoff: what the back-off counts now, and how many runs in a row.
        waiting_since: since when something is there that time may mend.
    """

    at: datetime | None
    reason: str = ""
    backoff: int = 0
    waiting_since: datetime | None = None


def may_mend(found: Finding) -> bool:
    """Whether the finding may go away without anybody telling us."""
    return CATALOGUE[found.cause].time_may_mend and found.severity is not Severity.ADVICE


def next_due(
    end: Ending,
    state: SourceState,
    *,
    now: datetime,
    owed: bool,
    opens_at: datetime | None = None,
) -> Due:
    """Return when the source is due again, after a run that ended so.

    Args:
        state: as it was before this run, with the back-off so far.
        opens_at: when the window of a planned change opens.
    """
    mendable = tuple(found for found in end.findings if may_mend(found))
    since = (state.waiting_since or now) if mendable else None
    if owed:
        return Due(now + OWED, state.reason, state.backoff, since)
    if end.waits_for_wave:
        return Due(None, state.reason, state.backoff, since)
    if _has(end.findings, Cause.INTERRUPTED_RUN_FINISHED) and end.erase_undo:
        return Due(now, waiting_since=since)
    opening = opens_at or now + DAY
    if end.outcome is Outcome.PLANNED or not _backs_off(end, mendable):
        return Due(min(now + DAY, opening), waiting_since=since)
    reason = end.outcome.value + "".join(f" {cause}" for cause in sorted(_causes(mendable)))
    count = state.backoff + 1 if reason == state.reason else 1
    often = TRIES_IN_VAIN if end.in_vain else len(BACK_OFF)
    wait = BACK_OFF[count - 1] if count <= often else DAY
    return Due(min(now + wait, opening), reason, count, since)


def _causes(findings: Iterable[Finding]) -> set[str]:
    return {found.cause.value for found in findings}


def _backs_off(end: Ending, mendable: tuple[Finding, ...]) -> bool:
    match end.outcome:
        case Outcome.FAILED if not end.in_vain:
            return True
        case Outcome.CERTIFIED:
            return bool(mendable)
        case Outcome.REFUSED | Outcome.FAILED:  # as long as one needs a person, soon is no use
            errors = errors_in(end.findings)
            return bool(errors) and all(may_mend(found) for found in errors)
        case _:
            return False


# -- who must be told


@dataclass(frozen=True)
class Notice:
    """What a person is told: one line, and the rest."""

    subject: str
    message: str


def attention(
    end: Ending,
    *,
    owed: tuple[str, ...],
    waiting_since: datetime | None,
    now: datetime,
) -> str:
    """Return what needs a person, as one line that is equal while nothing changes; empty: nothing.

    Errors, and warnings that only a person can mend, at once; what time may mend, after a week;
    owed tasks always.
    """
    patient = waiting_since is not None and now - waiting_since >= PATIENCE
    parts = [end.outcome.value] if end.outcome in BAD else []
    parts += sorted(
        {
            found.cause.value
            for found in end.findings
            if found.severity is Severity.ERROR
            or (
                found.severity is Severity.WARNING
                and found.cause not in _OF_ONE_RUN
                and (patient or not may_mend(found))
            )
        }
    )
    return " ".join([*parts, *(f"owed:{task}" for task in sorted(owed))])


def owed_wal(found: Found) -> str:
    """Return what the server keeps because of owed tasks, for people; empty when none is owed.

    Which slot is a task's, nobody tells: those that nobody reads from are named.
    """
    if not found.owed:
        return ""
    slots = found.slots_again if found.slots_again is not None else found.slots
    if slots is None:
        return "How much WAL the server keeps for its replication slots was not seen.\n"
    lines = [_kept(slot, found.retained_before) for slot in slots if not slot.active]
    if not lines:
        return "The server has no replication slot that nobody reads from.\n"
    return "The server keeps WAL for replication slots that nobody reads from:\n" + "".join(lines)


def _kept(slot: SlotFacts, before: Mapping[str, int]) -> str:
    """Return a line on one slot; its status, where the server may drop that WAL or has."""
    status = "" if slot.wal_status in (None, "reserved") else f" ({slot.wal_status})"
    if slot.retained_bytes is None:
        return f"  {slot.name}: no WAL{status}\n"
    grown = ""
    if (then := before.get(slot.name)) is not None:
        grown = f", {size(max(slot.retained_bytes - then, 0))} more than before the pause"
    return f"  {slot.name}: {size(slot.retained_bytes)} of WAL{grown}{status}\n"


def size(count: int) -> str:
    """Return a number of bytes for people, in PostgreSQL's units: 1 kB is 1024 bytes."""
    power = min(max(count.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{count / 1024**power:.{1 if power else 0}f} {_UNITS[power]}"


_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def notice(
    name: str,
    end: Ending,
    *,
    needs: str,
    told: str,
    where: str,
    wal: str = "",
) -> Notice | None:
    """Return what to tell a person now; ``None`` when nothing has changed for them.

    Args:
        needs: what needs a person now (``attention``).
        told: what they were told last.
        where: where the record lies.
        wal: what the server keeps because of owed tasks (``owed_wal``).
    """
    if needs == told or end.outcome is Outcome.DEFERRED:
        return None
    if not needs:
        was_bad = told.split(" ", 1)[0] in {outcome.value for outcome in BAD}
        if not was_bad and "owed:" not in told:
            return None
        return Notice(
            f"Certifier: {name} is {end.outcome.value} again",
            f"{name}: {end.outcome.value}. Nothing needs a person any more.\n\nRecord: {where}\n",
        )
    weighty = [found for found in end.findings if found.severity is not Severity.ADVICE]
    weighty.sort(key=lambda found: list(Severity).index(found.severity))
    lead = weighty[0].cause.value if weighty else "see the record"
    blocks = [
        f"[{found.severity.value}] {found.cause.value} ({found.place.value})\n"
        f"  seen:   {found.seen}\n"
        f"  remedy: {found.remedy}\n"
        for found in weighty
    ]
    return Notice(
        f"Certifier: {name} {end.outcome.value}: {lead}",
        f"{name}: {end.outcome.value}\n\n"
        + "\n".join([*blocks, *([wal] if wal else [])])
        + f"\nRecord: {where}\n",
    )


# -- how an execution over several sources ended


def failure(
    outcomes: Mapping[str, Outcome],
    *,
    direct: bool,
    planned: bool,
    problem: Problem | None,
    reasons: Mapping[str, str],
) -> str:
    """Return why an execution failed, naming who it concerns; empty when it did not.

    Args:
        outcomes: of every source of the execution.
        direct: a person or a pipeline started it, and wants every source to be certified.
        planned: in plan mode, where a source that is not refused is ``planned``.
        reasons: the cause behind an outcome, by source.
    """
    if problem is not None:
        return f"{problem.error}: {problem.cause}" if problem.cause else problem.error
    if not direct:
        return ""
    good = {Outcome.PLANNED} if planned else {Outcome.CERTIFIED}
    others = [
        f"{name}: {outcome.value}" + (f" ({reasons[name]})" if name in reasons else "")
        for name, outcome in sorted(outcomes.items())
        if outcome not in good
    ]
    shown = "; ".join(others[:_NAMED])
    return shown + (f"; and {len(others) - _NAMED} more" if len(others) > _NAMED else "")


_NAMED = 20
