"""The claim: which child execution may write to a source, and who takes over from a dead one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certifier.aws.store.held import Held
from certifier.aws.store.items import FIRST, RACES, RESCUE, source_key, stamp, unchanged, version_of
from certifier.aws.store.reads import Reads
from certifier.errors import Busy
from certifier.run.documents import UndoLog
from certifier.run.state import TAKE_OVER, Claim, SourceState


@dataclass(frozen=True)
class Claimed:
    """The source is this run's. ``undo`` and ``paused`` are what an earlier run left behind.

    ``proven``: DMS has connected with what that run wrote.
    """

    state: SourceState
    undo: UndoLog | None
    paused: bool
    proven: bool = False


@dataclass(frozen=True)
class NotClaimed:
    """Somebody else has the source, or nobody has registered it (``owner`` is ``None``).

    ``moved``: it was registered anew since, with another endpoint than the run's. ``edited``: its
    spec was, so that the run would work by an old one. ``done``: another run has ended since this
    one's execution began.
    """

    owner: str | None
    moved: bool = False
    edited: bool = False
    done: bool = False


def _rescue(now: datetime) -> str:
    """Return when a claimed source is due if its run dies.

    Half a second off every ``stamp``: who asks in the very second is still told apart from it.
    """
    return stamp(now + RESCUE).replace("Z", ".500Z")


def _as_it_was_read(state: SourceState, started: datetime | None) -> tuple[str, dict[str, Any]]:
    """Return the condition of a claim, and its values: owner, endpoint and last run as read."""
    values: dict[str, Any] = {}
    condition = "attribute_exists(pk) AND attribute_not_exists(claim)"
    if state.claim is not None:
        condition, values = "claim.execution = :dead", {":dead": state.claim.execution}
    if state.endpoint is not None:
        condition += " AND endpoint = :endpoint"
        values[":endpoint"] = state.endpoint
    if started is not None:
        last = state.recorded_by
        condition += f" AND {'recorded_by = :by' if last else _NEVER_RAN}"
        values |= {":by": last} if last else {}
    return condition, values


def _ran_since(state: SourceState, started: datetime) -> bool:
    """Whether the last run ended after that; the table holds whole seconds."""
    return state.recorded_at is not None and state.recorded_at >= started.replace(microsecond=0)


_NEVER_RAN = "attribute_not_exists(recorded_by)"


class Claims(Reads):
    """Who has which source."""

    def claim(
        self,
        name: str,
        run: str,
        now: datetime,
        owner_ended: Callable[[Claim], datetime | None],
        *,
        endpoint: str | None = None,
        version: int | None = None,
        started: datetime | None = None,
    ) -> Claimed | NotClaimed:
        """Make the execution ``run`` the source's owner.

        A dead owner is replaced: one that ended (``owner_ended``: when; ``None`` while it runs)
        longer ago than any of its functions could still be running. The loser writes nothing.

        Args:
            endpoint: as the run's spec names it; when the source was moved to another one since,
                the run would mistake the one for the other, so it does not get the claim.
            version: of the run's spec; when another one is registered, it does not get the claim.
            started: when the execution began that chose the source; ``None``: it runs whatever has
                run since.
        """
        for _ in range(RACES):
            state = self.state(name)
            if state is None:
                return NotClaimed(owner=None)
            owner = state.claim
            mine = owner is not None and owner.execution == run
            moved = endpoint is not None and not state.is_of(endpoint)
            edited = not mine and version is not None and self._version(name) != version
            done = not mine and started is not None and _ran_since(state, started)
            if moved or edited or done:
                return NotClaimed(owner=None, moved=moved, edited=edited, done=done)
            if mine:
                return self._claimed(state)
            if owner is not None:
                ended = owner_ended(owner)
                if ended is None or now - ended <= TAKE_OVER:
                    return NotClaimed(owner=owner.execution)
            self._try_to_claim(state, run, now, version=version, started=started)
            # Whoever has it now is read in the next round.
        raise Busy(f"source {name}")

    def _try_to_claim(
        self,
        state: SourceState,
        run: str,
        now: datetime,
        *,
        version: int | None,
        started: datetime | None,
    ) -> None:
        """Write the claim, unless what ``state`` says is not so any more."""
        due = _rescue(now)
        condition, values = _as_it_was_read(state, started)
        claim = self._table.update_op(
            source_key(state.name, "STATE"),
            set_={
                "claim": {
                    "execution": run,
                    "since": stamp(now),
                    "due_at": due,
                    "took_over": state.claim is not None,
                },
                "due_at": due,
                "due_partition": FIRST,
                "markers": {},
            },
            condition=condition,
            values=values,
        )
        if version is None:
            self._table.wrote(claim)
        else:  # an edit in this very moment must not be hidden by the time that is written here
            spec = source_key(state.name, "SPEC")
            asked = self._table.check_op(spec, *unchanged(version))
            self._table.transacted((claim, asked))

    def _version(self, name: str) -> int | None:
        spec = self._table.get(source_key(name, "SPEC"))
        return None if spec is None else version_of(spec)

    def _claimed(self, state: SourceState) -> Claimed:
        found, pauses = self.unfinished(state.name), self.pauses()
        return Claimed(
            state=state,
            undo=found.log if found else None,
            paused=bool(pauses.of(state.name)) or state.name in pauses.affected,
            proven=found is not None and found.proven,
        )

    def hold(self, name: str, run: str) -> Held:
        """Return the source as this run's, for a step that is about to write.

        Raises:
            ClaimLost: ``run`` does not own the source (any more).
        """
        return Held(self._table, name, run)
