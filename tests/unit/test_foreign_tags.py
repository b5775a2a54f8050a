"""An endpoint with the tag of an installation and without an ARN that only its own have."""

import pytest

from certifier.ownership import STACK_TAG
from certifier.run.consent import of_an_installation

ARN = "arn:aws:dms:eu-west-1:111122223333:endpoint:"


def test_what_an_earlier_version_made_is_not_called_anothers() -> None:
    """Nothing shows whether we made it, so nothing is said of it; the command is the same."""
    found = of_an_installation("orders", f"{ARN}ABC", {STACK_TAG: "Certifier"}, "Certifier")
    assert found is not None
    assert "did not make" not in found.seen
    assert "an earlier version may have" in found.seen
    assert f"remove-tags-from-resource --resource-arn {ARN}ABC" in found.seen


def test_what_bears_the_tag_of_another_is_said_to() -> None:
    """Whatever its ARN."""
    for end in ("ABC", "certifier-made-1"):
        found = of_an_installation("orders", f"{ARN}{end}", {STACK_TAG: "Other"}, "Certifier")
        assert found is not None
        assert "'Other': another installation" in found.seen


@pytest.mark.parametrize("tags", [{}, {STACK_TAG: "Certifier"}])
def test_what_is_ours_or_bears_no_tag_is_not_refused(tags: dict[str, str]) -> None:
    """By both the tag and the ARN."""
    assert of_an_installation("orders", f"{ARN}certifier-made-1", tags, "Certifier") is None
