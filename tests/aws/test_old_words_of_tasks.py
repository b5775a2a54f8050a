"""The words of a task's last failure are read while it is failed, and at no other time."""

import pytest

from certifier.aws.dms_shapes import task_of

SAID = "Last Error  the slot is in use Stop Reason FATAL_ERROR Error Level FATAL"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("failed", "the slot is in use"),
        ("failed-move", "the slot is in use"),
        ("running", None),
        ("starting", None),
        ("stopping", None),
        ("stopped", None),
    ],
)
def test_the_words_of_a_failure_end_with_it(status: str, message: str | None) -> None:
    """LastFailureMessage stays when the task runs again, or is stopped for another reason."""
    described = {
        "ReplicationTaskArn": "arn:aws:dms:eu-west-1:123456789012:task:T",
        "ReplicationTaskIdentifier": "copy",
        "SourceEndpointArn": "arn:aws:dms:eu-west-1:123456789012:endpoint:A",
        "TargetEndpointArn": "arn:aws:dms:eu-west-1:123456789012:endpoint:B",
        "ReplicationInstanceArn": "arn:aws:dms:eu-west-1:123456789012:rep:R",
        "MigrationType": "cdc",
        "Status": status,
        "LastFailureMessage": SAID,
    }
    assert task_of(described).message == message
