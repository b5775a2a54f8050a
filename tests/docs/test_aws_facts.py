"""docs/aws-facts.md is what the code refers to, and every fact says where it comes from."""

import re

from tests.docs.markdown import ROOT, prose, read

TEXT = read(ROOT / "docs/aws-facts.md")
SECTIONS = re.findall(r"^## (\d+)\. ", TEXT, re.MULTILINE)


def test_sections_have_numbers_of_their_own() -> None:
    """Code and documents name a section by its number."""
    assert len(SECTIONS) == len(set(SECTIONS)) == 15


def test_every_reference_of_the_code_leads_to_a_section() -> None:
    """`(aws-facts 3)` in a docstring is a section of the document."""
    found = []
    for folder in ("certifier", "stacks", "lambdas", "sandbox", "smoke", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            found += re.findall(r"aws-facts (\d+)", file.read_text(encoding="utf-8"))
    assert len(found) >= 3
    assert set(found) <= set(SECTIONS)


def test_every_source_tag_is_explained() -> None:
    """A tag at the end of a fact is a row of the table of tags."""
    body = prose(TEXT)
    table = body.partition("## Source tags")[2].partition("\n---")[0]
    known = set(re.findall(r"`\[([A-Za-z0-9]+)[:\]]", table))
    used = set(re.findall(r"`\[(bc|cfn|cdk|D26h?|G26|A23|TF|field|lab|inference)\b", body))
    assert used <= known
    assert len(known) >= 9
