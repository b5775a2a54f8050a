"""An account to change a live endpoint in, and the table of what was cut off, at the end."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from sandbox.chaos.__main__ import table
from sandbox.world import World
from tests.scenarios.live import Live, emptied


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with World.start() as world:
        yield world


@pytest.fixture
def live(shared: World) -> Live:
    """An account as nobody has used it yet."""
    return Live(emptied(shared))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print calls and states, faults injected, and how many ended well, for each story."""
    shares: dict[str, list[dict[str, Any]]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, row in getattr(report, "user_properties", ()):
            if name == "cut_off":
                shares.setdefault(row["story"], []).append(row)
    if shares:
        console = Console(file=terminalreporter._tw._file, width=100)
        console.print(table(_whole(rows) for rows in shares.values()))


def _whole(shares: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what came of a story from what came of its shares."""
    whole = dict(shares[0])
    for key in ("faults", "well"):
        whole[key] = dict(sum((Counter(one[key]) for one in shares), Counter()))
    whole["cases"] = sum(one["cases"] for one in shares)
    whole["failed"] = [case for one in shares for case in one["failed"]]
    return whole
