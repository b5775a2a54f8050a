"""Rehearse: DMS itself tries the new settings on a canary endpoint, before it gets the real one.

The endpoint as it is is tested too: what a failure after the change means depends on whether the
old settings connected. Safe to call again at any moment; the store remembers canary and tests.
"""

from certifier.aws.dms import AlreadyExists
from certifier.aws.store import Held
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import LOGIN, replaced_by, subset
from certifier.errors import Busy, Refused
from certifier.identity import same_role
from certifier.models import Finding, errors_in
from certifier.ownership import (
    CANARY_TAG,
    SOURCE_TAG,
    STACK_TAG,
    canary_resource,
    is_canary,
    is_ours,
    new_canary,
)
from certifier.run.documents import (
    CANARY,
    IMPORTED_CA,
    MATERIAL,
    PLAN,
    PROBED,
    REHEARSAL,
    CanaryWork,
    InstanceTest,
    Plan,
    Probed,
    Rehearsal,
)
from certifier.run.event import Done, PolledEvent
from certifier.run.plan import new_fields
from certifier.steps.context import StepContext
from certifier.steps.dms_settings import DmsSettings
from certifier.steps.passwords import password, password_in
from certifier.steps.proving import explained, hidden, prove
from certifier.vocabulary import Cause, Severity, Witness


def run(event: PolledEvent, context: StepContext[DmsSettings]) -> Done:
    """Move the rehearsal on by one round.

    Raises:
        ClaimLost: another execution owns the source.
        Refused: DMS cannot connect with the new settings, or cannot test them in time.
    """
    held = context.store.hold(event.name, event.run)
    plan = context.require(event, PLAN)
    material = context.read(event, MATERIAL)
    endpoint = material.endpoint if material else None
    old: tuple[InstanceTest, ...] | None = ()
    if endpoint is not None:
        old = prove(
            event,
            context,
            endpoint_arn=endpoint.arn,
            digest=endpoint.settings_digest,
            instances=plan.instances,
        )
    old = hidden(old, lambda: password_in(event, context))
    obstacle = _obstacle(event, context.settings.dms_secret_role, endpoint)
    canary: tuple[InstanceTest, ...] | None = ()
    if obstacle is None:
        rehearsed = _rehearse(event, context, held, plan)
        if isinstance(rehearsed, Finding):
            obstacle = rehearsed
        else:
            canary = rehearsed
    if canary and (full := [test.instance_arn for test in canary if test.full]):
        seen = f"no room for a canary: {', '.join(full)} serves as many endpoints as it may"
        obstacle = finding(Cause.REHEARSED_BY_PROBE_ONLY, place=Witness.REHEARSAL, seen=seen)
        canary = tuple(test for test in canary if not test.full)
    if old is None or canary is None:
        if event.is_last:
            _give_up(event)
        return Done(done=False)
    return _conclude(event, context, old, canary, obstacle)


def _obstacle(event: PolledEvent, role: str, endpoint: Endpoint | None) -> Finding | None:
    """Return why no canary can be made, if so: nobody knows its password, or may use its role."""
    if event.source.spec.credentials is not None or endpoint is None:
        return None
    now = endpoint.fields
    if now.secret_id is None:
        seen = (
            f"{endpoint.identifier} logs in with a password of its own, and the source names no "
            "credentials, so no canary endpoint could be made to try the new settings"
        )
    elif now.secret_role_arn is None or not same_role(now.secret_role_arn, role):
        seen = (
            f"{endpoint.identifier} reads its secret through the role {now.secret_role_arn}, which "
            "is not ours to use, and the source names no credentials, so no canary endpoint could "
            "be made to try the new settings"
        )
    else:
        return None
    return finding(Cause.REHEARSED_BY_PROBE_ONLY, place=Witness.REHEARSAL, seen=seen)


def _rehearse(
    event: PolledEvent,
    context: StepContext[DmsSettings],
    held: Held,
    plan: Plan,
) -> tuple[InstanceTest, ...] | Finding | None:
    """Return the canary's tests, ``None`` while they are under way, or why there is no canary."""
    identifier = held.state.canary
    canary = None if identifier is None else context.dms.endpoint(identifier)
    work = context.read(event, CANARY)
    if work is None:
        if canary is not None and identifier is not None:  # a run that died has left it behind
            _require_ours(event, context, canary, identifier)
            _delete(context, canary)
            return None
        identifier = new_canary(context.settings.installation, event.name)
        held.note_canary(identifier)
        work = CanaryWork()
        context.write(event, CANARY, work)
    if work.tests is None:
        if identifier is None:  # somebody has taken the note of it away
            seen = "the canary of this run is no longer noted"
            raise Refused(Cause.CHANGED_MEANWHILE, seen=seen)
        if canary is None:
            return _create(event, context, plan, identifier)
        if canary.status != "active":
            return None
        tests = prove(
            event,
            context,
            endpoint_arn=canary.arn,
            digest=canary.settings_digest,
            instances=plan.instances,
            may_be_full=True,
        )
        tests = hidden(tests, lambda: password_in(event, context))
        if tests is None:
            return None
        work = CanaryWork(tests=tests)
        context.write(event, CANARY, work)
    if canary is not None:
        _delete(context, canary)
        return None
    held.note_canary(None)
    return work.tests


def _create(
    event: PolledEvent,
    context: StepContext[DmsSettings],
    plan: Plan,
    identifier: str,
) -> Finding | None:
    """Make the canary: the endpoint's own fields, with the new ones over them."""
    source = event.source.spec
    material = context.read(event, MATERIAL)
    endpoint = material.endpoint if material else None
    current = endpoint.fields if endpoint else EndpointFields()
    new = new_fields(plan, context.read(event, IMPORTED_CA)).given()
    gone = replaced_by(new)
    fields = EndpointFields.model_validate(
        {**{name: had for name, had in current.given().items() if name not in gone}, **new}
    )
    if fields.secret_id is not None:
        # The endpoint may keep a role of its own, which only its owner may give to another one.
        role = context.settings.dms_secret_role
        fields = fields.model_copy(update={**dict.fromkeys(LOGIN), "secret_role_arn": role})
    version = material.versions.credentials if material else None
    try:
        made = context.dms.create_endpoint(
            identifier,
            endpoint_type=source.endpoint_type,
            engine=source.engine,
            fields=subset(fields, tuple(fields.given())),
            password=password(event, context, version),
            tags={
                SOURCE_TAG: event.name,
                CANARY_TAG: event.name,
                STACK_TAG: context.settings.installation,
            },
            like=endpoint.arn if endpoint else None,
            resource=canary_resource(identifier),
        )
    except Refused as refused:
        if refused.cause is not Cause.DMS_QUOTA:
            raise
        seen = "the account's endpoint quota leaves no room for a canary"
        return finding(Cause.REHEARSED_BY_PROBE_ONLY, place=Witness.REHEARSAL, seen=seen)
    taken = context.dms.endpoint(identifier) if isinstance(made, AlreadyExists) else None
    if taken is not None:  # by ourselves, when the answer was lost
        _require_ours(event, context, taken, identifier)
    return None


def _require_ours(
    event: PolledEvent, context: StepContext[DmsSettings], canary: Endpoint, identifier: str
) -> None:
    """Refuse when an endpoint that has a canary's identifier is not this source's canary."""
    tags = context.dms.tags(canary.arn)
    made = is_canary(canary.arn, identifier) and is_ours(tags, context.settings.installation)
    if made and tags.get(CANARY_TAG) == event.name:
        return
    seen = f"{canary.identifier} has the identifier of a canary, and is not one of this source's"
    found = finding(Cause.CANARY_LEFT, place=Witness.REHEARSAL, seen=seen, severity=Severity.ERROR)
    raise Refused.because(found)


def _delete(context: StepContext[DmsSettings], canary: Endpoint) -> None:
    """Ask DMS to delete the canary; the next round sees whether it is gone."""
    try:
        context.dms.delete_endpoint(canary.arn)
    except Busy:
        return  # a test is still under way on it; the machine calls again


def _give_up(event: PolledEvent) -> None:
    """Refuse in the last round. Record deletes the canary, which the store still knows."""
    seen = f"the rehearsal had no result after {event.rounds} rounds"
    raise Refused.because(finding(Cause.TEST_NEVER_ENDED, place=Witness.REHEARSAL, seen=seen))


def _conclude(
    event: PolledEvent,
    context: StepContext[DmsSettings],
    old: tuple[InstanceTest, ...],
    canary: tuple[InstanceTest, ...],
    obstacle: Finding | None,
) -> Done:
    probed = context.read(event, PROBED) or Probed()
    findings = explained(
        canary,
        context,
        place=Witness.REHEARSAL,
        probed=probed,
        secret=lambda: password_in(event, context),
    )
    if obstacle is not None:
        tried = probed.passed or canary
        findings = (obstacle if tried else _untried(obstacle), *findings)
    rehearsal = Rehearsal(old=old, canary=canary, findings=findings)
    context.write(event, REHEARSAL, rehearsal)
    if errors_in(findings):
        raise Refused.because(*findings)
    return Done(done=True)


def _untried(obstacle: Finding) -> Finding:
    """Return the error that neither a canary nor our probe has tried the new settings."""
    seen = f"{obstacle.seen}; our probe has not connected either, so nothing has tried them"
    return obstacle.model_copy(update={"severity": Severity.ERROR, "seen": seen})
