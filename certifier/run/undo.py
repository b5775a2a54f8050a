"""What an undo log says of an endpoint: whose values it holds, and what must still be written.

A read may lag behind a write by seconds, and a password cannot be read at all. So the log holds
what was *sent*, noted before and after each write, and what is uncertain is written again.

It lies in the table, which more than one role and person may write; a forged one must not lead to
another endpoint, host or secret. So what it says is held against what others wrote. Pure.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import equal, replaced_by
from certifier.run.documents import Material, UndoLog
from certifier.source import Source
from certifier.vocabulary import SettingsUnderTest

READ_LAG = timedelta(minutes=10)
"""For so long after a write a read may show what was before it: a rollback is written again."""

NEW, OLD = SettingsUnderTest.NEW, SettingsUnderTest.OLD


def differing(
    names: tuple[str, ...], one: EndpointFields, other: EndpointFields
) -> tuple[str, ...]:
    """Return which of the fields have another value in ``one`` than in ``other``."""
    return tuple(
        name for name in names if not equal(name, getattr(one, name), getattr(other, name))
    )


def sending(log: UndoLog, settings: SettingsUnderTest, now: datetime) -> UndoLog:
    """Return the log as it is before these settings are sent."""
    return log.model_copy(update={"written": settings, "accepted": False, "written_at": now})


def sent(log: UndoLog) -> UndoLog:
    """Return the log as it is once DMS has accepted what was sent."""
    return log.model_copy(update={"accepted": True})


def unsent(log: UndoLog) -> UndoLog:
    """Return the log as it was before anything was sent: what the run has decided, and no more."""
    return log.model_copy(update={"written": None, "accepted": False, "written_at": None})


def new_are_sent(log: UndoLog) -> bool:
    """Whether DMS has accepted the new settings, and nothing was sent since."""
    return log.written is NEW and log.accepted


def may_hold_new(log: UndoLog) -> bool:
    """Whether an endpoint that shows the new settings may have them: not once it was rolled back.

    If it connects, it is settled. Which password it connects with may be uncertain; then none is
    remembered, and the next run sets it again.
    """
    rolled_back = log.written is OLD and log.accepted
    return log.created or (log.written is not None and not rolled_back)


def must_write_old(log: UndoLog, shown: EndpointFields, now: datetime) -> bool:
    """Whether a rollback must write, for the first time or again.

    An endpoint that shows the old settings is believed once DMS has accepted them, or ten minutes
    after anything was sent. A password that may have been sent is shown by nothing.
    """
    if log.written is None or not (log.reversible or log.old_password_version):
        return False
    if differing(log.reversible, shown, log.old):
        return True
    if log.written is OLD and log.accepted:
        return False
    if log.new_password_version is not None and log.old_password_version is not None:
        return True
    return log.written_at is not None and now - log.written_at <= READ_LAG


def still_ours(log: UndoLog, now: EndpointFields) -> bool:
    """Whether every field that would be rolled back is as we left it, or as it was before."""
    stranger = differing(log.reversible, now, log.old)
    if log.written is None:
        return not stranger
    return not differing(stranger, now, log.new)


def moved_by_others(log: UndoLog, before: Endpoint, now: Endpoint) -> tuple[str, ...]:
    """Return what of the endpoint somebody else has changed since the plan was made for it.

    A field that we write is either as it was or, once something was sent, as we sent it. A switch
    between a secret and a login of the endpoint's own empties the one that is left.
    """
    moved = set(differing(tuple(EndpointFields.model_fields), now.fields, before.fields))
    if log.written is not None:
        moved -= set(log.fields) - set(differing(log.fields, now.fields, log.new))
        moved -= {name for name in replaced_by(log.fields) if getattr(now.fields, name) is None}
    rest = () if now.rest_digest == before.rest_digest else ("other settings",)
    return (*sorted(moved), *rest)


def why_not_covered(
    log: UndoLog, *, source: Source, owned: Collection[str], material: Material | None
) -> str:
    """Return why a log may not be followed, in words; empty when it may.

    Args:
        owned: identifiers and ARNs of the source's endpoints, in lower case.
        material: what the run that wrote the log has read; ``None`` when that is gone.
    """
    if log.created:
        if log.endpoint_identifier.lower() in {*owned, source.endpoint.lower()}:
            return ""
        return f"it is of the endpoint {log.endpoint_identifier}, which is not the source's"
    read = material.endpoint if material else None
    if read is None:
        return "the run that it names has read no endpoint"
    if log.endpoint_arn != read.arn or not {*owned} & {read.arn.lower(), read.identifier.lower()}:
        return f"it is of the endpoint {log.endpoint_identifier}, which is not the source's"
    had = read.fields.given()
    others = [
        name
        for name, value in log.old.given().items()
        if name not in log.fields or not equal(name, had.get(name), value)
    ]
    if others:
        return f"the endpoint did not have its {', '.join(others)}"
    if log.old_password_version is not None and log.credentials != source.credentials:
        return "its password is in a secret that the source does not name"
    return ""
