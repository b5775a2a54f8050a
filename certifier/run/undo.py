"""Whether an undo log may be followed: it must be of this source's own endpoint, as it was read.

A log says what is written to an endpoint, and with which password. It lies in the table, which more
than one role and person may write; one that was forged must not lead to another endpoint, host or
secret. So each thing in it is held against what others wrote: the endpoints that the source owns,
its registration, and the endpoint as the run that is named in the log has read it.
"""

from collections.abc import Collection

from certifier.endpoint.fields import equal
from certifier.run.documents import Material, UndoLog
from certifier.source import Source


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
