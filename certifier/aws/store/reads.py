"""What the table says, without a write. Every read is consistent."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from certifier.aws.store.items import (
    BREAKER,
    name_of,
    names_in,
    owner_key,
    owner_of,
    pause_key,
    pause_of,
    registered_of,
    source_key,
    state_of,
    version_of,
    whole,
)
from certifier.aws.table import Table
from certifier.diagnosis import finding
from certifier.errors import Unreadable
from certifier.run.documents import UndoLog
from certifier.run.state import Breaker, Pause, SourceState
from certifier.source import Source
from certifier.source_values import is_name
from certifier.vocabulary import Cause, Outcome, Witness


@dataclass(frozen=True)
class Unfinished:
    """An undo log as it lies in the table.

    Attributes:
        run: the execution that wrote it.
        proven: DMS has connected with the new settings: there is nothing to undo any more.
        tries: how many runs have found it so far; ``tried_by``: the last of them.
    """

    log: UndoLog
    run: str
    proven: bool = False
    tries: int = 0
    tried_by: str | None = None


@dataclass(frozen=True)
class Pauses:
    """The tasks that we stopped, as they lie in the table.

    Attributes:
        unreadable: the ARNs of the tasks whose pause this version cannot read.
        affected: the names of the sources that those name.
    """

    read: tuple[Pause, ...]
    unreadable: frozenset[str] = frozenset()
    affected: frozenset[str] = frozenset()

    def of(self, name: str) -> tuple[Pause, ...]:
        """Return those for the sake of a source."""
        return tuple(pause for pause in self.read if name in pause.sources)


class Reads:
    """Every read that more than one room of the store needs."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def spec(self, name: str) -> tuple[Source, int] | None:
        """Return the source as registered and its version; ``None`` when nobody registered it.

        Raises:
            Unreadable: an older version of Certifier took the spec, and this one does not.
        """
        item = self._table.get(source_key(name, "SPEC"))
        return None if item is None else registered_of(item)

    def state(self, name: str) -> SourceState | None:
        """Return what is remembered of a source; ``None`` when nobody registered it.

        Raises:
            Unreadable: another version of Certifier wrote it, and this one cannot read it.
        """
        item = self._table.get(source_key(name, "STATE"))
        return None if item is None else state_of(item)

    def undo(self, name: str) -> UndoLog | None:
        """Return how to put the source's endpoint back; ``None`` when nothing is unfinished."""
        found = self.undo_with_run(name)
        return None if found is None else found[0]

    def undo_with_run(self, name: str) -> tuple[UndoLog, str] | None:
        """Return the undo log and the execution that wrote it."""
        found = self.unfinished(name)
        return None if found is None else (found.log, found.run)

    def unfinished(self, name: str) -> Unfinished | None:
        """Return the change of the source that is not finished; ``None`` when there is none.

        Raises:
            Unreadable: another version of Certifier wrote the log, and this one cannot read it.
        """
        item = self._table.get(source_key(name, "UNDO"))
        if item is None:
            return None
        try:
            return Unfinished(
                log=UndoLog.model_validate_json(item["log"]),
                run=str(item["run"]),
                proven=item.get("proven") is True,
                tries=whole(item, "tries"),
                tried_by=item.get("tried_by"),
            )
        except _INVALID:
            raise Unreadable(f"UNDO of {name}") from None

    def endpoint_owner(self, endpoint: str) -> str | None:
        """Return the source that has an endpoint, by its identifier or ARN; ``None``: nobody."""
        item = self._table.get(owner_key(endpoint))
        return None if item is None else owner_of(item)

    def paused(self, task: str) -> Pause | None:
        """Return the pause of a task; ``None`` when we did not stop it.

        Raises:
            Unreadable: another version of Certifier wrote it, and this one cannot read it.
        """
        item = self._table.get(pause_key(task))
        return None if item is None else pause_of(item)

    def pauses_all(self) -> tuple[Pause, ...]:
        """Return every task that we stopped and that does not run again yet.

        One that this version cannot read concerns the sources that it names (``Sources.unreadable``
        says so of them), and no others.
        """
        return self.pauses().read

    def pauses(self) -> Pauses:
        """Return every task that we stopped, and which pauses this version cannot read."""
        read: list[Pause] = []
        unreadable: set[str] = set()
        names: set[str] = set()
        for item in self._table.partition("PAUSE"):
            try:
                read.append(pause_of(item))
            except Unreadable:
                unreadable.add(item["sk"])
                names |= names_in(item)
        return Pauses(tuple(read), frozenset(unreadable), frozenset(names))

    def pauses_of(self, name: str) -> tuple[Pause, ...]:
        """Return the tasks that are stopped for the sake of a source.

        Raises:
            Unreadable: there is one more of them, whose pause this version cannot read.
        """
        found = self.pauses()
        if name in found.affected:
            raise Unreadable(f"PAUSE of a task that is stopped for {name}")
        return found.of(name)

    def breaker(self) -> Breaker:
        """Return the breaker; one that this version cannot read is open until it is reset."""
        item = self._table.get(BREAKER)
        if item is None:
            return Breaker()
        version = version_of(item)
        try:
            read = Breaker.model_validate_json(item["breaker"])
        except _INVALID:
            read = Breaker(unreadable=True)
        changed = {"version": version, "unreadable": read.unreadable or not version}
        return read.model_copy(update=changed)

    def specs_all(self) -> dict[str, tuple[Source, int] | None]:
        """Return every registered source and its version, by name (reads the whole table).

        ``None`` for one that an older version of Certifier took and this one does not.
        """
        found: dict[str, tuple[Source, int] | None] = {}
        for item in _named(self._table.scan("SPEC#", "SPEC")):
            name = name_of(item)
            try:
                found[name] = registered_of(item)
            except Unreadable:
                found[name] = None
        return dict(sorted(found.items()))

    def states_all(self) -> tuple[SourceState, ...]:
        """Return what is remembered of every source, by name (reads the whole table)."""
        states = (_state_or_why(item) for item in _named(self._table.scan("SOURCE#", "STATE")))
        return tuple(sorted(states, key=lambda state: state.name))

    def states_and_logs(self) -> tuple[tuple[SourceState, ...], frozenset[str]]:
        """Return what is remembered of every source, by name, and the names of undo logs.

        In one reading of the whole table, which costs what ``states_all`` costs.
        """
        items = list(_named(self._table.scan_for("STATE", "UNDO", consistent=True)))
        kinds = {kind: [each for each in items if _kind(each) == kind] for kind in _KINDS}
        states = sorted(map(_state_or_why, kinds["SOURCE"]), key=lambda state: state.name)
        return tuple(states), frozenset(map(name_of, kinds["UNDO"]))

    def fleet(self) -> tuple[tuple[SourceState, Source | None, int, bool], ...]:
        """Return what is remembered of every source, by name, and what belongs to it.

        That is its spec, the spec's version, and whether there is an undo log.

        In one reading of the whole table, which may miss what was written a moment ago: it is for
        a page that people look at. The spec is ``None`` when this version does not read it.
        """
        states: dict[str, SourceState] = {}
        specs: dict[str, tuple[Source | None, int]] = {}
        logs: set[str] = set()
        for item in _named(self._table.scan_for("STATE", "SPEC", "UNDO")):
            kind, name = _kind(item), name_of(item)
            if kind == "SOURCE":
                states[name] = _state_or_why(item)
            elif kind == "SPEC":
                try:
                    specs[name] = registered_of(item)
                except Unreadable:
                    specs[name] = (None, version_of(item))
            elif kind == "UNDO":
                logs.add(name)
        return tuple(
            (state, *specs.get(name, (None, 0)), name in logs)
            for name, state in sorted(states.items())
        )

    def certificates_in_logs(self) -> frozenset[str]:
        """Return the ARN of every DMS certificate in an undo log (reads the whole table).

        Also in one that this version cannot read: what it needs stays all the same.
        """
        logs = (repr(item.get("log")) for item in self._table.scan("UNDO#", "UNDO"))
        return frozenset(arn for log in logs for arn in _CERTIFICATE.findall(log))


_INVALID = (KeyError, TypeError, ValueError)
"""What reading an item may raise that nobody of ours wrote; pydantic's errors are ValueErrors."""
_CERTIFICATE = re.compile(r"arn:[^\s\"'\\]+:cert:[^\s\"'\\]+")


_KINDS = ("SOURCE", "UNDO")


def _kind(item: Mapping[str, Any]) -> str:
    """Return which kind of an item a partition holds."""
    return str(item["pk"]).partition("#")[0]


def _named(items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the items of what a source can be called; no other name is shown to anybody."""
    return (item for item in items if is_name(name_of(item)))


def _state_or_why(item: Mapping[str, Any]) -> SourceState:
    """Return what a STATE item holds; of one that cannot be read, the name and that it cannot."""
    try:
        return state_of(item)
    except Unreadable:
        name = name_of(item)
        seen = f"the STATE of {name} in the table is not valid in this version of Certifier"
        why = finding(Cause.SOURCE_INVALID, place=Witness.WORKFLOW, seen=seen)
        return SourceState(name=name, outcome=Outcome.FAILED, findings=(why,))
