"""How the output in a document is compared with what a command prints."""

import pytest

from tests.docs.shell import capture, commands, words
from tests.docs.transcript import missing, transcripts

PRINTED = "orders  certified  396 days left\n  s3://bucket/x\n1 sources: 1 certified  \n"


def test_numbers_may_differ_and_dots_are_anything() -> None:
    """What is shown may be older, and less."""
    shown = ["orders  certified  12 days left", "...", "  s3://...", "1 sources: ..."]
    assert missing(shown, PRINTED) == ["  s3://..."]
    assert missing(shown[:2] + shown[3:], PRINTED) == []


@pytest.mark.parametrize("line", ["orders  refused  396 days left", "orders", "certified ..."])
def test_another_line_is_missing(line: str) -> None:
    """A word that differs, a line that is cut short without dots, one that begins elsewhere."""
    assert missing([line], PRINTED) == [line]


def test_a_block_is_cut_at_its_prompts() -> None:
    """Each command has the lines up to the next one."""
    text = "```console\n$ a b\n1\n2\n$ c\n3\n```\n"
    assert list(transcripts(text)) == [("a b", ["1", "2"]), ("c", ["3"])]


def test_commands_are_read_as_bash_reads_them() -> None:
    """Continued lines, comments, variables but in single quotes, and what is kept of an output."""
    assert commands("```sh\n# x\na \\\n  b\n\nc\n```\n```sql\nd\n```\n") == ["a    b", "c"]
    assert words("""a "$X" '$X' b""", {"X": "1 2"}) == ["a", "1 2", "$X", "b"]
    with pytest.raises(KeyError):
        words("a $Y", {})
    assert capture("X=$(a b)") == ("X", "a b")
    assert capture("a b") == (None, "a b")
