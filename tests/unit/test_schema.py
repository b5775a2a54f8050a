"""``certifier schema``: what an editor or a pipeline gets."""

import json

import pytest

from certifier.cli import main
from certifier.source import json_schema


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the JSON Schema of a source, with the keys that it requires."""
    assert main(["schema"]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload == json_schema()
    assert {"name", "endpoint", "host", "ssl_mode"} <= set(payload["required"])
