"""What an undo log says of an endpoint: whose values it holds, and what must still be written.

A read may lag behind a write by seconds, and a password cannot be read at all. So the log holds
what was *sent*, noted before and after each write, and what is uncertain is written again.

It lies in the table, which more than one role and person may write; a forged one must not lead to
another endpoint, host or secret. So what it says is held against what others wrote.

A run that finds one proves the new settings or rolls back. When neither is possible (the server has
moved on, the old certificate or password is gone, a task may not stop), that alone would be tried
for ever, although the source's material of today may connect. So the number of such runs is
bounded, and after them every second run reads the material, as a source without a log does. Pure.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.endpoint.fields import differing, equal, replaced_by, subset
from certifier.run.documents import Material, UndoLog
from certifier.source import Source
from certifier.vocabulary import SettingsUnderTest

READ_LAG = timedelta(minutes=10)
"""For so long after a write a read may show what was before it: a rollback is written again."""

NEW, OLD = SettingsUnderTest.NEW, SettingsUnderTest.OLD


FINISHING_RUNS = 2
"""How many runs only try to finish a log, before one looks for another way."""


def finishes_first(tries: int) -> bool:
    """Whether a run that finds an undo log does nothing but finish it.

    Args:
        tries: how many runs have found this log before.
    """
    return tries < FINISHING_RUNS or tries % 2 == 1


def sending(log: UndoLog, settings: SettingsUnderTest, now: datetime) -> UndoLog:
    """Return the log as it is before these settings are sent."""
    return log.model_copy(update={"written": settings, "accepted": False, "written_at": now})


def sent(log: UndoLog) -> UndoLog:
    """Return the log as it is once DMS has accepted what was sent."""
    return log.model_copy(update={"accepted": True})


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
    """Whether every field that would be rolled back is as we left it, or as it was before.

    In a log that replaces another, also as that one's change had left it.
    """
    stranger = differing(log.reversible, now, log.old)
    if log.written is None:
        return not stranger
    return not differing(differing(stranger, now, log.new), now, log.left)


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


def replacing(found: UndoLog, log: UndoLog, now: EndpointFields, *, run: str) -> UndoLog:
    """Return ``log``, made for a change of today, so that it takes the place of one that was found.

    It still leads back to before the first change: what that one has written, too, gets its old
    value, and what it may have sent counts as sent. An endpoint that the first change created
    stays, and today's change alone is undone. A password in a secret that the source does not name
    any more is not rolled back.

    Args:
        now: the endpoint's fields before today's change.
        run: the execution that wrote the log that was found.
    """
    first = found.replaces or run
    if found.created:
        return log.model_copy(update={"replaces": first})
    names = tuple(dict.fromkeys((*found.fields, *log.fields)))
    old = {**log.old.given(), **{name: getattr(found.old, name) for name in found.fields}}
    whole = {
        "fields": names,
        "old": EndpointFields.model_validate(old),
        "new": _new_of_replacing(log, names, now),
        "old_connects": found.old_connects,
        "replaces": first,
        "left": subset(now, names),
        "written": found.written,
        "accepted": found.accepted and found.written is OLD,  # nothing of today's is sent yet
        "written_at": found.written_at,
    }
    if "certificate_arn" in found.fields:
        whole["old_ca_pem"] = found.old_ca_pem
    if found.new_password_version is not None:
        same = found.credentials == log.credentials
        whole["old_password_version"] = found.old_password_version if same else None
    return log.model_copy(update=whole)


def _new_of_replacing(log: UndoLog, names: tuple[str, ...], now: EndpointFields) -> EndpointFields:
    """Return what a log that replaces another writes: today's change, and the rest as it is."""
    return EndpointFields.model_validate({**subset(now, names).given(), **log.new.given()})


def why_not_own(
    log: UndoLog, expected: UndoLog, now: EndpointFields, *, password_version: str | None
) -> str:
    """Return why a log is not what this run has written, in words; empty when it is.

    What it rolls back to is looked at when it is rolled back (``why_not_covered``).

    Args:
        expected: the log of today's change alone, before anything was sent.
        now: the endpoint's fields before today's change.
        password_version: VersionId of today's password, which a log that replaces another may have
            to set although today's change does not.
    """
    expected = expected.model_copy(
        update={
            "written": log.written,
            "accepted": log.accepted,
            "written_at": log.written_at,
            "old_ca_pem": log.old_ca_pem,
        }
    )
    if log.replaces is not None:
        of_found = {
            name: getattr(log, name)
            for name in ("fields", "old", "old_connects", "replaces", "left")
        }
        of_found["old_password_version"] = log.old_password_version
        of_found["new"] = _new_of_replacing(expected, log.fields, now)
        if set(expected.fields) <= set(log.fields):
            expected = expected.model_copy(update=of_found)
        if expected.new_password_version is None and log.new_password_version is not None:
            expected = expected.model_copy(update={"new_password_version": password_version})
    return "" if log == expected else "it is not the one that this run has written"


def why_not_of_source(
    log: UndoLog, *, source: Source, owned: Collection[str], material: Material | None
) -> str:
    """Return why a log is not of the source's endpoint, in words; empty when it is.

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
    return ""


def why_not_covered(
    log: UndoLog,
    *,
    source: Source,
    owned: Collection[str],
    material: Material | None,
    first: Material | None = None,
) -> str:
    """Return why a log may not be followed, in words; empty when it may.

    Args:
        owned: identifiers and ARNs of the source's endpoints, in lower case.
        material: what the run that wrote the log has read; ``None`` when that is gone.
        first: what the run has read whose log this one replaces.
    """
    why = why_not_of_source(log, source=source, owned=owned, material=material)
    if why or log.created:
        return why
    reads = [each.endpoint for each in (material, first) if each is not None]
    had = [read.fields for read in reads if read is not None and read.arn == log.endpoint_arn]
    others = [
        name
        for name, value in log.old.given().items()
        if name not in log.fields
        or not any(equal(name, getattr(fields, name), value) for fields in had)
    ]
    if others:
        return f"the endpoint did not have its {', '.join(others)}"
    if log.old_password_version is not None and log.credentials != source.credentials:
        return "its password is in a secret that the source does not name"
    return ""
