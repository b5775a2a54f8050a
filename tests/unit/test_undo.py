"""What an undo log says is uncertain until it is written again, or seen long enough."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.run.documents import UndoLog
from certifier.run.undo import (
    NEW,
    OLD,
    READ_LAG,
    may_hold_new,
    moved_by_others,
    must_write_old,
    new_are_sent,
    sending,
    sent,
    still_ours,
)
from certifier.vocabulary import SettingsUnderTest, SslMode

NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)
BEFORE = EndpointFields(ssl_mode=SslMode.VERIFY_CA, server_name="db", database_name="orders")
AFTER = EndpointFields(ssl_mode=SslMode.VERIFY_FULL, server_name="db", database_name="orders")
THEIRS = EndpointFields(ssl_mode=SslMode.REQUIRE, server_name="db", database_name="orders")


def log(**changes: Any) -> UndoLog:
    return UndoLog(
        **{
            "endpoint_arn": "arn:e",
            "endpoint_identifier": "e",
            "fields": ("ssl_mode",),
            "old": EndpointFields(ssl_mode=SslMode.VERIFY_CA),
            "new": EndpointFields(ssl_mode=SslMode.VERIFY_FULL),
            "written": None,
            **changes,
        }
    )


def endpoint(fields: EndpointFields, rest: str = "") -> Endpoint:
    return Endpoint(
        arn="arn:e",
        identifier="e",
        endpoint_type="source",
        engine="postgres",
        status="active",
        fields=fields,
        rest_digest=rest,
    )


PASSWORD = {"old_password_version": "1", "new_password_version": "2"}


@pytest.mark.parametrize(
    ("sent_so_far", "more", "shown", "after", "writes"),
    [
        ((None, False), {}, BEFORE, 0, False),
        ((NEW, False), {}, BEFORE, 0, True),
        ((NEW, True), {}, BEFORE, 0, True),
        ((NEW, True), {}, BEFORE, 601, False),
        ((NEW, True), {}, AFTER, 601, True),
        ((OLD, False), {}, BEFORE, 0, True),
        ((OLD, True), {}, BEFORE, 0, False),
        ((OLD, True), {}, AFTER, 0, True),
        ((NEW, True), PASSWORD, BEFORE, 3600, True),
        ((NEW, False), PASSWORD, BEFORE, 3600, True),
        ((OLD, False), PASSWORD, BEFORE, 3600, True),
        ((OLD, True), PASSWORD, BEFORE, 0, False),
        ((None, False), PASSWORD, BEFORE, 0, False),
        ((NEW, True), {"old": EndpointFields()}, AFTER, 0, False),
    ],
)
def test_what_a_rollback_must_write(
    sent_so_far: tuple[SettingsUnderTest | None, bool],
    more: dict[str, Any],
    shown: EndpointFields,
    after: float,
    writes: bool,
) -> None:
    """What was sent, whether DMS took it, and how long ago: a read alone proves nothing."""
    written, accepted = sent_so_far
    noted = log(written=written, accepted=accepted, written_at=NOW, **more)
    assert must_write_old(noted, shown, NOW + timedelta(seconds=after)) is writes


def test_what_is_sent_is_noted_before_and_after() -> None:
    """Uncertain in between, and known afterwards."""
    before = sending(log(), NEW, NOW)
    assert (before.written, before.accepted, before.written_at) == (NEW, False, NOW)
    assert not new_are_sent(before)
    assert new_are_sent(sent(before))
    assert not new_are_sent(sent(sending(sent(before), OLD, NOW)))


def test_after_a_rollback_no_endpoint_holds_the_new_settings() -> None:
    """Where only the password was changed, nothing shows it."""
    assert may_hold_new(log(written=NEW))
    assert not may_hold_new(log(written=OLD, accepted=True))
    assert not may_hold_new(log())
    assert may_hold_new(log(created=True))


def test_a_log_of_an_earlier_version_may_have_been_carried_out() -> None:
    """It does not say what was sent, and is older than any read can lag."""
    old = UndoLog.model_validate(log().model_dump(exclude={"written", "accepted", "written_at"}))
    assert may_hold_new(old)
    assert not must_write_old(old, BEFORE, NOW)
    assert must_write_old(old, AFTER, NOW)


@pytest.mark.parametrize(
    ("written", "shown", "ours"),
    [
        (None, BEFORE, True),
        (None, AFTER, False),
        (NEW, AFTER, True),
        (NEW, BEFORE, True),
        (NEW, THEIRS, False),
    ],
)
def test_only_what_is_still_ours_is_rolled_back(
    written: SettingsUnderTest | None, shown: EndpointFields, ours: bool
) -> None:
    """Before anything was sent, the new value is somebody else's, too."""
    assert still_ours(log(written=written), shown) is ours


@pytest.mark.parametrize(
    ("written", "now", "moved"),
    [
        (None, endpoint(BEFORE), ()),
        (None, endpoint(AFTER), ("ssl_mode",)),
        (NEW, endpoint(BEFORE), ()),
        (NEW, endpoint(AFTER), ()),
        (NEW, endpoint(THEIRS), ("ssl_mode",)),
        (NEW, endpoint(AFTER.model_copy(update={"server_name": "x"})), ("server_name",)),
        (NEW, endpoint(AFTER.model_copy(update={"server_name": "DB"})), ()),
        (NEW, endpoint(AFTER, rest="other"), ("other settings",)),
    ],
)
def test_what_others_have_changed_before_a_write(
    written: SettingsUnderTest | None, now: Endpoint, moved: tuple[str, ...]
) -> None:
    """The first write finds the endpoint as it was, a retry as it was or as we sent it."""
    assert moved_by_others(log(written=written), endpoint(BEFORE), now) == moved


def test_a_login_that_a_secret_replaces_is_not_somebody_elses_change() -> None:
    """DMS empties the one when the other is written."""
    secret = log(fields=("secret_id",), new=EndpointFields(secret_id="s"), written=NEW)
    now = endpoint(
        EndpointFields(ssl_mode=SslMode.VERIFY_CA, database_name="orders", secret_id="s")
    )
    assert moved_by_others(secret, endpoint(BEFORE), now) == ()


def test_a_read_lags_no_longer_than_a_minute() -> None:
    """The bound that the table above plays on both sides."""
    assert timedelta(seconds=600) == READ_LAG
