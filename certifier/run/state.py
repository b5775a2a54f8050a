"""What Certifier remembers of a source, a task and the breaker between runs; the store keeps it.

Every time has a zone: one without could not be compared with the present.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, ConfigDict

from certifier.certificate.facts import Leaf
from certifier.endpoint.facts import EndpointFields
from certifier.models import Fact, Finding
from certifier.run.history import History
from certifier.run.weakening import lowers_or_moves
from certifier.source import Source
from certifier.text import name_in
from certifier.vocabulary import Cause, Outcome, Witness

BREAKER_SPAN = timedelta(hours=24)


TAKE_OVER = timedelta(minutes=2)
"""The longest function time: for so long a step of an ended execution may still be at work."""
STUCK = timedelta(hours=3)
"""So old a claim is stuck: the loops of a run end after an hour and three quarters at the latest,
and one that was cut off is finished by a tick from ten minutes after its claim on."""


class Claim(Fact):
    """Who may write: the child execution ``execution``, ``since``, and the ``due_at`` it wrote.

    ``took_over``: from an owner that was taken for dead.
    """

    execution: str
    since: AwareDatetime
    due_at: AwareDatetime
    took_over: bool = False

    def is_alone(self, now: datetime) -> bool:
        """Whether no function of an earlier owner can still be about to write.

        DescribeExecution may have been wrong about its end; its claim was lost at the take-over.
        """
        return not self.took_over or now - self.since > TAKE_OVER

    def is_stuck(self, now: datetime) -> bool:
        """Whether its run should have ended long ago, or been taken over."""
        return now - self.since > STUCK


class Marker(Fact):
    """A DMS test of our own, noted only when DMS accepted it. What other versions noted is ignored.

    Attributes:
        settings_digest: of the endpoint that the test is meant to prove.
        accepted_at: when DMS accepted the call (``forgotten``: to delete the connection).
        testing_seen: the connection was seen as ``testing`` since.
        none_seen: DMS has shown no connection since, or none was left when the test was started.
        first: the verdict that the first look has shown, which may be older than the test.
        failures: how many of our own tests failed before this one.
        forgotten: we had the connection deleted; the test is started when DMS shows none.
    """

    model_config = ConfigDict(extra="ignore")

    settings_digest: str
    accepted_at: AwareDatetime
    testing_seen: bool = False
    none_seen: bool = False
    first: str | None = None
    failures: int = 0
    forgotten: bool = False


class NewChain(Fact):
    """Since when every look has shown that an old CA is not needed.

    ``of``: a digest of what was looked at: the bundle, the host and its nodes.
    """

    of: str
    since: AwareDatetime


class DroppedAnchor(Fact):
    """A CA that was dropped, in PEM: when, and for which host it had been trusted."""

    pem: str
    at: AwareDatetime
    host: str


class OnHold(Fact):
    """A source that is not run on purpose: by whom, why, and since when."""

    by: str
    why: str
    since: AwareDatetime

    def words(self, name: str) -> str:
        """Return the sentence for whoever asks for the source."""
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"{self.by} has paused it since {since}: {self.why}; certifier unpause {name}"


class SourceState(Fact):
    """What is remembered of a source between runs.

    Attributes:
        due_at: when Select sources takes it; ``None``: not before somebody asks.
        claim: who may write at the moment.
        outcome, findings, recorded_at, recorded_by: how the last run ended.
        certified_at: when it was last certified.
        reason, backoff: what the back-off counts, and how many runs ended that way in a row.
        waiting_since: since when a finding that may clear by itself is there.
        notified: when people were last notified of what needs them, by its word.
        endpoint: the endpoint as the registered spec names it, lower case.
        owned: the names, lower case, under which the source holds its endpoint besides the spec's.
        endpoint_arn: the endpoint that we adopted or made; one that is gone is never made again.
        creating: the identifier of an endpoint that a run was about to create.
        canary: the identifier of a canary endpoint that a run was about to create.
        acm_arn, acm_superseded: the certificate in ACM, and an older one to delete when unused.
        acm_leaf: what the last import left there.
        served_leaf: SHA-256 of the certificate that was last seen served.
        in_recovery: whether a standby answered the last time that somebody logged in.
        certificate_arn, certificate_digest: the DMS certificate on the endpoint.
        credentials: ARN of the secret with which it was last certified.
        applied_version: VersionId of the credentials that were last set on the endpoint.
        reapplied_version: the same, when DMS had rejected that password and it was set once more.
        settings_digest, applied: the endpoint as the last good run left it.
        reverts: how often something else has undone that.
        markers: tests of the present claim, by whatever key the test uses.
        expires_at, expires: the expiry that comes first, and of which certificate.
        anchors: fingerprints of the CAs that its bundles, or the endpoint, have held so far.
        pending_anchors: those among them that no certified run has used and nobody has approved.
        events: keys of the events that people were notified of (``weakening.event_key``).
        unsent: events of which they could not be notified.
        anchors_left: since when the bundle does not hold CAs that the endpoint trusts, by SHA-256.
        new_chain: since when every look has shown that nothing but the bundle is needed.
        dropped: CAs that were dropped, by SHA-256: a node may show that it needs one after all.
        record: key of the last record in the bucket, without its suffix.
        opens_at, missed_windows: the opening that a change waits for, and how many have passed
            without it.
        announced_by: the run whose events are on the bus, while it is not recorded yet.
        history: how the last runs ended, in bounded size.
        bad_change, bad_changes, change_after: the change that ended badly last, how often in a row,
            and until when it is not made again.
        restart_tries: how many runs in a row have left a task waiting for a restart.
        on_hold: it is not run, whoever starts it, until somebody ends that.
        group: which the tags of its endpoint name (``certifier.run.group``).
    """

    name: str
    due_at: AwareDatetime | None = None
    claim: Claim | None = None
    outcome: Outcome | None = None
    findings: tuple[Finding, ...] = ()
    recorded_at: AwareDatetime | None = None
    recorded_by: str | None = None
    certified_at: AwareDatetime | None = None
    reason: str = ""
    backoff: int = 0
    waiting_since: AwareDatetime | None = None
    notified: Mapping[str, AwareDatetime] = {}
    endpoint: str | None = None
    owned: tuple[str, ...] = ()
    endpoint_arn: str | None = None
    creating: str | None = None
    canary: str | None = None
    acm_arn: str | None = None
    acm_superseded: str | None = None
    acm_leaf: Leaf | None = None
    served_leaf: str | None = None
    in_recovery: bool | None = None
    certificate_arn: str | None = None
    certificate_digest: str | None = None
    credentials: str | None = None
    applied_version: str | None = None
    reapplied_version: str | None = None
    settings_digest: str | None = None
    applied: EndpointFields | None = None
    reverts: int = 0
    markers: Mapping[str, Marker] = {}
    expires_at: AwareDatetime | None = None
    expires: str | None = None
    anchors: tuple[str, ...] = ()
    pending_anchors: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    unsent: tuple[Finding, ...] = ()
    anchors_left: Mapping[str, AwareDatetime] = {}
    new_chain: NewChain | None = None
    dropped: Mapping[str, DroppedAnchor] = {}
    record: str | None = None
    ssl_mode: str | None = None
    pending_restarts: tuple[str, ...] = ()
    opens_at: AwareDatetime | None = None
    missed_windows: int = 0
    announced_by: str | None = None
    bad_change: str | None = None
    bad_changes: int = 0
    change_after: AwareDatetime | None = None
    restart_tries: int = 0
    on_hold: OnHold | None = None
    group: str | None = None
    history: History = History()

    @property
    def held_by_breaker(self) -> bool:
        """Whether the last run was deferred by the breaker, so that its reset makes it due."""
        return self.outcome is Outcome.DEFERRED and self.due_at is None

    def is_of(self, endpoint: str) -> bool:
        """Whether ``endpoint``, an identifier or ARN, is the one that is remembered here."""
        return self.endpoint is None or endpoint.lower() in (self.endpoint, *self.owned)

    @property
    def password_doubted(self) -> bool:
        """Whether DMS has rejected the password that we think is set, and it may be set again."""
        return self.applied_version not in (None, self.reapplied_version) and any(
            found.cause is Cause.PASSWORD_REJECTED and found.place is Witness.DMS_TEST
            for found in self.findings
        )

    def about(self, endpoint: str) -> "SourceState":
        """Return what is remembered that also holds for another endpoint, if it is another."""
        if self.is_of(endpoint):
            return self
        kept = {name: value for name, value in self if name not in OF_ENDPOINT}
        return SourceState(**kept)


REMEMBERED = frozenset(
    {
        "announced_by",
        "endpoint_arn",
        "creating",
        "canary",
        "acm_arn",
        "acm_superseded",
        "acm_leaf",
        "certificate_arn",
        "certificate_digest",
        "applied_version",
        "settings_digest",
        "applied",
        "reverts",
    }
)
"""What a step may remember in the middle of its run; all else is Claim's and Record's."""
OF_ENDPOINT = (
    "owned",
    "endpoint_arn",
    "creating",
    "certificate_arn",
    "certificate_digest",
    "credentials",
    "applied_version",
    "reapplied_version",
    "settings_digest",
    "applied",
    "reverts",
    "markers",
    "new_chain",
    "dropped",
)


class Pause(Fact):
    """A task that we stopped.

    Attributes:
        sources: the sources that need it stopped.
        since: when we first meant to stop it, this time.
        turn: how often it was stopped for a change so far; a new turn is a new stop.
        stop_taken: whether DMS took our stop; ``None``: nobody noted its answer.
        stop_date: the StopDate of the stop that is ours.
        started_at: when we first asked it to start again; it still waits if it fails then.
        starts: how often we have asked.
        endpoints: the ARNs of the endpoints that it connects, as far as they are known.
        identifier: what people call the task; an earlier version did not note it.
        retained: bytes of WAL that the server of its source kept for each slot, by name, as the
            login saw before the stop.
    """

    task_arn: str
    sources: tuple[str, ...]
    since: AwareDatetime
    turn: int = 0
    stop_taken: bool | None = None
    stop_date: AwareDatetime | None = None
    started_at: AwareDatetime | None = None
    starts: int = 0
    endpoints: tuple[str, ...] = ()
    identifier: str | None = None
    retained: Mapping[str, int] = {}

    @property
    def name(self) -> str:
        """What people call the task, or the end of its ARN."""
        return self.identifier or name_in(self.task_arn)

    @property
    def name_and_arn(self) -> str:
        """Both, for whoever types a command next."""
        return self.task_arn if self.identifier is None else f"{self.identifier} ({self.task_arn})"


class BadEnd(Fact):
    """One child that wrote an undo log and ended badly."""

    at: AwareDatetime
    source: str
    run: str


class Breaker(Fact):
    """The bad ends of the last day, since when changes are stopped, and by which run's end.

    ``unreadable``: what another version has written does not say whether they are; so they are.
    ``was_unreadable``: that is why it was opened.
    """

    ends: tuple[BadEnd, ...] = ()
    open_since: AwareDatetime | None = None
    opened_by: str | None = None
    version: int = 0
    unreadable: bool = False
    was_unreadable: bool = False

    @property
    def open(self) -> bool:
        """Whether no change may begin."""
        return self.unreadable or self.open_since is not None

    @property
    def is_unread(self) -> bool:
        """Whether no change may begin because what is written could not be read."""
        return self.unreadable or self.was_unreadable

    def after(self, end: BadEnd, limit: int, *, recorded_by: str | None = None) -> "Breaker":
        """Return the breaker once ``end`` is counted; it opens at ``limit`` sources in 24 hours.

        A run that is counted already is not counted again, and nothing is written over what this
        version cannot read. One source alone never opens it: what is
        wrong with it is its own.

        Args:
            recorded_by: the run that counts it, if that is another one than the end's own.
        """
        if self.unreadable or any(known.run == end.run for known in self.ends):
            return self
        recent = (*(known for known in self.ends if end.at - known.at < BREAKER_SPAN), end)
        opens = not self.open and len({known.source for known in recent}) >= limit
        return Breaker(
            ends=recent[-max(limit, 20) :],
            open_since=end.at if opens else self.open_since,
            opened_by=(recorded_by or end.run) if opens else self.opened_by,
            version=self.version,
            was_unreadable=self.was_unreadable,
        )

    def stopped(self, at: datetime, recorded_by: str) -> "Breaker":
        """Return the breaker once a run waits for one that cannot be read: open, by that run."""
        return Breaker(
            open_since=at, opened_by=recorded_by, version=self.version, was_unreadable=True
        )


class Registration(Fact):
    """What stands in the way of registering a source, gathered before anything is written.

    Attributes:
        known: the spec as registered; ``None`` for a new name, and for one that this version cannot
            read. ``version``: its version; 0 for a new name.
        was: the endpoint of the registered spec, lower case.
        unreadable: what the table remembers of the source is not valid in this version.
        moves: ``source`` names another endpoint than the registered spec.
        kept: the source has an endpoint, which nobody would keep any more if it moved.
        busy: why the endpoint may not be changed now; empty when nothing holds it.
        owner: another source that has the endpoint already.
    """

    known: Source | None = None
    moves: bool = False
    kept: bool = False
    version: int = 0
    was: str | None = None
    unreadable: bool = False
    busy: str = ""
    owner: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether nobody has registered the name; a version may be missing for other reasons."""
        return self.version == 0 and self.was is None

    def holds(self, source: Source) -> bool:
        """Whether ``source`` is registered just so."""
        return self.known == source.model_copy(update={"replaces": None})

    def problems(self, source: Source) -> tuple[str, ...]:
        """Return one sentence for every reason why ``source`` cannot be registered."""
        found = []
        if self.unreadable:
            found.append(
                "name: what the table remembers of the source is not valid in this version of "
                "Certifier; deploy the version that wrote it"
            )
        if self.owner is not None:
            found.append(
                f"endpoint: endpoint_taken: {source.endpoint} already belongs to the source "
                f"'{self.owner}'; two sources on one endpoint would undo each other's changes"
            )
        if self.moves and self.busy:
            was = self.known.endpoint if self.known is not None else self.was
            found.append(
                f"endpoint: cannot be changed from {was} now, since the source has "
                f"{self.busy}; the run, or the schedule in its place, finishes that by itself: try "
                "again then"
            )
        return (*found, *self._unread(source))

    def _unread(self, source: Source) -> Iterator[str]:
        """Yield why an edit is refused whose author has not read what it replaces."""
        edited = source.model_copy(update={"replaces": None})
        if self.known is None or self.known == edited or source.replaces == self.version:
            return
        if source.replaces is not None:
            yield (
                f"replaces: version {source.replaces} is not the registered one, {self.version}: "
                "somebody has registered the source again; read it before you replace it"
            )
            return
        left = f"endpoint: leaves {self.known.endpoint}, which nobody would keep any more"
        for what in (
            *lowers_or_moves(self.known, edited, kept=self.kept),
            *([left] if self.moves and self.kept else []),
        ):
            yield (
                f"{what}; whoever means that has read the registered source, and says so with "
                f'"replaces": {self.version}'
            )


class Recording(Fact):
    """What Record certification writes in its one transaction.

    Attributes:
        due_at: the next time, or ``None`` for when the breaker is closed; ignored when somebody
            asked meanwhile.
        erase_undo: the endpoint was proven new, or read back as old.
        bad_end: the run whose change ended badly, which counts for the breaker.
        first: comes before other sources when it is due: there is something to finish.
        state: every other field of STATE that changes, by its name in ``SourceState``.
    """

    outcome: Outcome
    at: datetime
    due_at: datetime | None
    findings: tuple[Finding, ...] = ()
    erase_undo: bool = False
    bad_end: str | None = None
    first: bool = False
    state: Mapping[str, Any] = {}
