"""Whatever comes from outside, no line that a command prints moves a terminal or begins another."""

import io

import pytest
from rich.text import Text

from certifier.cli.terminal import Terminal

_HOSTILE = "orders\x1b[2J\x1b]0;owned\x07\r\nOK: 3 sources\t\u202egnp.exe\x9b31m\ud800"


@pytest.mark.parametrize("width", [None, 80])
@pytest.mark.parametrize("cell", [_HOSTILE, Text(_HOSTILE, style="bold")], ids=["str", "Text"])
def test_a_line_is_a_line(width: int | None, cell: str | Text) -> None:
    """In a line, in facts and in rows: one place escapes, so that no command can forget it."""
    out = io.StringIO()
    terminal = Terminal(out, width=width)
    terminal.line(cell)
    terminal.facts([("host", cell)])
    terminal.rows([[cell, "x"], ["y", cell]])
    printed = out.getvalue()
    for character in "\x1b\x07\r\u202e\x9b\ud800":
        assert character not in printed
    assert not [line for line in printed.splitlines() if line.startswith("OK")]
    if width is None:
        assert len(printed.splitlines()) == 4
        assert printed.count("\t") == 2


def test_markup_is_text() -> None:
    """A colleague's name in brackets is neither a style nor a link."""
    out = io.StringIO()
    Terminal(out, width=200).line(
        "[red]orders[/red] [link=https://evil.example.com]x[/link] :smile:"
    )
    assert out.getvalue() == "[red]orders[/red] [link=https://evil.example.com]x[/link] :smile:\n"
