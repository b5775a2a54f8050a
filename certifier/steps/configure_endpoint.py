"""Configure endpoint: write what the plan says, or roll it back. One Lambda, two states.

The undo log comes before the first write; each round reads the endpoint and moves it on towards
its target, so that a call that was cut off, or whose answer was lost, is simply made again.
"""

from certifier.aws.store import Held
from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import complete_modify, subset
from certifier.errors import Refused
from certifier.models import Fact, Finding
from certifier.ownership import SOURCE_TAG, STACK_TAG, is_ours
from certifier.run.documents import (
    CONFIGURED,
    IMPORTED_CA,
    MATERIAL,
    PLAN,
    REHEARSAL,
    ROLLED_BACK,
    Configured,
    Plan,
    UndoLog,
)
from certifier.run.event import PolledEvent, run_id
from certifier.run.plan import new_fields, written_names
from certifier.run.undo import (
    differing,
    moved_by_others,
    must_write_old,
    new_are_sent,
    sending,
    sent,
    still_ours,
    unsent,
    why_not_covered,
)
from certifier.steps.context import StepContext
from certifier.steps.dms_settings import DmsSettings
from certifier.steps.passwords import password, password_at
from certifier.vocabulary import Action, Cause, SettingsUnderTest, Severity, Witness

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
    written = context.store.undo_with_run(event.name)
    if written is None:
        log = _begin(event, context, held, plan, new)
    else:
        log = written[0]
        if written[1] != event.run or unsent(log) != _log(event, context, plan, new):
            raise _untrusted(event, "it is not the one that this run has written")
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
    if not (log.created or new_are_sent(log)):
        _refuse_if_moved(event, context, log, endpoint)
        _send(context, held, endpoint, log, SettingsUnderTest.NEW)
        return ConfigureAnswer(done=False)
    if wrong := differing(log.fields, endpoint.fields, new):
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
) -> UndoLog:
    """Write the undo log, from the endpoint as it is at this moment.

    Raises:
        Refused: it is no longer what the plan was made for (``changed_meanwhile``).
    """
    material = context.read(event, MATERIAL)
    before = material.endpoint if material else None
    if before is not None:
        now = context.dms.endpoint(before.arn)
        if now is None or now.settings_digest != before.settings_digest:
            seen = f"{before.identifier} is no longer as this run has read it"
            raise _refuse(Cause.CHANGED_MEANWHILE, seen)
    log = _log(event, context, plan, new)
    if log.created:
        held.note_creating(log.endpoint_identifier)
    held.write_undo(log)
    return log


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
        written=None,
    )


def _untrusted(event: ConfigureEvent, why: str) -> Refused:
    """Refuse to follow an undo log. It stays as it is: only a person can say what is right."""
    seen = f"the undo log of {event.name} is not followed: {why}"
    return _refuse(Cause.UNDO_LOG_UNTRUSTED, seen)


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
    context: StepContext[DmsSettings],
    held: Held,
    endpoint: Endpoint,
    log: UndoLog,
    settings: SettingsUnderTest,
) -> None:
    """Write new or old settings; note in the undo log before and after what is sent."""
    names, values, version = log.fields, log.new, log.new_password_version
    if settings is SettingsUnderTest.OLD:
        names, values, version = log.reversible, log.old, log.old_password_version
    secret = None
    if version is not None and log.credentials is not None:
        secret = password_at(context, log.credentials, version)
    fields = complete_modify(endpoint, names, values, password=secret is not None)
    noted = sending(log, settings, context.now())
    held.note_sent(noted)
    try:
        context.dms.modify_endpoint(endpoint, fields, password=secret)
    except Refused:
        held.note_sent(log)  # nothing of it was taken
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
    written = context.store.undo_with_run(event.name)
    if written is None:
        return ConfigureAnswer(done=True)
    log = written[0]
    material = context.documents.read(run_id(written[1]), MATERIAL)
    source, owned = event.source.spec, held.state.owned
    if why := why_not_covered(log, source=source, owned=owned, material=material):
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
        _send(context, held, endpoint, log, SettingsUnderTest.OLD)
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
