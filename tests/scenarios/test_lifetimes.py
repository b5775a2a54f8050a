"""An expiry that comes nearer, on the sandbox's clock: every mail about a short life."""

from datetime import timedelta

from tests.scenarios.live import Live

DAY = 24 * 60


def test_an_expiry_is_mailed_as_it_comes_nearer(live: Live) -> None:
    """Of eighteen days: six days before the end, which is a third, then three and one."""
    now = live.cloud.clock.now()
    live.world.issue(new_authority=False, not_before=now, not_after=now + timedelta(days=18))
    live.world.serve()
    live.world.announce()
    live.certified(task=False)
    sent: list[tuple[int, str]] = []
    for day in range(17):
        before = len(live.cloud.notices)
        live.tick(minutes=DAY)
        sent += [(18 - day - 1, subject) for subject, _ in live.cloud.notices[before:]]
    assert [subject for _, subject in sent] == [
        "Certifier eu-west-1: orders certified: certificate_expires_soon"
    ] * 3
    assert [left for left, _ in sent] == [5, 3, 1] or [left for left, _ in sent] == [6, 3, 1]
    assert live.world.record()["late"] != []
