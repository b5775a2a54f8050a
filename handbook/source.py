"""``docs/reference/source.md``: every field of a source, from its JSON Schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from certifier.source import json_schema
from handbook.text import NOTICE, code, listed, table

ALLOWED = " Allowed: "
"""What follows it in a description says what is allowed, where the schema cannot."""

SMALLEST = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.db.example.com",
    "ssl_mode": "verify-full",
    "ca_bundle": "s3://platform-trust/rds/eu-west-1-bundle.pem",
}
USUAL = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.db.example.com",
    "database": "orders",
    "ssl_mode": "verify-full",
    "credentials": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-AbCdEf",
    "server_certificate": (
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-tls-GhIjKl"
    ),
    "restart_tasks": "sun 02:00-04:00 Europe/Berlin",
}

_INTRODUCTION = f"""\
# The fields of a source

A *source* is one PostgreSQL database and the DMS endpoint, source or target, that reaches it. It is
written as a JSON object, checked strictly (an unknown field is an error, and all mistakes are
reported at once), and stored when it is registered; later runs need only its name.
`certifier schema` prints this page's JSON Schema, for editors and for checks in a pipeline.

{NOTICE}
The smallest source adopts an endpoint that exists and keeps its credentials as they are:

```json
{json.dumps(SMALLEST, indent=2)}
```

One that can also create its endpoint, and that follows the certificate of its server:

```json
{json.dumps(USUAL, indent=2)}
```

## Which fields need each other

| given | needs |
| --- | --- |
| `ssl_mode` `verify-ca`, `verify-full` | `ca_bundle`, or a CA in the secret `server_certificate` |
| `ca_bundle` `rds` | a `host` of RDS, by the name that RDS has given it |
| `ca_bundle` `public` | `ssl_mode` `verify-full`, and a `probe` that is not `off` |
| an `endpoint` that does not exist | `database` and `credentials` |
| `credentials_mode` `inline` | `credentials` |
| `ca_bundle_sha256` | `ca_bundle` |
| `probe_login` `true` | `credentials` |
| `probe_plaintext` `true` | a probe that logs in: `credentials`, and not `probe_login` `false` |

## All fields
"""


def page() -> str:
    """Return the whole document."""
    schema = json_schema()
    fields: Mapping[str, Any] = schema["properties"]
    required = frozenset(schema["required"])
    overview = table(
        ("field", "default", "example"),
        (
            (f"[`{name}`](#{name})", _default(name, field, required), _example(field))
            for name, field in fields.items()
        ),
    )
    sections = (_section(name, fields[name], schema, required) for name in fields)
    return "\n".join((_INTRODUCTION, overview, *sections))


def _section(
    name: str, field: Mapping[str, Any], schema: Mapping[str, Any], required: frozenset[str]
) -> str:
    meaning, _, words = field["description"].partition(ALLOWED)
    allowed = _sentence(words) if words else "; ".join(_allowed(field, schema))
    rows = (
        ("default", _default(name, field, required)),
        ("allowed", allowed),
        ("example", "; ".join(code(json.dumps(each)) for each in field["examples"])),
    )
    return f"### {name}\n\n{meaning}\n\n{table(('', ''), rows)}"


def _sentence(words: str) -> str:
    """The description's words, as they stand in a cell."""
    return words.strip().removesuffix(".")


def _default(name: str, field: Mapping[str, Any], required: frozenset[str]) -> str:
    if name in required:
        return "required"
    value = field["default"]
    return "none" if value in (None, []) else code(json.dumps(value))


def _example(field: Mapping[str, Any]) -> str:
    return code(json.dumps(field["examples"][0]))


def _allowed(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """What the schema says of a value; of a field that may be null, what it is otherwise."""
    for part in field.get("anyOf", (field,)):
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]  # noqa: PLW2901 - where it leads
        if "enum" in part:
            yield listed(part["enum"])
        elif part["type"] == "boolean":
            yield "`true`, `false`"
        elif part["type"] == "integer":
            yield f"{part['minimum']} to {part['maximum']}"
        elif part["type"] == "string" and "maxLength" in part:
            yield f"{part['minLength']} to {part['maxLength']} characters"
        elif "pattern" in part:
            yield f"matches {code(part['pattern'])}"
