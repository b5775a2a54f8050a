"""A tag that names nobody says why, and is not shown as the consent of anybody."""

import pytest

from certifier.cli.discover import _whom
from certifier.run.consent import consents, not_allowed, of_an_installation

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf"


@pytest.mark.parametrize("tag", ["Orders", "orders,invoices", "order?", "[o]rders", "nobody!"])
def test_a_tag_that_is_written_wrongly_is_not_called_missing(tag: str) -> None:
    """Whoever has tagged their secret reads what is wrong with it."""
    found = not_allowed("the secret", SECRET, {"certifier:source": tag}, "orders")
    assert found is not None
    assert "missing" not in found.seen
    assert repr(tag) in found.seen
    assert "lower-case letters" in found.seen


@pytest.mark.parametrize("tag", [None, "", " \t"])
def test_a_tag_that_is_missing_is_called_missing(tag: str | None) -> None:
    """An empty one too."""
    tags = {} if tag is None else {"certifier:source": tag}
    found = not_allowed("the secret", SECRET, tags, "orders")
    assert found is not None
    assert "is missing or empty" in found.seen


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("any source", "any, source"),
        ("Everybody, agreed: orders", "orders"),
        ("Nobody!", "nobody"),
        ("+", "any source"),
        ("x" * 257, "nobody"),
        ("\x1b[2J", "nobody"),
        ("<b>orders</b> invoices", "invoices"),
        (None, "nobody"),
    ],
)
def test_discover_shows_what_counts(tag: str | None, shown: str) -> None:
    """And nothing that only reads like a consent."""
    assert _whom(tag) == shown
    assert consents(tag, "orders") is (shown in ("orders", "any source"))


def test_the_tag_of_an_installation_counts_in_capitals_too() -> None:
    """As it does for IAM, which would deny the change when its tasks are stopped already."""
    arn = "arn:aws:dms:eu-west-1:111122223333:endpoint:certifier-made-1"
    found = of_an_installation("orders", arn, {"Certifier:Stack": "Other"}, "Certifier")
    assert found is not None
    assert "--tag-keys Certifier:Stack" in found.seen
