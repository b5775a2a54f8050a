"""What a person decides about a source: that it is not run, or that a task stays stopped."""

from datetime import datetime

from certifier.aws.store.items import DUE, RACES, pause_key, plain, source_key, stamp
from certifier.aws.store.sources import InUse, Sources
from certifier.errors import Busy
from certifier.run.state import OnHold


class OnHolds(Sources):
    """Writes that belong to no run, and that a run's claim keeps out."""

    def put_on_hold(self, name: str, hold: OnHold) -> InUse | bool:
        """Take a source off the schedule until ``end_hold``. ``False``: nobody registered it.

        ``InUse`` while it has a claim, an undo log or a pause: what has begun is finished first.

        Raises:
            Busy: it is being claimed or recorded at the same time.
        """
        for _ in range(RACES):
            state = self.state(name)
            if state is None:
                return False
            if held := self._holds(name, state):
                return InUse(held)
            write = self._table.update_op(
                source_key(name, "STATE"),
                set_={"on_hold": plain(hold)},
                remove=("due_at", "due_partition"),
                condition="attribute_exists(pk) AND attribute_not_exists(claim)",
            )
            if self._table.wrote(write):
                return True
        raise Busy(f"source {name}")

    def end_hold(self, name: str, now: datetime) -> bool:
        """Make a source due that was on hold. ``False``: it was not.

        One transaction: a call that is made again, because its answer was lost, is known by its
        token (API of DynamoDB, TransactWriteItems), and does not hear that the hold is over.
        """
        return self._table.transacted(
            [
                self._table.update_op(
                    source_key(name, "STATE"),
                    set_={"due_at": stamp(now), "due_partition": DUE},
                    remove=("on_hold",),
                    condition="attribute_exists(on_hold)",
                )
            ]
        )

    def release(self, name: str, task: str, now: datetime) -> InUse | bool:
        """Let a task that we stopped stay stopped, as far as a source is concerned.

        ``False``: the task does not wait for the source. ``InUse`` while a run has the source.

        Raises:
            Busy: the pause is being changed at the same time.
        """
        for _ in range(RACES):
            state, pause = self.state(name), self.paused(task)
            if pause is None or name not in pause.sources:
                return False
            if state is not None and state.claim is not None:
                return InUse(f"a claim of the execution {state.claim.execution}")
            unclaimed = self._table.check_op(
                source_key(name, "STATE"), "attribute_not_exists(claim)"
            )
            if pause.sources == (name,):
                gone = self._table.delete_op(pause_key(task), "sources = :one", {":one": {name}})
            else:
                gone = self._table.change_op(
                    pause_key(task),
                    "DELETE sources :one",
                    "contains(sources, :name) AND size(sources) > :single",
                    {":one": {name}, ":name": name, ":single": 1},
                )
            if self._table.transacted([unclaimed, gone]):
                self.set_due((name,), now)
                return True
        raise Busy(f"pause of {task}")
