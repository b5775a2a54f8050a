"""DynamoDB: what Certifier remembers of each source, and who may write at the moment.

Items, by ``pk`` / ``sk``::

    SOURCE#<name>  / SPEC      the source as registered, its version
    SOURCE#<name>  / STATE     due_at, claim, last outcome and findings, what was left where
    SOURCE#<name>  / UNDO      how to put the endpoint back
    ENDPOINT#<key> / OWNER     the source that has this endpoint; key: identifier or ARN, lower case
    PAUSE          / <task>    the sources that need this task stopped
    UNUSED         / <digest>  since when nobody uses this DMS certificate
    BREAKER        / STATE     bad ends of the last day; open since
    TIDY           / DAY       the last day that was tidied, and by whom

The sparse index ``due`` has the constant partition ``due_partition`` and sorts by ``due_at``.

Every read is consistent (the index alone cannot be), every write that must not race is conditional.
A write may have happened although its answer was lost, so each one may be made again with the same
result: the condition lets in whoever it let in before.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from certifier.aws.clients import translated
from certifier.aws.table import ConditionFailed, Table, Write, packed, unpacked
from certifier.errors import Busy, ClaimLost, InvalidEvent, Unexpected
from certifier.models import Fact
from certifier.run.documents import UndoLog
from certifier.run.state import (
    OF_ENDPOINT,
    REMEMBERED,
    BadEnd,
    Breaker,
    Claim,
    Marker,
    Pause,
    Recording,
    Registration,
    SourceState,
)
from certifier.source import InvalidSource, Source, parse_source
from certifier.vocabulary import Outcome

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DUE = "due"
RESCUE = timedelta(minutes=10)
"""When a claimed source is due again if its run dies."""
TAKE_OVER = timedelta(minutes=2)
"""How long an owner must have ended: no function of it can still be running (their time limit)."""
STATE_FINDINGS = 50
"""How many findings STATE keeps; the record in the bucket has all of them."""
_RACES = 5
"""How often a conditional write that lost a race is decided anew."""
_PAGES = 100


@dataclass(frozen=True)
class Claimed:
    """The source is this run's. ``undo`` and ``paused`` are what an earlier run left behind."""

    state: SourceState
    undo: UndoLog | None
    paused: bool


@dataclass(frozen=True)
class NotClaimed:
    """Somebody else has the source, or nobody has registered it (``owner`` is ``None``).

    ``moved``: it was registered anew since, with another endpoint than the run's.
    """

    owner: str | None
    moved: bool = False


@dataclass(frozen=True)
class Recorded:
    """What was recorded. ``opened``: this run's bad end opened the breaker."""

    outcome: Outcome
    opened: bool = False


@dataclass(frozen=True)
class Held:
    """A source cannot be forgotten now. ``by`` says what holds it."""

    by: str


def stamp(when: datetime) -> str:
    """Return an instant as the table holds it: UTC, whole seconds, ``Z``; sorts as text."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rescue(now: datetime) -> str:
    """Return when a claimed source is due if its run dies.

    Half a second off every ``stamp``: who asks in the very second is still distinct from it.
    """
    return stamp(now + RESCUE).replace("Z", ".500Z")


def _source_key(name: str, kind: str) -> dict[str, str]:
    return {"pk": f"SOURCE#{name}", "sk": kind}


def _owner_key(endpoint: str) -> dict[str, str]:
    return {"pk": f"ENDPOINT#{endpoint.lower()}", "sk": "OWNER"}


def _pause_key(task: str) -> dict[str, str]:
    return {"pk": "PAUSE", "sk": task}


_BREAKER = {"pk": "BREAKER", "sk": "STATE"}
_TIDY = {"pk": "TIDY", "sk": "DAY"}
_OURS = "claim.execution = :run"


def _plain(value: Any) -> Any:
    """Return ``value`` as the table holds it; instants as text that sorts."""
    match value:
        case datetime():
            return stamp(value)
        case Fact():
            return _plain(dict(value))
        case Mapping():
            return {key: _plain(item) for key, item in value.items() if item is not None}
        case tuple() | list():
            return [_plain(item) for item in value]
        case Outcome():
            return value.value
        case str():
            return str(value)
        case _:
            return value


class Store:
    """The table. See the module for its items."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._table = Table(client, table)

    # -- sources

    def registration(self, source: Source) -> Registration:
        """Return what stands in the way of registering ``source``; writes nothing."""
        spec = self._table.get(_source_key(source.name, "SPEC"))
        state = self.state(source.name)
        keys = {source.endpoint}
        known = None if spec is None else _spec_of(spec)
        names = {known.endpoint.lower()} if known is not None else set()
        moves = known is not None and source.endpoint.lower() not in names.union(
            state.owned if state is not None else ()
        )
        if known is not None and state is not None and not moves:
            keys |= {state.endpoint_arn} if state.endpoint_arn else set()
        owners = {self.endpoint_owner(key) for key in keys} - {None, source.name}
        return Registration(
            known=known,
            moves=moves,
            version=0 if spec is None else int(spec["version"]),
            busy="" if known is None else self._holds(source.name, state),
            owner=min(owners, key=str) if owners else None,
        )

    def register(self, source: Source, now: datetime) -> int:
        """Store ``source`` and its hold on the endpoint, make it due, and return its version.

        The same spec again keeps its version. An edit starts the back-off anew; another endpoint
        also forgets what was remembered of the old one.

        Raises:
            InvalidEvent: somebody took the endpoint, or began to change the old one.
            Busy: the source is being edited by several at once.
        """
        for _ in range(_RACES):
            seen = self.registration(source)
            if problems := seen.problems(source):
                raise InvalidEvent(*problems)
            if seen.known == source:
                self._ask(source.name, now)
                return seen.version
            try:
                return self._put_spec(source, seen, now)
            except ConditionFailed:
                continue
        raise Busy(f"source {source.name}")

    def _put_spec(self, source: Source, seen: Registration, now: datetime) -> int:
        version = seen.version + 1
        moved = seen.moves
        state: dict[str, Any] = {
            "name": source.name,
            "endpoint": source.endpoint.lower(),
            "due_at": stamp(now),
            "due_partition": DUE,
            "backoff": 0,
            "reason": "",
        }
        condition = "attribute_not_exists(claim)" if moved else None
        writes = [
            self._table.putting(
                {
                    **_source_key(source.name, "SPEC"),
                    "version": version,
                    "spec": source.model_dump_json(exclude_defaults=True),
                },
                "attribute_not_exists(pk)" if seen.version == 0 else "version = :seen",
                {":seen": seen.version} if seen.version else {},
            ),
            self._table.putting(
                {**_owner_key(source.endpoint), "source": source.name},
                "attribute_not_exists(pk) OR #s = :name",
                {":name": source.name},
                {"#s": "source"},
            ),
            self._table.update_op(
                _source_key(source.name, "STATE"),
                set_=state,
                remove=(*OF_ENDPOINT, "held_by_breaker") if moved else ("held_by_breaker",),
                condition=condition,
            ),
        ]
        if moved:
            assert seen.known is not None
            old = self.state(source.name)
            writes += [
                self._table.check_op(_source_key(source.name, "UNDO"), "attribute_not_exists(pk)"),
                *self._release_owners(source.name, seen.known, old, keep=source.endpoint),
            ]
        self._table.transact(writes)
        return version

    def _release_owners(
        self, name: str, spec: Source, state: SourceState | None, keep: str | None = None
    ) -> list[Write]:
        """Deletes of every hold that ``name`` has on an endpoint, by identifier and by ARN."""
        held = {spec.endpoint.lower()} | set(state.owned if state is not None else ())
        return [
            self._table.delete_op(
                _owner_key(key),
                "attribute_not_exists(pk) OR #s = :name",
                {":name": name},
                {"#s": "source"},
            )
            for key in sorted(held)
            if keep is None or key != keep.lower()
        ]

    def spec(self, name: str) -> tuple[Source, int] | None:
        """Return the source as registered and its version; ``None`` when nobody registered it.

        Raises:
            Unexpected: an older version of Certifier took the spec, and this one does not.
        """
        item = self._table.get(_source_key(name, "SPEC"))
        return None if item is None else (_spec_of(item), int(item["version"]))

    def state(self, name: str) -> SourceState | None:
        """Return what is remembered of a source; ``None`` when nobody registered it."""
        item = self._table.get(_source_key(name, "STATE"))
        return None if item is None else _state_of(item)

    def names_all(self) -> tuple[str, ...]:
        """Return the name of every registered source, sorted (reads the whole table)."""
        return tuple(
            sorted(
                item["pk"].partition("#")[2]
                for item in self._table.scan("SOURCE#", "SPEC", keys=True)
            )
        )

    def specs_all(self) -> dict[str, tuple[Source, int] | None]:
        """Return every registered source and its version, by name (reads the whole table).

        ``None`` for one that an older version of Certifier took and this one does not.
        """
        found: dict[str, tuple[Source, int] | None] = {}
        for item in self._table.scan("SOURCE#", "SPEC"):
            name = item["pk"].partition("#")[2]
            try:
                found[name] = (_spec_of(item), int(item["version"]))
            except Unexpected:
                found[name] = None
        return dict(sorted(found.items()))

    def states_all(self) -> tuple[SourceState, ...]:
        """Return what is remembered of every source, by name (reads the whole table)."""
        states = (_state_of(item) for item in self._table.scan("SOURCE#", "STATE"))
        return tuple(sorted(states, key=lambda state: state.name))

    def undo_all(self) -> dict[str, UndoLog]:
        """Return every undo log, by source (reads the whole table)."""
        return {
            item["pk"].partition("#")[2]: UndoLog.model_validate_json(item["log"])
            for item in self._table.scan("SOURCE#", "UNDO")
        }

    def forget(self, name: str) -> Held | bool:
        """Drop a source; the endpoint stays as it is. ``False`` when nobody registered it.

        ``Held`` while it has a claim, an undo log or a pause.

        Raises:
            Busy: it is being edited or recorded at the same time.
        """
        for _ in range(_RACES):
            spec = self.spec(name)
            if spec is None:
                return False
            state = self.state(name)
            if held := self._holds(name, state):
                return Held(held)
            unchanged, values = "attribute_not_exists(recorded_by)", {}
            if state is not None and state.recorded_by is not None:
                unchanged, values = "recorded_by = :by", {":by": state.recorded_by}
            table = self._table
            try:
                table.transact(
                    [
                        table.delete_op(_source_key(name, "SPEC"), "version = :v", {":v": spec[1]}),
                        table.delete_op(
                            _source_key(name, "STATE"),
                            f"attribute_not_exists(claim) AND {unchanged}",
                            values,
                        ),
                        table.check_op(_source_key(name, "UNDO"), "attribute_not_exists(pk)"),
                        *self._release_owners(name, spec[0], state),
                    ]
                )
            except ConditionFailed:
                continue
            return True
        raise Busy(f"source {name}")

    def _holds(self, name: str, state: SourceState | None) -> str:
        """What keeps a source's endpoint from being changed or forgotten, in words."""
        held = []
        if state is not None and state.claim is not None:
            held.append(f"a claim of the execution {state.claim.execution}")
        if self.undo(name) is not None:
            held.append("an undo log: a change that is not finished")
        if pauses := self.pauses_of(name):
            held.append("paused tasks: " + ", ".join(pause.task_arn for pause in pauses))
        return " and ".join(held)

    # -- endpoints

    def endpoint_owner(self, endpoint: str) -> str | None:
        """Return the source that has an endpoint, by its identifier or ARN."""
        item = self._table.get(_owner_key(endpoint))
        return None if item is None else str(item["source"])

    def own_endpoint(self, name: str, run: str, *keys: str) -> str | None:
        """Hold an endpoint under all of its names; return the source that has it already, if any.

        A source may name an endpoint by identifier or by ARN, so both are written once known.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        state = self.state(name)
        owned = state.owned if state is not None else ()
        for key in sorted({key.lower() for key in keys}):
            if key in owned:
                continue
            hold = self._table.putting(
                {**_owner_key(key), "source": name},
                "attribute_not_exists(pk) OR #s = :name",
                {":name": name},
                {"#s": "source"},
            )
            note = self._table.change_op(
                _source_key(name, "STATE"), "ADD owned :key", _OURS, {":key": {key}, ":run": run}
            )
            if not self._wrote_while_ours(name, run, note, hold):
                return self.endpoint_owner(key)
        return None

    # -- due

    def due(self, now: datetime, limit: int) -> list[str]:
        """Return the names of at most ``limit`` sources that are due, those due longest first."""
        names: list[str] = []
        start: dict[str, Any] = {}
        for _ in range(_PAGES):
            with translated():
                page = self._table.client.query(
                    TableName=self._table.name,
                    IndexName="due",
                    KeyConditionExpression="due_partition = :due AND due_at <= :now",
                    ExpressionAttributeValues=packed({":due": DUE, ":now": stamp(now)}),
                    ProjectionExpression="pk",
                    Limit=limit - len(names),
                    **start,
                )
            names += [unpacked(item)["pk"].partition("#")[2] for item in page["Items"]]
            if len(names) >= limit or "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return names

    def set_due(self, names: Iterable[str], now: datetime) -> None:
        """Make sources due now: for an event, an edit or a direct start."""
        for name in names:
            self._ask(name, now)

    def _ask(self, name: str, now: datetime) -> None:
        """Make a source due, unless somebody has forgotten it meanwhile."""
        self._table.wrote(
            self._table.update_op(
                _source_key(name, "STATE"),
                set_={"due_at": stamp(now), "due_partition": DUE},
                remove=("held_by_breaker",),
                condition="attribute_exists(pk)",
            )
        )

    # -- the claim

    def claim(
        self,
        name: str,
        run: str,
        now: datetime,
        owner_ended: Callable[[Claim], datetime | None],
        endpoint: str | None = None,
    ) -> Claimed | NotClaimed:
        """Make the execution ``run`` the source's owner.

        A dead owner is replaced: one that ended (``owner_ended``: when; ``None`` while it runs)
        longer ago than any of its functions could still be running. The loser writes nothing.

        Args:
            endpoint: as the run's spec names it; when the source was moved to another one since,
                the run would mistake the one for the other, so it does not get the claim.
        """
        for _ in range(_RACES):
            state = self.state(name)
            if state is None:
                return NotClaimed(owner=None)
            if endpoint is not None and not state.is_of(endpoint):
                return NotClaimed(owner=None, moved=True)
            owner = state.claim
            if owner is not None and owner.execution == run:
                return self._claimed(state)
            values: dict[str, Any] = {}
            condition = "attribute_exists(pk) AND attribute_not_exists(claim)"
            if owner is not None:
                ended = owner_ended(owner)
                if ended is None or now - ended <= TAKE_OVER:
                    return NotClaimed(owner=owner.execution)
                condition, values = "claim.execution = :dead", {":dead": owner.execution}
            if state.endpoint is not None:
                condition += " AND endpoint = :endpoint"
                values[":endpoint"] = state.endpoint
            due = _rescue(now)
            self._table.wrote(
                self._table.update_op(
                    _source_key(name, "STATE"),
                    set_={
                        "claim": {"execution": run, "since": stamp(now), "due_at": due},
                        "due_at": due,
                        "due_partition": DUE,
                        "markers": {},
                    },
                    condition=condition,
                    values=values,
                )
            )  # whoever has it now is read in the next round
        raise Busy(f"source {name}")

    def _claimed(self, state: SourceState) -> Claimed:
        return Claimed(
            state=state,
            undo=self.undo(state.name),
            paused=bool(self.pauses_of(state.name)),
        )

    def require_claim(self, name: str, run: str) -> SourceState:
        """Return the source's state, for a step that is about to write.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        state = self.state(name)
        if state is None or state.claim is None or state.claim.execution != run:
            raise ClaimLost(name)
        return state

    # -- what a run leaves while it works; each write is refused once the claim is lost

    def remember(self, name: str, run: str, **fields: Any) -> None:
        """Remember ``fields`` (of ``REMEMBERED``) at once; ``None`` forgets one.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        if unknown := fields.keys() - REMEMBERED:
            raise ValueError(f"not to be remembered: {sorted(unknown)}")
        self._while_ours(
            name,
            self._table.update_op(
                _source_key(name, "STATE"),
                set_={key: _plain(value) for key, value in fields.items() if value is not None},
                remove=tuple(key for key, value in fields.items() if value is None),
                condition=_OURS,
                values={":run": run},
            ),
        )

    def note_canary(self, name: str, run: str, identifier: str | None) -> None:
        """Note that a canary endpoint is about to be made, or (``None``) that it is gone."""
        self.remember(name, run, canary=identifier)

    def note_creating(self, name: str, run: str, identifier: str | None) -> None:
        """Note that the endpoint is about to be made: if the run dies, it is still ours."""
        self.remember(name, run, creating=identifier)

    def mark_test(self, name: str, run: str, key: str, marker: Marker | None) -> None:
        """Remember a test of our own under ``key``, or (``None``) forget it.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        state, names = _source_key(name, "STATE"), {"#k": key}
        ours: dict[str, Any] = {":run": run}
        if marker is None:
            write = self._table.change_op(state, "REMOVE markers.#k", _OURS, ours, names)
        else:
            values = {**ours, ":m": _plain(marker)}
            write = self._table.change_op(state, "SET markers.#k = :m", _OURS, values, names)
        self._while_ours(name, write)

    def write_undo(self, name: str, run: str, log: UndoLog) -> None:
        """Write how to put the endpoint back, before its first write.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        item = {**_source_key(name, "UNDO"), "log": log.model_dump_json(), "run": run}
        if not self._wrote_while_ours(
            name, run, self._claim_of(name, run), self._table.putting(item)
        ):
            raise ClaimLost(name)

    def undo(self, name: str) -> UndoLog | None:
        """Return how to put the source's endpoint back; ``None`` when nothing is unfinished."""
        found = self.undo_with_run(name)
        return None if found is None else found[0]

    def undo_with_run(self, name: str) -> tuple[UndoLog, str] | None:
        """Return the undo log and the execution that wrote it."""
        item = self._table.get(_source_key(name, "UNDO"))
        if item is None:
            return None
        return UndoLog.model_validate_json(item["log"]), str(item["run"])

    # -- tasks that we stopped; each write of a run is refused once its claim is lost

    def pause_task(
        self,
        name: str,
        run: str,
        task: str,
        now: datetime,
        *,
        retained: Mapping[str, int] | None = None,
        anew: bool = False,
    ) -> None:
        """Note that ``name`` needs ``task`` stopped; written before the stop.

        Args:
            retained: bytes of WAL by slot; ``None`` when this source has not seen the task's slots.
            anew: the task runs, so what is noted of an earlier stop is over.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        noted: dict[str, Any] = {"since": stamp(now)}
        if retained is not None:
            noted["retained"] = dict(retained)
        if anew:
            sets = [f"{field} = :{field}" for field in noted]
            over = [f for f in ("stop_date", "started_at", "retained") if f not in noted]
            gone = f" REMOVE {', '.join(over)}"
        else:
            sets, gone = [f"{field} = if_not_exists({field}, :{field})" for field in noted], ""
        write = self._table.change_op(
            _pause_key(task),
            f"ADD sources :one SET {', '.join(sets)}{gone}",
            values={":one": {name}, **{f":{f}": value for f, value in noted.items()}},
        )
        if not self._change_pause(name, run, write):
            raise ClaimLost(name)  # whoever goes on would stop a task that nobody knows of

    def note_stopped(self, name: str, run: str, task: str, stop_date: datetime) -> None:
        """Remember the StopDate of the stop that is ours, unless one is remembered already.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        self._note_once(name, run, task, "stop_date", stop_date.isoformat())

    def note_started(self, name: str, run: str, task: str, now: datetime) -> None:
        """Remember that we asked a paused task to start again, the first time.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        self._note_once(name, run, task, "started_at", stamp(now))

    def _note_once(self, name: str, run: str, task: str, field: str, value: str) -> None:
        self._change_pause(
            name,
            run,
            self._table.update_op(
                _pause_key(task),
                set_={field: value},
                condition=f"attribute_exists(pk) AND attribute_not_exists({field})",
            ),
        )

    def pause(self, task: str) -> Pause | None:
        """Return the pause of a task; ``None`` when we did not stop it."""
        item = self._table.get(_pause_key(task))
        return None if item is None else _pause_of(item)

    def pauses_all(self) -> tuple[Pause, ...]:
        """Return every task that we stopped and that does not run again yet."""
        return tuple(_pause_of(item) for item in self._table.partition("PAUSE"))

    def pauses_of(self, name: str) -> tuple[Pause, ...]:
        """Return the tasks that are stopped for the sake of a source."""
        return tuple(pause for pause in self.pauses_all() if name in pause.sources)

    def leave_pause(self, name: str, run: str, task: str) -> bool:
        """Say that ``name`` no longer needs ``task`` stopped; return whether it is the last one.

        The last one stays in the item until the task runs (``delete_pause``): who leaves last
        starts the task, and may die before that. ``False``: others still need it, or there is no
        pause.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        for _ in range(_RACES):
            pause = self.pause(task)
            if pause is None or name not in pause.sources:
                return False
            if pause.sources == (name,):
                return True
            left = self._table.change_op(
                _pause_key(task),
                "DELETE sources :one",
                "size(sources) > :single",
                {":one": {name}, ":single": 1},
            )
            if self._change_pause(name, run, left):
                return False
        raise Busy(f"pause of {task}")

    def delete_pause(self, name: str, run: str, task: str) -> bool:
        """Delete the pause of a task that runs again.

        ``False`` when another source needs the task stopped meanwhile: then ``name`` only leaves.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        for _ in range(_RACES):
            alone = self._table.delete_op(
                _pause_key(task), "attribute_not_exists(pk) OR sources = :one", {":one": {name}}
            )
            if self._change_pause(name, run, alone):
                return True
            if not self.leave_pause(name, run, task):
                return False
        raise Busy(f"pause of {task}")

    def _change_pause(self, name: str, run: str, write: Write) -> bool:
        return self._wrote_while_ours(name, run, self._claim_of(name, run), write)

    # -- the end of a run

    def record(self, name: str, run: str, recording: Recording, *, breaker_limit: int) -> Recorded:
        """Write how a run ended and release its claim, in one transaction.

        The same call again, after a lost answer, answers the same.

        Raises:
            ClaimLost: ``run`` does not own the source (any more) and did not record it.
            Busy: others write the same items; nothing was written.
        """
        for _ in range(_RACES):
            state = self.state(name)
            if state is not None and state.claim is None and state.recorded_by == run:
                assert state.outcome is not None
                return Recorded(state.outcome, self.breaker().opened_by == run)
            if state is None or state.claim is None or state.claim.execution != run:
                raise ClaimLost(name)
            writes = [self._record_state(state, state.claim, recording)]
            if recording.erase_undo:
                writes.append(self._table.delete_op(_source_key(name, "UNDO")))
            opened = False
            if recording.bad_end:
                before = self.breaker()
                after = before.after(
                    BadEnd(at=recording.at, source=name, run=run), limit=breaker_limit
                )
                opened = after.opened_by == run
                writes.append(self._put_breaker(after))
            try:
                self._table.transact(writes)
            except ConditionFailed:
                continue
            return Recorded(recording.outcome, opened)
        raise Busy(f"source {name}")

    def _record_state(
        self, state: SourceState, claim: Claim, recording: Recording
    ) -> dict[str, Any]:
        fields = {
            **recording.state,
            "outcome": recording.outcome,
            "findings": recording.findings[:STATE_FINDINGS],
            "recorded_at": recording.at,
            "recorded_by": claim.execution,
        }
        kept = {key: _plain(value) for key, value in fields.items() if value is not None}
        gone = [key for key, value in fields.items() if value is None] + ["claim", "markers"]
        values: dict[str, Any] = {":run": claim.execution}
        condition = _OURS
        # Whoever asked meanwhile wrote another time than Claim did: that one stands.
        values[":claimed"] = claim.due_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if state.due_at == claim.due_at:
            condition += " AND due_at = :claimed"
            if recording.due_at is None:
                gone += ["due_at", "due_partition"]
            else:
                kept |= {"due_at": stamp(recording.due_at), "due_partition": DUE}
        else:
            condition += " AND due_at <> :claimed"
            gone.append("held_by_breaker")
            kept.pop("held_by_breaker", None)
        return self._table.update_op(
            _source_key(state.name, "STATE"),
            set_=kept,
            remove=tuple(dict.fromkeys(gone)),
            condition=condition,
            values=values,
        )

    # -- the breaker

    def breaker(self) -> Breaker:
        """Return the breaker."""
        item = self._table.get(_BREAKER)
        if item is None:
            return Breaker()
        kept = {**json.loads(item["breaker"]), "version": int(item["version"])}
        return Breaker.model_validate_json(json.dumps(kept))

    def _put_breaker(self, breaker: Breaker) -> Write:
        return self._table.putting(
            {
                **_BREAKER,
                "breaker": breaker.model_dump_json(exclude={"version"}),
                "version": breaker.version + 1,
            },
            "attribute_not_exists(pk)" if breaker.version == 0 else "version = :seen",
            {":seen": breaker.version} if breaker.version else {},
        )

    def reset_breaker(self, now: datetime) -> tuple[str, ...]:
        """Close the breaker, make due what it deferred, and return those names.

        The breaker closes first: a source that is made due while it is open would be deferred anew.
        """
        for _ in range(_RACES):
            before = self.breaker()
            if before == Breaker(version=before.version):
                break
            if self._table.wrote(self._put_breaker(Breaker(version=before.version))):
                break
        else:
            raise Busy("the breaker")
        waiting = tuple(state.name for state in self.states_all() if state.held_by_breaker)
        self.set_due(waiting, now)
        return waiting

    # -- tidying

    def first_of_day(self, now: datetime, execution: str) -> bool:
        """Return whether ``execution`` is the one that tidies today (UTC)."""
        return self._table.wrote(
            self._table.putting(
                {**_TIDY, "day": stamp(now)[:10], "execution": execution},
                "attribute_not_exists(pk) OR #d <> :today OR execution = :mine",
                {":today": stamp(now)[:10], ":mine": execution},
                {"#d": "day"},
            )
        )

    def note_unused(self, digest: str, now: datetime) -> datetime:
        """Note that nobody uses a DMS certificate, and return since when that is so."""
        item = self._table.updated(
            self._table.change_op(
                {"pk": "UNUSED", "sk": digest},
                "SET since = if_not_exists(since, :now)",
                values={":now": stamp(now)},
            )
        )
        return datetime.fromisoformat(item["since"])

    def forget_unused(self, digest: str) -> None:
        """Note that a DMS certificate is used again, or gone."""
        self._table.write(self._table.delete_op({"pk": "UNUSED", "sk": digest}))

    def take_unused(self, digest: str, since: datetime) -> bool:
        """Claim the deletion of a certificate: ``False`` when a run uses it again since."""
        return self._table.wrote(
            self._table.delete_op(
                {"pk": "UNUSED", "sk": digest}, "since = :since", {":since": stamp(since)}
            )
        )

    def unused(self) -> dict[str, datetime]:
        """Return since when DMS certificates are unused, by digest."""
        return {
            item["sk"]: datetime.fromisoformat(item["since"])
            for item in self._table.partition("UNUSED")
        }

    def _while_ours(self, name: str, write: Write) -> None:
        if not self._table.wrote(write):
            raise ClaimLost(name)

    def _claim_of(self, name: str, run: str) -> Write:
        return self._table.check_op(_source_key(name, "STATE"), _OURS, {":run": run})

    def _wrote_while_ours(self, name: str, run: str, *writes: Write) -> bool:
        """Make writes, one of which asks for the claim; ``False``: another's condition was lost.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        try:
            self._table.transact(writes)
        except ConditionFailed:
            self.require_claim(name, run)
            return False
        return True


def _json(value: object) -> object:
    """Return what JSON has no word for: DynamoDB's numbers and sets."""
    return sorted(value) if isinstance(value, set) else int(str(value))


def _state_of(item: Mapping[str, Any]) -> SourceState:
    known = {key: value for key, value in item.items() if key in SourceState.model_fields}
    try:
        return SourceState.model_validate_json(json.dumps(known, default=_json))
    except ValidationError:
        raise Unexpected(f"STATE of {item.get('name')}") from None


def _spec_of(item: Mapping[str, Any]) -> Source:
    try:
        return parse_source(json.loads(item["spec"]))
    except InvalidSource as error:
        # A spec that an older version took and this one does not: only an edit can correct that.
        raise Unexpected(f"SPEC of {item['pk']}: {error}") from None


def _pause_of(item: Mapping[str, Any]) -> Pause:
    return Pause(
        task_arn=item["sk"],
        sources=tuple(sorted(item.get("sources", ()))),
        retained={slot: int(count) for slot, count in item.get("retained", {}).items()},
        **{
            key: datetime.fromisoformat(item[key])
            for key in ("since", "stop_date", "started_at")
            if key in item
        },
    )
