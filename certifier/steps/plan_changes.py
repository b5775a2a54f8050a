"""Plan changes: what the endpoint needs, and whether that may happen now. Writes nothing to AWS."""

from dataclasses import replace
from datetime import timedelta

from pydantic import Json

from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, ReplicationTask
from certifier.errors import Refused
from certifier.identity import each_once
from certifier.models import Finding, errors_in
from certifier.run.anchors import not_approved, unapproved
from certifier.run.documents import MATERIAL, PLAN, PROBED, Material, Plan, Probed
from certifier.run.dossier import facts_in
from certifier.run.drift import endpoint_ca_differs
from certifier.run.event import Decided, StepEvent
from certifier.run.exposure import exposure, login_unseen
from certifier.run.foreign_trust import trust_not_named
from certifier.run.old_anchors import Bounded, bounded, left_since
from certifier.run.plan import (
    RUNNING,
    EndpointPlan,
    Known,
    Trust,
    backing_off,
    desired_trust,
    plan_endpoint,
    plan_tasks,
)
from certifier.run.public_trust import not_settled, settled
from certifier.run.shrink import why_not_dropped
from certifier.run.state import SourceState
from certifier.run.weakening import weakening
from certifier.source import Source
from certifier.steps.context import StepContext
from certifier.steps.dms_settings import DmsSettings
from certifier.vocabulary import Cause, Decision, Mode, Origin, Witness


class PlanSettings(DmsSettings):
    """What the installation asks of CAs.

    Attributes:
        new_anchor_needs_consent: one that was never there waits until somebody approves it.
        shrink_after_hours: one that is no longer served goes when no node has needed it for so
            long.
    """

    new_anchor_needs_consent: Json[bool]
    shrink_after_hours: int


def run(event: StepEvent, context: StepContext[PlanSettings]) -> Decided:
    """Decide, write the plan down, and say where the machine goes on.

    Raises:
        Refused: the change may not be made; every reason at once. Or the probe's document holds a
            CA that nobody has named.
    """
    source = event.source.spec
    probed = context.read(event, PROBED) or Probed()
    read = context.read(event, MATERIAL) or Material()
    state = context.remembered(event)
    foreign = trust_not_named(
        probed,
        read,
        dropped=(one.pem for one in state.dropped.values()),
        public=context.roots.public_pem if read.public else None,
    )
    if foreign is not None:
        raise Refused.because(foreign)
    material = settled(read, probed) or read
    endpoint_plan = plan_endpoint(
        source,
        material,
        _trust(source, material, probed, state, context),
        _known(event, state),
        role=context.settings.dms_secret_role,
        union=probed.union,
        anchor=_anchor(probed),
        seen=probed.served.seen,
    )
    plan = _with_tasks(event, context, material, endpoint_plan)
    differs = _differs(material, probed, plan)
    weakened = weakening(source, material.endpoint, plan.changes, credentials=state.credentials)
    unseen = login_unseen(source, material, probed)
    exposed = tuple(exposure(source, probed.findings, plan.changes, unseen=unseen))
    waiting = unapproved(source, facts_in(material.bundle_pem), state)
    if waiting and context.settings.new_anchor_needs_consent:
        exposed += (not_approved(source.name, waiting),)
    if (unknown := not_settled(material)) is not None:
        exposed += (unknown,)
    plan = plan.model_copy(update={"findings": plan.findings + differs + weakened + exposed})
    if event.origin is not Origin.DIRECT:  # who starts a run themselves has looked
        plan = backing_off(plan, state.bad_change, state.change_after, context.now())
    context.write(event, PLAN, plan)
    if errors_in(plan.findings):
        raise Refused.because(*plan.findings)
    return Decided(decision=plan.decision)


def _known(event: StepEvent, state: SourceState) -> Known:
    """Return what earlier runs have left behind of the endpoint."""
    return Known(
        endpoint_arn=state.endpoint_arn,
        password_version=state.applied_version,
        password_doubted=state.password_doubted,
        certified=state.applied,
        certified_digest=state.certificate_digest,
        # Who starts a run themselves knows that others change it back, and may try again.
        reverted=0 if event.origin is Origin.DIRECT else state.reverts,
    )


def _trust(
    source: Source,
    material: Material,
    probed: Probed,
    state: SourceState,
    context: StepContext[PlanSettings],
) -> Trust:
    """Return the CAs that the endpoint is to trust, old ones among them while they are needed."""
    now = context.now()
    waits = why_not_dropped(
        source,
        material,
        probed,
        state.new_chain,
        now=now,
        after=timedelta(hours=context.settings.shrink_after_hours),
    )
    both = Bounded(probed.union)
    # Where nothing shows that a node needs them, old CAs do not stay for ever.
    if not probed.served.seen or (waits and not any(look.needs_old for look in probed.nodes)):
        both = bounded(probed.union, material, left_since(material, state.anchors_left, now), now)
    trust = desired_trust(source, material, probed.served, both.union, not_dropped=waits)
    return replace(trust, findings=(*trust.findings, *both.findings)) if both.findings else trust


def _anchor(probed: Probed) -> str | None:
    """Return the SHA-256 of the root that the served chain was found to end in."""
    anchor = probed.effective.evidence.anchor if probed.effective else None
    return anchor.sha256 if anchor else None


def _differs(material: Material, probed: Probed, plan: Plan) -> tuple[Finding, ...]:
    """Return whether the CA on the endpoint covers the served chain, when DMS verifies it."""
    endpoint, trusted, report = material.endpoint, material.trusted, probed.effective
    mode = endpoint.fields.ssl_mode if endpoint else None
    if trusted is None or report is None or mode is None or not mode.verifies:
        return ()
    found = endpoint_ca_differs(
        trusted.pem,
        served=report.evidence.chain,
        anchor=report.evidence.anchor,
        repaired=plan.decision is Decision.CHANGE and not errors_in(plan.findings),
    )
    return () if found is None else (found,)


def _with_tasks(
    event: StepEvent, context: StepContext[PlanSettings], material: Material, planned: EndpointPlan
) -> Plan:
    """Return the whole plan. Tasks are listed only when something is to change."""
    source = event.source.spec
    endpoint = material.endpoint
    look = endpoint is not None and planned.changes and not errors_in(planned.findings)
    tasks = context.dms.tasks(endpoint.arn) if endpoint and look else ()
    serverless = context.dms.serverless_replications(endpoint.arn) if endpoint and look else ()
    by_tasks = plan_tasks(source, planned, tasks, serverless, context.now())
    instances = _instances(source, context, endpoint.arn if endpoint and look else None, tasks)
    findings = planned.findings + by_tasks.findings
    if planned.changes and not instances and not errors_in(findings):
        instances, found = _only_instance(source, context, endpoint)
        findings += (found,)
    decision = by_tasks.decision
    if event.mode is Mode.PLAN:
        decision = Decision.PLANNED
    unchanged = by_tasks.decision is Decision.UNCHANGED
    versions = material.versions
    sets_password = any(change.field == "password" for change in planned.changes)
    return Plan(
        decision=decision,
        changes=() if unchanged else planned.changes,
        create=planned.create,
        target=planned.target,
        desired_pem=planned.trust.pem,
        desired_digest=planned.trust.digest,
        overlap=planned.trust.overlap,
        running=by_tasks.running,
        instances=instances,
        names=_names(context, instances) if planned.changes and not unchanged else {},
        password_version=versions.credentials if sets_password else None,
        old_password_version=_old_version(planned) if sets_password else None,
        reverted=planned.reverted,
        opens_at=by_tasks.opens_at,
        findings=findings,
    )


def _names(context: StepContext[PlanSettings], instances: tuple[str, ...]) -> dict[str, str]:
    """Return what people call replication instances, by ARN."""
    return {each.arn: each.identifier for each in context.dms.instances(instances)}


def _old_version(planned: EndpointPlan) -> str | None:
    """Return the VersionId of the password that the endpoint holds now, if we know it."""
    return next((change.old for change in planned.changes if change.field == "password"), None)


def _instances(
    source: Source,
    context: StepContext[PlanSettings],
    endpoint_arn: str | None,
    tasks: tuple[ReplicationTask, ...],
) -> tuple[str, ...]:
    """Return where tests of a change must run from.

    The source's own list, and wherever a task has to restart. When it names none: wherever the
    endpoint has a connection or a task.

    Args:
        endpoint_arn: of the endpoint that is to change; ``None`` when there is none such.
        tasks: all that the endpoint has.
    """
    if source.replication_instances:
        running = (task.instance_arn for task in tasks if task.status in RUNNING)
        return each_once((*source.replication_instances, *running))
    if endpoint_arn is None:
        return ()
    connected = {each.instance_arn for each in context.dms.connections(endpoint_arn)}
    return each_once(connected.union(task.instance_arn for task in tasks))


def _only_instance(
    source: Source, context: StepContext[PlanSettings], endpoint: Endpoint | None
) -> tuple[tuple[str, ...], Finding]:
    """Return the only replication instance that there is, and that it was taken; or why none."""
    alone = context.dms.only_instance()
    if alone is None:
        return (), _no_instance(source, endpoint)
    seen = f"the source names no replication instance; {alone.identifier} is the only one here"
    chosen = finding(Cause.REPLICATION_INSTANCE_CHOSEN, place=Witness.PLAN, seen=seen)
    return (alone.arn,), chosen


def _no_instance(source: Source, endpoint: Endpoint | None) -> Finding:
    seen = "the source names no replication instance, and "
    if endpoint is None:
        seen += f"{source.endpoint}, which is to be created, cannot have one yet"
    else:
        seen += f"none has a connection or a task on {endpoint.identifier}"
    return finding(Cause.NO_REPLICATION_INSTANCE, place=Witness.PLAN, seen=seen)
