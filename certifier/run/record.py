"""The certification record: what was verified, when, against which CA, and what it rests on.

One JSON document for each certification, kept as evidence. Public data only: names, ARNs,
VersionIds, fingerprints. ``format`` changes when a field changes its meaning or goes away; new
fields may come with the same format.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from certifier.certificate import CertificateFacts, Expiring, expiring, share_left
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import equal
from certifier.evidence import ProbeReport, SlotFacts
from certifier.models import Fact, Finding, weightiest
from certifier.run.documents import (
    Change,
    ImportedCertificate,
    InstanceTest,
    Material,
    Plan,
    Rehearsal,
    StoppedTask,
    TaskWork,
    Versions,
)
from certifier.run.dossier import Dossier, facts_in
from certifier.run.ending import Ending
from certifier.run.event import Problem, RecordEvent
from certifier.run.intent import Ca, Intent, cas_of, intent
from certifier.run.plan import CERTIFICATE
from certifier.run.settled import still_open
from certifier.text import name_in, printable
from certifier.vocabulary import Cause, Decision, Mode, Origin, Outcome, SslMode

FORMAT = "certifier.certification/2"


class Subject(StrEnum):
    """Which endpoint and settings a DMS test was made with."""

    CANARY = "canary with the new settings"
    BEFORE = "endpoint before the change"
    NOW = "endpoint with its target settings"
    RETURNED = "endpoint rolled back"


class DmsTest(Fact):
    """One connection test by DMS that was proven to belong to these settings."""

    subject: Subject
    instance_arn: str
    passed: bool
    message: str | None = None


class TrustRecord(Fact):
    """The CAs that the endpoint trusts after the run. ``overlap``: old and new ones, for now."""

    certificate_arn: str | None = None
    digest: str | None = None
    overlap: bool = False
    anchors: tuple[CertificateFacts, ...] = ()


class TrustChange(Fact):
    """The CAs that the plan adds to those that the endpoint trusts, and those that it removes."""

    added: tuple[Ca, ...] = ()
    removed: tuple[Ca, ...] = ()


class EndpointRecord(Fact):
    """The endpoint as the run left it."""

    arn: str
    identifier: str
    engine: str
    created: bool = False
    fields: EndpointFields
    settings_digest: str


class TaskRecord(Fact):
    """The tasks that the change concerned.

    Attributes:
        stopped: those with a pending restart: since when, and what DMS says.
        stopped_seconds: how long the longest of the resumed ones did not run.
    """

    paused: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    pending_restarts: tuple[str, ...] = ()
    stopped: tuple[StoppedTask, ...] = ()
    stopped_seconds: float | None = None


class SlotsRecord(Fact):
    """The server's replication slots; ``None``: nobody logged in, or the server does not show them.

    Attributes:
        before: as the probe saw them, before this run stopped any task.
        after: as the login saw them once the tasks were resumed.
        at_pause: bytes of WAL by slot before the tasks with a pending restart were stopped.
    """

    before: tuple[SlotFacts, ...] | None = None
    after: tuple[SlotFacts, ...] | None = None
    at_pause: Mapping[str, int] = {}


class Proof(Fact):
    """What one witness has seen. ``connected``: as strictly as the source asks, however little.

    Attributes:
        encrypted: over TLS.
        chain: the served chain was verified against the CAs.
        host_name: and the certificate is the host's.
    """

    connected: bool
    encrypted: bool = False
    chain: bool = False
    host_name: bool = False

    @property
    def words(self) -> str:
        """What was verified, for people."""
        parts = (("chain", self.chain), ("host name", self.host_name))
        verified = [name for name, holds in parts if holds]
        how = "encrypted" if self.encrypted else "not encrypted"
        return f"{how}; verified: {' and '.join(verified) or 'nothing'}"


class Verified(Fact):
    """What was verified, and by whom; ``None``: that witness was not asked in this run."""

    probe: Proof | None = None
    rehearsal: Proof | None = None
    dms_test: Proof | None = None


class Certification(Fact):
    """What one run over one source did, saw and proved.

    Attributes:
        spec: the source as this run used it.
        probe: the report of our own TLS connection (docs/reference/probe-json.md).
        changes: what the plan found to differ; made when ``changed``.
        settled: the causes among the findings that the run has settled itself.
        trust_change: the CAs behind a change of the certificate; ``None``: none was planned.
        reached: what Plan changes decided; ``None``: the run did not come so far.
        intent: what a run would do, of a plan and of a change that waits for its window.
        intended_leaf_sha256: the certificate that the server is meant to serve.
        days_left, expires, expires_at: the expiry that comes first, and of what.
        share_left: the least share of its life, from 1 to 0, that a certificate has left.
        late: the certificates whose renewal was missed: 14 days are left, or a sixth of the life.
        next_due: when the source is due again; ``None``: when somebody asks.
        names: what people call the replication instances and tasks that it names by ARN, as far as
            the run has seen that.
    """

    format: str = FORMAT
    source: str
    version: int
    spec: dict[str, Any]
    run: str
    parent: str
    mode: Mode
    origin: Origin
    outcome: Outcome
    recorded_at: datetime
    problem: Problem | None = None
    verified: Verified = Field(default_factory=Verified)
    endpoint: EndpointRecord | None = None
    changes: tuple[Change, ...] = ()
    intent: Intent | None = None
    changed: bool = False
    rolled_back: bool = False
    opens_at: datetime | None = None
    trust: TrustRecord | None = None
    trust_change: TrustChange | None = None
    probe: dict[str, Any] | None = None
    tests: tuple[DmsTest, ...] = ()
    tasks: TaskRecord = Field(default_factory=TaskRecord)
    names: Mapping[str, str] = {}
    slots: SlotsRecord = Field(default_factory=SlotsRecord)
    acm: ImportedCertificate | None = None
    intended_leaf_sha256: str | None = None
    versions: Versions = Field(default_factory=Versions)
    days_left: int | None = None
    share_left: float | None = None
    late: tuple[str, ...] = ()
    expires: str | None = None
    expires_at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    cause: Cause | None = None
    settled: tuple[Cause, ...] = ()
    reached: Decision | None = None
    next_due: datetime | None = None

    def name_of(self, arn: str) -> str:
        """Return what people call a replication instance or a task, or the end of its ARN."""
        known = {task.arn: task.identifier for task in self.tasks.stopped}
        return self.names.get(arn) or known.get(arn) or name_in(arn)


def certification(
    event: RecordEvent,
    dossier: Dossier,
    end: Ending,
    *,
    at: datetime,
    next_due: datetime | None,
) -> Certification:
    """Return the record of a run that ended so.

    Args:
        next_due: when the source is due again; ``None``: when somebody asks, or in plan mode.
    """
    report = dossier.probed.effective if dossier.probed else None
    material, plan = dossier.material or Material(), dossier.plan
    ends = expiries(dossier)
    first = next(iter(ends), None)
    endpoint = dossier.final_endpoint
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
            probe=_by_probe(report) if report else None,
            rehearsal=_by_dms(
                event.source.spec.ssl_mode,
                _all_passed(dossier.rehearsal.canary) if dossier.rehearsal else None,
            ),
            dms_test=_by_dms(
                _mode_tested(dossier),
                dossier.tested_new.passed if dossier.tested_new else None,
            ),
        ),
        endpoint=_endpoint_record(endpoint, dossier) if endpoint else None,
        changes=plan.changes if plan else (),
        intent=_intent(event, dossier, end),
        changed=dossier.applied is not None and dossier.rolled_back is None,
        rolled_back=dossier.rolled_back is not None and dossier.rolled_back.rolled_back,
        opens_at=plan.opens_at if plan else None,
        trust=_trust(endpoint, dossier),
        trust_change=_trust_change(plan, material),
        probe=report.model_dump(mode="json", by_alias=True) if report else None,
        tests=tuple(_tests(dossier)),
        tasks=_tasks(dossier),
        names=_names(dossier),
        slots=SlotsRecord(
            before=dossier.probed.slots if dossier.probed else None,
            after=dossier.slots_after.slots if dossier.slots_after else None,
            at_pause=dossier.retained_before,
        ),
        acm=dossier.acm,
        intended_leaf_sha256=material.leaf_sha256,
        versions=material.versions,
        days_left=first.days_left(at) if first else None,
        share_left=share_left(ends, at),
        late=tuple(one.what for one in ends if one.life.is_late(at)),
        expires=first.what if first else None,
        expires_at=first.not_after if first else None,
        findings=end.findings,
        cause=cause_of(end),
        settled=tuple(sorted(end.settled)),
        reached=plan.decision if plan else None,
        next_due=next_due,
    )


def cause_of(end: Ending) -> Cause | None:
    """Return the cause of an ending: that of the weightiest finding, what is settled left out."""
    weighty = weightiest(still_open(end.findings, end.settled))
    return weighty.cause if weighty else None


def _intent(event: RecordEvent, dossier: Dossier, end: Ending) -> Intent | None:
    if event.mode is not Mode.PLAN and end.outcome is not Outcome.PLANNED:
        return None
    refused = end.outcome is not Outcome.PLANNED
    return intent(event.source.spec, dossier, refused=refused)


def _by_probe(report: ProbeReport) -> Proof:
    return Proof(
        connected=report.passed,
        encrypted=report.evidence.tls is not None,
        chain=report.verdicts.verify_ca.passed,
        host_name=report.verdicts.verify_full.passed,
    )


def _mode_tested(dossier: Dossier) -> SslMode | None:
    """Return the mode with which DMS was tested; a run that finishes another's describes no more.

    What an earlier version left says it only by the endpoint.
    """
    if dossier.tested_new is not None and dossier.tested_new.ssl_mode is not None:
        return dossier.tested_new.ssl_mode
    endpoint = dossier.final_endpoint
    return endpoint.fields.ssl_mode if endpoint else None


def _by_dms(mode: SslMode | None, passed: bool | None) -> Proof | None:
    """Return what a connection by DMS proves, which is what its mode makes it verify."""
    if passed is None:
        return None
    mode = mode if passed and mode is not None else SslMode.NONE
    return Proof(
        connected=passed,
        encrypted=mode is not SslMode.NONE,
        chain=mode.verifies,
        host_name=mode is SslMode.VERIFY_FULL,
    )


def _all_passed(tests: tuple[InstanceTest, ...]) -> bool | None:
    return all(test.passed for test in tests) if tests else None


def _endpoint_record(endpoint: Endpoint, dossier: Dossier) -> EndpointRecord:
    return EndpointRecord(
        arn=endpoint.arn,
        identifier=endpoint.identifier,
        engine=endpoint.engine,
        created=dossier.applied is not None and dossier.applied.created,
        fields=endpoint.fields,
        settings_digest=endpoint.settings_digest,
    )


def trusted_pem(arn: str | None, dossier: Dossier) -> tuple[str | None, str | None]:
    """Return the digest of the DMS certificate ``arn``, and its PEM where this run has seen it."""
    plan, trusted = dossier.plan, dossier.material.trusted if dossier.material else None
    digest = None
    imported = dossier.imported_ca
    if imported is not None and equal("certificate_arn", imported.certificate_arn, arn):
        digest = imported.digest
    elif trusted is not None and equal("certificate_arn", trusted.arn, arn):
        digest = trusted.digest
    if plan is not None and plan.desired_digest == digest:
        return digest, plan.desired_pem
    bundle = dossier.material.bundle_pem if dossier.material else None
    if dossier.material is not None and dossier.material.bundle_digest == digest:
        return digest, bundle
    return digest, trusted.pem if trusted is not None and trusted.digest == digest else None


def _trust(endpoint: Endpoint | None, dossier: Dossier) -> TrustRecord | None:
    arn = endpoint.fields.certificate_arn if endpoint else None
    if arn is None:
        return None
    digest, pem = trusted_pem(arn, dossier)
    return TrustRecord(
        certificate_arn=arn,
        digest=digest,
        overlap=dossier.plan is not None
        and dossier.plan.overlap
        and digest == dossier.plan.desired_digest,
        anchors=tuple(facts_in(pem)),
    )


def _trust_change(plan: Plan | None, material: Material) -> TrustChange | None:
    if plan is None or all(change.field != CERTIFICATE for change in plan.changes):
        return None
    old, new = cas_of(plan, material)
    before, after = {ca.sha256 for ca in old}, {ca.sha256 for ca in new}
    return TrustChange(
        added=tuple(ca for ca in new if ca.sha256 not in before),
        removed=tuple(ca for ca in old if ca.sha256 not in after),
    )


def _tests(dossier: Dossier) -> Iterator[DmsTest]:
    rehearsal = dossier.rehearsal or Rehearsal()
    for subject, tests in (
        (Subject.BEFORE, rehearsal.old),
        (Subject.CANARY, rehearsal.canary),
        (Subject.NOW, dossier.tested_new.tests if dossier.tested_new else ()),
        (Subject.RETURNED, dossier.tested_old.tests if dossier.tested_old else ()),
    ):
        for test in tests:
            yield DmsTest(
                subject=subject,
                instance_arn=test.instance_arn,
                passed=test.passed,
                message=printable(test.message) if test.message else None,
            )


def _tasks(dossier: Dossier) -> TaskRecord:
    paused, resumed = dossier.paused or TaskWork(), dossier.resumed or TaskWork()
    return TaskRecord(
        paused=paused.tasks,
        resumed=resumed.tasks,
        pending_restarts=dossier.pending_restarts,
        stopped=dossier.stopped,
        stopped_seconds=resumed.stopped_seconds,
    )


def _names(dossier: Dossier) -> dict[str, str]:
    """Return what people call the instances and tasks that the record names, by ARN."""
    plan, rehearsal = dossier.plan, dossier.rehearsal or Rehearsal()
    tests = [*rehearsal.old, *rehearsal.canary]
    for tested in (dossier.tested_new, dossier.tested_old):
        tests += tested.tests if tested else ()
    return {
        **(plan.names if plan else {}),
        **{test.instance_arn: test.instance for test in tests if test.instance},
        **({task.arn: task.identifier for task in plan.running} if plan else {}),
        **(dossier.resumed.names if dossier.resumed else {}),
        **{task.arn: task.identifier for task in dossier.stopped},
    }


def expiries(dossier: Dossier) -> tuple[Expiring, ...]:
    """Return what expires and matters, the earliest first."""
    report = dossier.probed.effective if dossier.probed else None
    material = dossier.material or Material()
    endpoint = dossier.final_endpoint
    arn = endpoint.fields.certificate_arn if endpoint else None
    return expiring(
        served=report.evidence.chain if report else (),
        anchor=report.evidence.anchor if report else None,
        trusted=tuple(facts_in(trusted_pem(arn, dossier)[1])),
        intended=next(facts_in(material.leaf_pem), None),
        acm=CertificateFacts(**dict(dossier.acm_leaf)) if dossier.acm_leaf else None,
    )
