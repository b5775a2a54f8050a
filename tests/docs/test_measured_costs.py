"""The costs rest on what the benchmark has printed."""

import re

from handbook import costs
from tests.docs.markdown import ROOT, read

UNCHANGED = re.compile(r"(?ms)^(\d+) unchanged, for each: (.*?)(?=^\d+ |^all |\Z)")
FIGURES = {
    "transitions": "transitions",
    "DynamoDB read units": "item_reads",
    "DynamoDB write units": "item_writes",
}


def test_no_figure_is_below_what_was_printed() -> None:
    """Of the largest fleet; and the page shows the print as it is."""
    printed = costs.PRINTED.read_text(encoding="utf-8")
    sizes = {int(size): " ".join(used.split()) for size, used in UNCHANGED.findall(printed)}
    used = dict(part.split(" ", 1)[::-1] for part in sizes[max(sizes)].split(", "))
    for words, name in FIGURES.items():
        assert float(used[words]) <= getattr(costs.FIGURES, name), name
    assert printed.rstrip() in read(ROOT / "docs/operate/costs.md")
