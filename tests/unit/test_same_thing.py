"""Two names of one thing in AWS, or of one host, are one; others are not taken for it."""

import pytest

from certifier.endpoint.facts import EndpointFields
from certifier.endpoint.fields import differing, equal
from certifier.identity import each_once, same_role, same_secret

HERE = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"
THERE = "arn:aws:secretsmanager:eu-west-1:999922223333:secret:"
FULL = f"{HERE}dms/orders-AbCdEf"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (FULL, FULL, True),
        (FULL, "dms/orders", True),
        (FULL, f"{HERE}dms/orders", True),
        (f"{HERE}dms/orders", "dms/orders", True),
        ("dms/orders", "dms/orders", True),
        (FULL, "dms/order", False),
        (FULL, "dms/Orders", False),
        (FULL, f"{HERE}dms/orders-GhIjKl", False),
        (FULL, f"{THERE}dms/orders", False),
        (FULL, f"{THERE}dms/orders-AbCdEf", False),
        (FULL, f"{HERE}dms", False),
        # A name that ends like a full ARN: by name it is never cut, by ARN it is ambiguous.
        (f"{HERE}dms/orders-AbCdEf-GhIjKl", "dms/orders-AbCdEf", True),
        (FULL, "dms/orders-AbCdEf", False),
        (f"{HERE}dms/orders-AbCdEf-GhIjKl", FULL, False),
        (f"{HERE}dms/orders-AbCdEf-GhIjKl", "dms/orders", False),
        ("dms/orders", "dms/sales", False),
        ("", FULL, False),
    ],
)
def test_a_secret_has_three_names(one: str, other: str, *, same: bool) -> None:
    """Name, partial ARN and full ARN; in doubt, it is another one."""
    assert (same_secret(one, other), same_secret(other, one)) == (same, same)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("arn:aws:iam::111122223333:role/dms", "arn:aws:iam::111122223333:role/dms", True),
        ("arn:aws:iam::111122223333:role/a/b/dms", "arn:aws:iam::111122223333:role/dms", True),
        ("arn:aws:iam::111122223333:role/DMS", "arn:aws:iam::111122223333:role/x/dms", True),
        ("arn:aws:iam::111122223333:role/dms/x", "arn:aws:iam::111122223333:role/dms", False),
        ("arn:aws:iam::999922223333:role/dms", "arn:aws:iam::111122223333:role/dms", False),
        ("arn:aws:iam::111122223333:user/dms", "arn:aws:iam::111122223333:role/dms", False),
    ],
)
def test_a_role_is_its_name_in_its_account(one: str, other: str, *, same: bool) -> None:
    """The path says nothing, and neither does case."""
    assert (same_role(one, other), same_role(other, one)) == (same, same)


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("server_name", "Orders.DB.example.com.", "orders.db.example.com", True),
        ("server_name", "2001:DB8::1", "2001:db8:0::1", True),
        ("server_name", "orders.example.com", "orders.example.org", False),
        ("secret_id", FULL, "dms/orders", True),
        ("certificate_arn", "arn:aws:dms:x:1:cert:ABC", "arn:aws:dms:x:1:cert:abc", True),
        ("username", "dms", "DMS", False),
        ("database_name", "orders", "Orders", False),
        ("port", 5432, 5432, True),
        ("secret_id", None, FULL, False),
    ],
)
def test_the_fields_of_an_endpoint_are_compared_by_what_they_name(
    name: str, one: object, other: object, *, same: bool
) -> None:
    """Only what PostgreSQL itself tells apart by case stays text."""
    assert equal(name, one, other) is same


def test_fields_that_mean_the_same_do_not_differ() -> None:
    """Nothing is written, and nothing has been changed by others."""
    one = EndpointFields(server_name="a.example.com", secret_id=FULL)
    other = EndpointFields(server_name="A.example.com.", secret_id="dms/orders")
    assert differing(("server_name", "secret_id"), one, other) == ()


def test_an_instance_is_tested_from_once() -> None:
    """A source may spell its ARN in another case than DMS does."""
    arns = ("arn:aws:dms:x:1:rep:abc", "arn:aws:dms:x:1:rep:ABC", "arn:aws:dms:x:1:rep:DEF")
    assert each_once(arns) == ("arn:aws:dms:x:1:rep:ABC", "arn:aws:dms:x:1:rep:DEF")
