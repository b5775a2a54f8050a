"""Every error that an execution may end with is in the reference, with what a caller may do."""

import re

from certifier.errors import CertifierError, concrete
from stacks.machines import LAMBDA_TRANSIENT
from tests.docs.markdown import ROOT, read

EVENTS = read(ROOT / "docs/reference/events.md")


def documented() -> set[str]:
    """The names in the first column of the table of errors."""
    table = EVENTS.partition("### Errors")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_error_that_a_step_may_end_an_execution_with_is_documented() -> None:
    """All that are raised but a lost claim, which ends a child as deferred."""
    ours = {each.__name__ for each in concrete(CertifierError)} - {
        "ClaimLost",
        "CertifierError",
        "Retryable",
    }
    assert ours <= documented()


def test_what_lambda_answers_is_documented() -> None:
    """By name or family; without the prefix that the service keeps for itself."""
    names = documented()
    families = tuple(name.removesuffix("…") for name in names if name.endswith("…"))
    for error in LAMBDA_TRANSIENT:
        name = error.removeprefix("States.")
        assert name in names or name.startswith(families), name
