"""A source is validated strictly, all at once, and nothing that may be a secret is echoed."""

import json
from typing import Any

import pytest

from certifier.source import InvalidSource, json_schema, parse_source
from certifier.vocabulary import SslMode

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-AbCdEf"
GOOD: dict[str, Any] = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.db.example.com",
    "database": "orders",
    "ssl_mode": "verify-full",
    "credentials": SECRET,
    "ca_bundle": "s3://platform-trust/rds/eu-west-1-bundle.pem",
}


def problems(**changes: Any) -> str:
    with pytest.raises(InvalidSource) as caught:
        parse_source({**GOOD, **changes})
    return "\n".join(caught.value.problems)


def test_defaults_are_those_of_the_documentation() -> None:
    """Only name, endpoint, host and ssl_mode are required."""
    source = parse_source({"name": "a", "endpoint": "b", "host": "c", "ssl_mode": "require"})
    assert (source.endpoint_type, source.engine, source.port) == ("source", "postgres", 5432)
    assert (source.restart_tasks, source.probe, source.credentials_mode) == (
        False,
        "required",
        "secret",
    )


def test_a_source_survives_the_way_through_json() -> None:
    """What is stored and read back is the same source."""
    source = parse_source({**GOOD, "restart_tasks": "sun 02:00-04:00 Europe/Berlin"})
    assert parse_source(json.loads(source.model_dump_json())) == source


def test_every_mistake_is_said_at_once() -> None:
    """Five wrong fields give five sentences, each with its field."""
    said = problems(name="Orders", port="5432", probe="maybe", hosts="x", endpoint=None)
    assert [line.split(":")[0] for line in said.splitlines()] == [
        "name",
        "endpoint",
        "port",
        "probe",
        "hosts",
    ]


def test_an_unknown_key_names_the_one_it_resembles() -> None:
    """A slip of the pen is answered with the right word."""
    assert problems(databse="x") == "databse: is not a known field (did you mean database?)"


@pytest.mark.parametrize("field", ["credentials", "ca_bundle", "host", "name", "restart_tasks"])
def test_a_password_in_the_wrong_field_is_not_echoed(field: str) -> None:
    """No error repeats what was given."""
    assert "Tr0ub4dor 3" not in problems(**{field: "Tr0ub4dor 3"})


@pytest.mark.parametrize(("word", "mode"), [("disable", SslMode.NONE), ("none", SslMode.NONE)])
def test_libpqs_word_for_plain_text_is_taken(word: str, mode: SslMode) -> None:
    """``disable`` is libpq's, ``none`` is DMS's."""
    assert parse_source({**GOOD, "ssl_mode": word}).ssl_mode is mode


@pytest.mark.parametrize("word", ["allow", "prefer"])
def test_opportunistic_modes_are_refused_with_the_reason(word: str) -> None:
    """Such a connection can silently be plain text."""
    assert "silently be plain text" in problems(ssl_mode=word)


@pytest.mark.parametrize(
    "name", ["", "1a", "A", "a_b", "a--b", "a-", "a" * 41, "orders.1", "a b", "ä"]
)
def test_names_that_would_not_fit_an_identifier_are_refused(name: str) -> None:
    """The canary endpoint is named after the source, so its rules hold."""
    assert problems(name=name).startswith("name: must match")


@pytest.mark.parametrize("name", ["a", "a1", "orders-eu-1", "a" * 40])
def test_names_that_fit_are_taken(name: str) -> None:
    """One to forty characters."""
    assert parse_source({**GOOD, "name": name}).name == name


@pytest.mark.parametrize(
    "host",
    ["", "a b", "http://h", "h:5432", "[::1]", "h/x", "a..b", "a" * 256, "h\n", "x" * 64 + ".de"],
)
def test_invalid_hosts_are_refused(host: str) -> None:
    """No scheme, port, brackets, spaces."""
    assert "host: must be a host name or an IP address" in problems(host=host)


@pytest.mark.parametrize("host", ["10.0.0.1", "::1", "db", "db.example.com.", "my_db.example"])
def test_hosts_that_people_use_are_taken(host: str) -> None:
    """Names, with a trailing dot or an underscore too, and both kinds of addresses."""
    assert parse_source({**GOOD, "host": host}).host == host


def test_an_acm_arn_where_a_secret_belongs_says_why() -> None:
    """The most common mix-up gets an answer of its own."""
    arn = "arn:aws:acm:eu-west-1:111122223333:certificate/0000"
    assert "which server_certificate takes" in problems(credentials=arn)


def test_a_secret_without_its_suffix_is_refused() -> None:
    """DMS finds partial ARNs only sometimes."""
    assert "six-character suffix" in problems(credentials=SECRET.removesuffix("-AbCdEf"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ca_bundle": None}, "ca_bundle: verify-full needs a CA"),
        (
            {"ca_bundle": None, "ssl_mode": "require", "ca_bundle_sha256": "0" * 64},
            "needs ca_bundle",
        ),
        ({"credentials": None, "probe_login": True}, "probe_login: needs credentials"),
        ({"credentials": None, "credentials_mode": "inline"}, "credentials_mode: inline needs"),
    ],
)
def test_fields_that_need_each_other_say_so(changes: dict[str, Any], said: str) -> None:
    """What one field needs of another is part of the validation."""
    assert said in problems(**changes)


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_what_is_not_an_object_is_refused(data: object) -> None:
    """JSON that is not an object is an error, never a traceback."""
    with pytest.raises(InvalidSource, match="must be a JSON object"):
        parse_source(data)


def test_the_schema_names_every_field_and_forbids_others() -> None:
    """``certifier schema`` prints what ``parse_source`` accepts."""
    schema = json_schema()
    assert set(schema["required"]) == {"name", "endpoint", "host", "ssl_mode"}
    assert schema["additionalProperties"] is False
    assert "restart_tasks" in schema["properties"]
