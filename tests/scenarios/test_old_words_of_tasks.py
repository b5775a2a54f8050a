"""What DMS said of a task in an earlier life is not the reason why it does not run now."""

import pytest

from tests.scenarios.live import Live, with_new_settings, with_old_settings

OLD = "Replication slot is active for PID 12345"


@pytest.mark.shows("broken_before", "task_not_restarted")
def test_the_mail_quotes_what_keeps_the_task_from_starting(live: Live) -> None:
    """The task failed once and was repaired; tonight its endpoint does not connect.

    DMS still shows the failure of that day as LastFailureMessage of the task.
    """
    live.certified()
    live.dms.set_task(live.task, message=f"Last Error  {OLD} Stop Reason FATAL_ERROR")
    live.fails("timeout expired", lambda one: with_new_settings(one) or with_old_settings(one))
    live.change()
    assert (live.outcome, live.status()) == ("failed", "stopped")
    (stopped,) = live.world.record()["tasks"]["stopped"]
    assert stopped["said"] is None
    assert OLD not in str(live.found("task_not_restarted"))
    mail = next(text for subject, text in live.cloud.notices if "IS STOPPED" in subject)
    assert OLD not in mail
    assert "the server did not answer in time" in mail.partition("The change")[0]
