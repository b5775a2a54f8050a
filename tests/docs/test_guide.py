"""What docs/guide.md says of texts and of a source is so."""

import json
import re

from certifier.diagnosis import explain
from certifier.source import parse_source
from certifier.vocabulary import Cause
from tests.docs.markdown import ROOT, blocks, read

TEXT = read(ROOT / "docs/guide.md")


def test_every_symptom_is_explained_as_the_guide_explains_it() -> None:
    """The text in a row is read by `certifier explain` as the cause that the row names."""
    table = TEXT.partition("## Troubleshoot by symptom")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^|]+)` \|.*causes\.md#(\w+)\) \|$", table, re.MULTILINE)
    assert len(rows) > 15
    for text, cause in rows:
        assert explain(text).cause.value == cause, text


def test_the_sources_of_the_guide_are_sources() -> None:
    """A reader may start from each; tests/scenarios/test_guide_sources.py certifies them."""
    names = [parse_source(json.loads(block)).name for block in blocks(TEXT, "json")]
    assert names == ["orders", "orders-rds", "orders-public", "orders-private"]


def test_every_mode_is_in_the_table() -> None:
    """Those of libpq and those of DMS."""
    table = TEXT.partition("## What the modes verify")[2].partition("\n## ")[0]
    for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full", "none"):
        assert f"`{mode}`" in table


def test_only_causes_of_the_catalogue_are_named() -> None:
    """A word in code that looks like a cause, and is called one, is one."""
    causes = {cause.value for cause in Cause}
    for word in (
        "overlap_pending",
        "served_certificate_differs",
        "reverted_by_others",
        "renewed_not_served",
        "growth_waits",
    ):
        assert word in causes
        assert f"`{word}`" in TEXT
