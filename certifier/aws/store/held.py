"""The held claim: every write that a run makes, and no way to make one without the claim."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certifier.aws.store.breaker import put_breaker
from certifier.aws.store.items import (
    BREAKER,
    DUE,
    FIRST,
    RACES,
    UNREADABLE,
    owner_key,
    pause_key,
    plain,
    source_key,
    stamp,
    unchanged,
    unless_taken,
)
from certifier.aws.store.reads import Reads
from certifier.aws.table import ConditionFailed, Table, Write
from certifier.errors import Busy, ClaimLost
from certifier.run.documents import UndoLog
from certifier.run.foremost import foremost
from certifier.run.kept import written
from certifier.run.state import REMEMBERED, BadEnd, Claim, Marker, Pause, Recording, SourceState
from certifier.vocabulary import Outcome

STATE_FINDINGS, STATE_ROOM = 50, 100_000
"""How many findings STATE keeps, and bytes of their texts: DynamoDB takes 400 KB of an item. The
record in the bucket has all of them."""
OURS = "claim.execution = :run"
OF_A_STOP = ("stop_taken", "stop_date", "started_at", "starts", "retained")
"""What a pause notes of one stop; it is over when the task is paused anew."""


@dataclass(frozen=True)
class Recorded:
    """What was recorded. ``opened``: this run's bad end opened the breaker."""

    outcome: Outcome
    opened: bool = False


class Held:
    """A source that a run has claimed. Only while it has can one of these be made.

    The claim may be lost at any moment, so each write has it in its own condition or transaction,
    whatever was read before: every method raises ``ClaimLost`` in place of writing once the run
    does not own the source any more.

    Attributes:
        name, run: the source, and the child execution that owns it.
        state: what was remembered of the source when this was made.
    """

    def __init__(self, table: Table, name: str, run: str) -> None:
        self.name = name
        self.run = run
        self._table = table
        self._reads = Reads(table)
        self._state = source_key(name, "STATE")
        self._claimed = table.check_op(self._state, OURS, {":run": run})
        self.state = self._require_claim()

    def _require_claim(self) -> SourceState:
        state = self._reads.state(self.name)
        if state is None or state.claim is None or state.claim.execution != self.run:
            raise ClaimLost(self.name)
        return state

    def _write(self, write: Write) -> None:
        """Make a write that has the claim alone as its condition."""
        if not self._table.wrote(write):
            raise ClaimLost(self.name)

    def _wrote(self, *writes: Write) -> bool:
        """Make writes, one of which asks for the claim; ``False``: another's condition was lost."""
        try:
            self._table.transact(writes)
        except ConditionFailed:
            self._require_claim()
            return False
        return True

    # -- what a run leaves while it works

    def remember(self, **fields: Any) -> None:
        """Remember ``fields`` (of ``REMEMBERED``) at once; ``None`` forgets one."""
        if unknown := fields.keys() - REMEMBERED:
            raise ValueError(f"not to be remembered: {sorted(unknown)}")
        self._write(
            self._table.update_op(
                self._state,
                set_={key: plain(value) for key, value in fields.items() if value is not None},
                remove=tuple(key for key, value in fields.items() if value is None),
                condition=OURS,
                values={":run": self.run},
            )
        )

    def note_canary(self, identifier: str | None) -> None:
        """Note that a canary endpoint is about to be made, or (``None``) that it is gone."""
        self.remember(canary=identifier)

    def note_creating(self, identifier: str | None) -> None:
        """Note that the endpoint is about to be made: if the run dies, it is still ours."""
        self.remember(creating=identifier)

    def mark_test(self, key: str, marker: Marker | None) -> None:
        """Remember a test of our own under ``key``, or (``None``) forget it."""
        change, values = "REMOVE markers.#k", {":run": self.run}
        if marker is not None:
            change, values = "SET markers.#k = :m", {**values, ":m": plain(marker)}
        self._write(self._table.change_op(self._state, change, OURS, values, {"#k": key}))

    def own_endpoint(self, *keys: str) -> str | None:
        """Hold an endpoint under all of its names; return the source that has it already, if any.

        A source may name an endpoint by identifier or by ARN, so both are written once known.
        """
        for key in sorted({key.lower() for key in keys} - set(self.state.owned)):
            if (other := self._own(key)) is not None:
                return other
        return None

    def _own(self, key: str) -> str | None:
        owner = self._table.put_op(
            {**owner_key(key), "source": self.name}, *unless_taken(self.name)
        )
        note = self._table.change_op(
            self._state, "ADD owned :key", OURS, {":key": {key}, ":run": self.run}
        )
        for _ in range(RACES):
            if self._wrote(note, owner):
                return None
            other = self._reads.endpoint_owner(key)
            if other not in (None, self.name):
                return other
            # Whoever had it has let go of it since: it is not ours before it is written.
        raise Busy(f"endpoint {key}")

    def write_undo(self, log: UndoLog) -> None:
        """Write how to put the endpoint back, before its first write."""
        item = {**source_key(self.name, "UNDO"), "log": written(log), "run": self.run}
        if not self._wrote(self._claimed, self._table.put_op(item)):
            raise ClaimLost(self.name)

    def note_sent(self, log: UndoLog) -> None:
        """Note in the undo log what is sent, or was; the run that wrote the log stays named."""
        note = self._table.update_op(
            source_key(self.name, "UNDO"),
            set_={"log": written(log)},
            condition="attribute_exists(pk)",
        )
        if not self._wrote(self._claimed, note):
            raise ClaimLost(self.name)

    def prove_undo(self, password_version: str | None) -> None:
        """Note that DMS connects with what the change has written: nothing is to be undone.

        Whatever befalls the run from here on, the next one does not roll this change back.

        Args:
            password_version: VersionId of the password that the change has set, if any.
        """
        proven = self._table.update_op(
            source_key(self.name, "UNDO"), set_={"proven": True}, condition="attribute_exists(pk)"
        )
        claimed = self._claimed
        if password_version is not None:
            claimed = self._table.update_op(
                self._state,
                set_={"applied_version": password_version},
                condition=OURS,
                values={":run": self.run},
            )
        self._wrote(claimed, proven)

    def settle_undo(self) -> None:
        """Erase the log of a change that was proven, left by a run that did not come to its end."""
        gone = self._table.delete_op(
            source_key(self.name, "UNDO"),
            "attribute_not_exists(pk) OR proven = :yes",
            {":yes": True},
        )
        self._wrote(self._claimed, gone)

    def count_try(self) -> int:
        """Count this run as one that has found an undo log; return how many did before it."""
        found = self._reads.unfinished(self.name)
        if found is None:
            self._require_claim()
            return 0
        if found.tried_by == self.run:
            return found.tries - 1
        counted = self._table.update_op(
            source_key(self.name, "UNDO"),
            set_={"tries": found.tries + 1, "tried_by": self.run},
            condition="attribute_exists(pk)",
        )
        self._wrote(self._claimed, counted)
        return found.tries

    # -- tasks that we stopped

    def pause(
        self,
        task: str,
        now: datetime,
        *,
        endpoints: Iterable[str] = (),
        identifier: str | None = None,
        retained: Mapping[str, int] | None = None,
        anew: bool = False,
        turn: int | None = None,
    ) -> None:
        """Note that the source needs ``task`` stopped; written before the stop.

        A stop that another source has begun meanwhile is joined: what is noted of it stays.

        Args:
            endpoints: the ARNs of the two that the task connects.
            identifier: what people call the task.
            retained: bytes of WAL by slot; ``None`` when this source has not seen the task's slots.
            anew: the task runs, so what is noted of an earlier stop is over.
            turn: of the pause as this source has read it, 0 without one; ``None``: whatever it is.
        """
        noted: dict[str, Any] = {"since": stamp(now)}
        if endpoints := tuple(endpoints):
            noted["endpoints"] = list(endpoints)
        if identifier is not None:
            noted["identifier"] = identifier
        if retained is not None:
            noted["retained"] = dict(retained)
        condition = None
        if anew:
            condition = None if turn is None else "attribute_not_exists(turn) OR turn = :read"
            sets = [f"{field} = :{field}" for field in noted]
            over = [f for f in OF_A_STOP if f not in noted]
            gone = f" REMOVE {', '.join(over)}"
        else:
            sets, gone = [f"{field} = if_not_exists({field}, :{field})" for field in noted], ""
        write = self._table.change_op(
            pause_key(task),
            f"ADD sources :one, turn :turn SET {', '.join(sets)}{gone}",
            condition,
            values={
                ":one": {self.name},
                ":turn": int(anew),
                **({} if condition is None else {":read": turn}),
                **{f":{f}": value for f, value in noted.items()},
            },
        )
        if not self._change_pause(write):
            if condition is not None:
                self.pause(task, now, endpoints=endpoints, identifier=identifier, retained=retained)
                return
            raise ClaimLost(self.name)  # whoever goes on would stop a task that nobody knows of

    def note_stop(self, task: str, *, taken: bool) -> None:
        """Note whether DMS took our stop. Taken from one source's run, it is every source's."""
        unless = "" if taken else " AND attribute_not_exists(stop_taken)"
        self._change_pause(
            self._table.update_op(
                pause_key(task),
                set_={"stop_taken": taken},
                condition=f"attribute_exists(pk){unless}",
            )
        )

    def note_stopped(self, task: str, stop_date: datetime) -> None:
        """Remember the StopDate of the stop that is ours, unless one is remembered already."""
        self._note_once(task, "stop_date", stop_date.isoformat())

    def note_started(self, task: str, now: datetime) -> None:
        """Count that we ask a paused task to start again; since when is that of the first time."""
        self._change_pause(
            self._table.change_op(
                pause_key(task),
                "SET started_at = if_not_exists(started_at, :now) ADD starts :one",
                "attribute_exists(pk)",
                {":now": stamp(now), ":one": 1},
            )
        )

    def _note_once(self, task: str, field: str, value: str) -> None:
        self._change_pause(
            self._table.update_op(
                pause_key(task),
                set_={field: value},
                condition=f"attribute_exists(pk) AND attribute_not_exists({field})",
            )
        )

    def leave(self, task: str) -> bool:
        """Say that the source no longer needs ``task`` stopped; return whether it is the last one.

        The last one stays in the item until the task runs (``delete_pause``): who leaves last
        starts the task, and may die before that. ``False``: others still need it, or there is no
        pause.
        """
        for _ in range(RACES):
            pause = self._reads.paused(task)
            if pause is None or self.name not in pause.sources:
                return False
            if pause.sources == (self.name,):
                return True
            left = self._table.change_op(
                pause_key(task),
                "DELETE sources :one",
                "size(sources) > :single",
                {":one": {self.name}, ":single": 1},
            )
            if self._change_pause(left):
                return False
        raise Busy(f"pause of {task}")

    def delete_pause(self, pause: Pause) -> bool:
        """Delete the pause of a task that was seen to run again.

        ``False`` when it is not deleted: another source needs the task stopped meanwhile, so that
        this one only leaves; or, while this one looked, another has stopped the task once more and
        left, so that this one is the last again and must start it.

        Args:
            pause: as it was read before the task was looked at.
        """
        same = "turn = :turn" if pause.turn else "(attribute_not_exists(turn) OR turn = :turn)"
        for _ in range(RACES):
            alone = self._table.delete_op(
                pause_key(pause.task_arn),
                f"attribute_not_exists(pk) OR (sources = :one AND {same})",
                {":one": {self.name}, ":turn": pause.turn},
            )
            if self._change_pause(alone):
                return True
            now = self._reads.paused(pause.task_arn)
            if now is not None and now.sources == (self.name,):
                if now.turn != pause.turn:
                    return False
            elif not self.leave(pause.task_arn):
                return False
        raise Busy(f"pause of {pause.task_arn}")

    def _change_pause(self, write: Write) -> bool:
        return self._wrote(self._claimed, write)

    # -- the end of the run

    def record(self, recording: Recording, *, breaker_limit: int) -> Recorded:
        """Write how a run ended and release its claim, in one transaction.

        The same call again, after a lost answer, answers the same.

        Raises:
            ClaimLost: the run does not own the source (any more) and did not record it.
            Busy: others write the same items; nothing was written.
        """
        for _ in range(RACES):
            state = self._reads.state(self.name)
            if state is not None and state.claim is None and state.recorded_by == self.run:
                assert state.outcome is not None
                return Recorded(state.outcome, self._reads.breaker().opened_by == self.run)
            if state is None or state.claim is None or state.claim.execution != self.run:
                raise ClaimLost(self.name)
            waits, breaker = recording.due_at is None, self._reads.breaker()
            if waits and not breaker.open:
                # A person closed it meanwhile, and made due what waited by then.
                recording, waits = recording.model_copy(update={"due_at": recording.at}), False
            writes = [self._record_state(state, state.claim, recording)]
            opened = waits and breaker.unreadable
            if opened:
                writes.append(put_breaker(self._table, breaker.stopped(recording.at, self.run)))
            elif waits:
                writes.append(self._table.check_op(BREAKER, *unchanged(breaker.version)))
            if recording.erase_undo:
                writes.append(self._table.delete_op(source_key(self.name, "UNDO")))
            if recording.bad_end is not None and not opened:
                bad = BadEnd(at=recording.at, source=self.name, run=recording.bad_end)
                after = breaker.after(bad, breaker_limit, recorded_by=self.run)
                opened = after.opened_by == self.run
                if after != breaker:
                    writes.append(put_breaker(self._table, after))
            try:
                self._table.transact(writes)
            except ConditionFailed:
                continue
            return Recorded(recording.outcome, opened)
        raise Busy(f"source {self.name}")

    def _record_state(self, state: SourceState, claim: Claim, recording: Recording) -> Write:
        fields: dict[str, Any] = {
            **recording.state,
            "outcome": recording.outcome,
            "findings": foremost(recording.findings, count=STATE_FINDINGS, room=STATE_ROOM),
            "recorded_at": recording.at,
            "recorded_by": self.run,
        }
        if unsent := fields.get("unsent"):
            fields["unsent"] = foremost(unsent, count=STATE_FINDINGS, room=STATE_ROOM)
        kept = {key: plain(value) for key, value in fields.items() if value is not None}
        gone = [key for key, value in fields.items() if value is None]
        gone += ["claim", "markers", UNREADABLE]
        if state.due_at is not None:
            kept["due_partition"] = FIRST if recording.first else DUE
        condition = OURS
        # Whoever asked meanwhile wrote another time than Claim did: that one stands.
        claimed = claim.due_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if state.due_at == claim.due_at:
            condition += " AND due_at = :claimed"
            if recording.due_at is None:
                gone += ["due_at", "due_partition"]
                kept.pop("due_partition", None)
            else:
                kept["due_at"] = stamp(recording.due_at)
                kept["due_partition"] = FIRST if recording.first else DUE
        else:
            condition += " AND due_at <> :claimed"
        return self._table.update_op(
            self._state,
            set_=kept,
            remove=tuple(dict.fromkeys(gone)),
            condition=condition,
            values={":run": self.run, ":claimed": claimed},
        )
