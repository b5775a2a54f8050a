"""What an older libpq would see is looked at before a change, and when something went wrong."""

from typing import Any

from sandbox.world import NAME
from tests.probe.fakes import Fake, relay
from tests.scenarios.live import Live


def _behind(live: Live, port: int, **changes: Any) -> None:
    live.world.put_credentials(port=port)
    live.world.onboard(port=port, **changes)


def _connections(live: Live) -> int:
    return int(live.world.record()["probe"]["evidence"]["connections"])


def test_a_front_with_another_certificate_for_older_clients_is_reported(live: Live) -> None:
    """The source is certified, since DMS connects, and whoever reads its record knows why it may
    not tomorrow. The next day nothing is to change, and one connection is enough."""
    world = live.world
    other = world.authority.issue(dns=("other.example.com",))
    target = (world.server.host, world.server.port)
    front = relay(target, world.leaf, lambda block: block, unnamed=other)
    with Fake(front) as fake:
        _behind(live, fake.port)
        assert live.outcome == "certified"
        (found,) = (
            one for one in world.record()["findings"] if one["cause"] == "client_reading_differs"
        )
        assert found["severity"] == "warning"
        assert "DNS:other.example.com" in found["seen"]
        assert "libpq 14 and newer" in found["seen"]
        assert _connections(live) == 3  # one more to see whether that other one verifies
        world.recertify()
        assert live.outcome == "certified"
        assert _connections(live) == 1


def test_a_source_that_was_refused_is_looked_at_as_an_older_client_too(live: Live) -> None:
    """DMS and the probe disagreed: its libpq may be an older one."""
    live.world.onboard()
    live.fails("SSL error: certificate verify failed", lambda endpoint: True)
    live.world.recertify()
    assert live.outcome != "certified"
    live.world.recertify()
    assert _connections(live) == 2
    assert live.world.state(NAME)["outcome"] != "certified"
