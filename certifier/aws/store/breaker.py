"""The breaker: opened by the end of a run, closed by a person."""

from datetime import datetime

from certifier.aws.store.items import BREAKER, RACES, unchanged
from certifier.aws.store.sources import Sources
from certifier.aws.table import Table, Write
from certifier.errors import Busy
from certifier.run.kept import written
from certifier.run.state import Breaker

_NOT_WRITTEN = frozenset({"version", "unreadable"})
"""What is known of a breaker from its item, not from what is written in it."""


def put_breaker(table: Table, breaker: Breaker) -> Write:
    """Return the write of the breaker, unless it was written since it was read."""
    return table.put_op(
        {
            **BREAKER,
            "breaker": written(breaker, without=_NOT_WRITTEN),
            "version": breaker.version + 1,
        },
        *unchanged(breaker.version),
    )


class BreakerReset(Sources):
    """How the breaker is closed."""

    def reset_breaker(self, now: datetime) -> tuple[str, ...]:
        """Close the breaker, make due what it deferred, and return those names.

        The breaker closes first: a source that is made due while it is open would be deferred anew.
        A run that saw it open and records only now finds it closed, and makes itself due.
        """
        for _ in range(RACES):
            before = self.breaker()
            if before == Breaker(version=before.version):
                break
            if self._table.wrote(put_breaker(self._table, Breaker(version=before.version))):
                break
        else:
            raise Busy("the breaker")
        waiting = tuple(state.name for state in self.states_all() if state.held_by_breaker)
        self.set_due(waiting, now)
        return waiting
