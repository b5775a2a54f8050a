"""What modes that verify nothing leave open: said in record and page, refused where it leaks."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.postgres import Access
from sandbox.world import PASSWORD, World
from tests.scenarios.live import Live


@pytest.fixture
def asking(live: Live) -> Iterator[Live]:
    """The server asks for the password in clear text, with TLS and without."""
    live.world.server.set_hba(Access.CLEAR_TEXT)
    yield live
    live.world.server.set_hba(Access.TLS_ONLY)


def severities(world: World) -> list[str]:
    """How weighty the finding is, each time that it is there."""
    found = world.record()["findings"]
    return [f["severity"] for f in found if f["cause"] == "unsafe_password_request"]


@pytest.mark.shows("unsafe_password_request")
@pytest.mark.parametrize("ssl_mode", ["none", "require"])
@pytest.mark.parametrize("more", [{}, {"probe_login": True}])
@pytest.mark.parametrize("how", ["inline", "secret"])
def test_a_new_endpoint_does_not_send_a_password_that_is_asked_for_in_clear_text(
    asking: Live, ssl_mode: str, more: dict[str, Any], how: str
) -> None:
    """Refused before anything of DMS is made, whether our probe would have logged in or not."""
    before = len(asking.cloud.calls)
    asking.world.onboard(ssl_mode=ssl_mode, credentials_mode=how, **more)
    assert asking.outcome == "refused"
    assert "error" in severities(asking.world)
    assert asking.dms.endpoints() == []
    assert list(asking.cloud.calls.of("dms", writes=True, since=before)) == []


def test_a_change_is_refused_too_and_what_stays_as_it_is_is_a_warning(live: Live) -> None:
    """The endpoint sends its password already; nothing new does."""
    live.world.onboard(ssl_mode="require")
    assert live.outcome == "certified"
    live.world.server.set_hba(Access.CLEAR_TEXT)
    try:
        live.world.recertify()
        assert live.outcome == "certified"
        assert severities(live.world) == ["warning"]
        before = live.endpoint
        live.world.onboard(ssl_mode="none", replaces=1, allow_downgrade=True)
        assert live.outcome == "refused"
        assert "error" in severities(live.world)
        assert live.endpoint == before
    finally:
        live.world.server.set_hba(Access.TLS_ONLY)


def test_the_probe_says_who_would_log_in_and_answers_nothing(asking: Live) -> None:
    """No message with a password leaves it, neither that one nor a proof of it."""
    asking.world.onboard(ssl_mode="require")
    seen = asking.world.record()["findings"]
    (said, *_) = (f["seen"] for f in seen if f["cause"] == "unsafe_password_request")
    assert "did not attempt the login" in said
    assert PASSWORD not in str(asking.world.record())


def test_an_owner_who_wants_no_look_at_the_login_gets_none(asking: Live) -> None:
    """``probe_login: false``: it is their word against ours, and DMS says what happens."""
    asking.world.onboard(ssl_mode="require", probe_login=False)
    assert severities(asking.world) == []


def test_plain_text_says_how_little_it_is(live: Live) -> None:
    """ssl_mode none: the advice, ``verified`` of each witness, and the page's first sentence."""
    live.world.server.set_hba(Access.ANY)
    try:
        live.world.onboard(ssl_mode="none")
    finally:
        live.world.server.set_hba(Access.TLS_ONLY)
    assert live.outcome == "certified", live.world.record()["findings"]
    assert live.found("nothing_verified")["severity"] == "advice"
    nothing = {"connected": True, "encrypted": False, "chain": False, "host_name": False}
    verified = live.world.record()["verified"]
    assert [verified[who] for who in ("rehearsal", "dms_test")] == [nothing, nothing]
    assert verified["probe"]["chain"] is False
    assert verified["probe"]["host_name"] is False
    pages = live.cloud.objects("records/orders/")
    page = pages[max(key for key in pages if key.endswith(".html"))].decode()
    assert "DMS connects in plain text, as the source asks. Nothing is encrypted" in page
    assert "not encrypted; verified: nothing" in page
    assert "as strictly as" not in page


@pytest.mark.parametrize(
    ("more", "why"),
    [({"probe": "off"}, "probe is off"), ({"probe_login": False}, "probe_login is false")],
)
def test_what_nobody_has_looked_at_is_said(asking: Live, more: dict[str, Any], why: str) -> None:
    """Where nobody has looked how the server asks for the password, no warning means nothing."""
    asking.world.onboard(ssl_mode="require", **more)
    (said,) = (
        f["seen"] for f in asking.world.record()["findings"] if f["cause"] == "nothing_verified"
    )
    assert f"was not looked at, since {why}" in said
    assert "in clear text too" in said
