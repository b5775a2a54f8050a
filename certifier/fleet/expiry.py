"""Which CA is trusted by whom, and which certificates expire in the next year. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from certifier.fleet.digest import FINGERPRINT, CertificateDigest
from certifier.fleet.row import SourceRow
from certifier.fleet.status import Lateness, lateness, so_many_sources

WEEKS = 52
YEAR = 7 * WEEKS
_NAMED = 4


@dataclass(frozen=True)
class Authority:
    """A CA: which sources' endpoints trust it, and which servers' chains end in it."""

    title: str
    sha256: str
    not_after: datetime | None
    days: int | None
    late: Lateness | None
    trusting: tuple[SourceRow, ...]
    serving: tuple[SourceRow, ...]

    @property
    def rows(self) -> tuple[SourceRow, ...]:
        """Every source that it concerns, once."""
        return tuple({row.id: row for row in (*self.serving, *self.trusting)}.values())


class Kind(StrEnum):
    """The lanes of the timeline."""

    LEAF = "server certificates"
    ACM = "copies in ACM"
    INTERMEDIATE = "intermediate CAs"
    ANCHOR = "trusted CAs"


@dataclass(frozen=True)
class Expiry:
    """A certificate that counts, and the sources that stop connecting when it expires."""

    kind: Kind
    title: str
    not_after: datetime
    days: int
    late: Lateness
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True)
class Bar:
    """A part of a column of the timeline: ``column`` 0 is "expired", 1 to 52 are weeks."""

    column: int
    base: int
    count: int
    late: Lateness
    text: str


@dataclass(frozen=True)
class Lane:
    """One kind of certificate over the year. ``top``: the tallest column."""

    kind: Kind
    total: int
    later: int
    bars: tuple[Bar, ...]
    top: int


def authorities_of(rows: Sequence[SourceRow], now: datetime) -> tuple[Authority, ...]:
    """Return every CA that an endpoint trusts or a chain ends in; those in use come first."""
    known: dict[str, CertificateDigest] = {}
    trusting: dict[str, list[SourceRow]] = defaultdict(list)
    serving: dict[str, list[SourceRow]] = defaultdict(list)
    for row in rows:
        if row.digest is None:
            continue
        for each in row.installation.bundles.get(row.digest.bundle or "", ()):
            known.setdefault(each.sha256, each)
            trusting[each.sha256].append(row)
        if row.digest.anchor is not None:
            known.setdefault(row.digest.anchor.sha256, row.digest.anchor)
            serving[row.digest.anchor.sha256].append(row)
    found = [
        Authority(
            title=each.title,
            sha256=sha256,
            not_after=each.not_after,
            days=None if each.not_after is None else (each.not_after - now).days,
            late=None if each.not_after is None else lateness(each.not_before, each.not_after, now),
            trusting=tuple(trusting[sha256]),
            serving=tuple(serving[sha256]),
        )
        for sha256, each in known.items()
    ]
    found.sort(
        key=lambda ca: (not ca.serving, -len(ca.serving), -len(ca.trusting), ca.title, ca.sha256)
    )
    return tuple(found)


def expiries_of(rows: Sequence[SourceRow], now: datetime) -> tuple[Expiry, ...]:
    """Return every certificate that counts, the first to expire first."""
    known: dict[tuple[Kind, str], CertificateDigest] = {}
    affected: dict[tuple[Kind, str], list[SourceRow]] = defaultdict(list)
    for row in rows:
        for kind, each in _that_count(row):
            key = (kind, each.sha256)
            known.setdefault(key, each)
            affected[key].append(row)
    found = [
        Expiry(
            kind=kind,
            title=each.title,
            not_after=each.not_after,
            days=(each.not_after - now).days,
            late=lateness(each.not_before, each.not_after, now),
            rows=tuple(affected[kind, sha256]),
        )
        for (kind, sha256), each in known.items()
        if each.not_after is not None
    ]
    return tuple(sorted(found, key=lambda expiry: (expiry.not_after, expiry.title)))


def _that_count(row: SourceRow) -> Iterator[tuple[Kind, CertificateDigest]]:
    digest, copy = row.digest, row.state.acm_leaf
    leaf = digest.chain[0] if digest and digest.chain else None
    if digest is not None:
        if leaf is not None:
            yield Kind.LEAF, leaf
        for each in digest.chain[1:]:
            yield Kind.INTERMEDIATE, each
        if digest.anchor is not None:
            yield Kind.ANCHOR, digest.anchor
    if copy is not None and (leaf is None or leaf.sha256 != copy.sha256[:FINGERPRINT]):
        yield (
            Kind.ACM,
            CertificateDigest(
                sha256=copy.sha256[:FINGERPRINT],
                title=copy.subject or copy.sha256[:16],
                not_after=copy.not_after,
            ),
        )


def lanes_of(expiries: Sequence[Expiry], now: datetime) -> Iterator[Lane]:
    for kind in Kind:
        of_kind = [each for each in expiries if each.kind is kind]
        columns: dict[int, list[Expiry]] = defaultdict(list)
        for each in of_kind:
            columns[_column(each, now)].append(each)
        later = len(columns.pop(WEEKS + 1, ()))
        if of_kind:
            yield Lane(
                kind=kind,
                total=len(of_kind),
                later=later,
                bars=tuple(_bars(columns)),
                top=max(map(len, columns.values()), default=0),
            )


def _column(expiry: Expiry, now: datetime) -> int:
    if expiry.late is Lateness.EXPIRED:
        return 0
    return min(WEEKS, (expiry.not_after - now) // timedelta(weeks=1)) + 1


def _bars(columns: Mapping[int, Sequence[Expiry]]) -> Iterator[Bar]:
    for column, found in sorted(columns.items()):
        base = 0
        for late in Lateness:
            alike = [each for each in found if each.late is late]
            if alike:
                yield Bar(column, base, len(alike), late, _named(alike))
                base += len(alike)


def _named(alike: Sequence[Expiry]) -> str:
    """Return what a column stands for, in one line."""
    lines = [
        f"{each.not_after:%Y-%m-%d} {each.title} ({so_many_sources(len(each.rows))})"
        for each in alike[:_NAMED]
    ]
    more = len(alike) - _NAMED
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")
