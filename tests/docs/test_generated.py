"""The generated documents say what the code says, and the code says enough."""

import argparse
import json
from pathlib import Path

import pytest

from certifier.cli import COMMANDS
from certifier.source import Source, parse_source
from handbook import commands, costs, settings, source
from handbook.__main__ import main
from handbook.pages import PAGES, written
from stacks.settings import Settings
from tests.docs.markdown import ROOT, anchors, blocks, read


@pytest.mark.parametrize("path", sorted(PAGES))
def test_a_generated_document_is_current(path: str) -> None:
    """The file is what `make docs` writes."""
    assert written(ROOT, path) == PAGES[path](ROOT), f"{path} is stale: make docs"


def test_every_field_of_a_source_says_what_it_means() -> None:
    """Each one has a meaning, what is allowed, a default and an example, and a section."""
    page = read(ROOT / "docs/reference/source.md")
    for name, field in Source.model_fields.items():
        assert field.description, name
        assert field.examples, name
        section = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        for row in ("default", "allowed", "example"):
            (cell,) = [x for x in section.splitlines() if x.startswith(f"| {row} | ")]
            assert cell.removeprefix(f"| {row} |").strip(" |"), (name, row)
    assert set(Source.model_fields) <= anchors(page)


@pytest.mark.parametrize("name", sorted(Source.model_fields))
def test_every_example_of_a_field_is_accepted(name: str) -> None:
    """A reader may copy it."""
    examples = Source.model_fields[name].examples
    assert examples
    for example in examples:
        parse_source({**source.USUAL, **_needed(name, example), name: example})


def _needed(name: str, example: object) -> dict[str, object]:
    """What the guide's tables say that an example needs beside it."""
    if example == "rds":
        return {"host": "orders.abc123.eu-west-1.rds.amazonaws.com"}
    in_acm = name == "server_certificate" and ":acm:" in str(example)
    if in_acm or name == "ca_bundle_sha256":
        return {"ca_bundle": source.SMALLEST["ca_bundle"]}
    return {}


def test_the_whole_examples_are_sources() -> None:
    """Both of them, as they are printed."""
    found = [json.loads(block) for block in blocks(source.page(), "json")]
    assert found == [source.SMALLEST, source.USUAL]
    assert all(parse_source(each) for each in found)


def test_every_command_is_documented() -> None:
    """Each has a section, and each of its arguments says what it means."""
    parsers = commands.parsers()
    assert tuple(parsers) == COMMANDS
    page = read(ROOT / "docs/reference/cli.md")
    for name, parser in parsers.items():
        assert name in anchors(page)
        assert parser.description, name
        for action in commands.actions(parser):
            assert action.help not in (None, "", argparse.SUPPRESS), (name, action.dest)


def test_every_setting_says_what_it_does() -> None:
    """Each has a sentence of its own in the class, and what is allowed in words."""
    meanings = settings.described(Settings.__doc__ or "")
    assert set(meanings) == set(Settings.model_fields)
    for name in Settings.model_fields:
        assert meanings[name].endswith("."), name
        assert settings.allowed(name) not in ("text", "a list of text"), name
        assert f"| `{name}` |" in settings.page()


def test_the_command_names_what_it_has_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second run writes nothing; a mark of a test that names no cause ends with 2."""
    root = tmp_path
    (root / "tests").mkdir()
    assert main(root) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted(PAGES)
    assert main(root) == 0
    assert capsys.readouterr().out == ""
    wrong = "import pytest\n@pytest.mark.shows('nothing')\ndef test_a(): ...\n"
    (root / "tests" / "test_x.py").write_text(wrong, encoding="utf-8")
    assert main(root) == 2
    assert "test_x.py:2" in capsys.readouterr().err


def test_the_costs_are_the_sum_of_their_parts_and_grow_with_the_fleet() -> None:
    """The sentence, the last row of the table and the arithmetic agree."""
    page = read(ROOT / "docs/operate/costs.md")
    for sources in costs.FLEETS:
        assert costs.total(sources) == pytest.approx(sum(costs.parts(sources).values()))
        assert f"**${costs.total(sources):.2f}**" in page
    assert costs.total(100) < costs.total(1000) < 10 * costs.total(100)
    sentence = f"${costs.total(100):.0f} a month for 100 sources and ${costs.total(1000):.0f}"
    assert sentence in page
    assert sentence in read(ROOT / "README.md")
