"""What the state machines answer, for the next step of a pipeline: how each source ended.

An execution that succeeds outputs a :class:`RunAnswer`; one that fails has the same as JSON in its
cause, with the reason beside it. Both are bounded: what a state hands on is at most 256 KiB and a
cause 32,768 characters (API of Step Functions), and neither error could be caught.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from certifier.models import Fact
from certifier.run.summary import Line, Summary
from certifier.vocabulary import Outcome

OUTPUT_ROOM = 160 * 1024
"""Bytes for the sources in an output: some 400 of them."""
CAUSE_ROOM = 20 * 1024
"""Bytes for the sources in a cause, whose quotation marks count twice where it is nested."""
REASON_LIMIT = 4000
"""Characters of the reason for which an execution fails; more than a person reads."""
GOOD = (Outcome.CERTIFIED, Outcome.PLANNED)


class SourceResult(Fact):
    """How one source ended.

    Attributes:
        cause: the finding that matters most, advice left out; null when there is none.
        endpoint_arn: of the DMS endpoint; null when none was seen.
        certificate_arn: of the DMS certificate that the endpoint trusts; null when it has none.
        days_left: whole days until the first certificate expires that the source depends on; null
            when unknown.
        record: key of the record in the bucket, without its suffix; null when there is none.
        opens_at: the window that its change waits for; null when it does not wait for one.
    """

    name: str
    outcome: Outcome
    cause: str | None
    endpoint_arn: str | None
    certificate_arn: str | None
    days_left: int | None
    record: str | None
    opens_at: datetime | None = None


class RunAnswer(Fact):
    """The output of a state machine.

    Attributes:
        counts: how many sources ended with each outcome.
        sources: how each of them ended, those that need a person first, as many as there is room
            for; the report has all.
        report: key of the report in the bucket, without its suffix; null when there is none.
    """

    counts: Mapping[str, int]
    sources: tuple[SourceResult, ...]
    report: str | None


class FailedAnswer(RunAnswer):
    """The cause of an execution that fails, as JSON. ``reason``: one line for people."""

    reason: str


def run_answer(summary: Summary, report: str, *, room: int = OUTPUT_ROOM) -> RunAnswer:
    """Return the answer of an execution, with at most ``room`` bytes of sources."""
    return RunAnswer(counts=summary.counts, sources=_fitting(summary.lines, room), report=report)


def failed_cause(summary: Summary, report: str) -> str:
    """Return the cause of an execution that fails: a :class:`FailedAnswer` as JSON text."""
    answer = run_answer(summary, report, room=CAUSE_ROOM)
    reason = summary.failed[:REASON_LIMIT]
    return FailedAnswer(reason=reason, **dict(answer)).model_dump_json()


def reason_of(cause: str) -> str:
    """Return what a cause says to people; whatever is not an answer of ours says it itself."""
    try:
        answer = json.loads(cause)
    except ValueError:
        return cause
    reason = answer.get("reason") if isinstance(answer, dict) else None
    return reason if isinstance(reason, str) else cause


def _fitting(lines: tuple[Line, ...], room: int) -> tuple[SourceResult, ...]:
    results: list[SourceResult] = []
    for line in sorted(lines, key=lambda line: line.outcome in GOOD):
        result = SourceResult(
            name=line.name,
            outcome=line.outcome,
            cause=line.cause,
            endpoint_arn=line.endpoint_arn,
            certificate_arn=line.certificate_arn,
            days_left=line.days_left,
            record=line.record,
            opens_at=line.opens_at,
        )
        room -= len(result.model_dump_json().encode()) + 2
        if room < 0:
            break
        results.append(result)
    return tuple(results)
