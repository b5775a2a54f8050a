"""The sources of a team together: by the tag of the endpoint, or by how their names begin. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from certifier.fleet.row import SourceRow
from certifier.fleet.status import Count, Lateness, Status, counted

OTHERS = "others"


@dataclass(frozen=True)
class Group:
    """Sources whose endpoints' tags name the same group, or whose names begin alike."""

    name: str
    rows: tuple[SourceRow, ...]
    needing: int
    days: int | None
    late: Lateness | None
    counts: tuple[Count, ...]


def grouped(rows: Sequence[SourceRow]) -> tuple[SourceRow, ...]:
    """Return the rows, those of no tag whose beginning nobody shares in one group."""
    counts = Counter(row.group for row in rows)
    return tuple(
        row if row.state.group or counts[row.group] > 1 else replace(row, group=OTHERS)
        for row in rows
    )


def groups_of(rows: Sequence[SourceRow]) -> tuple[Group, ...]:
    """Return the groups, those that need a person first."""
    of: dict[str, list[SourceRow]] = defaultdict(list)
    for row in rows:
        of[row.group].append(row)
    groups = []
    for name, members in of.items():
        dated = [row for row in members if row.days is not None]
        first = min(dated, key=lambda row: row.ends, default=None)
        groups.append(
            Group(
                name=name,
                rows=tuple(members),
                needing=sum(bool(row.needs) for row in members),
                days=first.days if first else None,
                late=first.late if first else None,
                counts=counted((row.status for row in members), Status, lambda s: s.tone),
            )
        )
    groups.sort(key=lambda group: (group.name == OTHERS, -group.needing, group.name))
    return tuple(groups)
