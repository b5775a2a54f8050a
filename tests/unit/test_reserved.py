"""Names that are kept for what Certifier makes, and may delete."""

import pytest

from certifier.ownership import canary_resource, is_canary, new_canary
from certifier.source import InvalidSource, parse_source

SPEC = {"name": "orders", "host": "db.example.com", "ssl_mode": "require"}


@pytest.mark.parametrize(
    "endpoint",
    [
        "certifier-orders",
        "Certifier-Canary-1",
        "certifier-canary-86004f10-orders-102f7dcc048fbf",
        "arn:aws:dms:eu-west-1:111122223333:endpoint:certifier-canary-00112233445566",
    ],
)
def test_a_source_cannot_name_what_is_kept_for_us(endpoint: str) -> None:
    """By identifier or by ARN, in any case."""
    with pytest.raises(InvalidSource, match="must not begin with certifier-"):
        parse_source({**SPEC, "endpoint": endpoint})


@pytest.mark.parametrize("endpoint", ["certifier", "my-certifier-x", "certify-orders"])
def test_a_name_that_only_looks_like_ours_is_taken(endpoint: str) -> None:
    """Nothing else is kept."""
    assert parse_source({**SPEC, "endpoint": endpoint}).endpoint == endpoint


def test_the_arn_of_a_canary_follows_from_its_name() -> None:
    """As long as DMS takes, different each time, and the same for nobody else's endpoint."""
    one, other = new_canary("Certifier", "orders"), new_canary("Certifier", "orders")
    assert one != other
    assert len(canary_resource(one)) == 31
    arn = "arn:aws:dms:eu-west-1:111122223333:endpoint:"
    assert is_canary(arn + canary_resource(one), one)
    assert not is_canary(arn + canary_resource(other), one)
    assert not is_canary(arn + "ABCDEF", one)
