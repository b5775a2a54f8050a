"""The login roles and databases of a server, and the password of its superuser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import psycopg
from psycopg import sql


def prepare(
    connection: psycopg.Connection[tuple[Any, ...]],
    superuser: tuple[str, str],
    users: Mapping[str, str],
    databases: Sequence[str],
) -> None:
    """Give the superuser its password, and make the other roles and the databases."""
    connection.execute(_password_statement("ALTER", *superuser))
    for name, password in users.items():
        connection.execute(_password_statement("CREATE", name, password))
    for name in databases:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _password_statement(verb: Literal["ALTER", "CREATE"], name: str, password: str) -> sql.Composed:
    return sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(name), sql.Literal(password)
    )
