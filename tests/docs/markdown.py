"""The documents of the repository, and what stands in them: links, anchors, code."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(```+)(\w*)([^\n]*)\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_ANCHOR = re.compile(r'<a (?:id|name)="([^"]+)">')


def documents() -> list[Path]:
    """Every Markdown file that is part of the project."""
    folders = (ROOT, ROOT / "docs", ROOT / "examples", ROOT / ".github")
    found = [*ROOT.glob("*.md")]
    for folder in folders[1:]:
        found += folder.rglob("*.md")
    return sorted(found)


@cache
def read(path: Path) -> str:
    """The text of a document."""
    return path.read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks in one language."""
    return [body for kind, _, body in fences(text) if kind == language]


def fences(text: str) -> list[tuple[str, str, str]]:
    """Every code block in its order: language, what stands behind it, and the code."""
    return [(kind, more.strip(), body) for _, kind, more, body in _FENCE.findall(text)]


def prose(text: str) -> str:
    """The text without its code blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> Iterator[str]:
    """Where the links and pictures outside code lead."""
    without_code = re.sub(r"`[^`\n]*`", "", prose(text))
    yield from (one or other for one, other in _LINK.findall(without_code))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings, and those that are written out."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f"{slug}-{found[slug]}"] = 0
    return {*found, *_ANCHOR.findall(text)}
