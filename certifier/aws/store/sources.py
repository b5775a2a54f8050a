"""Sources: registered, asked for, due, forgotten. None of it is written for a run."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from certifier.aws.clients import translated
from certifier.aws.store.items import (
    DUE,
    FIRST,
    RACES,
    RESCUE,
    UNREADABLE,
    owner_key,
    registered_of,
    source_key,
    stamp,
    unchanged,
    unless_taken,
    version_of,
)
from certifier.aws.store.reads import Reads
from certifier.aws.table import ConditionFailed, Write, packed, unpacked
from certifier.errors import Busy, CertifierError, InvalidEvent, Retryable, Unexpected, Unreadable
from certifier.run.approval import chosen
from certifier.run.kept import written
from certifier.run.state import OF_ENDPOINT, OnHold, Registration, SourceState
from certifier.source import Source
from certifier.source_values import is_name

_PAGES = 100
SOON = timedelta(minutes=1)
"""Within this a run that was started has claimed its source."""
_NAMED = 20
TOGETHER = 100
"""Writes of one transaction (API of DynamoDB, TransactWriteItems)."""


@dataclass(frozen=True)
class InUse:
    """A source cannot be forgotten now. ``by`` says what holds it."""

    by: str


Seen = tuple[Source, Registration]


def _problems(seen: Sequence[Seen]) -> list[str]:
    """Return what stands in the way, with the place of each source in the input."""
    return [
        f"sources.{index}.{problem}"
        for index, (source, at) in enumerate(seen)
        for problem in at.problems(source)
    ]


def _staying(seen: Sequence[Seen], left: Collection[str]) -> list[str]:
    """Return a sentence for each source that was to be taken back and is registered."""
    return [
        f"sources.{index}: {source.name} stays registered: it could not be taken back"
        for index, (source, at) in enumerate(seen)
        if source.name in left and at.holds(source)
    ]


def _and_left(left: Collection[str]) -> str:
    return f"; stay registered: {', '.join(sorted(left)[:_NAMED])}" if left else ""


def _together(
    writes: Iterable[tuple[Seen, list[Write]]],
) -> Iterator[list[tuple[Seen, list[Write]]]]:
    """Yield them in parts that one transaction takes; those of a source stay together."""
    part: list[tuple[Seen, list[Write]]] = []
    count = 0
    for one, of_it in writes:
        if part and count + len(of_it) > TOGETHER:
            yield part
            part, count = [], 0
        part.append((one, of_it))
        count += len(of_it)
    if part:
        yield part


class Sources(Reads):
    """Who is registered, and who is due."""

    def registration(self, source: Source) -> Registration:
        """Return what stands in the way of registering ``source``; writes nothing."""
        spec = self._table.get(source_key(source.name, "SPEC"))
        try:
            state = self.state(source.name)
        except Unreadable:
            return Registration(unreadable=True)
        keys = {source.endpoint}
        known = None
        with suppress(Unreadable):  # whoever registers it anew puts that right
            known = None if spec is None else registered_of(spec)[0]
        moves = spec is not None and state is not None and not state.is_of(source.endpoint)
        if spec is not None and state is not None and not moves:
            keys |= {state.endpoint_arn} if state.endpoint_arn else set()
        owners = {self.endpoint_owner(key) for key in keys} - {None, source.name}
        return Registration(
            known=known,
            moves=moves,
            kept=state is not None and state.endpoint_arn is not None,
            version=0 if spec is None else version_of(spec),
            was=state.endpoint if state is not None else None,
            busy="" if spec is None else self._holds(source.name, state),
            owner=min(owners, key=str) if owners else None,
        )

    def register(self, source: Source, now: datetime) -> int:
        """Register one source, as ``register_all``, and return its version."""
        return self.register_all((source,), now)[source.name]

    def register_all(self, sources: Sequence[Source], now: datetime) -> dict[str, int]:
        """Store sources and their holds on endpoints, make them due, and return their versions.

        All or none: in one transaction as far as DynamoDB takes it (``TOGETHER`` writes, some 30
        sources); beyond that what was written is taken back when the rest cannot be, and the error
        names what stays all the same. The same spec again keeps its version. An edit starts the
        back-off anew; another endpoint also forgets what was remembered of the old one.

        Raises:
            InvalidEvent: somebody took an endpoint, or began to change the old one; every mistake
                of every source.
            Busy: a source is being edited by several at once.
        """
        left: set[str] = set()
        for _ in range(RACES):
            seen = [(source, self.registration(source)) for source in sources]
            if problems := _problems(seen):
                raise InvalidEvent(*problems, *_staying(seen, left))
            changed = [one for one in seen if not one[1].holds(one[0])]
            made: list[Seen] = []
            try:
                for part in _together([(one, self._spec_writes(*one, now)) for one in changed]):
                    ones = [one for one, _ in part]
                    self._register([write for _, writes in part for write in writes], ones)
                    made += ones
            except ConditionFailed:
                left |= self._take_back(made, now)
                continue
            except CertifierError as error:
                left |= self._take_back(made, now)
                if not left:
                    raise
                # The machine tries again what it did before: what stays is then registered already.
                kind = type(error) if isinstance(error, Retryable) else Unexpected
                raise kind(f"{error}{_and_left(left)}") from None
            new = {source.name for source, _ in changed}
            for source in sources:
                if source.name not in new:
                    self._ask(source.name, now)
            return {source.name: at.version + (source.name in new) for source, at in seen}
        names = ", ".join(f"source {source.name}" for source in sources[:_NAMED])
        raise Busy(f"{names}{_and_left(left)}")

    def _register(self, writes: Sequence[Write], ones: Sequence[Seen]) -> None:
        """Make the writes of one transaction; one whose answer is lost is looked at."""
        try:
            self._table.transact(writes)
        except Retryable:
            if not all(self.registration(source).holds(source) for source, _ in ones):
                raise

    def could_register(self, sources: Sequence[Source]) -> dict[str, int]:
        """Return the versions that sources have now, if they could be registered; writes nothing.

        Raises:
            InvalidEvent: every mistake of every source.
        """
        seen = [(source, self.registration(source)) for source in sources]
        if problems := _problems(seen):
            raise InvalidEvent(*problems)
        return {source.name: at.version for source, at in seen}

    def _take_back(self, made: Iterable[Seen], now: datetime) -> set[str]:
        """Forget what was registered for the first time, and register again what was before.

        Returns the names of those that stay: a run has begun with them, or AWS did not let us.
        What others have edited meanwhile is theirs.
        """
        left = set()
        for source, before in made:
            try:
                back = self._is_taken_back(source, before, now)
            except CertifierError:
                back = False
            if not back:
                left.add(source.name)
        return left

    def _is_taken_back(self, source: Source, before: Registration, now: datetime) -> bool:
        if before.is_new:
            return not isinstance(self.forget(source.name, version=1), InUse)
        if before.known is None:
            return False  # only the edit that stays can be read
        for _ in range(RACES):
            there = self.registration(before.known)
            if there.version != before.version + 1:
                return True
            if there.problems(before.known.model_copy(update={"replaces": there.version})):
                return False
            # The version goes back too: whoever tries again replaces the one that they have read.
            writes = self._spec_writes(before.known, there, now, version=before.version)
            if self._table.transacted(writes):
                return True
        return False

    def _spec_writes(
        self, source: Source, seen: Registration, now: datetime, *, version: int | None = None
    ) -> list[Write]:
        """Return what registers a source, by default as the next version."""
        moved = seen.moves
        state: dict[str, Any] = {
            "name": source.name,
            "endpoint": source.endpoint.lower(),
            "due_at": stamp(now),
            "due_partition": FIRST if seen.busy else DUE,
            "backoff": 0,
            "reason": "",
        }
        condition = "attribute_not_exists(claim)" if moved else None
        writes = [
            self._table.put_op(
                {
                    **source_key(source.name, "SPEC"),
                    "version": seen.version + 1 if version is None else version,
                    "spec": written(source),
                },
                *unchanged(seen.version),
            ),
            self._table.put_op(
                {**owner_key(source.endpoint), "source": source.name},
                *unless_taken(source.name),
            ),
            self._table.update_op(
                source_key(source.name, "STATE"),
                set_=state,
                remove=OF_ENDPOINT if moved else (),
                condition=condition,
            ),
        ]
        if moved:
            old = self.state(source.name)
            writes += [
                self._table.check_op(source_key(source.name, "UNDO"), "attribute_not_exists(pk)"),
                *self._release_owners(source.name, old, keep=source.endpoint),
            ]
        return writes

    def _release_owners(
        self, name: str, state: SourceState | None, keep: str | None = None
    ) -> list[Write]:
        """Deletes of every hold that ``name`` has on an endpoint, by identifier and by ARN."""
        held = set(state.owned if state is not None else ())
        held |= {state.endpoint} if state is not None and state.endpoint else set()
        return [
            self._table.delete_op(
                owner_key(key),
                *unless_taken(name),
            )
            for key in sorted(held)
            if keep is None or key != keep.lower()
        ]

    def forget(self, name: str, *, version: int | None = None) -> InUse | bool:
        """Drop a source; the endpoint stays as it is. ``False`` when nobody registered it.

        ``InUse`` while it has a claim, an undo log or a pause.

        Args:
            version: the only one to be dropped; ``None``: whichever is registered.

        Raises:
            Busy: it is being edited or recorded at the same time.
        """
        for _ in range(RACES):
            spec = self._table.get(source_key(name, "SPEC"))
            if spec is None:
                return False
            there = version_of(spec)
            if version not in (None, there):
                return False
            state = self.state(name)
            if held := self._holds(name, state):
                return InUse(held)
            same, values = "attribute_not_exists(recorded_by)", {}
            if state is not None and state.recorded_by is not None:
                same, values = "recorded_by = :by", {":by": state.recorded_by}
            table = self._table
            try:
                table.transact(
                    [
                        table.delete_op(source_key(name, "SPEC"), *unchanged(there)),
                        table.delete_op(
                            source_key(name, "STATE"),
                            f"attribute_not_exists(claim) AND {same}",
                            values,
                        ),
                        table.check_op(source_key(name, "UNDO"), "attribute_not_exists(pk)"),
                        *self._release_owners(name, state),
                    ]
                )
            except ConditionFailed:
                continue
            return True
        raise Busy(f"source {name}")

    def approve_anchors(
        self, name: str, now: datetime, compared: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Approve CAs that wait in a source's bundle, and make it due.

        Args:
            compared: how the fingerprints begin that a person has compared; none: whatever waits.

        Returns the fingerprints that are approved, and those that wait on. Nothing is approved when
        one that was compared does not wait: the bundle is another one than that person has seen.
        One transaction: tried again after a lost answer, it is known by its token.

        Raises:
            Busy: it is being recorded at the same time.
        """
        for _ in range(RACES):
            state = self.state(name)
            waiting = state.pending_anchors if state is not None else ()
            approved, left = chosen(waiting, compared)
            if not approved:
                return (), left
            update = self._table.update_op(
                source_key(name, "STATE"),
                set_={
                    "due_at": stamp(now),
                    "due_partition": DUE,
                    **({"pending_anchors": [*left]} if left else {}),
                },
                remove=() if left else ("pending_anchors",),
                condition="pending_anchors = :seen",
                values={":seen": [*waiting]},
            )
            if self._table.transacted([update]):
                return approved, left
        raise Busy(f"source {name}")

    def _holds(self, name: str, state: SourceState | None) -> str:
        """What keeps a source's endpoint from being changed or forgotten, in words."""
        held = []
        if state is not None and state.claim is not None:
            held.append(f"a claim of the execution {state.claim.execution}")
        try:
            unfinished = self.undo(name) is not None
        except Unreadable:
            held.append("an undo log that this version of Certifier cannot read")
        else:
            held += ["an undo log: a change that is not finished"] if unfinished else []
        pauses = self.pauses()
        if paused := pauses.of(name):
            held.append("paused tasks: " + ", ".join(pause.task_arn for pause in paused))
        if name in pauses.affected:
            held.append("a paused task that this version of Certifier cannot read")
        return " and ".join(held)

    def due(self, now: datetime, limit: int) -> list[str]:
        """Return the names of sources that are due.

        First at most twice ``limit`` that have something to finish, then at most ``limit`` others;
        in both, those due longest come first.
        """
        first = self._due(FIRST, now, 2 * limit)
        return [*first, *self._due(DUE, now, limit)]

    def under_way(self, now: datetime, limit: int) -> frozenset[str]:
        """Return the names of sources that a run has, or will have in a moment.

        At most three times ``limit``. A claim makes its source due by ``RESCUE``, so the index has
        it too; whoever starts a run makes the source due first, and claims it soon after.
        """
        first = self._due(FIRST, now + RESCUE + SOON, 2 * limit)
        return frozenset((*first, *self._due(DUE, now, limit, since=now - SOON)))

    def due_count(self, now: datetime) -> int:
        """Return how many sources are due, at most as many as some hundred pages hold."""
        found, start = 0, dict[str, Any]()
        for partition in (FIRST, DUE):
            for _ in range(_PAGES):
                with translated():
                    page = self._table.client.query(
                        TableName=self._table.name,
                        IndexName="due",
                        KeyConditionExpression="due_partition = :due AND due_at <= :now",
                        ExpressionAttributeValues=packed({":due": partition, ":now": stamp(now)}),
                        Select="COUNT",
                        **start,
                    )
                found += page["Count"]
                start = {}
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return found

    def _due(
        self, partition: str, now: datetime, limit: int, *, since: datetime | None = None
    ) -> list[str]:
        names: list[str] = []
        start: dict[str, Any] = {}
        for _ in range(_PAGES):
            with translated():
                page = self._table.client.query(
                    TableName=self._table.name,
                    IndexName="due",
                    KeyConditionExpression=(
                        "due_partition = :due AND due_at BETWEEN :since AND :now"
                    ),
                    ExpressionAttributeValues=packed(
                        {
                            ":due": partition,
                            ":since": "0" if since is None else stamp(since),
                            ":now": stamp(now),
                        }
                    ),
                    ProjectionExpression="pk",
                    Limit=limit - len(names),
                    **start,
                )
            keys = [unpacked(item)["pk"].partition("#") for item in page["Items"]]
            names += [name for kind, _, name in keys if kind == "SOURCE" and is_name(name)]
            if len(names) >= limit or "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return names

    def unreadable(self, name: str, affected: Collection[str]) -> str | None:
        """Return why this version cannot run a source, in words; ``None`` when it can.

        One that is not registered any more is nothing to worry about.

        Args:
            affected: as ``Pauses`` has it: read once for all sources that are asked about.
        """
        for kind, read in (("SPEC", self.spec), ("STATE", self.state), ("UNDO", self.unfinished)):
            try:
                read(name)
            except Unreadable:
                return f"its {kind} in the table is not valid in this version of Certifier"
        if name in affected:
            return "a PAUSE of its tasks in the table is not valid in this version of Certifier"
        return None

    def obstacle(self, name: str, affected: Collection[str]) -> str | OnHold | None:
        """Return why a source is not run now, as ``unreadable`` does, or it is on hold."""
        if (why := self.unreadable(name, affected)) is not None:
            return why
        state = self.state(name)
        return None if state is None else state.on_hold

    def set_aside(self, name: str, until: datetime, why: str) -> None:
        """Make a source that cannot be run due later, once people were notified of ``why``."""
        self._table.wrote(
            self._table.update_op(
                source_key(name, "STATE"),
                set_={"due_at": stamp(until), "due_partition": DUE, UNREADABLE: why},
                condition="attribute_exists(pk)",
            )
        )

    def set_aside_for(self, name: str) -> str | None:
        """Return why a source was set aside, as people know it; ``None``: it was not."""
        item = self._table.get(source_key(name, "STATE"))
        return None if item is None else item.get(UNREADABLE)

    def set_due(self, names: Iterable[str], now: datetime) -> None:
        """Make sources due now: for an event, an edit or a direct start."""
        for name in names:
            self._ask(name, now)

    def _ask(self, name: str, now: datetime) -> None:
        """Make a source due, unless somebody has forgotten it, or put it on hold."""
        self._table.wrote(
            self._table.change_op(
                source_key(name, "STATE"),
                "SET due_at = :now, due_partition = if_not_exists(due_partition, :due)",
                "attribute_exists(pk) AND attribute_not_exists(on_hold)",
                {":now": stamp(now), ":due": DUE},
            )
        )
