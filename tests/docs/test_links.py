"""Every link inside the repository leads somewhere."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.markdown import ROOT, anchors, documents, links, read


def broken(document: Path) -> list[str]:
    """The relative links of a document that lead nowhere, with what is missing."""
    found = []
    for link in links(read(document)):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.is_relative_to(ROOT) or not target.exists():
            found.append(f"{link}: no such file")
        elif anchor and (target.suffix != ".md" or anchor not in anchors(read(target))):
            found.append(f"{link}: no such anchor")
    return found


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    """To a file of the repository, and to a heading or anchor in it."""
    assert broken(document) == []


def test_a_link_that_leads_nowhere_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, an anchor that is not there, a path that leaves the repository."""
    monkeypatch.setattr("tests.docs.test_links.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A `title`, twice\n## b\n## b\n[good](#a-title-twice) [good](page.md#b-1) [x](https://x)\n"
        "[a](gone.md) [b](#c) [c](../out.md) `[d](code.md)`\n```md\n[e](code.md)\n# c\n```\n",
        encoding="utf-8",
    )
    found = [wrong.partition(":")[0] for wrong in broken(page)]
    assert found == ["gone.md", "#c", "../out.md"]
