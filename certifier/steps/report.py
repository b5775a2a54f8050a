"""Report: what one execution did with all its sources, and whether it counts as failed.

Scheduled and event runs succeed when the machinery worked; people have been notified for
each source. A direct start fails unless all its sources are certified (in plan mode: planned), or
wait for the windows that their owners have set.
"""

from datetime import datetime

from certifier.aws.s3 import HTML, JSON
from certifier.models import Fact
from certifier.report import summary_page
from certifier.run.event import Event, Problem, run_id
from certifier.run.summary import ChildOutcome, Line, Summary, failure
from certifier.steps.context import StepContext, StepSettings
from certifier.vocabulary import Mode, Origin, Outcome

CAUSE_LIMIT = 4000
"""Characters of the text with which an execution fails; more than a person reads."""
ANSWER_ROOM = 7 * 1024
"""Bytes for the endings of the sources in an answer, which is at most 8 KiB."""


class ReportEvent(Event):
    """What the machine knows at its end; all but the execution is unknown when Select failed."""

    execution: str
    bucket: str | None = None
    key: str | None = None
    mode: Mode | None = None
    origin: Origin | None = None
    problem: Problem | None = None


class SourceResult(Fact):
    """How one source ended.

    Attributes:
        record: key of the record in the bucket, without its suffix.
        opens_at: the window that its change waits for.
    """

    name: str
    outcome: Outcome
    cause: str | None
    record: str | None
    opens_at: datetime | None = None


class ReportAnswer(Fact):
    """The output of the state machine: what a pipeline reads.

    Attributes:
        counts: how many sources ended with each outcome.
        sources: how each of them ended, as far as an answer has room for them.
        report: key of the report in the bucket, without its suffix; it has all of them.
    """

    counts: dict[str, int]
    sources: tuple[SourceResult, ...]
    report: str


class Reported(Fact):
    """Whether the execution is to fail, and the text with which; else what it answers."""

    failed: bool
    cause: str
    answer: ReportAnswer | None


def run(event: ReportEvent, context: StepContext[StepSettings]) -> Reported:
    """Write the summary, as JSON and as a page, and decide.

    Raises:
        Retryable: AWS did not answer; the machine calls again.
    """
    execution = run_id(event.execution)
    endings = context.documents.child_outcomes(execution)
    manifest = context.documents.read_manifest(event.key) if event.key else []
    names = {str(item["name"]) for item in manifest} | endings.keys()
    lines = tuple(_line(name, endings.get(name)) for name in sorted(names))
    failed = failure(
        {line.name: line.outcome for line in lines},
        direct=event.origin is Origin.DIRECT,
        planned=event.mode is Mode.PLAN,
        problem=event.problem,
        reasons={line.name: line.cause for line in lines if line.cause},
        waiting={line.name for line in lines if line.waits},
    )
    summary = Summary(
        execution=event.execution,
        mode=event.mode,
        origin=event.origin,
        reported_at=context.now(),
        problem=event.problem,
        failed=failed,
        lines=lines,
    )
    key = f"reports/{execution}"
    context.documents.put(f"{key}.json", summary.model_dump_json(indent=2).encode(), JSON)
    context.documents.put(f"{key}.html", summary_page(summary).encode(), HTML)
    if failed:
        cause = f"{failed[:CAUSE_LIMIT]}; report: s3://{context.documents.bucket}/{key}.json"
        return Reported(failed=True, cause=cause, answer=None)
    return Reported(failed=False, cause="", answer=_answer(summary, key))


def _answer(summary: Summary, report: str) -> ReportAnswer:
    """Return what fits; those that a person must look at come first."""
    good = (Outcome.CERTIFIED, Outcome.PLANNED)
    room = ANSWER_ROOM
    endings: list[SourceResult] = []
    for line in sorted(summary.lines, key=lambda line: line.outcome in good):
        ending = SourceResult(
            name=line.name,
            outcome=line.outcome,
            cause=line.cause,
            record=line.record,
            opens_at=line.opens_at,
        )
        room -= len(ending.model_dump_json()) + 1
        if room < 0:
            break
        endings.append(ending)
    return ReportAnswer(counts=summary.counts, sources=tuple(endings), report=report)


def _line(name: str, ending: ChildOutcome | None) -> Line:
    if ending is None:
        seen = "the child execution ended without a word; the schedule takes the source up again"
        return Line(name=name, outcome=Outcome.FAILED, seen=seen)
    return Line(
        name=name,
        outcome=ending.outcome,
        cause=ending.cause.value if ending.cause else None,
        seen=ending.seen,
        ssl_mode=ending.ssl_mode,
        days_left=ending.days_left,
        pending_restarts=ending.pending_restarts,
        record=ending.record,
        opens_at=ending.opens_at,
        next_due=ending.next_due,
    )
