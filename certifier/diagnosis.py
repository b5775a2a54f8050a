"""One table: how a failure looks, which cause that is, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from certifier.models import Finding
from certifier.outcome import Cause, Place, Severity, Stage


@dataclass(frozen=True)
class Row:
    """What the catalogue knows of one cause."""

    cause: Cause
    severity: Severity
    remedy: str
    time_may_mend: bool = False


_WARNINGS = frozenset(
    {
        Cause.UNSAFE_PASSWORD_REQUEST,
        Cause.PLAINTEXT_ACCEPTED,
        Cause.CERTIFICATE_EXPIRES_SOON,
        Cause.KEY_TOO_SMALL,
        Cause.SIGNATURE_HASH_WEAK,
        Cause.VALIDITY_TOO_LONG,
        Cause.TLS_VERSION_OLD,
        Cause.CA_NOT_STRICT,
        Cause.SERVED_CERTIFICATE_DIFFERS,
        Cause.DIFFERENT_NODE_ANSWERS,
        Cause.CA_EXPIRED_DROPPED,
        Cause.ANCHOR_UNTRUSTED_BEFORE,
        Cause.ACM_UNSUITABLE,
        Cause.ACM_AMBIGUOUS,
        Cause.ACM_BEHIND,
        Cause.ACM_FAILED,
        Cause.ACM_QUOTA,
        Cause.OVERLAP_PENDING,
        Cause.REHEARSED_BY_PROBE_ONLY,
        Cause.TASK_OWED,
    }
)
_ADVICE = frozenset(
    {
        Cause.MODE_COULD_BE_RAISED,
        Cause.CHAIN_REPAIRED,
        Cause.SHRINK_WAITS,
        Cause.WINDOW_CLOSED,
        Cause.HOSTNAME_READING_DIFFERS,
        Cause.INTERRUPTED_RUN_FINISHED,
    }
)


def _severity(cause: Cause) -> Severity:
    if cause in _WARNINGS:
        return Severity.WARNING
    return Severity.ADVICE if cause in _ADVICE else Severity.ERROR


CATALOGUE: Mapping[Cause, Row] = MappingProxyType(
    {cause: Row(cause, _severity(cause), remedy="") for cause in Cause}
)


def printable(text: str, limit: int = 1024) -> str:
    """Return ``text`` with whatever could move a terminal escaped, capped at ``limit``."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def finding(
    cause: Cause,
    *,
    place: Place,
    seen: str,
    raw: str | None = None,
    stage: Stage | None = None,
    severity: Severity | None = None,
) -> Finding:
    """Return a finding with the catalogue's remedy, and its severity unless one is given."""
    row = CATALOGUE[cause]
    return Finding(
        cause=cause,
        severity=severity or row.severity,
        seen=printable(seen),
        remedy=row.remedy,
        place=place,
        raw=None if raw is None else printable(raw),
        stage=stage,
    )
