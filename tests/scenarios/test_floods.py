"""Whoever makes events without end runs a source a few times, and from then on at each tick."""

from sandbox.world import PAIR
from tests.scenarios.live import Live


def runs(live: Live) -> int:
    """How many runs have left a record."""
    return sum(key.endswith(".json") for key in live.cloud.objects("records/"))


def test_a_flood_of_events_runs_a_source_at_the_pace_of_the_schedule(live: Live) -> None:
    """Whoever may write the secret: what waits costs DMS nothing, and nothing is forgotten."""
    live.certified(task=False, ssl_mode="verify-full")
    for _ in range(10):
        live.cloud.emit_secret_label(PAIR)
    assert runs(live) == 5
    live.world.issue(new_authority=False)
    live.world.serve()
    since = live.now
    live.world.announce()
    assert runs(live) == 5
    assert live.cloud.calls.of("dms", since=since) == []
    assert live.due_in() <= 0
    live.tick(minutes=1)
    assert (runs(live), live.outcome) == (6, "certified")
    assert live.world.record()["intended_leaf_sha256"] == live.world.leaf.fingerprint


def test_who_starts_it_by_its_name_is_not_kept_waiting(live: Live) -> None:
    """Nor is an event, once ten minutes have passed."""
    live.certified(task=False, ssl_mode="verify-full")
    for _ in range(8):
        live.cloud.emit_secret_label(PAIR)
    before = runs(live)
    live.world.recertify()
    assert runs(live) == before + 1
    live.tick(minutes=11)
    before = runs(live)
    live.cloud.emit_secret_label(PAIR)
    assert runs(live) == before + 1
