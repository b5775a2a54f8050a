"""The errors after which starting again is right are written again where code cannot ask for them.

A pipeline's definition, a custom resource and the reference of events: a new kind of passing
trouble that is missing there is taken for a failure.
"""

import re
from pathlib import Path

import pytest

from certifier.errors import Retryable, concrete

ROOT = Path(__file__).resolve().parents[2]
PASSING = {kind.__name__ for kind in concrete(Retryable)} - {Retryable.__name__}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("examples/cdk-app/provider/handler.py", r"^PASSES = \((.*)\)$"),
        ("examples/onboarding/definition.asl.json", r"Error in \[([^\]]*)\] and \$attempt"),
        ("docs/reference/events.md", r"^\| (`Throttled`.*?) \| both"),
    ],
)
def test_every_passing_error_is_named(path: str, form: str) -> None:
    """All of them, and none that has been renamed."""
    (listed,) = re.findall(form, (ROOT / path).read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"\w+", listed)) == PASSING
