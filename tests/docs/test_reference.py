"""What is written by hand in docs/reference/ leaves nothing out."""

import re
from typing import Any

import pytest

from certifier.diagnosis import CATALOGUE
from certifier.models import Fact
from certifier.outcome import Cause, Outcome
from certifier.record import FORMAT, SUMMARY_FORMAT, Certification, Subject, Summary
from tests.docs.markdown import ROOT, anchors, prose, read
from tests.docs.words import now

REFERENCE = ROOT / "docs/reference"


def test_every_outcome_is_explained() -> None:
    """A row that says what happened, and a section that says what a person does."""
    text = read(REFERENCE / "outcomes.md")
    for outcome in Outcome:
        word = now(outcome.value)
        assert f"| [`{word}`](#{word}) |" in text
        assert word in anchors(text)
        section = text.partition(f"\n### {word}\n")[2].partition("\n#")[0]
        assert len(section.split()) > 10, word


@pytest.mark.parametrize("model", [Certification, Summary])
def test_every_field_of_the_record_is_explained(model: type[Fact]) -> None:
    """Each property of the schema, and of what it holds but for the certificates."""
    text = read(REFERENCE / "record-json.md") + read(REFERENCE / "probe-json.md")
    names = {now(name) for name in properties(model.model_json_schema(mode="serialization"))}
    assert {name for name in names if f"`{name}`" not in text} == set()


def properties(schema: dict[str, Any]) -> set[str]:
    """The names of all properties of a schema and of its definitions."""
    models = [schema, *schema.get("$defs", {}).values()]
    return {name for each in models for name in each.get("properties", ())}


def test_the_formats_and_the_subjects_of_tests_are_explained() -> None:
    """Those words of the record that a program compares with."""
    text = read(REFERENCE / "record-json.md")
    words = [now(FORMAT), now(SUMMARY_FORMAT), *(now(each.value) for each in Subject)]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_cause_that_a_document_names_exists() -> None:
    """A word in code with an underscore, linked to the catalogue, is one of its causes."""
    causes = {now(cause.value) for cause in Cause} | {cause.value for cause in Cause}
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for word in re.findall(r"\[`(\w+)`\]\([^)]*causes\.md", read(path)):
            assert word in causes, (path, word)


def test_every_cause_has_a_section() -> None:
    """`causes.md#hostname_mismatch` is a link that one can send to a colleague."""
    assert {cause.value for cause in CATALOGUE} <= anchors(read(REFERENCE / "causes.md"))


def test_every_term_of_the_glossary_is_in_order() -> None:
    """A reader finds a word by its first letter."""
    terms = re.findall(r"^\*\*([^*]+)\.\*\*", prose(read(REFERENCE / "glossary.md")), re.MULTILINE)
    assert len(terms) > 20
    assert terms == sorted(terms, key=lambda term: term.lower().replace("_", " "))
