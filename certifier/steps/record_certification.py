"""Record certification: how the run ended, kept as evidence, told to people, the claim released.

The record and the notice come first, the one transaction in the table last: a run that dies in
between records again, and says the same. Plan mode writes its record and nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from certifier.aws.s3 import HTML, JSON, Ending
from certifier.aws.store import Held
from certifier.certificate import (
    CertificateFacts,
    Expiring,
    certificate_facts,
    certificates_in,
    expiring,
)
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint
from certifier.errors import Busy, Refused, Unexpected
from certifier.models import Fact, Finding
from certifier.report import certification_page
from certifier.run.documents import (
    Answering,
    Configured,
    ConnectionTest,
    ImportedCa,
    ImportedCertificate,
    InstanceTest,
    LookedAgain,
    Material,
    Plan,
    Probed,
    Refusal,
    Rehearsal,
    TaskWork,
)
from certifier.run.dossier import Dossier
from certifier.run.due import Due, next_due
from certifier.run.ending import Ending as Decided
from certifier.run.ending import ending
from certifier.run.event import Problem, StepEvent, run_id
from certifier.run.notice import Notice, attention, notice, owed_wal
from certifier.run.record import (
    Certification,
    DmsTest,
    EndpointRecord,
    SlotsRecord,
    Subject,
    TaskRecord,
    Trust,
    Verified,
)
from certifier.run.state import Recording, SourceState
from certifier.steps import configure_endpoint, test_connection
from certifier.steps.context import StepContext, StepSettings
from certifier.steps.probe_tls import AGAIN
from certifier.text import printable
from certifier.vocabulary import Action, Cause, Mode, Outcome, SettingsUnderTest, Severity, Witness

STEPS = (
    "read_material",
    "probe_tls",
    "plan_changes",
    "import_ca",
    "rehearse_changes",
    "pause_tasks",
    "configure_endpoint",
    "test_connection",
    "resume_tasks",
    "import_certificate",
)
"""Every step that may leave ``<step>-refused.json``, in the order of the workflow."""

ANCHORS = 1000
"""How many CA fingerprints are remembered of a source; the largest public bundle has 150."""


class RecordSettings(StepSettings):
    """Where people are told, and how many bad ends in a day open the breaker."""

    topic: str
    breaker_limit: int
    powertools_service_name: str = "certifier"
    powertools_metrics_namespace: str = "Certifier"


class RecordEvent(StepEvent):
    """``problem``: what the machine caught, if anything went wrong."""

    problem: Problem | None = None


class Answer(Fact):
    """How the run ended; the child's only output."""

    outcome: Outcome


class Measured(Fact):
    """What the metrics say of one certification."""

    outcome: Outcome
    days_left: int | None
    owed: int


Measure = Callable[[Measured], None]
F = TypeVar("F", bound=Fact)


def run(event: RecordEvent, context: StepContext[RecordSettings], measure: Measure) -> Answer:
    """Decide, keep, tell, and release the claim. A second call answers the same.

    Raises:
        ClaimLost: another execution owns the source; nothing is kept, remembered or told.
        Retryable: AWS did not answer; nothing is released, so the machine calls again.
    """
    if event.mode is Mode.PLAN:
        return _plan(event, context)
    state = context.store.state(event.name)
    if state is not None and state.claim is None and state.recorded_by == event.run:
        return _again(event, context, state)
    return _record(event, context, context.store.hold(event.name, event.run), measure)


def _plan(event: RecordEvent, context: StepContext[RecordSettings]) -> Answer:
    state = context.remembered(event)
    found, probed = _gather(event, context, state)
    end = ending(found, event.problem, run=event.run)
    now = context.now()
    record = _certification(event, found, probed, end, at=now, next_due=None)
    key = _key(event, now)
    _keep(context, record, key)
    context.documents.write_child_outcome(run_id(event.parent), _word(record, key))
    return Answer(outcome=end.outcome)


def _again(event: RecordEvent, context: StepContext[RecordSettings], state: SourceState) -> Answer:
    """Answer as the first call did, whose answer was lost, and leave the word it may not have."""
    outcome = state.outcome or Outcome.FAILED
    weighty = _weightiest(state.findings)
    word = Ending(
        name=event.name,
        outcome=outcome,
        run=event.run,
        cause=weighty.cause if weighty else None,
        seen=weighty.seen if weighty else None,
        record=state.record,
        ssl_mode=state.ssl_mode,
        days_left=_days(state.expires_at, context.now()),
        owed=len(state.owed),
    )
    context.documents.write_child_outcome(run_id(event.parent), word)
    return Answer(outcome=outcome)


def _record(
    event: RecordEvent, context: StepContext[RecordSettings], held: Held, measure: Measure
) -> Answer:
    now, state = context.now(), held.state
    left = _delete_canary(context, held)
    found, probed = _gather(event, context, state, canary_left=left)
    end = ending(found, event.problem, run=event.run)
    due = next_due(
        end,
        state,
        now=now,
        owed=bool(found.owed),
        opens_at=found.plan.opens_at if found.plan else None,
    )
    key = _key(event, state.claim.since if state.claim else now)
    where = f"s3://{context.documents.bucket}/{key}.html"
    needs = attention(end, owed=found.owed, waiting_since=due.waiting_since, now=now)
    told = notice(
        event.name,
        end,
        needs=needs,
        told=state.notified,
        where=where,
        wal=owed_wal(found) if event.source.spec.endpoint_type == "source" else "",
    )
    untold = None if told is None else _publish(context, told)
    if untold is not None:
        end = replace(end, findings=(*end.findings, untold))
        needs = state.notified  # the next run tries again
    record = _certification(event, found, probed, end, at=now, next_due=due.at)
    _keep(context, record, key)
    done = held.record(
        Recording(
            outcome=end.outcome,
            at=now,
            due_at=due.at,
            findings=end.findings,
            erase_undo=end.erase_undo,
            bad_end=end.bad_end,
            state={
                **_remembered(found, end, due, record),
                **_answered(probed),
                **({} if untold else _anchors(found, state)),
                "notified": needs,
                "record": key,
            },
        ),
        breaker_limit=context.settings.breaker_limit,
    )
    if done.opened:
        _publish(context, _breaker_opened(event.name, context.settings.breaker_limit, where))
    context.documents.write_child_outcome(run_id(event.parent), _word(record, key))
    measure(Measured(outcome=end.outcome, days_left=record.days_left, owed=len(found.owed)))
    return Answer(outcome=end.outcome)


def _breaker_opened(name: str, limit: int, where: str) -> Notice:
    return Notice(
        "Certifier: changes are stopped",
        f"{limit} changes ended badly within 24 hours, the last one of {name}. No further change "
        f"begins until `certifier reset-breaker`.\n\nRecord: {where}\n",
    )


def _publish(context: StepContext[RecordSettings], told: Notice) -> Finding | None:
    """Tell people; or return why that is not possible, which must not hold up the recording."""
    try:
        context.topic(context.settings.topic).publish(told.subject, told.message)
    except (Refused, Unexpected) as error:
        why = error.seen if isinstance(error, Refused) and error.seen else str(error)
        return finding(
            Cause.AWS_DENIED,
            place=Witness.WORKFLOW,
            seen=f"people could not be told: {why}",
            severity=Severity.WARNING,
        )
    return None


def _delete_canary(context: StepContext[RecordSettings], held: Held) -> str | None:
    """Delete a canary that this run has left behind; its identifier when that is not possible."""
    identifier = held.state.canary
    if identifier is None:
        return None
    canary = context.dms.endpoint(identifier)
    try:
        if canary is not None and canary.status != "deleting":
            context.dms.delete_endpoint(canary.arn)
    except (Busy, Refused):
        return identifier
    held.note_canary(None)
    return None


# -- gather


def _gather(
    event: RecordEvent,
    context: StepContext[RecordSettings],
    state: SourceState,
    canary_left: str | None = None,
) -> tuple[Dossier, Probed | None]:
    """Read what the steps of this run have left in the bucket, and what the table says of it."""
    written = {
        key.rsplit("/", 1)[-1].removesuffix(".json")
        for key in context.documents.keys(f"runs/{event.run_id}/")
    }

    def read(step: str, model: type[F]) -> F | None:
        return context.documents.read(event.run_id, step, model) if step in written else None

    probed = read("probe_tls", Probed)
    again = read(AGAIN, LookedAgain)
    refusals = (read(f"{step}-refused", Refusal) for step in STEPS)
    apply = event.mode is Mode.APPLY
    undo = context.store.undo_with_run(event.name) if apply else None
    pauses = context.store.pauses_of(event.name) if apply else ()
    material = read("read_material", Material)
    found = Dossier(
        material=material,
        probe_findings=probed.findings if probed else (),
        plan=read("plan_changes", Plan),
        imported_ca=read("import_ca", ImportedCa),
        rehearsal=read("rehearse_changes", Rehearsal),
        paused=read("pause_tasks", TaskWork),
        applied=read(configure_endpoint.document(Action.APPLY), Configured),
        rolled_back=read(configure_endpoint.document(Action.ROLL_BACK), Configured),
        tested_new=read(test_connection.document(SettingsUnderTest.NEW), ConnectionTest),
        tested_old=read(test_connection.document(SettingsUnderTest.OLD), ConnectionTest),
        resumed=read("resume_tasks", TaskWork),
        acm=read("import_certificate", ImportedCertificate),
        refusals=tuple(f for refusal in refusals if refusal for f in refusal.findings),
        undo=undo[0] if undo else None,
        undo_run=undo[1] if undo else None,
        pauses=pauses,
        slots=probed.slots if probed else None,
        slots_again=again.slots if again else None,
        canary_left=canary_left,
        new_anchors=tuple(
            f"{facts.title} (SHA-256 {facts.sha256})"
            for facts in _trusted_facts(material)
            if state.anchors and facts.sha256 not in state.anchors
        ),
        acm_leaf=state.acm_leaf if event.source.spec.server_certificate else None,
    )
    return found, probed


def _final_endpoint(found: Dossier) -> Endpoint | None:
    """Return the endpoint as the run left it, as far as it was described."""
    for done in (found.rolled_back, found.applied, found.material):
        if done is not None and done.endpoint is not None:
            return done.endpoint
    return None


# -- the record


def _certification(
    event: RecordEvent,
    found: Dossier,
    probed: Probed | None,
    end: Decided,
    *,
    at: datetime,
    next_due: datetime | None,
) -> Certification:
    report = probed.effective if probed else None
    material, plan = found.material or Material(), found.plan
    first = next(iter(_expiries(found, probed)), None)
    endpoint = _final_endpoint(found)
    return Certification(
        source=event.name,
        version=event.source.version,
        spec=event.source.spec.model_dump(mode="json", exclude_defaults=True),
        run=event.run,
        parent=event.parent,
        mode=event.mode,
        origin=event.origin,
        outcome=end.outcome,
        recorded_at=at,
        problem=event.problem,
        verified=Verified(
            probe=report.passed if report else None,
            rehearsal=_all_passed(found.rehearsal.canary) if found.rehearsal else None,
            dms_test=found.tested_new.passed if found.tested_new else None,
        ),
        endpoint=_endpoint_record(endpoint, found) if endpoint else None,
        changes=plan.changes if plan else (),
        changed=found.applied is not None and found.rolled_back is None,
        rolled_back=found.rolled_back is not None and found.rolled_back.rolled_back,
        opens_at=plan.opens_at if plan else None,
        trust=_trust(endpoint, found),
        probe=report.model_dump(mode="json", by_alias=True) if report else None,
        tests=tuple(_tests(found)),
        tasks=_tasks(found),
        slots=SlotsRecord(
            before=found.slots, after=found.slots_again, at_pause=found.retained_before
        ),
        acm=found.acm,
        intended_leaf_sha256=material.leaf_sha256,
        versions=material.versions,
        days_left=first.days_left(at) if first else None,
        expires=first.what if first else None,
        expires_at=first.not_after if first else None,
        findings=end.findings,
        next_due=next_due,
    )


def _all_passed(tests: tuple[InstanceTest, ...]) -> bool | None:
    return all(test.passed for test in tests) if tests else None


def _endpoint_record(endpoint: Endpoint, found: Dossier) -> EndpointRecord:
    return EndpointRecord(
        arn=endpoint.arn,
        identifier=endpoint.identifier,
        engine=endpoint.engine,
        created=found.applied is not None and found.applied.created,
        fields=endpoint.fields,
        settings_digest=endpoint.settings_digest,
    )


def _trusted_pem(arn: str | None, found: Dossier) -> tuple[str | None, str | None]:
    """Return the digest of the DMS certificate ``arn``, and its PEM where this run has seen it."""
    plan, trusted = found.plan, found.material.trusted if found.material else None
    digest = None
    if found.imported_ca is not None and found.imported_ca.certificate_arn == arn:
        digest = found.imported_ca.digest
    elif trusted is not None and trusted.arn == arn:
        digest = trusted.digest
    if plan is not None and plan.desired_digest == digest:
        return digest, plan.desired_pem
    bundle = found.material.bundle_pem if found.material else None
    if found.material is not None and found.material.bundle_digest == digest:
        return digest, bundle
    return digest, trusted.pem if trusted is not None and trusted.digest == digest else None


def _trust(endpoint: Endpoint | None, found: Dossier) -> Trust | None:
    arn = endpoint.fields.certificate_arn if endpoint else None
    if arn is None:
        return None
    digest, pem = _trusted_pem(arn, found)
    return Trust(
        certificate_arn=arn,
        digest=digest,
        overlap=found.plan is not None
        and found.plan.overlap
        and digest == found.plan.desired_digest,
        anchors=tuple(_facts(pem)),
    )


def _facts(pem: str | None) -> Iterator[CertificateFacts]:
    for der in certificates_in(pem or ""):
        yield certificate_facts(der)


def _tests(found: Dossier) -> Iterator[DmsTest]:
    rehearsal = found.rehearsal or Rehearsal()
    for subject, tests in (
        (Subject.BEFORE, rehearsal.old),
        (Subject.CANARY, rehearsal.canary),
        (Subject.NOW, found.tested_new.tests if found.tested_new else ()),
        (Subject.RETURNED, found.tested_old.tests if found.tested_old else ()),
    ):
        for test in tests:
            yield DmsTest(
                subject=subject,
                instance_arn=test.instance_arn,
                passed=test.passed,
                message=printable(test.message) if test.message else None,
            )


def _tasks(found: Dossier) -> TaskRecord:
    paused, resumed = found.paused or TaskWork(), found.resumed or TaskWork()
    return TaskRecord(
        paused=paused.tasks,
        resumed=resumed.tasks,
        owed=found.owed,
        stopped_seconds=resumed.stopped_seconds,
    )


def _expiries(found: Dossier, probed: Probed | None) -> tuple[Expiring, ...]:
    """Return what expires and matters, the earliest first."""
    report = probed.effective if probed else None
    material = found.material or Material()
    endpoint = _final_endpoint(found)
    arn = endpoint.fields.certificate_arn if endpoint else None
    return expiring(
        served=report.evidence.chain if report else (),
        anchor=report.evidence.anchor if report else None,
        trusted=tuple(_facts(_trusted_pem(arn, found)[1])),
        intended=next(_facts(material.leaf_pem), None),
        acm=CertificateFacts(**dict(found.acm_leaf)) if found.acm_leaf else None,
    )


def _key(event: RecordEvent, since: datetime) -> str:
    """Return where the record lies, without suffix; the same for every call of one claim."""
    return f"records/{event.name}/{since.strftime('%Y%m%dT%H%M%SZ')}-{event.run_id}"


def _keep(context: StepContext[RecordSettings], record: Certification, key: str) -> None:
    """Write the record as JSON and as a page."""
    context.documents.put(f"{key}.json", record.model_dump_json(indent=2).encode(), JSON)
    context.documents.put(f"{key}.html", certification_page(record).encode(), HTML)


# -- what is remembered, and the word for the report


def _remembered(found: Dossier, end: Decided, due: Due, record: Certification) -> dict[str, Any]:
    """Return the fields of STATE that this run changes; ``None`` removes one."""
    kept: dict[str, Any] = {
        "reason": due.reason,
        "backoff": due.backoff,
        "waiting_since": due.waiting_since,
        "owed": found.owed,
        "held_by_breaker": True if end.held_by_breaker else None,
    }
    if record.expires_at is not None:
        kept |= {"expires_at": record.expires_at, "expires": record.expires}
    endpoint = _final_endpoint(found)
    taken = any(each.cause is Cause.ENDPOINT_TAKEN for each in end.findings)
    if endpoint is not None and not taken:
        kept |= {
            "endpoint_arn": endpoint.arn,
            "creating": None,
            "ssl_mode": endpoint.fields.ssl_mode,
        }
    if (version := _password_version(found, end)) is not None:
        kept["applied_version"] = version
    if end.outcome is Outcome.CERTIFIED and endpoint is not None and not found.finishes_another:
        arn = endpoint.fields.certificate_arn
        kept |= {
            "certified_at": record.recorded_at,
            "settings_digest": endpoint.settings_digest,
            "applied": endpoint.fields,
            "certificate_arn": arn,
            "certificate_digest": _trusted_pem(arn, found)[0] if arn else None,
            "reverts": found.plan.reverted if found.plan else 0,
        }
    return kept


def _anchors(found: Dossier, state: SourceState) -> dict[str, Any]:
    """Return the CAs that are known from now on; people have been told of the new ones."""
    trusted = dict.fromkeys(facts.sha256 for facts in _trusted_facts(found.material))
    new = [sha256 for sha256 in trusted if sha256 not in state.anchors]
    return {"anchors": (*state.anchors, *new)[-ANCHORS:]} if new else {}


def _answered(probed: Probed | None) -> dict[str, Any]:
    """Return who answered, for later runs to compare with."""
    answered = probed.answering if probed else Answering()
    kept = {"served_leaf": answered.leaf, "in_recovery": answered.in_recovery}
    return {name: value for name, value in kept.items() if value is not None}


def _trusted_facts(material: Material | None) -> Iterator[CertificateFacts]:
    """Yield every CA that the source's bundle holds, or the endpoint."""
    if material is not None:
        yield from _facts(material.bundle_pem)
        yield from _facts(material.trusted.pem if material.trusted else None)


def _password_version(found: Dossier, end: Decided) -> str | None:
    """Return the VersionId of the password that this run left on the endpoint, if it set one."""
    log = found.undo
    if log is None or not end.erase_undo:
        return None
    if found.rolled_back is not None and found.rolled_back.rolled_back:
        return log.old_password_version
    if found.rolled_back is not None:
        return None
    return log.new_password_version


def _weightiest(findings: tuple[Finding, ...]) -> Finding | None:
    order = list(Severity)
    weighty = [found for found in findings if found.severity is not Severity.ADVICE]
    return min(weighty, key=lambda found: order.index(found.severity), default=None)


def _days(until: datetime | None, now: datetime) -> int | None:
    return None if until is None else (until - now).days


def _word(record: Certification, key: str) -> Ending:
    weighty = _weightiest(record.findings)
    return Ending(
        name=record.source,
        outcome=record.outcome,
        run=record.run,
        cause=weighty.cause if weighty else None,
        seen=weighty.seen if weighty else None,
        record=key,
        ssl_mode=record.endpoint.fields.ssl_mode if record.endpoint else None,
        days_left=record.days_left,
        owed=len(record.tasks.owed),
    )
