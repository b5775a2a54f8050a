"""What becomes of an undo log that a run finds: finished first, or replaced by today's change.

A run that finds one proves the new settings or rolls back. When neither is possible (the server has
moved on, the old certificate or password is gone, a task may not stop), that alone would be tried
for ever, although the source's material of today may connect. So the number of such runs is
bounded, and after them every second run reads the material, as a source without a log does.
"""

from certifier.endpoint.facts import EndpointFields
from certifier.endpoint.fields import differing, subset
from certifier.run.documents import UndoLog

FINISHING_RUNS = 2
"""How many runs only try to finish a log, before one looks for another way."""


def finishes_first(tries: int) -> bool:
    """Whether a run that finds an undo log does nothing but finish it.

    Args:
        tries: how many runs have found this log before.
    """
    return tries < FINISHING_RUNS or tries % 2 == 1


def to_roll_back(log: UndoLog, now: EndpointFields) -> bool:
    """Whether a rollback still has something to write to an endpoint that has the fields ``now``.

    A password shows nowhere, so one that was sent counts.
    """
    if log.created:
        return False
    return bool(differing(log.reversible, now, log.old)) or log.new_password_version is not None


def replacing(found: UndoLog, log: UndoLog, now: EndpointFields, *, run: str) -> UndoLog:
    """Return ``log``, made for a change of today, so that it takes the place of one that was found.

    It still leads back to before the first change: what that one has written, too, gets its old
    value. An endpoint that the first change created stays, and today's change alone is undone.

    Args:
        now: the endpoint's fields before today's change.
        run: the execution that wrote the log that was found.
    """
    if found.created:
        return log.model_copy(update={"replaces": run})
    names = tuple(dict.fromkeys((*found.fields, *log.fields)))
    old = {**log.old.given(), **{name: getattr(found.old, name) for name in found.fields}}
    new = {**subset(now, names).given(), **log.new.given()}
    whole = {
        "fields": names,
        "old": EndpointFields.model_validate(old),
        "new": EndpointFields.model_validate(new),
        "old_connects": found.old_connects,
        "replaces": run,
    }
    if "certificate_arn" in found.fields:
        whole["old_ca_pem"] = found.old_ca_pem
    if found.new_password_version is not None:
        whole["credentials"] = found.credentials
        whole["old_password_version"] = found.old_password_version
    return log.model_copy(update=whole)
