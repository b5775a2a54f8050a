"""What is written by hand in docs/reference/ leaves nothing out."""

import ast
import re
from typing import Any

import pytest

from certifier.diagnosis import CATALOGUE
from certifier.models import Fact
from certifier.run.notice import BAD
from certifier.run.record import FORMAT, Certification, Subject
from certifier.run.summary import SUMMARY_FORMAT, Summary
from certifier.vocabulary import Cause, Outcome
from tests.docs.markdown import ROOT, anchors, prose, read

REFERENCE = ROOT / "docs/reference"


def test_every_outcome_is_explained() -> None:
    """A row that says what happened, and a section that says what a person does."""
    text = read(REFERENCE / "outcomes.md")
    for outcome in Outcome:
        word = outcome.value
        assert f"| [`{word}`](#{word}) |" in text
        assert word in anchors(text)
        section = text.partition(f"\n### {word}\n")[2].partition("\n#")[0]
        assert len(section.split()) > 10, word


@pytest.mark.parametrize("model", [Certification, Summary])
def test_every_field_of_the_record_is_explained(model: type[Fact]) -> None:
    """Each property of the schema, and of what it holds but for the certificates."""
    text = read(REFERENCE / "record-json.md") + read(REFERENCE / "probe-json.md")
    names = properties(model.model_json_schema(mode="serialization"))
    assert {name for name in names if f"`{name}`" not in text} == set()


def properties(schema: dict[str, Any]) -> set[str]:
    """The names of all properties of a schema and of its definitions."""
    models = [schema, *schema.get("$defs", {}).values()]
    return {name for each in models for name in each.get("properties", ())}


def test_the_formats_and_the_subjects_of_tests_are_explained() -> None:
    """Those words of the record that a program compares with."""
    text = read(REFERENCE / "record-json.md")
    words = [FORMAT, SUMMARY_FORMAT, *(each.value for each in Subject)]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_cause_that_a_document_names_exists() -> None:
    """A word in code with an underscore, linked to the catalogue, is one of its causes."""
    causes = {cause.value for cause in Cause}
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


def subjects() -> set[str]:
    """The fixed end of each subject of a notice, from the code that writes mails."""
    found = set()
    tree = ast.parse((ROOT / "certifier/run/mail.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="subject"), args=[_, ast.Constant(value=str(text))]):
                found.add(text)
            case ast.Call(func=ast.Name(id="subject"), args=[_, ast.JoinedStr(values=parts)]):
                words = [str(part.value) for part in parts if isinstance(part, ast.Constant)]
                found |= {word.strip() for word in words}
    return found - {"", ":"}


def test_every_notice_is_explained_and_has_a_first_look() -> None:
    """Each subject in the reference, and each kind in the runbook under a heading of its own."""
    known = subjects()
    assert len(known) >= 3
    section = read(REFERENCE / "events.md").partition("## Notices")[2]
    assert {part for part in known if part not in section} == set()
    runbook = anchors(read(ROOT / "docs/operate/runbook.md"))
    bad = {outcome.value for outcome in BAD}
    assert bad <= runbook
    assert {"changes-are-stopped", "a-dms-certificate-cannot-be-deleted"} <= runbook


def test_every_section_of_the_runbook_says_what_it_means_or_how_it_is_done() -> None:
    """No heading without a sentence below it."""
    text = read(ROOT / "docs/operate/runbook.md")
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        assert len(prose(body).split()) >= 6, title
    alarms = text.partition("## Alarms")[2].partition("\n## ")[0]
    for part in alarms.split("### ")[1:]:
        assert "**Means:**" in part
        assert "**First look:**" in part
