"""Record certification: keep how the run ended as evidence, notify people, release the claim.

The record and the notice come first, the one transaction in the table last: a run that dies in
between records again, and says the same. Where many sources are certified at once, a notice that
may wait is left to Report, which sends one mail for what they share. Plan mode writes its record
and nothing else.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import Json

from certifier.aws.s3 import HTML, JSON
from certifier.aws.store import Held
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint
from certifier.errors import Busy, CertifierError, Refused, Unexpected
from certifier.models import Fact, Finding, Policy
from certifier.ownership import CANARY_TAG, is_canary, is_ours
from certifier.report import certification_page
from certifier.run.announcement import announcements
from certifier.run.by_hand import as_it_was
from certifier.run.carryover import answered, nodes, pending_anchors, remembered
from certifier.run.conclusion import Conclusion, Message, conclude, learnt, message, with_findings
from certifier.run.digest import pending
from certifier.run.documents import MATERIAL, Document, UndoLog
from certifier.run.dossier import Dossier, facts_in, gathered
from certifier.run.ending import Ending, ending
from certifier.run.event import RecordEvent, run_id
from certifier.run.history import History, PastRun
from certifier.run.mail import Notice, Situation, about_breaker
from certifier.run.measures import Measures, of_certification
from certifier.run.notice import retained_wal
from certifier.run.record import Certification, cause_of, certification, trusted_pem
from certifier.run.site import Site
from certifier.run.state import Pause, Recording, SourceState
from certifier.run.summary import child_outcome, child_outcome_again
from certifier.source import Source
from certifier.steps.context import StepContext, StepSettings
from certifier.text import name_in
from certifier.vocabulary import Cause, Metric, Mode, Outcome, Severity, Witness


class RecordSettings(StepSettings):
    """Whom to notify, people and machines; the bound on bad ends in a day; the policy.

    ``docs_url``: where the documents are published, for the links in notices.
    """

    topic: str
    event_bus: str = "default"
    breaker_limit: int
    docs_url: str = ""
    policy: Json[Policy]


class Answer(Fact):
    """How the run ended; the child's only output."""

    outcome: Outcome


Measure = Callable[[Measures], None]
F = TypeVar("F", bound=Fact)


def run(event: RecordEvent, context: StepContext[RecordSettings], measure: Measure) -> Answer:
    """Decide, keep, notify, and release the claim. A second call answers the same.

    Raises:
        ClaimLost: another execution owns the source; nothing is kept, remembered or sent.
        Retryable: AWS did not answer; nothing is released, so the machine calls again.
    """
    if event.mode is Mode.PLAN:
        return _plan(event, context)
    state = context.store.state(event.name)
    if state is not None and state.claim is None and state.recorded_by == event.run:
        return _again(event, context, state)
    return _record(event, context, context.store.hold(event.name, event.run), measure)


def _plan(event: RecordEvent, context: StepContext[RecordSettings]) -> Answer:
    dossier = _gather(event, context, context.remembered(event))
    end = ending(dossier, event.problem, run=event.run)
    now = context.now()
    record = certification(event, dossier, end, at=now, next_due=None)
    key = _key(event, now)
    _keep(context, record, key)
    context.documents.write_child_outcome(run_id(event.parent), child_outcome(record, key))
    return Answer(outcome=end.outcome)


def _again(event: RecordEvent, context: StepContext[RecordSettings], state: SourceState) -> Answer:
    """Answer as the first call did, whose answer was lost; write the outcome it may not have."""
    outcome = child_outcome_again(event.run, state, context.now())
    context.documents.write_child_outcome(run_id(event.parent), outcome)
    return Answer(outcome=outcome.outcome)


def _record(
    event: RecordEvent, context: StepContext[RecordSettings], held: Held, measure: Measure
) -> Answer:
    now, state = context.now(), held.state
    left = _delete_canary(event, context, held)
    dossier = _gather(event, context, state, canary_left=left)
    end = ending(dossier, event.problem, run=event.run)
    decided = conclude(event, end, dossier, state, policy=context.settings.policy, now=now)
    key = _key(event, state.claim.since if state.claim else now)
    at = _situation(event, context, dossier, key=key, next_due=decided.due.at)
    due = message(event, at, decided, dossier, state, now=now)
    unsent = _send(event, context, at, decided.end, due)
    decided = replace(decided, end=with_findings(decided.end, unsent))
    needed = due.notice is not None and bool(decided.needs or decided.new)
    decided, record = _evidence(
        event, context, held, decided, dossier, key=key, attention=needed, now=now
    )
    context.store.set_due(_asleep(context, dossier), now)
    done = held.record(
        Recording(
            outcome=decided.end.outcome,
            at=now,
            due_at=decided.due.at,
            findings=decided.end.findings,
            erase_undo=decided.end.erase_undo,
            bad_end=decided.end.bad_end,
            first=decided.end.unfinished or bool(dossier.pending_restarts),
            state={
                **_state(event, decided, dossier, state, record, now=now),
                **learnt(due, state, out=unsent is None and not due.shared),
                "record": key,
                "history": _history(state, decided.end, now, key),
            },
        ),
        breaker_limit=context.settings.breaker_limit,
    )
    if done.opened:
        unread = context.store.breaker().was_unreadable
        _publish(context, about_breaker(at, None if unread else context.settings.breaker_limit))
    context.documents.write_child_outcome(run_id(event.parent), child_outcome(record, key))
    measure(of_certification(record, dossier.pauses, now))
    if unsent is not None:
        measure({Metric.NOTICES_UNSENT: 1})
    return Answer(outcome=decided.end.outcome)


def _send(
    event: RecordEvent,
    context: StepContext[RecordSettings],
    at: Situation,
    end: Ending,
    due: Message,
) -> Finding | None:
    """Send the notice, or leave it to the mail of the whole execution; return why it cannot be."""
    if due.notice is None:
        return None
    if due.shared:
        waiting = pending(at, end, due.notice, due.kept, due.notified)
        context.documents.write_pending(run_id(event.parent), waiting)
        return None
    return _publish(context, due.notice)


def _evidence(
    event: RecordEvent,
    context: StepContext[RecordSettings],
    held: Held,
    decided: Conclusion,
    dossier: Dossier,
    *,
    key: str,
    attention: bool,
    now: datetime,
) -> tuple[Conclusion, Certification]:
    """Write the record, then the event: whoever hears of it may read it at once.

    An event that the bus did not take is in the record, which is then written once more.
    """
    due = decided.due.at
    record = certification(event, dossier, decided.end, at=now, next_due=due)
    _keep(context, record, key)
    unannounced = _announce(context, held, record, key, attention=attention)
    if unannounced is None:
        return decided, record
    decided = replace(decided, end=with_findings(decided.end, unannounced))
    record = certification(event, dossier, decided.end, at=now, next_due=due)
    _keep(context, record, key)
    return decided, record


def _state(
    event: RecordEvent,
    decided: Conclusion,
    dossier: Dossier,
    state: SourceState,
    record: Certification,
    *,
    now: datetime,
) -> dict[str, Any]:
    """Return what the next run knows of this one."""
    spec, end = event.source.spec, decided.end
    return {
        **remembered(dossier, end, decided.due, record),
        **answered(dossier),
        **pending_anchors(spec, dossier, end, state),
        **nodes(spec, dossier, end, state, now),
        "opens_at": decided.waits.opens_at,
        "missed_windows": decided.waits.missed,
        "announced_by": None,
    }


def _history(state: SourceState, end: Ending, now: datetime, key: str) -> History:
    cause = cause_of(end)
    word = cause.value if cause else None
    return state.history.after(PastRun(at=now, outcome=end.outcome, cause=word, record=key))


def _situation(
    event: RecordEvent,
    context: StepContext[RecordSettings],
    dossier: Dossier,
    *,
    key: str,
    next_due: datetime | None,
) -> Situation:
    """Return what a mail about the source must know."""
    spec, endpoint = event.source.spec, dossier.final_endpoint
    pem = trusted_pem(endpoint.fields.certificate_arn, dossier)[1] if endpoint else None
    resumed = dossier.resumed
    return Situation(
        name=event.name,
        place=Site.of(event.run, context.settings.installation, context.settings.docs_url),
        run=event.run,
        bucket=context.documents.bucket,
        record=key,
        host=f"{spec.host}:{spec.port}",
        endpoint=endpoint.identifier if endpoint else name_in(spec.endpoint),
        now=context.now(),
        stopped=dossier.stopped,
        restarted=len(resumed.tasks) if resumed else 0,
        stopped_seconds=resumed.stopped_seconds if resumed else None,
        trusts=tuple(facts.title for facts in facts_in(pem)),
        wal=retained_wal(dossier) if spec.endpoint_type == "source" else (),
        next_due=next_due,
        opens_at=dossier.plan.opens_at if dossier.plan else None,
        zone=str(spec.window.zone) if spec.window else None,
    )


def _publish(context: StepContext[RecordSettings], message: Notice) -> Finding | None:
    """Notify people; or return why that is not possible, which must not hold up the recording."""
    try:
        context.topic(context.settings.topic).publish(message.subject, message.message)
    except (Refused, Unexpected) as error:
        why = error.seen if isinstance(error, Refused) and error.seen else str(error)
        return finding(
            Cause.AWS_DENIED,
            place=Witness.WORKFLOW,
            seen=f"people could not be notified: {why}",
            severity=Severity.WARNING,
        )
    return None


def _announce(
    context: StepContext[RecordSettings],
    held: Held,
    record: Certification,
    key: str,
    *,
    attention: bool,
) -> Finding | None:
    """Put the events on the bus, once for each run; or return why that is not possible.

    Whatever the bus says holds up nothing: what it did not take is in the record, and the next run
    has an event of its own.
    """
    if held.state.announced_by == held.run:
        return None
    where = f"s3://{context.documents.bucket}/{key}.json"
    installation = context.settings.installation
    try:
        context.bus(context.settings.event_bus).put(
            announcements(record, where=where, installation=installation, attention=attention)
        )
    except CertifierError as error:
        denied = isinstance(error, Refused)
        why = error.seen if isinstance(error, Refused) and error.seen else str(error)
        return finding(
            Cause.AWS_DENIED if denied else Cause.AWS_UNAVAILABLE,
            place=Witness.WORKFLOW,
            seen=f"the event of this certification is not on the bus: {why}",
            severity=Severity.WARNING,
        )
    held.remember(announced_by=held.run)
    return None


def _delete_canary(
    event: RecordEvent, context: StepContext[RecordSettings], held: Held
) -> str | None:
    """Delete a canary that this run has left behind; its identifier when that is not possible."""
    identifier = held.state.canary
    if identifier is None:
        return None
    canary = context.dms.endpoint(identifier)
    try:
        if (
            canary is not None
            and canary.status != "deleting"
            and _is_ours(event, context, canary, identifier)
        ):
            context.dms.delete_endpoint(canary.arn)
    except (Busy, Refused):
        return identifier
    held.note_canary(None)
    return None


def _is_ours(
    event: RecordEvent, context: StepContext[RecordSettings], canary: Endpoint, identifier: str
) -> bool:
    """Whether it is this source's canary, and not what somebody else gave its identifier to."""
    if not is_canary(canary.arn, identifier):
        return False
    tags = context.dms.tags(canary.arn)
    return is_ours(tags, context.settings.installation) and tags.get(CANARY_TAG) == event.name


# -- gather


def _gather(
    event: RecordEvent,
    context: StepContext[RecordSettings],
    state: SourceState,
    canary_left: str | None = None,
) -> Dossier:
    """Read what the steps of this run have left in the bucket, and what the table says of it."""
    written = {
        key.rsplit("/", 1)[-1].removesuffix(".json")
        for key in context.documents.keys(f"runs/{event.run_id}/")
    }

    def read(document: Document[F]) -> F | None:
        return context.read(event, document) if document.name in written else None

    apply = event.mode is Mode.APPLY
    undo = context.store.undo_with_run(event.name) if apply else None
    pauses = context.store.pauses_all() if apply else ()
    return gathered(
        read,
        undo=undo[0] if undo else None,
        undo_run=undo[1] if undo else None,
        undo_before=_before(event, context, state, *undo) if undo else None,
        pauses=tuple(pause for pause in pauses if event.name in pause.sources),
        others_pauses=_of_others(event, context, state, pauses),
        canary_left=canary_left,
        known_anchors=state.anchors,
        acm_leaf=state.acm_leaf if _has_copy(event.source.spec) else None,
        lives_in_acm=event.source.spec.acm_certificate is not None,
    )


def _before(
    event: RecordEvent,
    context: StepContext[RecordSettings],
    state: SourceState,
    log: UndoLog,
    run: str,
) -> Endpoint | None:
    """Return the source's endpoint as it was read before an unfinished change, if that is there."""
    documents, replaced = context.documents, log.replaces
    try:
        material = documents.read(run_id(run), MATERIAL)
        first = None if replaced is None else documents.read(run_id(replaced), MATERIAL)
    except (Refused, Unexpected):
        return None
    source, owned = event.source.spec, state.owned
    return as_it_was(log, source=source, owned=owned, material=material, first=first)


def _has_copy(source: Source) -> bool:
    """Whether ACM holds a copy of the pair, rather than the certificate itself or nothing."""
    return source.server_certificate is not None and source.acm_certificate is None


def _of_others(
    event: RecordEvent,
    context: StepContext[RecordSettings],
    state: SourceState,
    pauses: tuple[Pause, ...],
) -> tuple[Pause, ...]:
    """Return the pauses of tasks on this source's endpoint that nobody is at work on.

    Others stopped them, and may not come back soon: whoever sees that says so.
    """
    mine = [p for p in pauses if event.name not in p.sources and state.endpoint_arn in p.endpoints]
    states = {name: _as_known(context, name) for pause in mine for name in pause.sources}
    at_work = {name for name, other in states.items() if other is not None and other.claim}
    return tuple(pause for pause in mine if not at_work & set(pause.sources))


def _asleep(context: StepContext[RecordSettings], dossier: Dossier) -> tuple[str, ...]:
    """Return the sources that have a task stopped and are not due: they have to start it."""
    names = {name for pause in dossier.others_pauses for name in pause.sources}
    states = ((name, _as_known(context, name)) for name in sorted(names))
    return tuple(name for name, state in states if state is not None and state.due_at is None)


def _as_known(context: StepContext[RecordSettings], name: str) -> SourceState | None:
    """Return what is remembered of another source; ``None`` also when it cannot be read.

    What is wrong with it must not keep this source's run from being recorded.
    """
    try:
        return context.store.state(name)
    except Unexpected:
        return None


def _key(event: RecordEvent, since: datetime) -> str:
    """Return where the record lies, without suffix; the same for every call of one claim."""
    return f"records/{event.name}/{since.strftime('%Y%m%dT%H%M%SZ')}-{event.run_id}"


def _keep(context: StepContext[RecordSettings], record: Certification, key: str) -> None:
    """Write the record as JSON and as a page."""
    context.documents.put(f"{key}.json", record.model_dump_json(indent=2).encode(), JSON)
    context.documents.put(f"{key}.html", certification_page(record).encode(), HTML)
