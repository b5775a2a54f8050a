"""What nobody has confirmed of DMS, played the other way: the same ends, with live tasks."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from sandbox.dms import FailureStyle, Switches
from sandbox.world import World
from tests.scenarios.live import Live, emptied

DEFAULTS = Switches()
OF_CERTIFICATES = {
    "already_exists_names_arn",
    "bundle_facts_from_last",
    "certificates_by_the_hundred",
    "identifiers_lowered",
    "pem_normalised",
    "plugin_name_underscored",
    "require_uses_root_certificate",
    "self_signed_trusted",
    "verify_without_certificate_refused",
}
"""What a change of a live endpoint does not depend on: only played with all the others."""
FLIPPED: dict[str, Any] = {
    field.name: not getattr(DEFAULTS, field.name)
    for field in fields(Switches)
    if isinstance(getattr(DEFAULTS, field.name), bool)
}
OTHER_WAYS: list[dict[str, Any]] = [
    *({name: value} for name, value in FLIPPED.items() if name not in OF_CERTIFICATES),
    {"failure_style": FailureStyle.PLAIN},
    {"failure_style": FailureStyle.PROVIDER, "server_prefix_shown": True},
    {"hidden_test_delay": 4.0},
    {"hidden_test_delay": 40.0, "hidden_test_after_create": True},
    {"old_status_shown_for": 8.0},
    {"old_status_shown_for": 45.0},
    {"hidden_test_after_modify": False, "modify_invalidates_pass": False},
]
ALL_AT_ONCE = FLIPPED | {name: value for way in OTHER_WAYS for name, value in way.items()}
ALL_AND_HIDDEN_TESTS = ALL_AT_ONCE | {"hidden_test_after_modify": True}


def named(way: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in way.items())


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with World.start() as world:
        yield world


def test_every_switch_is_played() -> None:
    """A new switch is played here without anybody thinking of it, unless it is not a bool."""
    assert {field.name for field in fields(Switches)} == set(ALL_AT_ONCE)


@pytest.mark.parametrize(
    "way",
    [*OTHER_WAYS, ALL_AT_ONCE, ALL_AND_HIDDEN_TESTS],
    ids=[*map(named, OTHER_WAYS), "all at once", "all at once with hidden tests"],
)
def test_a_live_endpoint_survives(shared: World, way: dict[str, Any]) -> None:
    """Created; changed in vain under a task, and rolled back; changed; cut off; finished."""
    live = Live(emptied(shared))
    live.dms.switches = replace(DEFAULTS, **way)
    live.certified()
    assert live.mode == "verify-ca"
    live.fails(
        "timeout expired",
        lambda one: "canary" not in one["EndpointIdentifier"] and one["SslMode"] == "verify-full",
    )
    live.change()
    assert (live.outcome, live.mode, live.status()) == ("rolled_back", "verify-ca", "running")
    assert "connection_timeout" in live.causes
    live.dms.judge = lambda _: None
    live.cloud.stop_child_at("Test connection")
    live.change(probe_plaintext=True)
    live.tick(2)
    assert (live.outcome, live.mode, live.status()) == ("certified", "verify-full", "running")
    assert live.endpoint["DatabaseName"] == "postgres"
    assert live.unfinished == []
    assert live.canary is None
