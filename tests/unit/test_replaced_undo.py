"""A log that replaces one which could not be finished leads back to before the first change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.run.documents import Material, UndoLog
from certifier.run.undo import (
    NEW,
    OLD,
    moved_by_others,
    must_write_old,
    new_are_sent,
    replacing,
    sending,
    sent,
    still_ours,
    why_not_covered,
    why_not_own,
)
from certifier.source import Source
from certifier.vocabulary import SslMode

NOW = datetime(2026, 1, 4, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FIRST_RUN = "arn:first"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf"
BEFORE = EndpointFields(ssl_mode=SslMode.REQUIRE, server_name="db", certificate_arn="arn:cert:0")
LEFT = BEFORE.model_copy(update={"ssl_mode": SslMode.VERIFY_CA, "certificate_arn": "arn:cert:1"})
AFTER = LEFT.model_copy(update={"certificate_arn": "arn:cert:2"})
THEIRS = LEFT.model_copy(update={"certificate_arn": "arn:cert:9"})
SOURCE = Source(
    name="orders",
    host="db",
    endpoint="orders-source",
    endpoint_type="source",
    engine="postgres",
    database="orders",
    ssl_mode=SslMode.VERIFY_CA,
    ca_bundle="s3://bundles/ca.pem",
    credentials=SECRET,
)


def log(**changes: Any) -> UndoLog:
    fields = {
        "endpoint_arn": "arn:e",
        "endpoint_identifier": "orders-source",
        "fields": ("ssl_mode", "certificate_arn"),
        "old": EndpointFields(ssl_mode=SslMode.REQUIRE, certificate_arn="arn:cert:0"),
        "new": EndpointFields(ssl_mode=SslMode.VERIFY_CA, certificate_arn="arn:cert:1"),
        "credentials": SECRET,
        "written": NEW,
        "accepted": True,
        "written_at": NOW,
        "old_ca_pem": "the first CA",
    }
    return UndoLog.model_validate({**fields, **changes})


def of_today(**changes: Any) -> UndoLog:
    """Today's change alone: another CA, on the endpoint as the first change has left it."""
    alone = {
        "fields": ("certificate_arn",),
        "old": EndpointFields(certificate_arn="arn:cert:1"),
        "new": EndpointFields(certificate_arn="arn:cert:2"),
        "written": None,
        "accepted": False,
        "written_at": None,
        "old_ca_pem": "the second CA",
    }
    return log(**{**alone, **changes})


def replaced(found: UndoLog | None = None, today: UndoLog | None = None) -> UndoLog:
    return replacing(found or log(), today or of_today(), LEFT, run=FIRST_RUN)


def endpoint(fields: EndpointFields) -> Endpoint:
    return Endpoint(
        arn="arn:e",
        identifier="orders-source",
        endpoint_type="source",
        engine="postgres",
        status="active",
        fields=fields,
    )


def read(fields: EndpointFields) -> Material:
    return Material(endpoint=endpoint(fields))


def test_it_leads_back_to_before_the_first_change() -> None:
    """With the CA of that time; its writer's log had replaced none."""
    whole = replaced()
    assert whole.old == log().old
    assert whole.old_ca_pem == "the first CA"
    assert whole.replaces == FIRST_RUN
    assert replaced(whole).replaces == FIRST_RUN


def test_what_the_first_change_sent_counts_as_sent_and_todays_does_not() -> None:
    """A run that is cut off before its first write still has something to roll back."""
    whole = replaced()
    assert not new_are_sent(whole)
    assert must_write_old(whole, LEFT, LATER)
    assert new_are_sent(sent(sending(whole, NEW, LATER)))
    assert not must_write_old(replaced(log(written=None, accepted=False)), BEFORE, LATER)
    rolled_back = replaced(log(written=OLD))
    assert not must_write_old(rolled_back, BEFORE, LATER)


@pytest.mark.parametrize(
    ("now", "ours"), [(BEFORE, True), (LEFT, True), (AFTER, True), (THEIRS, False)]
)
def test_what_either_change_has_left_is_ours(now: EndpointFields, ours: bool) -> None:
    """Only what neither of the two wrote is somebody else's."""
    assert still_ours(replaced(), now) is ours


def test_the_first_changes_settings_are_not_somebody_elses_before_todays_write() -> None:
    """Today's plan was made for the endpoint as they had left it."""
    assert moved_by_others(replaced(), endpoint(LEFT), endpoint(LEFT)) == ()
    assert moved_by_others(replaced(), endpoint(LEFT), endpoint(THEIRS)) == ("certificate_arn",)


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({}, True),
        ({"written": NEW, "accepted": True, "written_at": LATER}, True),
        ({"new_password_version": "v2"}, True),
        ({"new_password_version": "v1"}, False),
        ({"endpoint_arn": "arn:other"}, False),
        ({"fields": ("ssl_mode",)}, False),
        ({"credentials": "arn:other"}, False),
        ({"created": True}, False),
        ({"new": AFTER.model_copy(update={"certificate_arn": "arn:cert:9"})}, False),
        ({"new": AFTER.model_copy(update={"server_name": "evil"})}, False),
        ({"replaces": None}, False),
    ],
)
def test_a_run_follows_its_own_log_alone(changes: dict[str, Any], own: bool) -> None:
    """Everything that would be written is today's plan, or what the endpoint has."""
    found = replaced().model_copy(update=changes)
    assert (why_not_own(found, of_today(), LEFT, password_version="v2") == "") is own


def test_a_log_that_replaces_none_is_compared_as_a_whole() -> None:
    """But for what was sent so far."""
    mine = sending(of_today(), NEW, NOW)
    assert why_not_own(mine, of_today(), LEFT, password_version=None) == ""
    other = mine.model_copy(update={"new_password_version": "v2"})
    assert why_not_own(other, of_today(), LEFT, password_version="v2") != ""


def covered(found: UndoLog, first: Material | None) -> bool:
    why = why_not_covered(
        found, source=SOURCE, owned=("orders-source",), material=read(LEFT), first=first
    )
    return not why


def test_what_it_leads_back_to_was_read_by_one_of_the_two_runs() -> None:
    """By the one that wrote it, or by the one whose log it replaces; of the same endpoint."""
    assert covered(replaced(), read(BEFORE))
    assert not covered(replaced(), None)
    assert not covered(replaced(), read(THEIRS))
    elsewhere = Material(endpoint=endpoint(BEFORE).model_copy(update={"arn": "arn:other"}))
    assert not covered(replaced(), elsewhere)


def test_a_password_in_a_secret_that_the_source_no_longer_names_stays() -> None:
    """It cannot be rolled back, and does not keep today's change from being undone."""
    found = log(credentials="arn:gone", old_password_version="v0", new_password_version="v1")
    whole = replaced(found, of_today(new_password_version="v2"))
    assert (whole.credentials, whole.old_password_version) == (SECRET, None)
    assert covered(whole, read(BEFORE))


def test_an_endpoint_that_the_first_change_created_stays() -> None:
    """Today's change alone is undone."""
    whole = replaced(log(created=True, old=EndpointFields()))
    assert whole == of_today(replaces=FIRST_RUN)
    assert covered(whole, Material())
