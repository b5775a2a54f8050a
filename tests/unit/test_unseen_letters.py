"""Letters, marks and symbols that nobody sees, or that cover others: shown as what they are."""

import io
import unicodedata

import pytest

from certifier.cli.terminal import Terminal
from certifier.report import environment
from certifier.text import MARKS, is_plain, printable

UNSEEN = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2800\u3164\ufe00\ufe0f\uffa0\U0001d159\U000e0101"
)
PILE = "\u0489\u0321"
OF_LANGUAGES = (
    "Zürich, Tiếng Việt, Ελλάδα, Україна",
    "Tie\u0302\u0301ng Vie\u0323\u0302t",  # decomposed
    "שָׁלוֹם עֲלֵיכֶם",
    "ประเทศไทย น้ำ ที่",
    "हिन्दी, বাংলা, தமிழ்",
    "日本語, 한국어, 中文",
    "✓ ■ ✕ ↺ → … –",
)


@pytest.mark.parametrize("sign", UNSEEN, ids=unicodedata.name)
def test_what_nobody_sees_is_shown_as_its_number(sign: str) -> None:
    """Or the CA that a notice reports as new has, to the eye, the name of the one that was there.

    To ``isprintable`` each is graphic; on a page, in a terminal or in a mail it is nothing.
    """
    name = f"CN=Orders CA{sign}"
    shown = printable(name)
    assert sign not in shown
    assert shown == f"CN=Orders CA{sign.encode('unicode_escape').decode()}"
    page = environment().from_string("{{ name }}").render(name=name)
    assert page == shown
    out = io.StringIO()
    Terminal(out, width=None).line(name)
    assert out.getvalue() == f"{shown}\n"


def test_a_pile_of_marks_covers_no_other_line() -> None:
    """A server's text with fifty marks on one letter would stand on what is printed above it."""
    shown = printable("refused" + PILE * 25)
    assert sum(unicodedata.category(c) in ("Mn", "Me") for c in shown) == MARKS
    assert shown.startswith("refused")
    assert shown.endswith("\\u0489\\u0321")


@pytest.mark.parametrize("text", OF_LANGUAGES)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """Composed or not, in whatever language."""
    assert is_plain(text)
    assert printable(text) == text
