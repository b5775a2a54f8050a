"""The costs rest on what the benchmark has printed."""

import re
from dataclasses import fields

import pytest

from handbook import costs
from tests.docs.markdown import ROOT, read

PRINTED = costs.PRINTED.read_text(encoding="utf-8")
USED = re.compile(r"(?m)^(\w+): ([\d.]+) per source$")
KEPT = re.compile(r"(?m)^│ KB kept in S3 .*│$")


def test_the_largest_fleet_was_measured_to_the_end() -> None:
    """Of all sizes of the page, unchanged and rotating, and no bound was broken."""
    for kind in ("unchanged", "rotating"):
        sizes = {int(size) for size in re.findall(rf"(\d+) {kind} ", PRINTED)}
        assert sizes == {*costs.FLEETS}, kind
    assert "linear: no figure of a source grows" in PRINTED
    assert PRINTED.rstrip() in read(ROOT / "docs/operate/costs.md")


def test_no_figure_is_below_what_was_printed_nor_far_above() -> None:
    """Of the largest fleet that is unchanged."""
    used = {name: float(value) for name, value in USED.findall(PRINTED)}
    assert {*used} < {each.name for each in fields(costs.Figures)}
    assert len(used) == 9
    for name, value in used.items():
        assert value <= getattr(costs.FIGURES, name) <= value + 0.5, name


def test_no_more_bytes_are_kept_than_are_paid_for() -> None:
    """Each column of the row is of a size and a kind; the costs are of unchanged sources."""
    (row,) = KEPT.findall(PRINTED)
    unchanged = [float(each) for each in row.split("│")[2:-1:2]]
    assert len(unchanged) == len(costs.FLEETS)
    assert unchanged[-1] * 1024 <= costs.FIGURES.record_bytes


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
