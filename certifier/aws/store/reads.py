"""What the table says, without a write. Every read is consistent."""

import json

from certifier.aws.store.items import (
    BREAKER,
    owner_key,
    pause_key,
    pause_of,
    source_key,
    spec_of,
    state_of,
)
from certifier.aws.table import Table
from certifier.errors import Unexpected
from certifier.run.documents import UndoLog
from certifier.run.state import Breaker, Pause, SourceState
from certifier.source import Source


class Reads:
    """Every read that more than one room of the store needs."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def spec(self, name: str) -> tuple[Source, int] | None:
        """Return the source as registered and its version; ``None`` when nobody registered it.

        Raises:
            Unexpected: an older version of Certifier took the spec, and this one does not.
        """
        item = self._table.get(source_key(name, "SPEC"))
        return None if item is None else (spec_of(item), int(item["version"]))

    def state(self, name: str) -> SourceState | None:
        """Return what is remembered of a source; ``None`` when nobody registered it."""
        item = self._table.get(source_key(name, "STATE"))
        return None if item is None else state_of(item)

    def undo(self, name: str) -> UndoLog | None:
        """Return how to put the source's endpoint back; ``None`` when nothing is unfinished."""
        found = self.undo_with_run(name)
        return None if found is None else found[0]

    def undo_with_run(self, name: str) -> tuple[UndoLog, str] | None:
        """Return the undo log and the execution that wrote it."""
        item = self._table.get(source_key(name, "UNDO"))
        if item is None:
            return None
        return UndoLog.model_validate_json(item["log"]), str(item["run"])

    def endpoint_owner(self, endpoint: str) -> str | None:
        """Return the source that has an endpoint, by its identifier or ARN."""
        item = self._table.get(owner_key(endpoint))
        return None if item is None else str(item["source"])

    def paused(self, task: str) -> Pause | None:
        """Return the pause of a task; ``None`` when we did not stop it."""
        item = self._table.get(pause_key(task))
        return None if item is None else pause_of(item)

    def pauses_all(self) -> tuple[Pause, ...]:
        """Return every task that we stopped and that does not run again yet."""
        return tuple(pause_of(item) for item in self._table.partition("PAUSE"))

    def pauses_of(self, name: str) -> tuple[Pause, ...]:
        """Return the tasks that are stopped for the sake of a source."""
        return tuple(pause for pause in self.pauses_all() if name in pause.sources)

    def breaker(self) -> Breaker:
        """Return the breaker."""
        item = self._table.get(BREAKER)
        if item is None:
            return Breaker()
        kept = {**json.loads(item["breaker"]), "version": int(item["version"])}
        return Breaker.model_validate_json(json.dumps(kept))

    def names_all(self) -> tuple[str, ...]:
        """Return the name of every registered source, sorted (reads the whole table)."""
        return tuple(
            sorted(
                item["pk"].partition("#")[2]
                for item in self._table.scan("SPEC#", "SPEC", keys=True)
            )
        )

    def specs_all(self) -> dict[str, tuple[Source, int] | None]:
        """Return every registered source and its version, by name (reads the whole table).

        ``None`` for one that an older version of Certifier took and this one does not.
        """
        found: dict[str, tuple[Source, int] | None] = {}
        for item in self._table.scan("SPEC#", "SPEC"):
            name = item["pk"].partition("#")[2]
            try:
                found[name] = (spec_of(item), int(item["version"]))
            except Unexpected:
                found[name] = None
        return dict(sorted(found.items()))

    def states_all(self) -> tuple[SourceState, ...]:
        """Return what is remembered of every source, by name (reads the whole table)."""
        states = (state_of(item) for item in self._table.scan("SOURCE#", "STATE"))
        return tuple(sorted(states, key=lambda state: state.name))

    def fleet(self) -> tuple[tuple[SourceState, Source | None, int], ...]:
        """Return what is remembered of every source, its spec and the spec's version, by name.

        In one reading of the whole table, which may miss what was written a moment ago: it is for
        a page that people look at. The spec is ``None`` when this version does not read it. A state
        that this version does not read is left out.
        """
        states, specs = {}, {}
        for item in self._table.scan_for("STATE", "SPEC"):
            kind, _, name = item["pk"].partition("#")
            try:
                if kind == "SOURCE":
                    states[name] = state_of(item)
                elif kind == "SPEC":
                    specs[name] = (spec_of(item), int(item["version"]))
            except Unexpected:
                continue
        return tuple((state, *specs.get(name, (None, 0))) for name, state in sorted(states.items()))

    def undo_all(self) -> dict[str, UndoLog]:
        """Return every undo log, by source (reads the whole table)."""
        return {
            item["pk"].partition("#")[2]: UndoLog.model_validate_json(item["log"])
            for item in self._table.scan("UNDO#", "UNDO")
        }
