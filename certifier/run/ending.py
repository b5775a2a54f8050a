"""How a run ended: a pure decision over its dossier.

The table of rollbacks is in docs/architecture.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from certifier.diagnosis import finding
from certifier.errors import LAMBDA_CUT_OFF, LAMBDA_UNAVAILABLE, Retryable, Unreadable, concrete
from certifier.models import Finding, errors_in
from certifier.run.by_hand import not_rolled_back
from certifier.run.dossier import Dossier
from certifier.run.drift import acm_behind
from certifier.run.event import Problem
from certifier.run.settled import settled_causes
from certifier.run.weakening import distinct
from certifier.text import listed
from certifier.vocabulary import Cause, Decision, Outcome, Severity, Witness


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        findings: of all steps, and what the ending itself adds.
        erase_undo: the endpoint was proven new, or read back as old, or is not ours to roll back.
        bad_end: the run whose change ended badly, which counts for the breaker, once: this run, or
            the one that this run finishes.
        held_by_breaker: the breaker is open, so the change did not begin.
        ended_badly: tasks were stopped, or the endpoint changed, and it is not certified: the same
            change is not made again soon.
        unfinished: an undo log stays, for the next run to finish.
        settled: the causes among the findings that the run has settled itself.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    erase_undo: bool = False
    bad_end: str | None = None
    held_by_breaker: bool = False
    ended_badly: bool = False
    unfinished: bool = False
    settled: frozenset[Cause] = frozenset()


def ending(found: Dossier, problem: Problem | None, *, run: str) -> Ending:
    """Return how the execution ``run`` ended, from what its steps left and what went wrong.

    Whatever was proven, a source whose task we stopped, and that does not run, is not certified.
    """
    outcome = _outcome(found, problem, run)
    findings = _with_missed_growth(found)
    findings += _of_problem(problem, findings)
    findings += _of_the_end(found, outcome, findings, run)
    erase = found.undo is not None and _undo_is_done(found)
    began = found.undo is not None or found.stopped_tasks
    badly = began and outcome in (Outcome.ROLLED_BACK, Outcome.FAILED)
    refused = outcome is Outcome.REFUSED
    if outcome is Outcome.CERTIFIED and found.pending_restarts:
        outcome = Outcome.TASK_STOPPED
    return Ending(
        outcome=outcome,
        findings=findings,
        erase_undo=erase,
        bad_end=(found.undo_run or run) if badly else None,
        held_by_breaker=outcome is Outcome.DEFERRED,
        ended_badly=_may_be_repeated(found) and (badly or (began and refused)),
        unfinished=found.undo is not None and not erase,
        settled=settled_causes(found, outcome, undo_is_done=erase)
        & {each.cause for each in findings},
    )


def _outcome(found: Dossier, problem: Problem | None, run: str) -> Outcome:
    refused = _refused(problem)
    broke = problem is not None and not refused
    back = found.rolled_back
    if found.paused is not None and _has(found.paused.findings, Cause.BREAKER_OPEN):
        return Outcome.FAILED if broke else Outcome.DEFERRED
    if refused and _unchanged(found, run):
        return Outcome.REFUSED
    if back is not None:
        connects = back.rolled_back and found.tested_old is not None and found.tested_old.passed
        return Outcome.ROLLED_BACK if connects and not broke else Outcome.FAILED
    if problem is not None:
        return Outcome.FAILED
    if found.tested_new is not None and found.tested_new.passed:
        return Outcome.CERTIFIED
    if found.plan is not None and found.plan.decision is Decision.PLANNED:
        return Outcome.PLANNED
    return Outcome.FAILED


def _refused(problem: Problem | None) -> bool:
    return problem is not None and problem.error == "Refused"


def _may_be_repeated(found: Dossier) -> bool:
    """Whether a later run may make the same change: a created endpoint stays as it is."""
    return found.undo is None or not found.undo.created


def _unchanged(found: Dossier, run: str) -> bool:
    """Whether nothing was written to the endpoint, and it connects as it did.

    An undo log comes before the first write, so one alone does not mean that there was one.
    """
    if found.undo is None:
        return True
    return (
        found.undo_run == run
        and found.undo.replaces is None
        and found.undo.written is None
        and found.applied is None
        and found.rolled_back is not None
        and found.rolled_back.rolled_back
        and found.tested_old is not None
        and found.tested_old.passed
    )


def _undo_is_done(found: Dossier) -> bool:
    """Whether the endpoint was proven new, or what was to be rolled back is."""
    if found.rolled_back is not None:
        return found.rolled_back.rolled_back or found.rolled_back.settled
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
    passing = {kind.__name__ for kind in concrete(Retryable)}
    if problem.error in passing or problem.error in LAMBDA_UNAVAILABLE:
        seen = f"AWS did not let a step finish: {problem.error}"
        return (_workflow(Cause.AWS_UNAVAILABLE, seen, problem.cause),)
    if problem.error in LAMBDA_CUT_OFF:
        seen = f"a function of the run ended before it had answered, each time: {problem.error}"
        return (_workflow(Cause.FUNCTION_CUT_OFF, seen, problem.cause),)
    if problem.error == Unreadable.__name__:
        return (unreadable(problem.cause),)
    seen = f"a step ended with {problem.error}, an unexpected error"
    return (_workflow(Cause.UNEXPECTED, seen, problem.cause),)


_OF_UNTRUSTED_CHAIN = frozenset(
    {
        Cause.CERTIFICATE_REJECTED,
        Cause.CHAIN_INCOMPLETE,
        Cause.SELF_SIGNED,
        Cause.SIGNATURE_INVALID,
        Cause.UNKNOWN_AUTHORITY,
    }
)
"""What DMS says where the endpoint does not trust the root of the served chain."""


def _with_missed_growth(found: Dossier) -> tuple[Finding, ...]:
    """Return what all steps found. Roots that wait are an error once DMS does not trust the chain.

    The plan left them out because what the endpoint trusts was enough, as far as it knew.
    """
    test = found.tested_new
    missed = (
        found.undo is None
        and test is not None
        and any(each.cause in _OF_UNTRUSTED_CHAIN for each in test.findings)
    )
    return tuple(
        _missed(each) if missed and each.cause is Cause.GROWTH_WAITS else each
        for each in found.findings
    )


def _missed(waits: Finding) -> Finding:
    seen = (
        "DMS does not trust the server's chain, and roots that the source names are not on the "
        f"endpoint: {waits.seen}"
    )
    return finding(
        Cause.GROWTH_WAITS,
        place=waits.place,
        seen=seen,
        severity=Severity.ERROR,
        remedy="Set restart_tasks to true or to a weekly window, or stop what is named: then the "
        "roots are added, and DMS tries again.",
    )


def document_gone(what: str, *, severity: Severity = Severity.ERROR) -> Finding:
    """Return the finding for a document of this run that somebody has deleted."""
    return finding(
        Cause.UNEXPECTED,
        place=Witness.WORKFLOW,
        seen=f"{what} of this run is gone",
        severity=severity,
        remedy="Find out who deletes objects under runs/ of the installation's bucket (CloudTrail, "
        "its lifecycle rules); they are needed until the run has ended. The next run begins anew, "
        "or finishes what this one began.",
    )


def unreadable(what: str) -> Finding:
    """Return the finding for an item or document that another version of Certifier wrote."""
    return finding(
        Cause.SOURCE_INVALID,
        place=Witness.WORKFLOW,
        seen=f"the {what} is not valid in this version of Certifier",
        remedy="Deploy the version of Certifier that wrote it; it then finishes what has begun. If "
        "no other version was ever deployed, find out who wrote to the table or the bucket.",
    )


def _workflow(cause: Cause, seen: str, raw: str | None = None) -> Finding:
    return finding(cause, place=Witness.WORKFLOW, seen=seen, raw=raw or None)


def _of_the_end(
    found: Dossier, outcome: Outcome, findings: tuple[Finding, ...], run: str
) -> tuple[Finding, ...]:
    """Return what only the whole run shows."""
    added = []
    own = found.undo is not None and found.undo_run == run
    if own and found.material is None:
        severity = Severity.WARNING if outcome.is_proven else Severity.ERROR
        added.append(document_gone("what the steps have left", severity=severity))
    elif found.finishes_another:
        added.append(_of_interrupted(found, outcome))
    elif found.undo is not None and found.undo.replaces and outcome is Outcome.CERTIFIED:
        seen = (
            "an earlier run was cut off in the middle of a change that could neither be proven nor "
            "rolled back; a change to the material of today has taken its place"
        )
        added.append(_workflow(Cause.INTERRUPTED_RUN_FINISHED, seen))
    if (stranded := _not_rolled_back(found, findings)) is not None:
        added.append(stranded)
    reported = " ".join(f.seen for f in findings if f.cause is Cause.TASK_NOT_RESTARTED)
    if found.pending_restarts and not reported:
        names = ", ".join(found.pending_restarts)
        seen = f"tasks that we stopped do not run again yet: {names}"
        added.append(_workflow(Cause.TASK_NOT_RESTARTED, seen))
    for pause in found.others_pauses:
        others = ", ".join(pause.sources)
        seen = (
            f"{pause.name_and_arn}, which uses this endpoint, was stopped for {others} "
            f"at {pause.since:%Y-%m-%d %H:%M} UTC and does not run again yet"
        )
        added.append(_workflow(Cause.TASK_NOT_RESTARTED, seen))
    if found.new_anchors:
        names = listed(found.new_anchors)
        seen = f"the CA bundle, or the endpoint, holds a CA that was never there before: {names}"
        if names != (every := "; ".join(found.new_anchors)):
            seen = distinct(seen, every)
        added.append(finding(Cause.NEW_TRUST_ANCHOR, place=Witness.INTAKE, seen=seen))
    if found.canary_left is not None:
        seen = f"the canary endpoint {found.canary_left} could not be deleted; the next run tries"
        added.append(_workflow(Cause.CANARY_LEFT, seen))
    added += _of_acm(found, outcome)
    if outcome is Outcome.FAILED and not errors_in((*findings, *added)):
        seen = "the run ended without a result"
        added.append(_workflow(Cause.UNEXPECTED, seen))
    return tuple(added)


def _of_interrupted(found: Dossier, outcome: Outcome) -> Finding:
    """Return what became of a change that an earlier run has left in the middle."""
    what = {
        Outcome.CERTIFIED: "DMS connects with its new settings",
        Outcome.ROLLED_BACK: "the endpoint has its old settings again",
    }.get(outcome)
    remedy = None
    if what is None and not _undo_is_done(found):
        what = "this run could not finish that"
        remedy = "Read the other findings, which say why: `certifier show NAME`."
    seen = f"an earlier run was left in the middle of a change; {what or 'it is over'}"
    return finding(Cause.INTERRUPTED_RUN_FINISHED, place=Witness.WORKFLOW, seen=seen, remedy=remedy)


def _not_rolled_back(found: Dossier, findings: tuple[Finding, ...]) -> Finding | None:
    """Return that the endpoint may still have what an unproven change wrote to it.

    Nothing that an untrusted log says is shown as something to do.
    """
    untrusted = _has(findings, Cause.UNDO_LOG_UNTRUSTED)
    if found.undo is None or _undo_is_done(found) or untrusted:
        return None
    return not_rolled_back(found.undo, found.undo_before)


def _of_acm(found: Dossier, outcome: Outcome) -> list[Finding]:
    """Return whether ACM is in step with the pair: a side record, so none of it is an error."""
    added: list[Finding] = []
    if found.material is None or found.material.leaf_sha256 is None or found.lives_in_acm:
        return added
    given_up = found.acm is None and found.material.leaf_pem and outcome is Outcome.CERTIFIED
    if given_up:
        seen = "the import into ACM did not end; ACM was too busy, or did not answer"
        added.append(_workflow(Cause.ACM_FAILED, seen))
    tried = found.acm is not None or bool(given_up)
    behind = acm_behind(found.acm_leaf, found.material.leaf_sha256, tried=tried)
    return [*added, behind] if behind is not None else added
