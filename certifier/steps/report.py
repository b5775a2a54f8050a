"""Report: what one execution did with all its sources, and whether it counts as failed.

Scheduled and event runs succeed when the machinery worked; people have been notified for
each source. A direct start fails unless all its sources are certified (in plan mode: planned), or
wait for the windows that their owners have set.

Then people are notified of what may wait for the end of an execution: what more than three sources
share is one mail. Last the page of the whole fleet is written, as ``reports/latest.html``.
"""

from collections.abc import Callable

from certifier.aws.fleet import gather
from certifier.aws.s3 import HTML, JSON
from certifier.errors import Refused, Unexpected
from certifier.fleet.facts import InstallationFacts
from certifier.fleet.page import fleet_page
from certifier.models import Fact
from certifier.report import summary_page
from certifier.report.fleet import fleet_html
from certifier.run.answer import RunAnswer, failed_cause, run_answer
from certifier.run.event import FLEET_PAGE, Event, Problem, report_key, run_id
from certifier.run.measures import Measures
from certifier.run.site import Site
from certifier.run.summary import ChildOutcome, Line, Summary, failure, of_the_caller
from certifier.steps.context import StepContext, StepSettings
from certifier.vocabulary import Metric, Mode, Origin, Outcome


class ReportEvent(Event):
    """What the machine knows at its end; all but the execution is unknown when Select failed."""

    execution: str
    bucket: str | None = None
    key: str | None = None
    mode: Mode | None = None
    origin: Origin | None = None
    problem: Problem | None = None


class ReportSettings(StepSettings):
    """Whom to notify. ``docs_url``: where the documents are published, for the links in mails."""

    topic: str
    docs_url: str = ""


class Reported(Fact):
    """Whether the execution is to fail, and the cause with which; else what it answers.

    Attributes:
        page: why the page of the fleet could not be written; empty when it was.
        unsent: of how many sources people could not be notified, or the table could not learn
            that they were; their next runs try again.
    """

    failed: bool
    cause: str
    answer: RunAnswer | None
    page: str = ""
    unsent: int = 0


Measure = Callable[[Measures], None]


def run(event: ReportEvent, context: StepContext[ReportSettings], measure: Measure) -> Reported:
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
    key = report_key(event.execution)
    context.documents.put(f"{key}.json", summary.model_dump_json(indent=2).encode(), JSON)
    context.documents.put(f"{key}.html", summary_page(summary).encode(), HTML)
    unsent = _notify(event, context, key)
    if unsent:
        measure({Metric.NOTICES_UNSENT: unsent})
    page = _write_fleet_page(event, context, key)
    if of_the_caller(failed, event.problem, silent=names - endings.keys()):
        measure({Metric.STARTS_REFUSED: 1})
    return Reported(
        failed=bool(failed),
        cause=failed_cause(summary, key) if failed else "",
        answer=None if failed else run_answer(summary, key),
        page=page,
        unsent=unsent,
    )


def _notify(event: ReportEvent, context: StepContext[ReportSettings], report: str) -> int:
    """Send the notices that Record has left to the end; return of how many sources it could not.

    The table learns of each after it was sent. What a later run has recorded anew, or an earlier
    call has sent, is left out.
    """
    waiting, unread = [], 0
    for one in context.documents.pending(run_id(event.execution)):
        try:
            state = context.store.state(one.name)
        except Unexpected:  # nobody can say whether it was sent; its own notice says that
            unread += 1
            continue
        if state is None or state.recorded_by != one.run:
            continue
        if not one.once_sent.is_remembered(state):
            waiting.append(one)
    if not waiting:
        return unread
    # Few executions have a notice to send, and loading this takes a while.
    from certifier.run.digest import mailings  # noqa: PLC0415

    settings = context.settings
    site = Site.of(event.execution, settings.installation, settings.docs_url)
    bucket, unsent = context.documents.bucket, unread
    for mailing in mailings(
        waiting, site, execution=event.execution, bucket=bucket, report=report, now=context.now()
    ):
        try:
            context.topic(settings.topic).publish(mailing.mail.subject, mailing.mail.message)
        except (Refused, Unexpected):
            unsent += len(mailing.of)
            continue
        for one in mailing.of:
            try:
                context.store.note_sent_of(one.name, one.run, one.once_sent)
            except (Refused, Unexpected):
                unsent += 1  # it was sent, and the next run sends it again
    return unsent


def _write_fleet_page(event: ReportEvent, context: StepContext[ReportSettings], report: str) -> str:
    """Write the page of the fleet; return why that was not possible, if it was not.

    Whatever is wrong with a page that people look at: the sources are certified, and a pipeline
    that waits for them must not fail because of it. The next execution writes the page again.
    """
    try:
        now = context.now()
        gathered = gather(context.store, context.documents)
        installation = InstallationFacts(
            label=_label(event.execution, context.settings.installation),
            record_url=lambda key: f"../{key}.html",
            sources=gathered.sources,
            bundles=gathered.digests.bundles,
            breaker=gathered.breaker,
            finished_at=now,
            report=report,
            unread=gathered.unread,
            abandoned=gathered.abandoned,
        )
        page = fleet_html(fleet_page([installation], now))
        kept = gathered.digests.model_copy(update={"finished_at": now, "report": report})
        body = kept.model_dump_json(exclude_none=True).encode()
        context.documents.put(f"{FLEET_PAGE}.json", body, JSON)
        context.documents.put(f"{FLEET_PAGE}.html", page.encode(), HTML)
    except Exception as error:  # noqa: BLE001 - see above; the text of an error may hold anything
        return type(error).__name__
    return ""


def _label(execution: str, stack: str) -> str:
    """Return what to call the installation: stack, Region and account, of its execution's ARN."""
    _, _, _, region, account, *_ = execution.split(":")
    return f"{stack} · {region} · {account}"


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
        endpoint_arn=ending.endpoint_arn,
        certificate_arn=ending.certificate_arn,
        days_left=ending.days_left,
        pending_restarts=ending.pending_restarts,
        record=ending.record,
        opens_at=ending.opens_at,
        next_due=ending.next_due,
    )
