"""An owner withdraws their consent while a run is in the middle of its work."""

import pytest

from tests.scenarios.live import Live

TAG = "certifier:source"


def withdrawn(live: Live, state: str, to: str | None) -> None:
    """As a run enters a state, the endpoint's tag goes, or names others."""

    def act() -> None:
        if to is None:
            live.client.remove_tags_from_resource(ResourceArn=live.arn, TagKeys=[TAG])
        else:
            live.client.add_tags_to_resource(ResourceArn=live.arn, Tags=[{"Key": TAG, "Value": to}])

    live.when(state, act)


@pytest.mark.shows("not_allowed")
@pytest.mark.parametrize("to", [None, "invoices", "Orders"])
@pytest.mark.parametrize("state", ["Rehearse", "Pause tasks"])
def test_no_task_is_stopped_for_what_is_forbidden_by_then(
    live: Live, state: str, to: str | None
) -> None:
    """A rehearsal takes minutes, and IAM has no such tag on a task: the step asks once more."""
    live.certified()
    since = live.now
    withdrawn(live, state, to)
    live.change()
    assert (live.outcome, live.causes) == ("refused", {"not_allowed"})
    assert (live.status(), live.mode) == ("running", "verify-ca")
    assert not {"StopReplicationTask", "ModifyEndpoint"} & set(live.asked(since))


@pytest.mark.parametrize("to", [None, "invoices"])
def test_an_endpoint_whose_tasks_are_stopped_is_left_alone_and_they_run_again(
    live: Live, to: str | None
) -> None:
    """Withdrawn between the stop and the change, also by naming others, which IAM lets pass."""
    live.certified()
    since = live.now
    withdrawn(live, "Configure endpoint", to)
    live.change()
    assert (live.outcome, live.causes) == ("refused", {"not_allowed"})
    assert (live.status(), live.mode, live.unfinished) == ("running", "verify-ca", [])
    assert "ModifyEndpoint" not in live.asked(since)
