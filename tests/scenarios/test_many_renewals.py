"""Renewals that nobody sees from outside: what is trusted grows, and does not grow for ever."""

from datetime import UTC, datetime, timedelta

from tests.scenarios.live import DAY, Live


def anchors(live: Live) -> int:
    return live.world.trusted().count("BEGIN CERTIFICATE")


def test_with_the_probe_off_many_renewals_keep_the_trust_within_a_season(live: Live) -> None:
    """One renewal every two months: those of the last three months stay, and DMS connects."""
    live.certified(ssl_mode="verify-full", probe="off")
    seen = []
    for _ in range(4):
        live.world.renew(not_after=datetime.now(UTC) + timedelta(days=300))
        live.tick(2, minutes=30 * DAY)
        assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])
        seen.append(anchors(live))
    assert seen[0] == 2
    assert max(seen) <= 3
    assert any("old_anchors_dropped" in body for _, body in live.cloud.notices)
