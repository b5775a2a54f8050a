"""What a document calls a file, and how many there are of something, is so."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, documents, read

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_FILE = re.compile(r"[\w.-]+\.(?:md|json|py|yaml|tf)")


def misnamed(text: str) -> list[str]:
    """Links whose words are the name of another file than they lead to."""
    return [
        f"{words} leads to {target}"
        for words, target in _LINK.findall(text)
        if (named := words.rpartition("/")[2].strip("`"))
        and _FILE.fullmatch(named)
        and (file := target.partition("#")[0].rpartition("/")[2])
        and file != named
    ]


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_that_names_a_file_leads_to_it(document: Path) -> None:
    """A file that was renamed keeps its old name nowhere."""
    assert misnamed(read(document)) == []


def test_a_wrong_name_is_found() -> None:
    """In the form in which it once stood here."""
    assert misnamed("([safety.md](operate/guarantees.md#what-has))") == [
        "safety.md leads to operate/guarantees.md#what-has"
    ]


def test_the_picture_of_the_resources_counts_the_alarms() -> None:
    """As many as the reference has rows for, which a test compares with the template."""
    table = read(ROOT / "docs" / "reference" / "events.md").split("## Alarms", 1)[1]
    rows = re.findall(r"^\| `\w+` \|", table.split("\n## ", 1)[0], re.MULTILINE)
    assert f"metrics, {len(rows)} alarms" in read(ROOT / "docs" / "architecture.md")
