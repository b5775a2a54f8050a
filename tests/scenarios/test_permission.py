"""A change that weakens, cannot be rolled back or is reverted by others needs a person."""

import pytest

from tests.scenarios.live import DAY, Live


@pytest.mark.shows("would_weaken")
def test_a_weaker_mode_needs_permission(live: Live) -> None:
    """Refused without `allow_downgrade`, done with it."""
    live.certified(task=False)
    live.change(ssl_mode="require", replaces=1)
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "would_weaken" in live.causes
    live.change(ssl_mode="require", allow_downgrade=True)
    assert (live.outcome, live.mode) == ("certified", "require")


@pytest.mark.shows("irreversible")
def test_what_could_not_be_rolled_back_needs_permission(live: Live) -> None:
    """The endpoint has a password that nobody knows; a secret would replace it."""
    live.adopted()
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("refused", "require")
    assert "irreversible" in live.causes
    assert live.asked(since) == []
    live.change(allow_irreversible=True)
    assert (live.outcome, live.mode) == ("certified", "verify-full")
    assert "SecretsManagerSecretId" in live.endpoint["PostgreSQLSettings"]


@pytest.mark.shows("reverted_by_others")
def test_somebody_who_changes_it_back_again_and_again_is_named(live: Live) -> None:
    """The first time it is put right; the second time a person must say who has the endpoint.

    Once they have, they start the source themselves.
    """
    live.certified(task=False, ssl_mode="verify-full")
    for outcome, mode in (("certified", "verify-full"), ("refused", "require")):
        live.modify(SslMode="require")
        live.cloud.clock.advance(60)
        live.tick(minutes=DAY)
        assert (live.outcome, live.mode) == (outcome, mode)
    assert "reverted_by_others" in live.causes
    live.world.recertify()
    assert (live.outcome, live.mode) == ("certified", "verify-full")
