"""Groups: by the tag of the endpoint that names a team, else by how the name begins."""

from datetime import UTC, datetime

import pytest

from certifier.fleet.facts import InstallationFacts, SourceFacts
from certifier.fleet.page import FleetPage, fleet_page
from certifier.report.fleet import fleet_html
from certifier.run.group import LENGTH, group_of, is_in_group, tagged_group
from certifier.run.state import SourceState
from certifier.vocabulary import Outcome

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tags", "key", "group"),
    [
        ({"team": "Payments"}, "team", "Payments"),
        ({"team": "  Payments   EU "}, "team", "Payments EU"),
        ({"Team": "Payments"}, "team", None),
        ({"team": " "}, "team", None),
        ({"": "Payments"}, "", None),
        ({"team": "a\u202eb\x1b"}, "team", "a\\u202eb\\x1b"),
        ({"team": "x" * 256}, "team", "x" * (LENGTH - 1) + "…"),
    ],
)
def test_a_tag_names_a_group(tags: dict[str, str], key: str, group: str | None) -> None:
    """Tags come from outside: bounded, printable; keys are compared to the letter, as AWS does."""
    assert tagged_group(tags, key) == group


def test_without_a_tag_the_name_begins_with_the_group() -> None:
    """Up to the first hyphen, as teams name theirs."""
    assert group_of("orders-eu-1", None) == "orders"
    assert group_of("orders-eu-1", "payments") == "payments"


def a_page(**groups: str | None) -> FleetPage:
    sources = [
        SourceFacts(
            name.replace("_", "-"),
            None,
            1,
            SourceState(name=name.replace("_", "-"), outcome=Outcome.CERTIFIED, group=group),
        )
        for name, group in groups.items()
    ]
    return fleet_page([InstallationFacts("one", str, tuple(sources))], NOW)


def test_a_group_of_one_is_kept_when_a_tag_names_it() -> None:
    """Only those whose beginning nobody shares are put together."""
    page = a_page(orders_a="payments", bills_b="payments", stock="logistics", odd=None, lone=None)
    assert {each.name: [row.name for row in each.rows] for each in page.groups} == {
        "logistics": ["stock"],
        "payments": ["bills-b", "orders-a"],
        "others": ["lone", "odd"],
    }


def test_a_group_is_text_on_the_page() -> None:
    """Whoever may tag an endpoint writes no markup."""
    html = fleet_html(a_page(orders="<script>alert(1)</script>"))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize(
    ("name", "tagged", "asked", "found"),
    [
        ("orders-eu", None, "orders", True),
        ("orders-eu", "Payments", "Payments", True),
        ("orders-eu", "Payments", "orders", False),
        ("orders", "x" * (LENGTH - 1) + "…", "x" * 256, True),
        ("orders", "x" * (LENGTH - 1) + "…", "x" * (LENGTH - 1) + "…", True),
    ],
)
def test_a_group_is_found_by_the_whole_value_of_its_tag(
    name: str, tagged: str | None, asked: str, *, found: bool
) -> None:
    """And as a page shows it."""
    assert is_in_group(name, tagged, asked) is found
