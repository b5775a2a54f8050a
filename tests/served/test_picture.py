"""The README's picture is a session with a served account, and shows what it would show today."""

import re
from collections import defaultdict
from xml.etree import ElementTree

import pytest

from sandbox.serve import picture
from tests.docs.markdown import ROOT, read

DRAWN = picture.PICTURE.read_text("utf-8")
# What differs from day to day: periods, dates, and whatever else has a digit in it.
_PERIOD = re.compile(r"\b\d[\d.]* (?:s|min|h|d)\b(?: \d+ (?:s|min|h)\b)*")
_DAY = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d+ [A-Z][a-z]{2}\b")
_DIGEST = re.compile(r"\b[0-9a-f]{8}…")


def words(text: str) -> list[str]:
    """The words of a text, wherever its lines end; # stands for what another day changes."""
    for pattern in (_PERIOD, _DAY, _DIGEST):
        text = pattern.sub("#", re.sub(r"\s+", " ", text))
    return [
        "#" if re.search(r"\d", word) else word.replace("#", "") or "#" for word in text.split()
    ]


def lines(svg: str) -> str:
    """The text of a picture, line by line."""
    rows: dict[float, list[tuple[float, str]]] = defaultdict(list)
    for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        if "matrix" not in element.get("class", "") and "clip-path" in element.attrib:
            place = float(element.get("y", 0)), float(element.get("x", 0))
            rows[place[0]].append((place[1], element.text or ""))
    return "\n".join(
        "".join(part for _, part in sorted(rows[y])).replace("\xa0", " ") for y in sorted(rows)
    )


def test_a_screen_shows_what_was_not_erased() -> None:
    """A line that was written again and erased is gone; its colours are not text."""
    written = "\x1b[?25l⠋ 0 of 1\r\nwaiting\r\x1b[2K\x1b[1A\x1b[2Kdone\r\n\x1b[32mgreen\x1b[0m\r\n"
    assert picture.screen(written) == "done\n\x1b[32mgreen\x1b[0m"
    assert picture.screen("one\rtwo\n") == "two"


def test_the_picture_asks_no_host_for_anything() -> None:
    """No font is fetched, nothing is linked, no script runs: GitHub shows it as it is."""
    assert not re.search(r"@font-face|@import|<script|<image|href|url\(\s*[\"']?http", DRAWN)
    assert set(re.findall(r"https?://[^\s\"'<>)]+", DRAWN)) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",  # in a comment
    }


def test_the_readme_shows_the_picture() -> None:
    """With its commands, as they are typed."""
    assert "](docs/picture.svg)" in read(ROOT / "README.md")
    shown = lines(DRAWN)
    assert [line[2:] for line in shown.splitlines() if line.startswith("$ ")] == [*picture.COMMANDS]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_picture_is_current() -> None:
    """The same session today shows the same, but for periods, dates, names and numbers."""
    drawn = lines(picture.svg(picture.session()))
    assert words(drawn) == words(lines(DRAWN)), "make picture"
