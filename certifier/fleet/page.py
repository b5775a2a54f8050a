"""The fleet page as values: what is on it, in which order, and in which words. Pure.

``fleet_page`` takes what was gathered of one or several installations and answers everything that
the template shows; the template only writes it down. No clock: ``now`` is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from certifier.fleet.expiry import (
    YEAR,
    Authority,
    Expiry,
    Lane,
    authorities_of,
    expiries_of,
    lanes_of,
)
from certifier.fleet.facts import InstallationFacts
from certifier.fleet.groups import Group, grouped, groups_of
from certifier.fleet.last_days import DayBar, last_days
from certifier.fleet.needs import Need, needs_of
from certifier.fleet.row import SourceRow, source_row, waits
from certifier.fleet.status import Count, Status, Tone, counted, so_many_sources
from certifier.vocabulary import SslMode

WAITING = timedelta(hours=1)
"""So long after its time a source counts as waiting; a tick comes every ten minutes."""
SOON = 6
"""Certificates that are named under the timeline."""


@dataclass(frozen=True)
class FleetPage:
    """Everything that the page shows."""

    made_at: datetime
    installations: tuple[InstallationFacts, ...]
    rows: tuple[SourceRow, ...]
    needs: tuple[Need, ...]
    statuses: tuple[Count, ...]
    modes: tuple[Count, ...]
    stopped_tasks: int
    first_expiry: SourceRow | None
    raisable: tuple[SourceRow, ...]
    waiting: tuple[SourceRow, ...]
    finished_at: datetime | None
    authorities: tuple[Authority, ...]
    lanes: tuple[Lane, ...]
    expiries: tuple[Expiry, ...]
    days: tuple[DayBar, ...]
    groups: tuple[Group, ...]

    @property
    def several(self) -> bool:
        """Whether the page shows more than one installation."""
        return len(self.installations) > 1

    @property
    def certified(self) -> int:
        return sum(row.status is Status.CERTIFIED for row in self.rows)

    @property
    def unverified(self) -> int:
        """How many sources connect in a mode that verifies nothing."""
        return sum(row.mode is not None and not row.mode.verifies for row in self.rows)

    @property
    def soonest(self) -> tuple[Expiry, ...]:
        """What expires first within the year."""
        return tuple(each for each in self.expiries if each.days < YEAR)[:SOON]

    @property
    def needing(self) -> int:
        """How many sources need a person."""
        return sum(bool(row.needs) for row in self.rows)

    @property
    def tone(self) -> Tone:
        """The colour of the whole answer."""
        if any(each.problem or each.abandoned for each in self.installations):
            return Tone.BAD
        if not self.rows:
            return Tone.CALM
        worst = {need.tone for need in self.needs}
        if Tone.BAD in worst:
            return Tone.BAD
        return Tone.WARN if worst or self.changes_stopped else Tone.GOOD

    @property
    def changes_stopped(self) -> tuple[InstallationFacts, ...]:
        """The installations whose breaker is open."""
        return tuple(each for each in self.installations if each.breaker.open)

    @property
    def unread_breakers(self) -> tuple[InstallationFacts, ...]:
        """Those among them whose breaker is open because it could not be read."""
        return tuple(each for each in self.changes_stopped if each.breaker.is_unread)

    @property
    def headline(self) -> str:
        """The answer in one line."""
        total, needing = len(self.rows), self.needing
        if not total:
            return "No source is registered yet"
        if needing:
            verb = "needs" if needing == 1 else "need"
            return f"{needing} of {so_many_sources(total)} {verb} a person"
        if self.certified == total:
            return f"All {total} sources are certified" if total > 1 else "The source is certified"
        return "No source needs a person"


def fleet_page(installations: Sequence[InstallationFacts], now: datetime) -> FleetPage:
    """Return the page of these installations, as it is ``now``."""
    rows = tuple(
        sorted(
            (
                source_row(facts, each, now, prefix=f"{number}-" if len(installations) > 1 else "")
                for number, each in enumerate(installations, 1)
                for facts in each.sources
            ),
            key=lambda row: row.weight,
        )
    )
    rows = grouped(rows)
    expiries = expiries_of(rows, now)
    finished = [each.finished_at for each in installations if each.finished_at is not None]
    dated = [row for row in rows if row.expires_at is not None]
    return FleetPage(
        made_at=now,
        installations=tuple(installations),
        rows=rows,
        needs=tuple(needs_of(rows)),
        statuses=counted((row.status for row in rows), Status, lambda status: status.tone),
        modes=counted((row.mode for row in rows if row.mode), reversed(SslMode), _mode_tone),
        stopped_tasks=_stopped_tasks(installations, rows),
        first_expiry=min(dated, key=lambda row: row.ends, default=None),
        raisable=tuple(row for row in rows if row.could_be_raised),
        waiting=tuple(row for row in rows if waits(row.state, now) > WAITING),
        finished_at=min(finished, default=None),
        authorities=authorities_of(rows, now),
        lanes=tuple(lanes_of(expiries, now)),
        expiries=expiries,
        days=last_days(rows, now),
        groups=groups_of(rows),
    )


def _stopped_tasks(installations: Sequence[InstallationFacts], rows: Sequence[SourceRow]) -> int:
    """Return how many tasks do not run though no run is at work on them; each counts once."""
    stopped = {arn for each in installations for arn in each.abandoned}
    for row in rows:
        stopped |= set(row.state.pending_restarts)
        if row.status is Status.UNFINISHED or row.state.pending_restarts:
            stopped |= {pause.task_arn for pause in row.facts.stopped}
    return len(stopped)


def _mode_tone(mode: SslMode) -> Tone:
    return {
        SslMode.VERIFY_FULL: Tone.GOOD,
        SslMode.VERIFY_CA: Tone.CALM,
        SslMode.REQUIRE: Tone.WARN,
        SslMode.NONE: Tone.BAD,
    }[mode]
