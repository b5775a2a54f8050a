"""docs/architecture.md and docs/decisions/ describe what is there."""

import re
from datetime import date

from tests.docs.markdown import ROOT, documents, read

ARCHITECTURE = read(ROOT / "docs/architecture.md")
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


def test_every_file_that_a_recipe_names_exists() -> None:
    """A recipe is followed by people who do not know the place yet."""
    recipes = ARCHITECTURE.partition("## Recipes for common changes")[2].partition("\n## ")[0]
    paths = set(re.findall(r"`((?:[\w-]+/)+[\w.-]*)`", recipes))
    assert len(paths) > 20
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_every_file_that_a_document_names_exists() -> None:
    """Of our own code and tests, in any document; generated ones name tests with `::`."""
    folders = "certifier|stacks|lambdas|sandbox|smoke|handbook|tests|bench|docs|examples"
    pattern = re.compile(rf"`((?:{folders})/[\w./-]*\w)(?:::\w+)?`")
    named = {(path, name) for path in documents() for name in pattern.findall(read(path))}
    assert len(named) > 40
    assert {(path.name, name) for path, name in named if not (ROOT / name).exists()} == set()


def test_there_is_a_recipe_for_each_common_change() -> None:
    """The ones that people ask for."""
    for change in ("cause", "field", "step", "trigger", "policy finding", "setting", "command"):
        assert re.search(rf"^\*\*A {change}\b", ARCHITECTURE, re.MULTILINE), change
    assert "**A notice.**" in ARCHITECTURE


def test_every_folder_of_the_repository_has_a_room() -> None:
    """A folder with code in it is in the picture of the rooms."""
    rooms = ARCHITECTURE.partition("## Rooms")[2].partition("\n## ")[0]
    for folder in ROOT.iterdir():
        if (folder / "__init__.py").exists() or folder.name in ("bench", "tests"):
            assert re.search(rf"(^|\s|, ){folder.name}/", rooms), folder.name


def test_every_decision_has_a_date_and_a_status() -> None:
    """Below its title, and in the index with the same words."""
    index = read(ROOT / "docs/decisions/README.md")
    for path in DECISIONS:
        title, _, line, *_ = read(path).splitlines()
        match = re.fullmatch(r"\*(\d{4}-\d\d-\d\d)\. (Accepted|Superseded by .+)\.\*", line)
        assert match, path.name
        assert date.fromisoformat(match[1]).year >= 2026
        row = f"[{title.partition('. ')[2]}]({path.name}) | {match[1]} | {match[2].lower()} |"
        assert row in index, path.name
