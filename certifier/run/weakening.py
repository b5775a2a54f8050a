"""What weakens or moves an endpoint: a finding with old and new, and an event, each notified once.

Whoever may register a source may move what belongs to a team; the team must learn of it also when
the run is good. Pure decisions over values.
"""

import hashlib
from collections.abc import Iterable, Iterator

from certifier.diagnosis import finding
from certifier.endpoint.facts import Endpoint
from certifier.identity import same_host, same_secret
from certifier.models import Finding
from certifier.run.documents import Change
from certifier.source import Source
from certifier.text import printable
from certifier.vocabulary import Cause, Severity, SslMode, Witness

EVENTS = frozenset(
    {
        Cause.CREDENTIALS_CHANGED,
        Cause.ENDPOINT_MOVED,
        Cause.ENDPOINT_WEAKENED,
        Cause.NEW_TRUST_ANCHOR,
        Cause.PERMISSION_USED,
    }
)
"""Causes that say what a run did, not how the source is: notified by content, each one once."""

REMEMBERED_EVENTS = 100
"""How many events are remembered of a source."""
_DIGITS = 32
"""Hexadecimal digits of a digest: nobody finds two CAs or hosts that have these in common."""


def weakening(
    source: Source, endpoint: Endpoint | None, changes: Iterable[Change], *, credentials: str | None
) -> tuple[Finding, ...]:
    """Return what ``changes`` weaken or move on an endpoint that exists.

    Args:
        credentials: ARN of the secret with which the source was last certified, if it was.
    """
    by_field = {change.field: change for change in changes}
    if endpoint is None or not by_field:
        return ()
    found = (
        *_weakened(source, endpoint),
        *_moved(source, endpoint, by_field.keys()),
        *_credentials(source, endpoint, credentials),
        *_permission(source, endpoint, by_field.values()),
    )
    return tuple(finding(cause, place=Witness.PLAN, seen=distinct(s)) for cause, s in found)


def distinct(seen: str, whole: str | None = None) -> str:
    """Return what was seen, so that two events never read the same.

    Where a finding would cut it off or escape something in it, it ends with a digest of the whole.

    Args:
        whole: what ``seen`` is a summary of.
    """
    if whole is None and printable(seen) == seen:
        return seen
    digest = hashlib.sha256((whole or seen).encode("utf-8", "surrogatepass")).hexdigest()
    end = f" (SHA-256 of all of it: {digest[:_DIGITS]})"
    return printable(seen, 1024 - len(end)) + end


def _weakened(source: Source, endpoint: Endpoint) -> Iterator[tuple[Cause, str]]:
    now = endpoint.fields.ssl_mode or SslMode.NONE
    if source.ssl_mode.strength < now.strength:
        seen = f"ssl_mode of {endpoint.identifier}: {now.value} becomes {source.ssl_mode.value}"
        yield Cause.ENDPOINT_WEAKENED, f"{seen}, which allow_downgrade permits"


def _moved(
    source: Source, endpoint: Endpoint, fields: Iterable[str]
) -> Iterator[tuple[Cause, str]]:
    now, fields = endpoint.fields, frozenset(fields)
    if now.database_name is not None and "database_name" in fields:
        seen = f"{endpoint.identifier} moves from the database {now.database_name}"
        yield Cause.ENDPOINT_MOVED, f"{seen} to {source.database}"
    if now.server_name is None or not {"server_name", "port"} & fields:
        return
    if not same_host(now.server_name, source.host) or now.port != source.port:
        old, new = f"{now.server_name}:{now.port}", f"{source.host}:{source.port}"
        yield Cause.ENDPOINT_MOVED, f"{endpoint.identifier} moves from {old} to {new}"


def _credentials(
    source: Source, endpoint: Endpoint, before: str | None
) -> Iterator[tuple[Cause, str]]:
    old = before or endpoint.fields.secret_id or f"a login of its own ({endpoint.fields.username})"
    if source.credentials is not None and not same_secret(source.credentials, old):
        seen = f"credentials of {endpoint.identifier}: {old} becomes {source.credentials}"
        yield Cause.CREDENTIALS_CHANGED, seen


def _permission(
    source: Source, endpoint: Endpoint, changes: Iterable[Change]
) -> Iterator[tuple[Cause, str]]:
    stuck = [change for change in changes if not change.reversible]
    if stuck and source.allow_irreversible:
        what = "; ".join(f"{each.field}: {each.old} becomes {each.new}" for each in stuck)
        seen = f"allow_irreversible permits what cannot be rolled back on {endpoint.identifier}"
        yield Cause.PERMISSION_USED, f"{seen}: {what}"


def lowers_or_moves(old: Source, new: Source, *, kept: bool = False) -> tuple[str, ...]:
    """Return in what a source weakens or moves the registered one, one sentence for each.

    Args:
        kept: the source has an endpoint. Nobody knows here which database that has when the
            registered source names none, so the first one that is named may be another.
    """
    found = []
    if not same_host(old.host, new.host) or old.port != new.port:
        found.append(
            f"host: moves the registered source from {old.host}:{old.port} to {new.host}:{new.port}"
        )
    if old.database is not None and new.database not in (None, old.database):
        found.append(f"database: moves the registered source from {old.database} to {new.database}")
    if kept and old.database is None and new.database is not None:
        found.append(
            f"database: names {new.database}, where the registered source leaves the endpoint the "
            "one that it has"
        )
    if new.ssl_mode.strength < old.ssl_mode.strength:
        found.append(f"ssl_mode: lowers {old.ssl_mode.value} to {new.ssl_mode.value}")
    return tuple(found)


def is_event(found: Finding) -> bool:
    """Whether a finding is notified by its content; an error is a state that lasts."""
    return found.cause in EVENTS and found.severity is not Severity.ERROR


def event_key(found: Finding, version: int) -> str:
    """Return by what an event is remembered: its content, for this version of the source.

    A CA is the same one whatever the version.
    """
    of = 0 if found.cause is Cause.NEW_TRUST_ANCHOR else version
    return hashlib.sha256(f"{found.cause} {of} {found.seen}".encode()).hexdigest()[:_DIGITS]
