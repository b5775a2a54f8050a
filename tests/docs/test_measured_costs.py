"""The costs rest on what the benchmark has printed."""

import re

import pytest

from bench.fleet import GROWTH
from handbook import costs
from tests.docs.markdown import ROOT, read

PRINTED = costs.PRINTED.read_text(encoding="utf-8")
SUM = re.compile(r"(?ms)^(\d+) (unchanged|rotating), for each: (.*?kept in S3)")
USED = re.compile(r"(?m)^(\w+): ([\d.]+) per source$")


def sums(kind: str) -> dict[int, dict[str, float]]:
    """What each source of a fleet used, by the size of the fleet."""
    found = {}
    for size, of_kind, text in SUM.findall(PRINTED):
        parts = (part.split(" ", 1) for part in " ".join(text.split()).split(", "))
        if of_kind == kind:
            found[int(size)] = {what: float(used) for used, what in parts}
    return found


def test_the_largest_unchanged_fleet_was_measured() -> None:
    """The page shows the print as it is, and says so when it does not come to the end."""
    page = read(ROOT / "docs/operate/costs.md")
    assert {*sums("unchanged")} == {*costs.FLEETS}
    assert PRINTED.rstrip() in page
    ended = costs.ENDED in PRINTED
    assert (costs.NOT_ENDED in page) == (not ended)
    assert not ended or {*sums("rotating")} == {*costs.FLEETS}


def test_no_figure_is_below_what_was_printed_nor_far_above() -> None:
    """Of the largest fleet that is unchanged."""
    figures, used = costs.FIGURES, sums("unchanged")[max(costs.FLEETS)]
    stated = {
        "transitions": figures.transitions,
        "Lambda seconds": figures.lambda_seconds,
        "DynamoDB read units": figures.item_reads,
        "DynamoDB write units": figures.item_writes,
        "S3 requests": figures.object_writes + figures.object_reads,
        "KB kept in S3": figures.record_bytes / 1024,
    }
    for what, figure in stated.items():
        assert used[what] <= figure <= used[what] + 1, what
    for name, value in USED.findall(PRINTED):  # the last lines, each rounded by itself
        assert float(value) <= getattr(figures, name), name


def test_a_source_uses_no_more_in_a_large_fleet() -> None:
    """Nothing that a source uses grows with the fleet, as far as it was printed."""
    for kind in ("unchanged", "rotating"):
        of_kind = sums(kind)
        few, many = of_kind[min(of_kind)], of_kind[max(of_kind)]
        assert len(of_kind) > 1
        for what, used in many.items():
            assert used <= few[what] * GROWTH, (kind, what)


def test_what_is_free_is_part_of_what_is_paid() -> None:
    """Never more than a part costs; a fleet of a million has used it up."""
    assert costs.free(1) < costs.total(1)
    whole = sum(
        costs.PRICES[name][0] * amount for given in costs.FREE.values() for name, amount in given
    )
    fixed = ("CloudWatch metrics", "CloudWatch alarms", "CloudWatch dashboard")
    not_used = sum(
        costs.PRICES[name][0] * amount for part in fixed for name, amount in costs.FREE[part]
    ) - sum(costs.parts(1)[part] for part in fixed)
    assert costs.free(1_000_000) == pytest.approx(whole - not_used)
