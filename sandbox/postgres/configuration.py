"""What a server is configured with: its certificate, pg_hba.conf and postgresql.conf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class TlsMaterial(Protocol):
    """What PostgreSQL serves: `sandbox.pki.Leaf`, or anything with the same two properties."""

    @property
    def fullchain_pem(self) -> bytes: ...
    @property
    def key_pem(self) -> bytes: ...


@dataclass(frozen=True)
class TlsFiles:
    """PEM bytes as they are, right or wrong."""

    fullchain_pem: bytes
    key_pem: bytes = field(repr=False)


class Access(StrEnum):
    """Ready-made pg_hba.conf files; the line is for every database, user and address."""

    ANY = "host all all all {method}"
    TLS_ONLY = "hostssl all all all {method}"
    PLAIN_ONLY = "hostnossl all all all {method}"
    TRUST = "host all all all trust"
    CLEAR_TEXT = "host all all all password"
    MD5 = "host all all all md5"
    CLIENT_CERTIFICATE = "hostssl all all all {method} clientcert=verify-ca"
    CLIENT_CERTIFICATE_ONLY = "hostssl all all all cert"
    NOBODY = "host all all all reject"
    NO_ENTRY = ""


SETTINGS: dict[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "huge_pages": "off",
    "shared_buffers": "16MB",
    "max_connections": "30",
    "max_wal_size": "64MB",
    "max_logical_replication_workers": "0",
    "max_parallel_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_connections": "on",
    "log_destination": "stderr",
}


def postgresql_conf(settings: Mapping[str, str]) -> bytes:
    """The file with these settings, one a line."""
    lines = [f"{name} = {_quoted(value)}" for name, value in sorted(settings.items())]
    return ("\n".join(lines) + "\n").encode()


def pg_hba_conf(hba: Access | Sequence[str], method: str) -> bytes:
    """The file with these lines, below the one that trusts the private socket."""
    lines = [hba.value.format(method=method)] if isinstance(hba, Access) else list(hba)
    return ("\n".join(["local all all trust", *lines]) + "\n").encode()


def _quoted(value: str) -> str:
    """A value as postgresql.conf takes it, where a backslash escapes and a quote is doubled."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
