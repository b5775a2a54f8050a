"""Attacks with the characters of a value: what reads as a setting, another host, or a zone."""

from typing import Any

import pytest

from certifier.probe import AddressPolicy
from certifier.source import InvalidSource, parse_source
from certifier.window import Window, WindowError

BASE: dict[str, Any] = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "db.example.com",
    "ssl_mode": "require",
}
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def problems(**changes: Any) -> tuple[str, ...]:
    """Return what is wrong with a source."""
    with pytest.raises(InvalidSource) as caught:
        parse_source({**BASE, **changes})
    return caught.value.problems


@pytest.mark.parametrize(
    "zone",
    ["eth0", "1 hostaddr=203.0.113.9 sslmode=disable", "1\nBcc: x@example.com", "1,b", "1<b>", ""],
)
def test_an_address_has_no_zone_and_nothing_behind_it(zone: str) -> None:
    """Python takes any text after the percent sign; DMS would put it into a connection string."""
    (host,) = problems(host=f"fd00::1%{zone}")
    assert host.startswith("host: ")
    (node,) = problems(nodes=[f"[fd00::1%{zone}]:5432"])
    assert node.startswith("nodes.0: ")


@pytest.mark.parametrize(
    "database",
    [
        "orders hostaddr=203.0.113.9",
        "orders\thost=evil.example.com",
        "orders\u2003x",
        "orders;Servername=evil.example.com",
        "{orders}",
        "host=evil.example.com",
        "postgresql://evil.example.com/orders",
        "postgres://evil.example.com/orders",
        "or'ders",
        'or"ders',
        "or\\ders",
        "orders\x1b[2J",
        "orders\u202e",
    ],
)
def test_a_database_cannot_smuggle_a_setting(database: str) -> None:
    """Whoever may register would send the owner's password to a host that no owner has named."""
    (problem,) = problems(database=database)
    assert problem.startswith("database: ")
    assert "evil" not in problem


@pytest.mark.parametrize(
    "database", ["orders", "Orders-2_x", "données", "注文", "a.b", "postgres:x"]
)
def test_a_database_may_have_any_other_name(database: str) -> None:
    """Letters of every script, digits, and signs that no connection string knows."""
    assert parse_source({**BASE, "database": database}).database == database


@pytest.mark.parametrize(
    ("field", "arn"),
    [
        ("endpoint", "arn:aws:dms:eu-west-1:{}:endpoint:ABCDEF"),
        ("credentials", "arn:aws:secretsmanager:eu-west-1:{}:secret:dms/orders-AbCdEf"),
        ("ca_bundle", "arn:aws:secretsmanager:eu-west-1:{}:secret:dms/orders-AbCdEf"),
        ("server_certificate", "arn:aws:acm:eu-west-1:{}:certificate/1-2"),
        ("replication_instances", "arn:aws:dms:eu-west-1:{}:rep:ABCDEF"),
    ],
)
def test_digits_are_ascii(field: str, arn: str) -> None:
    """An account of other digits looks like another's, and is compared by its text."""

    def value(account: str) -> Any:
        return [arn.format(account)] if field == "replication_instances" else arn.format(account)

    parse_source({**BASE, field: value("111122223333")})
    assert problems(**{field: value("111122223333".translate(ARABIC))})


@pytest.mark.parametrize(
    "text",
    [
        "sun 02:00-04:00 Europe/Berlin".translate(ARABIC),
        "sun 02:00-04:00 localtime",
        "sun 02:00-04:00 posixrules",
        "sun 02:00-04:00 right/Europe/Berlin",
    ],
)
def test_a_window_means_the_same_wherever_it_is_read(text: str) -> None:
    """Not as what the machine that reads it calls its own time."""
    with pytest.raises(WindowError):
        Window.parse(text)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:0:127.0.0.1",  # IPv4-translated (RFC 2765)
        "64:ff9b:0:0:0:1:7f00:1",  # beside the well-known prefix of NAT64
        "4000::1",
        "fec0::1",
    ],
)
def test_an_address_that_nobody_has_hides_nothing(address: str) -> None:
    """Of what is not assigned, only its operator knows where it leads."""
    assert AddressPolicy().objection_to_address(address) is not None


@pytest.mark.parametrize("address", ["2001:db8::1", "fd12:3456::1", "2a05:d018::1", "10.0.0.1"])
def test_addresses_of_networks_are_let_pass(address: str) -> None:
    """Global and private ones."""
    assert AddressPolicy().objection_to_address(address) is None
