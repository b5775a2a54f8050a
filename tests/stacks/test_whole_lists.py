"""What a document lists before something is deleted is the whole list, and not its beginning."""

from pathlib import Path
from typing import Any

import pytest

from tests.docs.markdown import ROOT, documents, read

SHOWS = 100
"""Resources that DescribeStackResources returns at most, as its description in botocore says."""


def test_the_stack_has_more_resources_than_one_call_shows(template: dict[str, Any]) -> None:
    """Otherwise the next test would have no reason."""
    assert len(template["Resources"]) > SHOWS


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_command_asks_for_the_first_hundred_resources(document: Path) -> None:
    """A version that is missing there may still be the stack's, and deleting it breaks runs."""
    assert "aws cloudformation describe-stack-resources" not in read(document)
