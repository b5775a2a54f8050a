"""The second look at the replication slots logs in too: not on the word of a CA that waits."""

from collections.abc import Iterator

import pytest

from sandbox.postgres import Access
from sandbox.world import World
from tests.scenarios.live import Live, emptied


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start(settings={"new_anchor_needs_consent": True}) as one:
        yield one


@pytest.fixture
def live(world: World) -> Live:
    return Live(emptied(world))


def test_a_refused_run_that_restarts_a_task_does_not_log_in(live: Live) -> None:
    """A run died between the stop and the change; the next one finds a new CA in the bundle."""
    live.certified()
    assert live.world.record()["slots"]["before"] is not None
    live.cloud.stop_child_at("Configure endpoint")
    live.change()
    live.world.renew()
    live.tick(3)
    record = live.world.record()
    assert live.outcome == "refused"
    assert "anchor_not_approved" in live.causes
    assert (record["slots"]["before"], record["slots"]["after"]) == (None, None)


def test_a_mode_that_verifies_nothing_rests_on_no_ca(live: Live) -> None:
    """How the server asks for the password is looked at all the same; nothing is answered."""
    live.certified(task=False)
    live.world.server.set_hba(Access.CLEAR_TEXT)
    try:
        live.world.issue()
        live.world.put_pair()
        live.change(ssl_mode="require", allow_downgrade=True, replaces=1)
        assert {"anchor_not_approved", "unsafe_password_request"} <= live.causes
    finally:
        live.world.server.set_hba(Access.TLS_ONLY)
