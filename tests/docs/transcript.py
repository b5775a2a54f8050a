"""Commands with their output in a document, held against what they really print."""

import re
from collections.abc import Iterator

from tests.docs.markdown import blocks


def transcripts(text: str) -> Iterator[tuple[str, list[str]]]:
    """(command, the lines that it is shown to print) of every ``console`` block."""
    for block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield command, lines


def missing(shown: list[str], printed: str) -> list[str]:
    """The lines that are shown and not printed; numbers may differ, ``...`` is anything."""
    patterns = [_pattern(line) for line in printed.splitlines()]
    return [
        line
        for line in shown
        if line != "..." and not any(_fits(line, pattern) for pattern in patterns)
    ]


def _pattern(line: str) -> str:
    return re.sub(r"\d+", "0", line.rstrip())


def _fits(shown: str, printed: str) -> bool:
    start, dots, _ = _pattern(shown).partition("...")
    if not dots:
        return start == printed
    return printed.split()[: len(start.split())] == start.split()
