"""One source of the page: its line in the table, and what its sheet is made of. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from certifier.certificate.lifetime import Lifetime
from certifier.fleet.digest import FINGERPRINT, CertificateDigest, Digest, VerdictDigest
from certifier.fleet.facts import InstallationFacts, SourceFacts
from certifier.fleet.status import OF_OUTCOME, Lateness, Status, Tone, lateness
from certifier.models import Finding, weightiest
from certifier.run.ending import Ending
from certifier.run.group import group_of
from certifier.run.history import PastRun
from certifier.run.notice import attention
from certifier.run.state import SourceState
from certifier.vocabulary import SslMode

OVERDUE = timedelta(days=1)
"""So long after its time a source that nothing has taken up needs a person."""
_SHOWN = 16
T = TypeVar("T")


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
        return OF_OUTCOME[self.last.outcome]


@dataclass(frozen=True)
class SourceRow:
    """One source in the table, and what its sheet is made of.

    Attributes:
        id: the fragment of its sheet, unique on the page.
        strictest: the strictest mode that would connect today; None when nobody looked.
        cause: the finding that matters most; None when there is none.
        days, share: whole days until the first expiry, and how much of that certificate's life is
            left, in per cent.
        overdue: for how long the schedule should have taken it up, if for longer than a day, or
            since the run that has it should have ended.
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
        return (not self.needs, self.status.rank, self.ends, self.name)

    @property
    def ends(self) -> float:
        """Sorts what expires first to the front, and what does not expire to the end."""
        return self.expires_at.timestamp() if self.expires_at else float("inf")


def source_row(
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
    waited = waits(state, now)
    stuck = state.claim is not None and state.claim.is_stuck(now)
    overdue = waited if waited > OVERDUE or stuck else None
    status = Status.TASK if state.pending_restarts else _status(facts, now)
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
        needs=_attention(state, late, overdue, now, cut_off=is_cut_off(facts, now)),
        runs=tuple(_folded(state.history.runs)),
    )


def _status(facts: SourceFacts, now: datetime) -> Status:
    state = facts.state
    if is_cut_off(facts, now):
        return Status.UNFINISHED
    if state.on_hold is not None:
        return Status.DEFERRED
    return Status.NEW if state.outcome is None else OF_OUTCOME[state.outcome]


def is_cut_off(facts: SourceFacts, now: datetime) -> bool:
    """Whether something is begun and not finished, and the rescue of its run is due.

    That is a change that is neither proven nor rolled back, or a task that is stopped for one.

    The page does not ask Step Functions: ten minutes after its claim a run counts as cut off.
    """
    claim = facts.state.claim
    begun = facts.has_log or bool(facts.stopped)
    return begun and (claim is None or claim.due_at <= now)


def waits(state: SourceState, now: datetime) -> timedelta:
    """Return for how long nothing has taken up a source that is due.

    One that a run has is not due, unless that run should have ended long ago: then it has waited
    since its rescue was due.
    """
    due, claim = state.due_at, state.claim
    if claim is not None:
        due = claim.due_at if claim.is_stuck(now) else None
    return timedelta(0) if due is None else max(timedelta(0), now - due)


def _attention(
    state: SourceState,
    late: Lateness | None,
    overdue: timedelta | None,
    now: datetime,
    *,
    cut_off: bool,
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
    if cut_off:
        needs.append(Status.UNFINISHED.value)
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
