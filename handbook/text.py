"""Markdown that the pages are put together from."""

from collections.abc import Iterable, Sequence

NOTICE = "This file is generated: `make docs`.\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a pipe in a cell is escaped."""
    lines = [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def code(text: str) -> str:
    """Return text that no renderer touches."""
    return f"`{text}`"


def listed(words: Iterable[str]) -> str:
    """Return words as code, separated by commas."""
    return ", ".join(code(word) for word in words)
