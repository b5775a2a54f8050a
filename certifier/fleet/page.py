"""The fleet page as values: what is on it, in which order, and in which words. Pure.

``fleet_page`` takes what was gathered of one or several installations and answers everything that
the template shows; the template only writes it down. No clock: ``now`` is an argument.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from certifier.certificate.lifetime import Lifetime
from certifier.diagnosis import CATALOGUE
from certifier.fleet.digest import FINGERPRINT, CertificateDigest, Digest, VerdictDigest
from certifier.models import Finding, Policy, weightiest
from certifier.run.ending import Ending
from certifier.run.group import group_of
from certifier.run.history import DAYS, LETTERS, NO_RUN, PastRun
from certifier.run.notice import attention
from certifier.run.state import Breaker, SourceState
from certifier.source import Source
from certifier.vocabulary import Cause, Outcome, SslMode

DAY = timedelta(days=1)
WARNING_DAYS = Policy().warning_days
"""The page knows no settings: how long before its end a certificate is due is the default's."""
OVERDUE = DAY
"""So long after its time a source that nothing has taken up needs a person."""
WAITING = timedelta(hours=1)
"""So long after its time a source counts as waiting; a tick comes every ten minutes."""
WEEKS = 52
YEAR = 7 * WEEKS
SOON = 6
"""Certificates that are named under the timeline."""
T = TypeVar("T")


class Tone(StrEnum):
    """How much something asks for attention; also the class that colours it."""

    BAD = "bad"
    WARN = "warn"
    CALM = "calm"
    GOOD = "good"


class Lateness(StrEnum):
    """How close a certificate is to its expiry, measured by its own lifetime."""

    EXPIRED = "expired"
    LATE = "late"
    DUE = "due"
    FINE = "fine"

    @property
    def tone(self) -> Tone:
        """Its colour."""
        return _LATENESS_TONES[self]


_LATENESS_TONES = {
    Lateness.EXPIRED: Tone.BAD,
    Lateness.LATE: Tone.BAD,
    Lateness.DUE: Tone.WARN,
    Lateness.FINE: Tone.GOOD,
}


def lateness(not_before: datetime | None, not_after: datetime, now: datetime) -> Lateness:
    """Return how late the renewal of a certificate is; the rule is that of the notices."""
    life = Lifetime(not_before, not_after)
    if not_after < now:
        return Lateness.EXPIRED
    if life.is_late(now):
        return Lateness.LATE
    return Lateness.DUE if life.expires_soon(now, WARNING_DAYS) else Lateness.FINE


class Status(StrEnum):
    """Where a source stands, the worst first."""

    TASK = "task stopped"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    DEFERRED = "deferred"
    PLANNED = "planned"
    NEW = "not run yet"
    CERTIFIED = "certified"

    @property
    def tone(self) -> Tone:
        """Its colour."""
        return _STATUS_TONES[self]

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Status).index(self)


_STATUS_TONES = {
    Status.TASK: Tone.BAD,
    Status.FAILED: Tone.BAD,
    Status.ROLLED_BACK: Tone.WARN,
    Status.REFUSED: Tone.WARN,
    Status.DEFERRED: Tone.CALM,
    Status.PLANNED: Tone.CALM,
    Status.NEW: Tone.CALM,
    Status.CERTIFIED: Tone.GOOD,
}
_OF_OUTCOME = {
    Outcome.TASK_STOPPED: Status.TASK,
    Outcome.CERTIFIED: Status.CERTIFIED,
    Outcome.REFUSED: Status.REFUSED,
    Outcome.ROLLED_BACK: Status.ROLLED_BACK,
    Outcome.FAILED: Status.FAILED,
    Outcome.PLANNED: Status.PLANNED,
    Outcome.DEFERRED: Status.DEFERRED,
}
_TASK_NEXT = CATALOGUE[Cause.TASK_NOT_RESTARTED].remedy
_EXPIRY_NEXT = CATALOGUE[Cause.CERTIFICATE_EXPIRES_SOON].remedy
_OVERDUE_NEXT = (
    "See whether the schedule is enabled and whether its last executions of the state machine "
    "ended; then start the source: certifier certify NAME."
)


# -- what is given


@dataclass(frozen=True)
class SourceFacts:
    """A registered source. ``spec``: None when this version does not read what was registered."""

    name: str
    spec: Source | None
    version: int
    state: SourceState
    digest: Digest | None = None


@dataclass(frozen=True)
class InstallationFacts:
    """One installation, as it was read.

    Attributes:
        label: what to call it, e.g. ``Certifier · eu-west-1 · 111122223333``.
        record_url: the address of a record, given its key without the suffix.
        finished_at: when its last execution that had something to do was finished.
        report: the key of that execution's report, as ``record_url`` takes it.
        unread: records that there was no time to read.
        problem: why nothing of it could be read.
    """

    label: str
    record_url: Callable[[str], str]
    sources: tuple[SourceFacts, ...] = ()
    bundles: Mapping[str, tuple[CertificateDigest, ...]] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)
    finished_at: datetime | None = None
    report: str | None = None
    unread: int = 0
    problem: str = ""


# -- what is answered


@dataclass(frozen=True)
class Identity:
    """One way to see which certificate or CA is in use. ``tone``: None when it is not known."""

    who: str
    what: str
    tone: Tone | None
    words: str


@dataclass(frozen=True)
class Runs:
    """Runs in a row that ended alike: the latest and the first of them, and how many."""

    last: PastRun
    first: PastRun
    count: int

    @property
    def status(self) -> Status:
        return _OF_OUTCOME[self.last.outcome]


@dataclass(frozen=True)
class SourceRow:
    """One source in the table, and what its sheet is made of.

    Attributes:
        id: the fragment of its sheet, unique on the page.
        strictest: the strictest mode that would connect today; None when nobody looked.
        cause: the finding that matters most; None when there is none.
        days, share: whole days until the first expiry, and how much of that certificate's life is
            left, in per cent.
        overdue: for how long the schedule should have taken it up, if for longer than a day.
        needs: what needs a person, as causes; empty when nothing does.
        others: the runs before the last one, equal ones folded, the latest first.
    """

    id: str
    installation: InstallationFacts
    facts: SourceFacts
    group: str
    status: Status
    mode: SslMode | None
    strictest: SslMode | None
    cause: Finding | None
    expires_at: datetime | None
    days: int | None
    share: int | None
    late: Lateness | None
    overdue: timedelta | None
    needs: tuple[str, ...]
    runs: tuple[Runs, ...]

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def place(self) -> str:
        """What tells its installation from others: the Region, where the label has it."""
        words = self.installation.label.split(" · ")
        return words[1] if len(words) > 1 else words[0]

    @property
    def state(self) -> SourceState:
        return self.facts.state

    @property
    def digest(self) -> Digest | None:
        return self.facts.digest

    @property
    def identity(self) -> tuple[Identity, ...]:
        """The certificate as the team means it, as the server serves it, and as DMS trusts it."""
        return tuple(_identity(self))

    @property
    def verdicts(self) -> tuple[tuple[str, VerdictDigest], ...]:
        """What the modes would do; those that would do the same, in the same words, together."""
        return _together(self.digest.verdicts.items()) if self.digest else ()

    @property
    def proofs(self) -> tuple[tuple[str, str], ...]:
        """Who has verified what, those that have verified the same together."""
        return _together(self.digest.verified.items()) if self.digest else ()

    @property
    def could_be_raised(self) -> bool:
        """Whether a stricter mode than the present one would connect."""
        return (
            self.strictest is not None
            and self.mode is not None
            and self.strictest.strength > self.mode.strength
        )

    @property
    def weight(self) -> tuple[object, ...]:
        """Sorts the worst to the front."""
        expires = self.expires_at.timestamp() if self.expires_at else float("inf")
        return (not self.needs, self.status.rank, expires, self.name)


@dataclass(frozen=True)
class Need:
    """One reason why a person is needed, and the sources that it concerns.

    ``seen``: what was seen, of the first of them; ``alike``: whether it is the same of all.
    """

    status: Status
    tone: Tone
    title: str
    cause: str | None
    seen: str
    alike: bool
    next: str
    rows: tuple[SourceRow, ...]


@dataclass(frozen=True)
class Count:
    """How many sources, under which word and in which colour."""

    word: str
    count: int
    tone: Tone


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


@dataclass(frozen=True)
class DayBar:
    """One day: how many sources had their worst run end in which way; ``good`` counts the rest."""

    day: date
    good: int
    warn: int
    bad: int

    @property
    def ran(self) -> int:
        return self.good + self.trouble

    @property
    def trouble(self) -> int:
        """How many were refused, rolled back, or failed."""
        return self.warn + self.bad


@dataclass(frozen=True)
class Group:
    """Sources whose endpoints' tags name the same group, or whose names begin alike."""

    name: str
    rows: tuple[SourceRow, ...]
    needing: int
    days: int | None
    late: Lateness | None
    counts: tuple[Count, ...]


@dataclass(frozen=True)
class FleetPage:
    """Everything that the page shows."""

    made_at: datetime
    installations: tuple[InstallationFacts, ...]
    rows: tuple[SourceRow, ...]
    needs: tuple[Need, ...]
    statuses: tuple[Count, ...]
    modes: tuple[Count, ...]
    stopped_tasks: int
    first_expiry: SourceRow | None
    raisable: tuple[SourceRow, ...]
    waiting: tuple[SourceRow, ...]
    finished_at: datetime | None
    authorities: tuple[Authority, ...]
    lanes: tuple[Lane, ...]
    expiries: tuple[Expiry, ...]
    days: tuple[DayBar, ...]
    groups: tuple[Group, ...]

    @property
    def several(self) -> bool:
        """Whether the page shows more than one installation."""
        return len(self.installations) > 1

    @property
    def certified(self) -> int:
        return sum(row.status is Status.CERTIFIED for row in self.rows)

    @property
    def unverified(self) -> int:
        """How many sources connect in a mode that verifies nothing."""
        return sum(row.mode is not None and not row.mode.verifies for row in self.rows)

    @property
    def soonest(self) -> tuple[Expiry, ...]:
        """What expires first within the year."""
        return tuple(each for each in self.expiries if each.days < YEAR)[:SOON]

    @property
    def needing(self) -> int:
        """How many sources need a person."""
        return sum(bool(row.needs) for row in self.rows)

    @property
    def tone(self) -> Tone:
        """The colour of the whole answer."""
        if any(each.problem for each in self.installations):
            return Tone.BAD
        if not self.rows:
            return Tone.CALM
        worst = {need.tone for need in self.needs}
        if Tone.BAD in worst:
            return Tone.BAD
        return Tone.WARN if worst or self.changes_stopped else Tone.GOOD

    @property
    def changes_stopped(self) -> tuple[InstallationFacts, ...]:
        """The installations whose breaker is open."""
        return tuple(each for each in self.installations if each.breaker.open)

    @property
    def unread_breakers(self) -> tuple[InstallationFacts, ...]:
        """Those among them whose breaker is open because it could not be read."""
        return tuple(each for each in self.changes_stopped if each.breaker.is_unread)

    @property
    def headline(self) -> str:
        """The answer in one line."""
        total, needing = len(self.rows), self.needing
        if not total:
            return "No source is registered yet"
        if needing:
            verb = "needs" if needing == 1 else "need"
            return f"{needing} of {_sources(total)} {verb} a person"
        if self.certified == total:
            return f"All {total} sources are certified" if total > 1 else "The source is certified"
        return "No source needs a person"


def _sources(count: int) -> str:
    return "1 source" if count == 1 else f"{count} sources"


def fleet_page(installations: Sequence[InstallationFacts], now: datetime) -> FleetPage:
    """Return the page of these installations, as it is ``now``."""
    rows = tuple(
        sorted(
            (
                _row(facts, each, now, prefix=f"{number}-" if len(installations) > 1 else "")
                for number, each in enumerate(installations, 1)
                for facts in each.sources
            ),
            key=lambda row: row.weight,
        )
    )
    rows = _grouped(rows)
    expiries = _expiries(rows, now)
    finished = [each.finished_at for each in installations if each.finished_at is not None]
    dated = [row for row in rows if row.expires_at is not None]
    return FleetPage(
        made_at=now,
        installations=tuple(installations),
        rows=rows,
        needs=tuple(_needs(rows)),
        statuses=_counted((row.status for row in rows), Status, lambda status: status.tone),
        modes=_counted((row.mode for row in rows if row.mode), reversed(SslMode), _mode_tone),
        stopped_tasks=sum(len(row.state.pending_restarts) for row in rows),
        first_expiry=min(dated, key=lambda row: _known(row.expires_at), default=None),
        raisable=tuple(row for row in rows if row.could_be_raised),
        waiting=tuple(row for row in rows if _waits(row.state, now) > WAITING),
        finished_at=min(finished, default=None),
        authorities=_authorities(rows, now),
        lanes=tuple(_lanes(expiries, now)),
        expiries=expiries,
        days=_days(rows, now),
        groups=_groups(rows),
    )


def _known(value: T | None) -> T:
    assert value is not None
    return value


def _mode_tone(mode: SslMode) -> Tone:
    return {
        SslMode.VERIFY_FULL: Tone.GOOD,
        SslMode.VERIFY_CA: Tone.CALM,
        SslMode.REQUIRE: Tone.WARN,
        SslMode.NONE: Tone.BAD,
    }[mode]


def _counted(
    found: Iterable[T], order: Iterable[T], tone: Callable[[T], Tone]
) -> tuple[Count, ...]:
    counts = Counter(found)
    return tuple(Count(str(word), counts[word], tone(word)) for word in order if counts[word])


# -- rows


def _row(
    facts: SourceFacts, installation: InstallationFacts, now: datetime, *, prefix: str
) -> SourceRow:
    state = facts.state
    certificate = _first_to_expire(facts, installation)
    expires = state.expires_at
    late = share = None
    if expires is not None:
        begins = certificate.not_before if certificate else None
        late = lateness(begins, expires, now)
        left = Lifetime(begins, expires).share_left(now)
        share = None if left is None else round(left * 100)
    waits = _waits(state, now)
    overdue = waits if waits > OVERDUE else None
    status = Status.TASK if state.pending_restarts else _status(state)
    return SourceRow(
        id=f"s-{prefix}{facts.name}",
        installation=installation,
        facts=facts,
        group=group_of(facts.name, state.group),
        status=status,
        mode=SslMode(state.ssl_mode) if state.ssl_mode in set(SslMode) else None,
        strictest=_strictest(facts.digest),
        cause=weightiest(state.findings),
        expires_at=expires,
        days=None if expires is None else (expires - now).days,
        share=share,
        late=late,
        overdue=overdue,
        needs=_attention(state, late, overdue, now),
        runs=tuple(_folded(state.history.runs)),
    )


def _status(state: SourceState) -> Status:
    if state.on_hold is not None:
        return Status.DEFERRED
    return Status.NEW if state.outcome is None else _OF_OUTCOME[state.outcome]


def _waits(state: SourceState, now: datetime) -> timedelta:
    """Return for how long nothing has taken up a source that is due."""
    if state.due_at is None or state.claim is not None:
        return timedelta(0)
    return max(timedelta(0), now - state.due_at)


def _attention(
    state: SourceState, late: Lateness | None, overdue: timedelta | None, now: datetime
) -> tuple[str, ...]:
    """Return what needs a person, by the rule of the notices, and what only time has brought."""
    needs: list[str] = []
    if state.outcome is not None:
        words = attention(
            Ending(state.outcome, state.findings),
            pending_restarts=state.pending_restarts,
            waiting_since=state.waiting_since,
            now=now,
        )
        needs = [word.removesuffix("!") for word in words]
    if late in (Lateness.EXPIRED, Lateness.LATE):
        needs.append(str(late))
    if overdue is not None:
        needs.append("overdue")
    return tuple(needs)


def _strictest(digest: Digest | None) -> SslMode | None:
    if digest is None or not digest.verdicts:
        return None
    passing = [mode for mode, verdict in digest.verdicts.items() if verdict.passed]
    return max(map(SslMode, passing), key=lambda mode: mode.strength, default=None)


def _first_to_expire(
    facts: SourceFacts, installation: InstallationFacts
) -> CertificateDigest | None:
    """Return the certificate whose end is the first one, as far as its dates are known."""
    ends = facts.state.expires_at
    known = _certificates(facts, installation)
    return next((each for each in known if each.not_after == ends and ends is not None), None)


def _certificates(
    facts: SourceFacts, installation: InstallationFacts
) -> Iterator[CertificateDigest]:
    digest = facts.digest
    if digest is not None:
        yield from digest.chain
        if digest.anchor is not None:
            yield digest.anchor
        yield from installation.bundles.get(digest.bundle or "", ())


def _identity(row: SourceRow) -> Iterator[Identity]:
    """Yield who has which certificate, whoever has the served one together; then who trusts it."""
    digest, copy = row.digest or Digest(record=""), row.state.acm_leaf
    served = digest.chain[0].sha256 if digest.chain else None
    meant = [("in the secret or in ACM", digest.intended)] if digest.intended else []
    if copy is not None:
        meant.append(("copied to ACM", copy.sha256[:FINGERPRINT]))
    same = [who for who, sha256 in meant if sha256 == served]
    if served is not None:
        words = "the same everywhere" if len(same) == len(meant) > 0 else ""
        tone = Tone.GOOD if words else None
        yield Identity(", ".join((*same, "served")), served[:_SHOWN], tone, words)
    for who, sha256 in meant:
        if sha256 != served:
            seen = served is not None
            words = "not the one that is served" if seen else "what is served was not seen"
            yield Identity(who, sha256[:_SHOWN], Tone.WARN if seen else None, words)
    trusted = {each.sha256 for each in row.installation.bundles.get(digest.bundle or "", ())}
    if trusted:
        count = "1 CA" if len(trusted) == 1 else f"{len(trusted)} CAs"
        yield Identity("trusted by DMS", count, *_trusts(digest.anchor, trusted))


_SHOWN = 16


def _trusts(anchor: CertificateDigest | None, trusted: set[str]) -> tuple[Tone | None, str]:
    if anchor is None:
        return None, "where the served chain ends is not known"
    if anchor.sha256 in trusted:
        return Tone.GOOD, "the served chain ends there"
    return Tone.WARN, "the served chain ends in another one"


def _together(named: Iterable[tuple[str, T]]) -> tuple[tuple[str, T], ...]:
    """Return pairs, the names of those with equal values put together, in their order."""
    found: list[tuple[list[str], T]] = []
    for name, value in named:
        same = next((names for names, other in found if other == value), None)
        if same is None:
            found.append(([name], value))
        else:
            same.append(name)
    return tuple((", ".join(names), value) for names, value in found)


def _folded(runs: Sequence[PastRun]) -> Iterator[Runs]:
    """Yield runs, the latest first; those in a row that ended alike as one."""
    latest: PastRun | None = None
    first: PastRun | None = None
    count = 0
    for run in reversed(runs):
        if latest and first and (run.outcome, run.cause) == (latest.outcome, latest.cause):
            first, count = run, count + 1
            continue
        if latest and first:
            yield Runs(latest, first, count)
        latest = first = run
        count = 1
    if latest and first:
        yield Runs(latest, first, count)


# -- who needs a person


def _needs(rows: Sequence[SourceRow]) -> Iterator[Need]:
    """Yield the reasons, worst first, each with all sources that it concerns."""
    reasons: dict[tuple[int, str, str | None, str], list[tuple[SourceRow, _Reason]]] = defaultdict(
        list
    )
    for row in rows:
        if row.needs:
            reason = _reason(row)
            key = (reason.rank, reason.title, reason.cause, reason.next)
            reasons[key].append((row, reason))
    for key in sorted(reasons, key=lambda key: (key[0], -len(reasons[key]), str(key))):
        affected = reasons[key]
        row, reason = affected[0]
        yield Need(
            status=row.status,
            tone=reason.tone,
            title=reason.title,
            cause=reason.cause,
            seen=reason.seen,
            alike=all(other.seen == reason.seen for _, other in affected),
            next=reason.next,
            rows=tuple(row for row, _ in affected),
        )


@dataclass(frozen=True)
class _Reason:
    rank: int
    tone: Tone
    title: str
    cause: str | None
    seen: str
    next: str


_SOON = Cause.CERTIFICATE_EXPIRES_SOON.value


def _reason(row: SourceRow) -> _Reason:
    """Return the one reason that matters most of a source that needs a person."""
    cause, seen = _cause_of(row)
    remedy = row.cause.remedy if row.cause else "Read the record of its last run."
    if row.status is Status.TASK:
        count = len(row.state.pending_restarts)
        title = "A task is stopped" if count == 1 else "Tasks are stopped"
        of_task = [f for f in row.state.findings if f.cause is Cause.TASK_NOT_RESTARTED]
        seen = of_task[0].seen if of_task else seen
        return _Reason(0, Tone.BAD, title, Cause.TASK_NOT_RESTARTED, seen, _TASK_NEXT)
    if row.status is Status.FAILED:
        return _Reason(1, Tone.BAD, "Failed", cause, seen, remedy)
    if row.late is Lateness.EXPIRED:
        seen = f"{row.state.expires or 'a certificate'} has expired"
        return _Reason(2, Tone.BAD, "Expired", _SOON, seen, _EXPIRY_NEXT)
    if row.status is Status.ROLLED_BACK:
        return _Reason(3, Tone.WARN, "Rolled back", cause, seen, remedy)
    if row.status is Status.REFUSED:
        return _Reason(4, Tone.WARN, "Refused", cause, seen, remedy)
    if row.late is Lateness.LATE:
        seen = f"{row.state.expires or 'a certificate'} expires in {_span_days(row.days)}"
        return _Reason(5, Tone.WARN, "Expires soon", _SOON, seen, _EXPIRY_NEXT)
    if cause == _SOON and row.overdue is None:
        return _Reason(5, Tone.WARN, "Expires soon", _SOON, seen, _EXPIRY_NEXT)
    if row.overdue is not None:
        seen = f"due for {row.overdue.days} d, and nothing has taken it up"
        return _Reason(6, Tone.WARN, "Not run in time", None, seen, _OVERDUE_NEXT)
    return _Reason(7, Tone.WARN, "Look at", cause, seen, remedy)


def _cause_of(row: SourceRow) -> tuple[str | None, str]:
    if row.cause is None:
        return None, f"the last run ended as {row.status.value}"
    return row.cause.cause.value, row.cause.seen


def _span_days(days: int | None) -> str:
    return "some days" if days is None else "1 day" if days == 1 else f"{days} days"


# -- CAs, and what expires


def _authorities(rows: Sequence[SourceRow], now: datetime) -> tuple[Authority, ...]:
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


def _expiries(rows: Sequence[SourceRow], now: datetime) -> tuple[Expiry, ...]:
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


def _lanes(expiries: Sequence[Expiry], now: datetime) -> Iterator[Lane]:
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
    return min(WEEKS, (expiry.not_after - now) // (7 * DAY)) + 1


_NAMED = 4


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
        f"{each.not_after:%Y-%m-%d} {each.title} ({_sources(len(each.rows))})"
        for each in alike[:_NAMED]
    ]
    more = len(alike) - _NAMED
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


# -- the last 90 days

_GOOD = frozenset(LETTERS[o] for o in (Outcome.CERTIFIED, Outcome.PLANNED, Outcome.DEFERRED))
_WARN = frozenset(LETTERS[o] for o in (Outcome.REFUSED, Outcome.ROLLED_BACK))


def _days(rows: Sequence[SourceRow], now: datetime) -> tuple[DayBar, ...]:
    today = now.astimezone(UTC).date()
    found = []
    for ago in range(DAYS - 1, -1, -1):
        day = today - ago * DAY
        letters = Counter(row.state.history.letter_of(day) for row in rows)
        letters.pop(NO_RUN, None)
        good = sum(count for letter, count in letters.items() if letter in _GOOD)
        warn = sum(count for letter, count in letters.items() if letter in _WARN)
        bad = sum(letters[LETTERS[each]] for each in (Outcome.FAILED, Outcome.TASK_STOPPED))
        found.append(DayBar(day=day, good=good, warn=warn, bad=bad))
    return tuple(found)


# -- groups

OTHERS = "others"


def _grouped(rows: Sequence[SourceRow]) -> tuple[SourceRow, ...]:
    """Return the rows, those of no tag whose beginning nobody shares in one group."""
    counts = Counter(row.group for row in rows)
    return tuple(
        row if row.state.group or counts[row.group] > 1 else replace(row, group=OTHERS)
        for row in rows
    )


def _groups(rows: Sequence[SourceRow]) -> tuple[Group, ...]:
    """Return the groups, those that need a person first."""
    of: dict[str, list[SourceRow]] = defaultdict(list)
    for row in rows:
        of[row.group].append(row)
    groups = []
    for name, members in of.items():
        dated = [row for row in members if row.days is not None]
        first = min(dated, key=lambda row: _known(row.days), default=None)
        groups.append(
            Group(
                name=name,
                rows=tuple(members),
                needing=sum(bool(row.needs) for row in members),
                days=first.days if first else None,
                late=first.late if first else None,
                counts=_counted((row.status for row in members), Status, lambda s: s.tone),
            )
        )
    groups.sort(key=lambda group: (group.name == OTHERS, -group.needing, group.name))
    return tuple(groups)
