"""Reads what the fleet page shows: the table once, and the records that are new since last time.

``reports/latest.json`` keeps the digests of the records, so a page after an execution over seven of
a thousand sources reads seven records. The reading is bounded in time and number: what it leaves is
counted, and read by the next one.
"""

import time
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.aws.store.reads import Pauses
from certifier.errors import Unexpected
from certifier.fleet.digest import CertificateDigest, Digest, Digests, digest
from certifier.fleet.facts import SourceFacts
from certifier.run.event import FLEET_PAGE
from certifier.run.state import Breaker

SECONDS = 45.0
"""How long records are read; the Report step may run two minutes."""
RECORDS = 2000
"""Records that are read at most."""


@dataclass(frozen=True)
class Gathered:
    """What one installation looks like.

    Attributes:
        digests: to be kept for the next reading.
        read, unread: records that were read now, and those that are left for the next time.
        abandoned: as in ``InstallationFacts``.
    """

    sources: tuple[SourceFacts, ...]
    breaker: Breaker
    digests: Digests
    read: int
    unread: int
    abandoned: tuple[str, ...] = ()


def gather(
    store: Store,
    documents: Documents,
    *,
    seconds: float = SECONDS,
    records: int = RECORDS,
    clock: Callable[[], float] = time.monotonic,
) -> Gathered:
    """Read an installation, for at most about ``seconds`` and ``records``.

    Raises:
        Retryable, Refused, Unexpected: AWS did not answer, or does not let us read.
    """
    until = clock() + seconds
    kept = Digests.read(_kept(documents))
    found: dict[str, Digest] = {}
    bundles: dict[str, tuple[CertificateDigest, ...]] = dict(kept.bundles)
    sources = []
    read = unread = 0
    registered = store.fleet()
    pauses = store.pauses()  # after the claims: a run that begins meanwhile stops none so soon
    for state, spec, version, has_log in registered:
        known = kept.of.get(state.name)
        if state.record is not None and (known is None or known.record != state.record):
            if read < records and clock() < until:
                new, trusted = digest(state.record, _record(documents, state.record))
                known = new.with_earlier(known)
                if new.bundle is not None:
                    bundles[new.bundle] = trusted
                read += 1
            else:
                unread += 1
        if known is not None:
            found[state.name] = known
        ours = pauses.of(state.name)
        sources.append(SourceFacts(state.name, spec, version, state, known, has_log, ours))
    return Gathered(
        sources=tuple(sources),
        breaker=store.breaker(),
        digests=Digests(
            finished_at=kept.finished_at,
            report=kept.report,
            of=found,
            bundles=_used(bundles, found),
        ),
        read=read,
        unread=unread,
        abandoned=tuple(sorted(_abandoned(pauses, {state.name for state, *_ in registered}))),
    )


def _abandoned(pauses: Pauses, registered: Container[str]) -> Iterator[str]:
    """Yield the tasks that no run will start again."""
    yield from pauses.unreadable
    for pause in pauses.read:
        if not any(name in registered for name in pause.sources):
            yield pause.task_arn


def _kept(documents: Documents) -> bytes | None:
    """Return the digests as they were kept; nothing when they have grown too large."""
    try:
        return documents.get(f"{FLEET_PAGE}.json")
    except Unexpected:
        return None


def _record(documents: Documents, key: str) -> bytes | None:
    """Return a record; nothing for one that is larger than any that we write."""
    try:
        return documents.get(f"{key}.json")
    except Unexpected:
        return None


def _used(
    bundles: Mapping[str, tuple[CertificateDigest, ...]], found: Mapping[str, Digest]
) -> dict[str, tuple[CertificateDigest, ...]]:
    """Return the bundles that a digest still names."""
    named = {each.bundle for each in found.values()}
    return {key: bundle for key, bundle in bundles.items() if key in named}
