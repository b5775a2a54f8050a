"""What a run spent at each step is read to the end of its history, however long that is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
from botocore.stub import Stubber

from certifier.aws.states import States
from sandbox.aws import fast

HISTORY = 25_000  # events of one execution (Step Functions guide, "Service quotas")
RUN = "arn:aws:states:eu-west-1:111122223333:execution:Run:one"
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
STEPS = ("Claim source", "Rehearse", "Record certification")


def page(begin: int, end: int) -> list[dict[str, Any]]:
    """The events of these numbers: one a second, and the steps take turns by the thousand."""
    return [
        {
            "id": number + 1,
            "timestamp": BEGAN + timedelta(seconds=number),
            "type": "TaskStateEntered",
            "stateEnteredEventDetails": {"name": STEPS[number // 1000 % len(STEPS)]},
        }
        for number in range(begin, end)
    ]


def test_the_longest_history_is_read_to_its_end() -> None:
    """In as few calls as there can be: a thousand events are the most that one shows."""
    client = fast.session("eu-west-1").client("stepfunctions")
    with Stubber(client) as stubber:
        for begin in range(0, HISTORY, 1000):
            more = {"nextToken": str(begin)} if begin + 1000 < HISTORY else {}
            said = {"nextToken": str(begin - 1000)} if begin else {}
            stubber.add_response(
                "get_execution_history",
                {"events": page(begin, begin + 1000), **more},
                {"executionArn": RUN, "maxResults": 1000, **said},
            )
        spent = States(client).durations(RUN)
        stubber.assert_no_pending_responses()
    assert spent is not None
    assert sum(spent.values()) == HISTORY - 1
    assert spent["Rehearse"] == 8000


def test_a_call_shows_as_many_events_as_the_model_says() -> None:
    """And no more can be asked for."""
    model = botocore.session.get_session().get_service_model("stepfunctions")
    assert model.shape_for("PageSize").metadata["max"] == 1000
