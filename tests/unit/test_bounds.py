"""Whatever is sent has a bound: texts of a source, sources of an input, mistakes that are named."""

import time
from typing import Any

import pytest

from certifier.errors import InvalidEvent
from certifier.source import InvalidSource, json_schema, parse_source
from certifier.triggers import parse_registering

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/{}-AbCdEf"
BASE = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "db.example.com",
    "ssl_mode": "require",
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "o" * 41),
        ("endpoint", "e" * 256),
        ("endpoint", "arn:aws:dms:eu-west-1:123456789012:endpoint:" + "A" * 2048),
        ("host", "a." * 128 + "a"),
        ("database", "d" * 64),
        ("credentials", SECRET.format("x" * 2048)),
        ("server_certificate", SECRET.format("x" * 2048)),
        ("ca_bundle", SECRET.format("x" * 2048)),
        ("ca_bundle", "s3://bucket/" + "k" * 1025),
        ("ca_bundle_sha256", "a" * 65),
        ("restart_tasks", "sun 02:00-04:00 " + "Europe/" * 1000),
        ("replication_instances", ["arn:aws:dms:eu-west-1:123456789012:rep:" + "A" * 2048]),
    ],
)
def test_every_text_has_a_maximum(field: str, value: Any) -> None:
    """One more character, and it is a mistake that names the field and no value."""
    with pytest.raises(InvalidSource) as caught:
        parse_source({**BASE, field: value})
    assert any(problem.startswith(field) for problem in caught.value.problems)
    assert all(len(problem) < 500 for problem in caught.value.problems)


def test_no_text_of_the_schema_is_without_one() -> None:
    """A field that is added must have one, too."""

    def unbounded(schema: Any, path: str) -> list[str]:
        if isinstance(schema, list):
            return [hit for one in schema for hit in unbounded(one, path)]
        if not isinstance(schema, dict) or not schema:
            return []
        bounded = {"maxLength", "enum", "const", "pattern"} & schema.keys()
        hits = [path] if schema.get("type") == "string" and not bounded else []
        for key in ("anyOf", "items", "properties", "$defs"):
            inner = schema.get(key, {})
            named = inner.items() if key in ("properties", "$defs") else [(key, inner)]
            hits += [hit for name, one in named for hit in unbounded(one, f"{path}.{name}")]
        return hits

    # A window is read by its own parser, which takes at most 100 characters.
    assert unbounded(json_schema(), "") == [".restart_tasks.anyOf"]


def test_an_unknown_key_is_not_repeated_at_length() -> None:
    """It may be megabytes long, or hold what moves a terminal."""
    with pytest.raises(InvalidSource) as caught:
        parse_source({**BASE, "\x1b[2J" + "k" * 10**6: 1})
    assert len(str(caught.value)) < 200
    assert "\x1b" not in str(caught.value)


def test_an_input_names_at_most_500_sources() -> None:
    """More are refused before any of them is looked at."""
    began = time.process_time()
    with pytest.raises(InvalidEvent, match="at most 500"):
        parse_registering({"sources": [{"nothing": "right"}] * 100_000})
    assert time.process_time() - began < 1


def test_the_first_mistakes_are_named_and_the_rest_is_counted() -> None:
    """Step Functions cuts a cause off, and nobody reads a thousand sentences."""
    with pytest.raises(InvalidEvent) as caught:
        parse_registering({"sources": [{**BASE, "name": f"s{n}", "port": 0} for n in range(500)]})
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 480 more"
