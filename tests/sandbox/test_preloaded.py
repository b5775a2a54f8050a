"""A library that moves the clock of a whole run reaches every process of it."""

import os

import pytest

from sandbox.postgres.ground import server_environment
from sandbox.preloaded import preloaded


def test_what_moves_the_clock_is_kept_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL starts with little else in its environment."""
    for name in filter(lambda name: name.startswith("FAKETIME"), tuple(os.environ)):
        monkeypatch.delenv(name)
    moved = {"LD_PRELOAD": "", "FAKETIME": "+1d", "FAKETIME_NO_CACHE": "1"}
    for name, value in moved.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert preloaded() == moved
    assert server_environment().items() >= moved.items()
    assert "PGSSLMODE" not in server_environment()
