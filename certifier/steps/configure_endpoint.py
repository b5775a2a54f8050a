"""Configure endpoint: write what the plan says, or roll it back. One Lambda, two states.

The undo log comes before the first write; each round reads the endpoint and moves it on towards
its target, so that a call that was cut off, or whose answer was lost, is simply made again.
"""

from certifier.aws.store import Held, Unfinished
from certifier.certificate import bundle_digest
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import complete_modify, differing, subset
from certifier.errors import Refused
from certifier.models import Fact, Finding
from certifier.ownership import (
    CA_TAG,
    SOURCE_TAG,
    STACK_TAG,
    certificate_identifier,
    is_made,
    is_ours,
    made_arn,
    made_resource,
)
from certifier.run.documents import (
    CONFIGURED,
    IMPORTED_CA,
    MATERIAL,
    PLAN,
    REHEARSAL,
    ROLLED_BACK,
    Configured,
    Material,
    Plan,
    UndoLog,
)
from certifier.run.event import PolledEvent, run_id
from certifier.run.plan import new_fields, written_names
from certifier.run.undo import (
    moved_by_others,
    must_write_old,
    new_are_sent,
    replacing,
    sending,
    sent,
    still_ours,
    why_not_covered,
    why_not_own,
)
from certifier.steps.consenting import require_consent, why_denied
from certifier.steps.context import StepContext
from certifier.steps.dms_settings import DmsSettings
from certifier.steps.passwords import password, password_at
from certifier.text import name_in
from certifier.vocabulary import Action, Cause, SettingsUnderTest, Severity, Witness

READY = "active"
LOG_ROOM = 200 * 1024
"""Bytes of CAs that go into an undo log: an item of the table holds 400 KB (Developer Guide of
DynamoDB, "Limits"), and there is no change without a log."""


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
    return Refused.because(_found(cause, seen))


# -- apply


def _apply(event: ConfigureEvent, context: StepContext[DmsSettings], held: Held) -> ConfigureAnswer:
    plan = context.require(event, PLAN)
    new = new_fields(plan, context.read(event, IMPORTED_CA))
    found = context.store.unfinished(event.name)
    if found is None or found.run != event.run:
        claim = held.state.claim
        if found is not None and claim is not None and not claim.is_alone(context.now()):
            # A step of the run that left the log may still write once more.
            return _unless_last(event, "another run may still write to the endpoint")
        log = _begin(event, context, held, plan, new, found=found)
    else:
        log = found.log
        material = context.read(event, MATERIAL)
        before = material.endpoint.fields if material and material.endpoint else EndpointFields()
        version = material.versions.credentials if material else None
        expected = _log(event, context, plan, new)
        if why := why_not_own(log, expected, before, password_version=version):
            raise _untrusted(event, why)
    new = new if log.created else log.new
    endpoint = context.dms.endpoint(log.endpoint_arn or log.endpoint_identifier)
    if endpoint is None:
        if not log.created:
            raise _refuse(Cause.ENDPOINT_GONE, f"{log.endpoint_identifier} was deleted meanwhile")
        _create(event, context, held, plan=plan, new=new, log=log)
        return ConfigureAnswer(done=False)
    if log.created and not _made_here(event, context, endpoint):
        seen = f"somebody else made an endpoint {endpoint.identifier} at the same time"
        raise _refuse(Cause.CHANGED_MEANWHILE, seen)
    if endpoint.status != READY:
        return _unless_last(event, f"{endpoint.identifier} is still {endpoint.status}")
    if not (log.created or new_are_sent(log)):
        _refuse_if_moved(event, context, log, endpoint)
        secret = password(event, context, log.new_password_version)
        _send(event, context, held, endpoint, log, settings=SettingsUnderTest.NEW, secret=secret)
        return ConfigureAnswer(done=False)
    if wrong := differing(log.fields, endpoint.fields, new):
        return _unless_last(event, _not_applied(wrong, endpoint.fields, new))
    _check_the_rest(event, context, endpoint, log)
    if log.created:
        # Held before it was made, unless DMS has given it another ARN than it was asked for.
        _own(held, endpoint.identifier, endpoint.arn)
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
        Refused: it is no longer what the plan was made for (``changed_meanwhile``), or its owner
            does not consent any more.
    """
    material = context.read(event, MATERIAL)
    before = material.endpoint if material else None
    if before is not None:
        now = context.dms.endpoint(before.arn)
        if now is None or now.settings_digest != before.settings_digest:
            seen = f"{before.identifier} is no longer as this run has read it"
            raise _refuse(Cause.CHANGED_MEANWHILE, seen)
        require_consent(event, context, before)
    log = _log(event, context, plan, new)
    old = before.fields if before else EndpointFields()
    if "certificate_arn" in log.fields:
        log = log.model_copy(update={"old_ca_pem": _old_ca(context, material, old)})
    if found is not None:
        _refuse_untrusted(event, context, held, found)
        if found.log.new_password_version is not None and log.new_password_version is None:
            # Whether that password was set, nobody can see: today's is written again.
            version = material.versions.credentials if material else None
            log = log.model_copy(update={"new_password_version": version})
        log = replacing(found.log, log, old, run=found.run)
    if log.created:
        held.note_creating(log.endpoint_identifier)
    held.write_undo(log)
    return log


def _refuse_untrusted(
    event: ConfigureEvent, context: StepContext[DmsSettings], held: Held, found: Unfinished
) -> None:
    """Refuse to take over what a log says that may not be followed.

    Its password is not looked at: one in another secret than the source's is not taken over.
    """
    material, first = _materials(context, found)
    log = _with_read_ca(context, found.log, first or material)
    log = log.model_copy(update={"old_password_version": None})
    source, owned = event.source.spec, held.state.owned
    if why := why_not_covered(log, source=source, owned=owned, material=material, first=first):
        raise _untrusted(event, why)


def _log(
    event: ConfigureEvent, context: StepContext[DmsSettings], plan: Plan, new: EndpointFields
) -> UndoLog:
    """Return the undo log of this run: from the plan, and the endpoint as it was read."""
    source = event.source.spec
    material = context.read(event, MATERIAL)
    before = material.endpoint if material else None
    old = before.fields if before else EndpointFields()
    names = written_names(plan, old, new)
    stuck = {change.field for change in plan.changes if not change.reversible}
    rehearsal = context.read(event, REHEARSAL)
    return UndoLog(
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
        change=plan.change,
        written=None,
    )


def _untrusted(event: ConfigureEvent, why: str) -> Refused:
    """Refuse to follow an undo log. It stays as it is: only a person can say what is right."""
    seen = f"the undo log of {event.name} is not followed: {why}"
    return _refuse(Cause.UNDO_LOG_UNTRUSTED, seen)


def _old_ca(
    context: StepContext[DmsSettings], material: Material | None, old: EndpointFields
) -> str | None:
    """Return the CAs that the endpoint trusts now; ``None``: none, or DMS does not have them.

    None either when they are more than a log holds: those lie with what the run has read.
    """
    arn = old.certificate_arn
    if arn is None:
        return None
    pem = _read_pem(material, arn)
    if pem is None:
        certificate = context.dms.certificate_by_arn(arn)
        pem = certificate.pem if certificate is not None else None
    return pem if pem is None or len(pem.encode()) <= LOG_ROOM else None


def _read_pem(material: Material | None, arn: str) -> str | None:
    """Return the CAs of the endpoint's DMS certificate, as far as a run has read them."""
    trusted = material.trusted if material else None
    if material is None or trusted is None or trusted.arn != arn:
        return None
    same = trusted.digest == material.bundle_digest
    return trusted.pem or (material.bundle_pem if same else None)


def _create(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    held: Held,
    *,
    plan: Plan,
    new: EndpointFields,
    log: UndoLog,
) -> None:
    """Have DMS make the endpoint, under an ARN that the source holds before anybody can name it.

    One that was held for an endpoint which was not made is taken again: a source whose endpoint
    cannot be made holds no more of them with each run.
    """
    source = event.source.spec
    unused = (key for key in held.state.owned if ":" in key and is_made(key))
    arn = next((key for key in unused if context.dms.endpoint(key) is None), None)
    if arn is None:
        arn = made_arn(made_resource(), event.run)
        _own(held, log.endpoint_identifier, arn)
    material = context.read(event, MATERIAL)
    version = material.versions.credentials if material else None
    context.dms.create_endpoint(
        log.endpoint_identifier,
        endpoint_type=source.endpoint_type,
        engine=source.engine,
        fields=new,
        password=password(event, context, version if plan.create else None),
        tags={SOURCE_TAG: event.name, STACK_TAG: context.settings.installation},
        resource=name_in(arn),
    )


def _own(held: Held, identifier: str, arn: str) -> None:
    """Hold the endpoint under both of its names.

    Raises:
        Refused: another source has it.
    """
    if (owner := held.own_endpoint(identifier, arn)) is not None:
        raise _refuse(Cause.ENDPOINT_TAKEN, f"{identifier} already belongs to the source {owner}")


def _made_here(
    event: ConfigureEvent, context: StepContext[DmsSettings], endpoint: Endpoint
) -> bool:
    tags = context.dms.tags(endpoint.arn)
    return is_ours(tags, context.settings.installation) and tags.get(SOURCE_TAG) == event.name


def _refuse_if_moved(
    event: ConfigureEvent, context: StepContext[DmsSettings], log: UndoLog, endpoint: Endpoint
) -> None:
    """Refuse when somebody else has changed the endpoint since: before each write, each retry."""
    material = context.read(event, MATERIAL)
    before = material.endpoint if material else None
    if before is not None and (moved := moved_by_others(log, before, endpoint)):
        seen = f"somebody else has changed {', '.join(moved)} of {endpoint.identifier} meanwhile"
        raise _refuse(Cause.CHANGED_MEANWHILE, seen)


def _send(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    held: Held,
    endpoint: Endpoint,
    log: UndoLog,
    *,
    settings: SettingsUnderTest,
    secret: str | None,
) -> None:
    """Write new or old settings; note in the undo log before and after what is sent."""
    names, values = log.fields, log.new
    if settings is SettingsUnderTest.OLD:
        names, values = log.reversible, log.old
    fields = complete_modify(endpoint, names, values, password=secret is not None)
    noted = sending(log, settings, context.now())
    held.note_sent(noted)
    try:
        context.dms.modify_endpoint(endpoint, fields, password=secret)
    except Refused as refused:
        held.note_sent(log)  # nothing of it was taken
        if refused.cause is Cause.AWS_DENIED:
            raise why_denied(event, context, endpoint, refused) from None
        raise
    held.note_sent(sent(noted))


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
    moved = moved_by_others(log, before, endpoint)
    if moved:
        seen = f"the change also moved {', '.join(moved)} of {endpoint.identifier}"
        raise _refuse(Cause.NOT_APPLIED, seen)


# -- roll back


def _roll_back(
    event: ConfigureEvent, context: StepContext[DmsSettings], held: Held
) -> ConfigureAnswer:
    found = context.store.unfinished(event.name)
    if found is None:
        return ConfigureAnswer(done=True)
    log = found.log
    material, first = _materials(context, found)
    source, owned = event.source.spec, held.state.owned
    compared = _with_read_ca(context, log, first or material)
    if why := why_not_covered(compared, source=source, owned=owned, material=material, first=first):
        raise _untrusted(event, why)
    endpoint = context.dms.endpoint(log.endpoint_arn or log.endpoint_identifier)
    if log.created:  # kept when it is there, and reported; there are no old settings
        return _left(event, context, endpoint)
    if endpoint is None:
        seen = f"{log.endpoint_identifier} is gone, so there is nothing to roll back"
        return _left(event, context, None, _found(Cause.ENDPOINT_GONE, seen))
    if endpoint.status != READY:
        return ConfigureAnswer(done=False)
    if not still_ours(log, endpoint.fields):
        seen = f"somebody else changed {endpoint.identifier} after we did; it is left as it is"
        return _left(event, context, endpoint, _found(Cause.CHANGED_MEANWHILE, seen))
    if must_write_old(log, endpoint.fields, context.now()):
        log = _with_old_ca(context, held, log, first or material)
        secret = None
        if log.old_password_version is not None and log.credentials is not None:
            secret = password_at(event, context, log.credentials, log.old_password_version)
        _send(event, context, held, endpoint, log, settings=SettingsUnderTest.OLD, secret=secret)
        return ConfigureAnswer(done=False)
    back = Configured(
        endpoint=endpoint, rolled_back=True, settled=True, findings=_not_rolled_back(log)
    )
    context.write(event, ROLLED_BACK, back)
    return ConfigureAnswer(done=True, rolled_back=True)


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


def _materials(
    context: StepContext[DmsSettings], found: Unfinished
) -> tuple[Material | None, Material | None]:
    """Return what the run that wrote a log has read, and that whose log it has replaced."""
    material = context.documents.read(run_id(found.run), MATERIAL)
    if found.log.replaces is None:
        return material, None
    return material, context.documents.read(run_id(found.log.replaces), MATERIAL)


def _with_read_ca(
    context: StepContext[DmsSettings], log: UndoLog, read: Material | None
) -> UndoLog:
    """Return the log as it was before its old CA was imported anew, if it was: for a comparison."""
    trusted, arn = read.trusted if read else None, log.old.certificate_arn
    if trusted is None or arn in (None, trusted.arn) or _old_pem(log, read) is None:
        return log
    certificate = context.dms.certificate_by_arn(arn) if arn else None
    if certificate is None or certificate.digest != trusted.digest:
        return log
    old = log.old.model_copy(update={"certificate_arn": trusted.arn})
    return log.model_copy(update={"old": old})


def _old_pem(log: UndoLog, read: Material | None) -> str | None:
    """Return what the endpoint trusted when it was read, from the log or from what was read."""
    trusted = read.trusted if read else None
    if trusted is None:
        return None
    for pem in (log.old_ca_pem, _read_pem(read, trusted.arn)):
        if pem is not None and bundle_digest(pem) == trusted.digest:
            return pem
    return None


def _with_old_ca(
    context: StepContext[DmsSettings], held: Held, log: UndoLog, read: Material | None
) -> UndoLog:
    """Return the log with a CA that DMS has: who deleted the old one meanwhile, made it useless.

    Args:
        read: what was read before the change that the log leads back from.

    Raises:
        Refused: DMS has no room for it.
    """
    arn, pem = log.old.certificate_arn, _old_pem(log, read)
    if arn is None or pem is None:
        return log
    if context.dms.certificate_by_arn(arn) is not None:
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
    held.note_sent(log)
    return log


def _left(
    event: ConfigureEvent,
    context: StepContext[DmsSettings],
    endpoint: Endpoint | None,
    *findings: Finding,
) -> ConfigureAnswer:
    """End without rolling back: there is nothing to, or it is no longer ours to change."""
    left = Configured(endpoint=endpoint, settled=True, findings=findings)
    context.write(event, ROLLED_BACK, left)
    return ConfigureAnswer(done=True)
