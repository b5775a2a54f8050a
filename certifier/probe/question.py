"""The one question of the login: what is asked, and the facts that its rows are read as."""

import struct

from pg8000.exceptions import DatabaseError

from certifier.evidence import LoginFacts, SlotFacts
from certifier.probe.messages import Progress, violation
from certifier.text import printable
from certifier.vocabulary import Stage

# Every name is qualified, because the role's search_path may hold another of that name.
_ASKED = """
SELECT pg_catalog.current_setting('ssl'),
       pg_catalog.current_setting('server_version'),
       CASE WHEN pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
            THEN pg_catalog.current_setting('ssl_min_protocol_version', true) END,
       own.ssl::text, own.version, own.cipher,
       CASE WHEN pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
            THEN (SELECT pg_catalog.count(*)::text
                    FROM pg_catalog.pg_stat_ssl s JOIN pg_catalog.pg_stat_activity a USING (pid)
                   WHERE NOT s.ssl AND a.client_addr IS NOT NULL) END,
       pg_catalog.pg_is_in_recovery()::text"""
SLOTS_SHOWN = 50
# One row for each slot, or one row without any. The positions are asked for beside a slot only:
# where there can be none (Aurora without logical replication), asking is an error. A column of the
# view that an older server lacks is null in JSON.
QUERY = f"""{_ASKED},
       slot.slot_name::text, slot.active::text,
       pg_catalog.pg_wal_lsn_diff(
           CASE WHEN pg_catalog.pg_is_in_recovery()
                THEN greatest(pg_catalog.pg_last_wal_receive_lsn(),
                              pg_catalog.pg_last_wal_replay_lsn())
                ELSE pg_catalog.pg_current_wal_lsn() END,
           slot.restart_lsn)::bigint::text,
       pg_catalog.to_jsonb(slot) ->> 'wal_status'
  FROM pg_catalog.pg_stat_ssl own LEFT JOIN pg_catalog.pg_replication_slots slot ON true
 WHERE own.pid = pg_catalog.pg_backend_pid()
 ORDER BY slot.active, slot.restart_lsn, slot.slot_name
 LIMIT {SLOTS_SHOWN}
"""
QUERY_WITHOUT_SLOTS = f"""{_ASKED}
  FROM pg_catalog.pg_stat_ssl own WHERE own.pid = pg_catalog.pg_backend_pid()"""
COLUMNS = 8
SLOT_COLUMNS = 4

_SHOWN = 200
_DIGITS_OF_A_COUNT = 18


class Rows:
    """What one query was answered: the rows, as long as they have the columns that were asked for.

    `error` is pg8000's.
    """

    def __init__(self, columns: int) -> None:
        self.error: DatabaseError | None = None
        self.columns = columns
        self.described: int | None = None
        self.rows: list[list[str | None]] = []

    def describe(self, columns: int) -> None:
        if self.described is not None:
            raise violation("the server described its rows twice", stage=Stage.QUERY)
        self.described = columns

    def add(self, data: bytes) -> None:
        """Take a row: not more of them, and of no other shape, than was asked for."""
        if self.described is None:
            raise violation("the server sent a row that it did not describe", stage=Stage.QUERY)
        if self.described == self.columns and len(self.rows) < SLOTS_SHOWN:
            self.rows.append(_values_in(data, self.columns))


def _values_in(data: bytes, columns: int) -> list[str | None]:
    """The values of a DataRow, as text. Raises StageFailed unless they are exactly all of it."""
    (count,) = struct.unpack_from("!H", data)
    values: list[str | None] = []
    at = 2
    for _ in range(columns if count == columns else 0):
        if at + 4 > len(data):
            break
        (size,) = struct.unpack_from("!i", data, at)
        at += 4
        if not -1 <= size <= len(data) - at:
            raise violation(
                f"a value is said to have {size} bytes, and {len(data) - at} are left",
                stage=Stage.QUERY,
            )
        end = at + max(size, 0)
        values.append(None if size < 0 else data[at:end].decode("utf-8", "backslashreplace"))
        at = end
    if len(values) != columns or at != len(data):
        raise violation("a row does not hold the columns described", stage=Stage.QUERY)
    return values


def login_facts(progress: Progress, rows: list[list[str | None]]) -> LoginFacts:
    """The facts of a login that went through, from the rows of its question."""
    texts = [[None if value is None else printable(value, _SHOWN) for value in row] for row in rows]
    first = (texts[0] if texts else []) + [None] * COLUMNS
    ssl, version, min_tls, own, own_version, cipher, others, standby = first[:COLUMNS]
    return LoginFacts(
        succeeded=True,
        method=progress.method,
        channel_binding=progress.bound,
        server_version=version or progress.server_version,
        ssl=ssl,
        min_tls=min_tls,
        session_ssl=_truth(own),
        session_version=own_version,
        session_cipher=cipher,
        plaintext_sessions=count_in(others),
        in_recovery=_truth(standby),
        slots=_slots([row[COLUMNS:] for row in texts]),
    )


def _slots(rows: list[list[str | None]]) -> tuple[SlotFacts, ...] | None:
    """The slots, row by row; None when the columns that were asked for are not there."""
    if not rows or any(len(row) != SLOT_COLUMNS for row in rows):
        return None
    return tuple(
        SlotFacts(
            name=name,
            active=_truth(active) or False,
            retained_bytes=count_in(retained),
            wal_status=wal_status,
        )
        for name, active, retained, wal_status in rows
        if name
    )


def _truth(text: str | None) -> bool | None:
    """A boolean from the server; None for anything else."""
    return {"true": True, "false": False}.get(text or "")


def count_in(text: str | None) -> int | None:
    """A number from the server; None for anything else."""
    known = text is not None and text.isdecimal() and len(text) <= _DIGITS_OF_A_COUNT
    return int(text or 0) if known else None
