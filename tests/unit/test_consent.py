"""Consent and vouching, as decisions over values."""

import shlex

import pytest

from certifier.endpoint.facts import EndpointFields
from certifier.identity import same_host
from certifier.run.consent import (
    Place,
    consent_command,
    consents,
    host_not_vouched,
    needs_vouching,
    not_allowed,
    vouched_places,
)
from certifier.source import parse_source

ENDPOINT = "arn:aws:dms:eu-west-1:123456789012:endpoint:ABC"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/it's-AbCdEf"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf"
BASE = {"name": "orders", "endpoint": "e", "host": "db.example.com", "ssl_mode": "require"}


@pytest.mark.parametrize(
    ("tag", "yes"),
    [
        ("orders", True),
        ("a  orders\tb", True),
        ("or*", True),
        ("or+", True),
        ("*", True),
        (None, False),
        ("", False),
        ("Orders", False),
        ("orders2", False),
        ("order?", False),
        ("[o]rders", False),
        ("!(x) orders;", False),
        ("*-orders", False),
    ],
)
def test_a_tag_names_sources(tag: str | None, yes: bool) -> None:
    """Names, and patterns with ``*`` or ``+``; nothing else of a shell's patterns."""
    assert consents(tag, "orders") is yes


def test_a_tag_full_of_stars_is_read_in_no_time() -> None:
    """256 characters of pattern cannot keep a step busy."""
    assert not consents("+a" * 128, "a" * 39 + "b")


def test_the_command_keeps_the_consent_of_others() -> None:
    """A tag has one value: what it holds already is written again, in front."""
    words = shlex.split(consent_command(ENDPOINT, "invoices x+ [no]", "orders"))
    assert "Key=certifier:source,Value=invoices x+ orders" in words
    assert words[:3] == ["aws", "dms", "add-tags-to-resource"]
    assert words[-2:] == ["--region", "eu-west-1"]


def test_the_command_is_one_command_whatever_the_secret_is_called() -> None:
    """Names come from outside; a shell takes each for one word."""
    words = shlex.split(consent_command(SECRET, None, "orders"))
    assert words[words.index("--secret-id") + 1] == SECRET


def test_a_full_tag_is_not_overwritten() -> None:
    """The command would take the consent of somebody else away."""
    found = not_allowed("the secret", SECRET, {"certifier:source": "x" * 250}, "orders")
    assert found is not None
    assert "aws secretsmanager" not in found.seen
    assert "patterns" in found.seen


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("DB.example.com", "db.EXAMPLE.com.", True),
        ("db.example.com", "db.example.com.evil.test", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("2001:db8::1", "2001:0DB8:0::1", True),
        ("db.example.com..", "db.example.com", False),
        ("kafka.example.com", "\u212aafka.example.com", False),  # str.lower makes a k of it
    ],
)
def test_a_host_is_the_same_by_identity(one: str, other: str, same: bool) -> None:
    """Case and one final dot say nothing, nor how an address is written."""
    assert same_host(one, other) is same


@pytest.mark.parametrize(
    ("tag", "host", "port"),
    [
        ("db.example.com", "db.example.com", 5432),
        ("db.example.com:6432", "db.example.com", 6432),
        ("2001:db8::1", "2001:db8::1", 5432),
        ("[2001:db8::1]:6432", "2001:db8::1", 6432),
    ],
)
def test_a_tag_names_a_host(tag: str, host: str, port: int) -> None:
    """With its port, or PostgreSQL's."""
    (place,) = vouched_places(secret_arn=SECRET, tags={"certifier:host": tag}, endpoint=None)
    assert (place.host, place.port) == (host, port)


@pytest.mark.parametrize("tag", ["db.example.com:", "db.example.com:x", "db:99999999", ""])
def test_a_tag_that_names_no_place_vouches_for_nothing(tag: str) -> None:
    """Nor does it keep the endpoint from vouching for its own."""
    source = parse_source(BASE)
    places = vouched_places(secret_arn=SECRET, tags={"certifier:host": tag}, endpoint=None)
    assert host_not_vouched(source, places) is not None


def test_a_secret_that_holds_a_host_is_the_only_one_to_vouch() -> None:
    """Neither a tag nor an endpoint widens what its value says."""
    places = vouched_places(
        secret_arn=SECRET,
        secret_host="other.example.com",
        secret_port="5432",
        tags={"certifier:host": "db.example.com"},
        endpoint=EndpointFields(server_name="db.example.com", port=5432),
    )
    found = host_not_vouched(parse_source(BASE), places)
    assert found is not None
    assert "other.example.com:5432" in found.seen


def test_where_nothing_is_sent_nothing_is_vouched() -> None:
    """An endpoint with a secret of its own stays where it is, and nobody logs in; none is made."""
    source = parse_source(BASE)
    assert not needs_vouching(source, EndpointFields(secret_id=SECRET))
    assert needs_vouching(source, EndpointFields(server_name="db.example.com"))
    assert not needs_vouching(source, None)
    assert needs_vouching(parse_source({**BASE, "credentials": ARN}), None)


def test_a_place_is_host_and_port() -> None:
    """Another port of the machine is another place."""
    source = parse_source(BASE)
    assert Place("DB.example.com.", 5432, "x").is_that_of(source)
    assert not Place("db.example.com", 5433, "x").is_that_of(source)
