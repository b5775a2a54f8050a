"""What the commands print for people: on a terminal, and into a pipe or a file.

On a terminal text wraps at its width, at blanks only, so that no name, ARN or address is broken.
Anywhere else nothing wraps, nothing is padded, nothing has a colour, and the cells of a row are
separated by a tab, so that ``cut``, ``grep`` and a log read it.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NoReturn

from rich.console import Console
from rich.text import Text

from certifier.models import Finding
from certifier.run.remedy import of_source
from certifier.text import is_plain, printable
from certifier.vocabulary import Outcome, Severity

STYLES = {
    Outcome.CERTIFIED: "green",
    Outcome.TASK_STOPPED: "bold red",
    Outcome.REFUSED: "yellow",
    Outcome.ROLLED_BACK: "yellow",
    Outcome.FAILED: "bold red",
    Outcome.PLANNED: "blue",
    Outcome.DEFERRED: "blue",
}
WEIGHTS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.ADVICE: "cyan"}
SEEN, SAID, DO = "seen", "said", "do"
"""The labels of a finding, in every command: what was seen, what others said, what to do."""
NARROWEST = 40
"""Columns below which no text wraps any more: a terminal does that better."""
_RAW_LIMIT = 2048
_LINE_LIMIT = 64 * 1024

Cell = str | Text


# Between backticks, and what an owner is to run, up to the end of the sentence that names it.
_COMMAND = re.compile(r"`[^`]+`|(?:(?<=: )|^)aws .+")


class _Console(Console):
    """A console that leaves a broken pipe to the command line, which knows what it means."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _shown(cell: Cell) -> Text:
    """Return a text in which nothing moves a terminal, whatever of it comes from outside."""
    text = cell if isinstance(cell, Text) else Text(cell)
    if is_plain(text.plain):
        return text
    return Text(printable(text.plain, _LINE_LIMIT), style=text.style)


def _unbroken(command: re.Match[str]) -> str:
    return command[0].replace(" ", "_")


class Terminal:
    """Prints lines, labelled facts and rows; controls in them are written as escapes.

    Args:
        file: where to; default: the standard output of now.
        width: columns; default: those of the terminal, or none where there is no terminal.
    """

    def __init__(self, file: IO[str] | None = None, *, width: int | None = None) -> None:
        self.console = _Console(
            file=file, width=width, highlight=False, emoji=False, markup=False, soft_wrap=True
        )
        wraps = width is not None or self.console.is_terminal
        self.width = max(self.console.width, NARROWEST) if wraps else None

    @classmethod
    def on_stderr(cls) -> "Terminal":
        """Return one for what is not the command's answer."""
        return cls(sys.stderr)

    @property
    def is_live(self) -> bool:
        """Whether somebody looks on, and lines may be drawn over."""
        return self.console.is_terminal

    def line(self, *parts: Cell, style: str = "", indent: int = 0, hang: int = 0) -> None:
        """Print one line; what does not fit goes on below, ``hang`` columns further in."""
        text = Text(" " * indent, style=style)
        for part in parts:
            text.append_text(_shown(part))
        text.rstrip()
        below = " " * (indent + hang)
        for number, piece in enumerate(self._pieces(text, len(below))):
            self._print(piece if not number else Text(below) + piece)

    def _pieces(self, text: Text, below: int) -> Iterator[Text]:
        """Yield what goes on each line; a word that is longer than a line stays whole.

        So does a command: in a shell, half of one is another. The terminal breaks a line that is
        too long without an end of line, and what is copied has none.
        """
        room = len(text) if self.width is None else self.width
        while text.cell_len > room:
            plain = _COMMAND.sub(_unbroken, text.plain)
            begins = len(plain) - len(plain.lstrip())
            cut = plain.rfind(" ", begins, room + 1)
            cut = cut if cut > 0 else plain.find(" ", max(begins, room))
            if cut <= 0:
                break
            head, text = text[:cut], text[cut:]
            head.rstrip()
            text = text[len(text.plain) - len(text.plain.lstrip()) :]
            yield head
            room = max((self.width or 0) - below, NARROWEST // 2)
        yield text

    def _print(self, text: Text) -> None:
        self.console.print(text, end="\n", no_wrap=True, overflow="ignore", crop=False)

    def facts(self, rows: Iterable[tuple[str, Cell]], *, indent: int = 0) -> None:
        """Print labels and what they stand for, each value below the other."""
        rows = list(rows)
        wide = max((len(label) for label, _ in rows), default=0) + 2
        for label, value in rows:
            head = Text(label.ljust(wide) if label else " " * wide, style="dim")
            self.line(head, value, indent=indent, hang=wide)

    def finding(
        self, found: Finding, *, indent: int = 0, of: str = "", source: str | None = None
    ) -> None:
        """Print a finding: what was seen, what DMS or the server said, what to do.

        Args:
            source: the one that it is about, whose name the commands then have.
        """
        head = Text(f"{found.severity.value}: {found.cause.value}", style=WEIGHTS[found.severity])
        if of:
            head.append(f"  {of}", style="dim")
        if found.stage is not None:
            head.append(f"  at {found.stage.value}", style="dim")
        self.line(head, indent=indent, hang=2)
        do = of_source(found.remedy, source) if source else found.remedy
        rows = ((SEEN, found.seen), (SAID, found.raw), (DO, do))
        facts = [(label, printable(text, _RAW_LIMIT)) for label, text in rows if text]
        self.facts(facts, indent=indent + 2)

    def rows(
        self, rows: Sequence[Sequence[Cell]], *, indent: int = 0, heads: Sequence[str] = ()
    ) -> None:
        """Print rows of cells; on a terminal in columns, of which the last one may wrap."""
        if heads:
            rows = [[Text(head, style="bold") for head in heads], *rows]
        cells = [[_shown(cell) for cell in row] for row in rows]
        if self.width is None:
            for row in cells:
                plain = "\t".join(cell.plain for cell in row)
                print(plain.rstrip(), file=self.console.file)
            return
        columns = max((len(row) for row in cells), default=0)
        wides = [
            max((row[number].cell_len for row in cells if number < len(row)), default=0)
            for number in range(columns - 1)
        ]
        for row in cells:
            head = Text()
            for cell, wide in zip(row[:-1], wides, strict=False):
                head.append_text(cell)
                head.append(" " * (wide - cell.cell_len + 2))
            hang = head.cell_len
            if indent + hang + row[-1].cell_len <= self.width:
                self.line(head, row[-1], indent=indent)
            elif indent + hang + NARROWEST <= self.width:
                self.line(head, row[-1], indent=indent, hang=hang)
            else:
                self.line(head, indent=indent, hang=4)
                self.line(row[-1], indent=indent + 4)

    def gap(self) -> None:
        """Print an empty line."""
        self.console.print()
