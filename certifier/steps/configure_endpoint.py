"""Configure endpoint: write what the plan says, or put it back. One Lambda, two states.

The undo log comes before the first write; each round reads the endpoint and moves it on towards
what it shall be, so that a call that was cut off, or whose answer was lost, is simply made again.
"""

from certifier.aws.store import Held, Unfinished
from certifier.certificate import bundle_digest
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import (
    complete_modify,
    differing,
    equal,
    replaced_by,
    subset,
)
from certifier.errors import Refused
from certifier.models import Fact, Finding
from certifier.ownership import CA_TAG, SOURCE_TAG, STACK_TAG, certificate_identifier, is_ours
from certifier.run.documents import (
    CONFIGURED,
    IMPORTED_CA,
    MATERIAL,
    PLAN,
    REHEARSAL,
    ROLLED_BACK,
    SENT,
    SENT_BACK,
    Configured,
    Material,
    Plan,
    Sent,
    UndoLog,
)
from certifier.run.event import PolledEvent
from certifier.run.plan import new_fields, written_names
from certifier.run.undo import replacing
from certifier.steps.context import StepContext
from certifier.steps.dms_settings import DmsSettings
from certifier.steps.passwords import password, password_at
from certifier.vocabulary import Action, Cause, Severity, Witness

READY = "active"


class ConfigureEvent(PolledEvent):
    """Which of the two states calls."""

    action: Action


class ConfigureAnswer(Fact):
    """``rolled_back``: the endpoint was read back with its old settings, which are to be tested."""

    done: bool
    rolled_back: bool = False


def run(event: ConfigureEvent, context: StepContext[DmsSettings]) -> ConfigureAnswer:
    """Move the endpoint on by one round.

    Raises:
        ClaimLost: another execution owns the source.
        Refused: DMS does not take the settings, or shows others than were written.
    """
    held = context.store.hold(event.name, event.run)
    if event.action is Action.ROLL_BACK:
        return _roll_back(event, context, held)
    return _apply(event, context, held)


def _found(cause: Cause, seen: str, severity: Severity | None = None) -> Finding:
    return finding(cause, place=Witness.WORKFLOW, seen=seen, severity=severity)


def _refuse(cause: Cause, seen: str) -> Refused:
    return Refused(cause, findings=(_found(cause, seen),))


# -- apply


def _apply(event: ConfigureEvent, context: StepContext[DmsSettings], held: Held) -> ConfigureAnswer:
    plan = context.require(event, PLAN)
    new = new_fields(plan, context.read(event, IMPORTED_CA))
    found = context.store.unfinished(event.name)
    if found is None or found.run != event.run:
        log = _begin(event, context, held, plan, new, found=found)
    else:
        log = found.log
    new = new if log.created else log.new
    endpoint = context.dms.endpoint(log.endpoint_arn or log.endpoint_identifier)
    if endpoint is None:
        if not log.created:
            raise _refuse(Cause.ENDPOINT_GONE, f"{log.endpoint_identifier} was deleted meanwhile")
        _create(event, context, plan, new, log)
        return ConfigureAnswer(done=False)
    if log.created and not _made_here(event, context, endpoint):
        seen = f"somebody else made an endpoint {endpoint.identifier} at the same time"
        raise _refuse(Cause.CHANGED_MEANWHILE, seen)
    if endpoint.status != READY:
        return _unless_last(event, f"{endpoint.identifier} is still {endpoint.status}")
    sent = context.read(event, SENT)
    wrong = differing(log.fields, endpoint.fields, new)
    if sent is None and not log.created:
        _modify(event, context, endpoint, log, new)
        return ConfigureAnswer(done=False)
    if wrong:
        return _unless_last(event, _not_applied(wrong, endpoint.fields, new))
    _check_the_rest(event, context, endpoint, log)
    if log.created:
        # Before anybody can name it by the ARN that it has from now on.
        owner = held.own_endpoint(endpoint.identifier, endpoint.arn)
        if owner is not None:
            seen = f"{endpoint.identifier} already belongs to the source {owner}"
            raise _refuse(Cause.ENDPOINT_TAKEN, seen)
        held.remember(endpoint_arn=endpoint.arn)
    context.write(event, CONFIGURED, Configured(endpoint=endpoint, created=log.created))
    return ConfigureAnswer(done=True)


def _begin(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    held: Held,
    plan: Plan,
    new: EndpointFields,
    *,
    found: Unfinished | None,
) -> UndoLog:
    """Write the undo log, from the endpoint as it is at this moment.

    Args:
        found: the log of an earlier run, which could not be finished and is replaced.

    Raises:
        Refused: it is no longer what the plan was made for (``changed_meanwhile``).
    """
    source = event.source.spec
    material = context.read(event, MATERIAL)
    before = material.endpoint if material else None
    old = EndpointFields()
    if before is not None:
        now = context.dms.endpoint(before.arn)
        if now is None or now.settings_digest != before.settings_digest:
            seen = f"{before.identifier} is no longer as this run has read it"
            raise _refuse(Cause.CHANGED_MEANWHILE, seen)
        old = now.fields
    names = written_names(plan, old, new)
    stuck = {change.field for change in plan.changes if not change.reversible}
    rehearsal = context.read(event, REHEARSAL)
    log = UndoLog(
        endpoint_arn=before.arn if before else None,
        endpoint_identifier=before.identifier if before else source.endpoint,
        fields=names,
        old=subset(old, tuple(name for name in names if name not in stuck)),
        new=subset(new, names),
        credentials=source.credentials,
        old_password_version=plan.old_password_version,
        new_password_version=plan.password_version,
        created=before is None,
        old_connects=rehearsal.old_connects if rehearsal else None,
        old_ca_pem=_old_ca(context, material, old) if "certificate_arn" in names else None,
        change=plan.change,
    )
    if found is not None:
        if found.log.new_password_version is not None and log.new_password_version is None:
            # Whether that password was set, nobody can see: today's is written again.
            version = material.versions.credentials if material else None
            log = log.model_copy(update={"new_password_version": version})
        log = replacing(found.log, log, old, run=found.run)
    if log.created:
        held.note_creating(log.endpoint_identifier)
    held.write_undo(log)
    return log


def _old_ca(
    context: StepContext[DmsSettings], material: Material | None, old: EndpointFields
) -> str | None:
    """Return the CAs that the endpoint trusts now; ``None``: none, or DMS does not have them."""
    arn = old.certificate_arn
    trusted = material.trusted if material else None
    if arn is None:
        return None
    if trusted is not None and trusted.arn == arn and material is not None:
        same = trusted.digest == material.bundle_digest
        if (pem := trusted.pem or (material.bundle_pem if same else None)) is not None:
            return pem
    certificate = context.dms.certificate_by_arn(arn)
    return certificate.pem if certificate is not None else None


def _create(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    plan: Plan,
    new: EndpointFields,
    log: UndoLog,
) -> None:
    source = event.source.spec
    material = context.read(event, MATERIAL)
    version = material.versions.credentials if material else None
    context.dms.create_endpoint(
        log.endpoint_identifier,
        endpoint_type=source.endpoint_type,
        engine=source.engine,
        fields=new,
        password=password(event, context, version if plan.create else None),
        tags={SOURCE_TAG: event.name, STACK_TAG: context.settings.installation},
    )


def _made_here(
    event: ConfigureEvent, context: StepContext[DmsSettings], endpoint: Endpoint
) -> bool:
    tags = context.dms.tags(endpoint.arn)
    return is_ours(tags, context.settings.installation) and tags.get(SOURCE_TAG) == event.name


def _modify(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    endpoint: Endpoint,
    log: UndoLog,
    new: EndpointFields,
) -> None:
    secret = password(event, context, log.new_password_version)
    fields = complete_modify(endpoint, log.fields, new, password=secret is not None)
    context.dms.modify_endpoint(endpoint, fields, password=secret)
    context.write(event, SENT, Sent(password_version=log.new_password_version))


def _not_applied(names: tuple[str, ...], is_now: EndpointFields, new: EndpointFields) -> str:
    parts = [f"{name} is {getattr(is_now, name)}, not {getattr(new, name)}" for name in names]
    return "DMS took the change, but " + "; ".join(parts)


def _unless_last(event: ConfigureEvent, seen: str) -> ConfigureAnswer:
    if event.is_last:
        raise _refuse(Cause.NOT_APPLIED, seen)
    return ConfigureAnswer(done=False)


def _check_the_rest(
    event: ConfigureEvent, context: StepContext[DmsSettings], endpoint: Endpoint, log: UndoLog
) -> None:
    """Refuse when the change moved something that nobody asked it to.

    A switch between a secret and a login of the endpoint's own empties the one that is left.
    """
    material = context.read(event, MATERIAL)
    before = material.endpoint if material else None
    if before is None or log.created:
        return
    emptied = {n for n in replaced_by(log.fields) if getattr(endpoint.fields, n) is None}
    moved = [
        name
        for name in EndpointFields.model_fields
        if name not in log.fields
        and name not in emptied
        and not equal(name, getattr(before.fields, name), getattr(endpoint.fields, name))
    ]
    if before.rest_digest != endpoint.rest_digest:
        moved.append("other settings")
    if moved:
        seen = f"the change also moved {', '.join(moved)} of {endpoint.identifier}"
        raise _refuse(Cause.NOT_APPLIED, seen)


# -- put back


def _roll_back(
    event: ConfigureEvent, context: StepContext[DmsSettings], held: Held
) -> ConfigureAnswer:
    log = context.store.undo(event.name)
    if log is None:
        return ConfigureAnswer(done=True)
    endpoint = context.dms.endpoint(log.endpoint_arn or log.endpoint_identifier)
    if log.created:  # kept when it is there, and reported; there are no old settings
        return _left(event, context, endpoint)
    if endpoint is None:
        seen = f"{log.endpoint_identifier} is gone, so there is nothing to put back"
        return _left(event, context, None, _found(Cause.ENDPOINT_GONE, seen))
    if endpoint.status != READY:
        return ConfigureAnswer(done=False)
    names = log.reversible
    returned = context.read(event, SENT_BACK)
    needs_password = log.new_password_version is not None
    if not differing(names, endpoint.fields, log.old) and (not needs_password or returned):
        back = Configured(
            endpoint=endpoint, rolled_back=True, settled=True, findings=_not_rolled_back(log)
        )
        context.write(event, ROLLED_BACK, back)
        return ConfigureAnswer(done=True, rolled_back=True)
    if not _still_ours(log, names, endpoint):
        seen = f"somebody else changed {endpoint.identifier} after we did; it is left as it is"
        return _left(event, context, endpoint, _found(Cause.CHANGED_MEANWHILE, seen))
    _return_old(event, context, endpoint, _with_old_ca(context, held, log), names)
    return ConfigureAnswer(done=False)


def _not_rolled_back(log: UndoLog) -> tuple[Finding, ...]:
    """Return what keeps its new value. A CA too many does no harm, and is not worth a word."""
    kept = [name for name in log.fields if name not in log.reversible and name != "certificate_arn"]
    if log.new_password_version is not None and log.old_password_version is None:
        kept.append("password")
    if not kept:
        return ()
    seen = (
        f"{log.endpoint_identifier} keeps its new {', '.join(kept)}: what it had before is not "
        "known, or not ours to set"
    )
    return (_found(Cause.IRREVERSIBLE, seen, Severity.WARNING),)


def _still_ours(log: UndoLog, names: tuple[str, ...], endpoint: Endpoint) -> bool:
    """Whether every field is either as we left it or as it was before."""
    return all(
        equal(name, getattr(endpoint.fields, name), getattr(log.new, name))
        or equal(name, getattr(endpoint.fields, name), getattr(log.old, name))
        for name in names
    )


def _with_old_ca(context: StepContext[DmsSettings], held: Held, log: UndoLog) -> UndoLog:
    """Return the log with a CA that DMS has: who deleted the old one meanwhile, made it useless.

    Raises:
        Refused: DMS has no room for it.
    """
    arn, pem = log.old.certificate_arn, log.old_ca_pem
    if arn is None or pem is None or context.dms.certificate_by_arn(arn) is not None:
        return log
    digest, installation = bundle_digest(pem), context.settings.installation
    context.store.forget_unused(digest)
    made = context.dms.import_certificate(
        certificate_identifier(installation, digest),
        pem,
        tags={CA_TAG: "ca", STACK_TAG: installation},
    )
    old = log.old.model_copy(update={"certificate_arn": made.arn})
    log = log.model_copy(update={"old": old})
    held.amend_undo(log)
    return log


def _return_old(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    endpoint: Endpoint,
    log: UndoLog,
    names: tuple[str, ...],
) -> None:
    secret = None
    if log.old_password_version is not None and log.credentials is not None:
        secret = password_at(context, log.credentials, log.old_password_version)
    fields = complete_modify(endpoint, names, log.old, password=secret is not None)
    context.dms.modify_endpoint(endpoint, fields, password=secret)
    context.write(event, SENT_BACK, Sent(password_version=log.old_password_version))


def _left(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    endpoint: Endpoint | None,
    *findings: Finding,
) -> ConfigureAnswer:
    """End without putting back: there is nothing to, or it is no longer ours to change."""
    left = Configured(endpoint=endpoint, settled=True, findings=findings)
    context.write(event, ROLLED_BACK, left)
    return ConfigureAnswer(done=True)
