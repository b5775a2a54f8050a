"""docs/operate/guarantees.md keeps its word: the tests that it names exist."""

import ast
import re

from tests.docs.markdown import ROOT, read

TEXT = read(ROOT / "docs/operate/guarantees.md")


def test_every_test_that_is_named_exists() -> None:
    """A guarantee whose test is gone guarantees nothing."""
    named = re.findall(r"`(tests/\S+?\.py)::(\w+)`", TEXT)
    assert len(named) > 30
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in functions, f"{path}::{name}"


def test_every_guarantee_names_a_test() -> None:
    """Each row of the tables of guarantees has at least one."""
    section = TEXT.partition("## What is guaranteed")[2].partition("## What is not guaranteed")[0]
    rows = [row for row in section.splitlines() if row.startswith("| ") and "---" not in row]
    for row in rows:
        assert "`tests/" in row or row == "| guarantee | shown by |", row
