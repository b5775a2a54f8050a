"""The owner of an endpoint or secret withdraws their consent once a change has been written to it.

DMS does not connect with the change, IAM denies the rollback, and the task that we stopped may not
start. People must know all three, with the words to type, and whatever they do is found.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.world import CREDENTIALS, ENDPOINT
from tests.scenarios.live import DAY, Live, with_new_settings

TAG = "certifier:source"
MEMBERS = {
    "--endpoint-arn": "EndpointArn",
    "--engine-name": "EngineName",
    "--ssl-mode": "SslMode",
    "--certificate-arn": "CertificateArn",
    "--server-name": "ServerName",
    "--port": "Port",
    "--username": "Username",
    "--database-name": "DatabaseName",
    "--postgre-sql-settings": "PostgreSQLSettings",
}
"""Members of ModifyEndpoint behind the options of the command line."""


def untag(live: Live) -> None:
    live.client.remove_tags_from_resource(ResourceArn=live.arn, TagKeys=[TAG])


def consent(live: Live, value: str = "orders") -> None:
    live.client.add_tags_to_resource(ResourceArn=live.arn, Tags=[{"Key": TAG, "Value": value}])


def hand_over(live: Live) -> None:
    tags = [{"Key": "certifier:stack", "Value": "another"}]
    live.client.add_tags_to_resource(ResourceArn=live.arn, Tags=tags)


def by_hand(live: Live) -> None:
    """Type the command that is shown."""
    remedy = live.found("not_rolled_back")["remedy"]
    command = remedy.partition("aws dms modify-endpoint")[2].partition("`")[0]
    words = shlex.split(command)
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options.pop("--region") == live.cloud.region
    given: dict[str, Any] = {MEMBERS[option]: value for option, value in options.items()}
    if "Port" in given:
        given["Port"] = int(given["Port"])
    if "PostgreSQLSettings" in given:
        given["PostgreSQLSettings"] = json.loads(given["PostgreSQLSettings"])
    live.client.modify_endpoint(**given)
    live.cloud.clock.advance(60)


def stranded(live: Live, act: Callable[[Live], None]) -> None:
    """Certify, then change; DMS does not connect, and by then the rollback is not permitted."""
    live.certified()
    live.fails("timeout expired", with_new_settings)
    live.when("Test connection", lambda: act(live))
    live.change()


@pytest.mark.shows("not_rolled_back")
@pytest.mark.parametrize("act", [untag, hand_over])
def test_what_iam_does_not_let_us_roll_back_is_reported_and_can_be_done_by_hand(
    live: Live, act: Callable[[Live], None]
) -> None:
    """The mail says what the endpoint has, whose consent is missing, and the command; no run
    forgets it, and once somebody has typed it the task runs."""
    before = len(live.cloud.notices)
    stranded(live, act)
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-full", "stopped")
    for _ in range(4):  # of the runs that follow some only finish, and some read the material
        assert {"not_rolled_back", "not_allowed", "task_not_restarted"} <= live.causes
        assert "aws_denied" not in live.causes
        assert "Nothing has to be done" not in str(live.world.record()["findings"])
        live.tick(minutes=60)
    (subject, first), *more = live.cloud.notices[before:]
    assert "IS STOPPED" in subject
    assert "neither proven nor rolled back" in first
    assert first.index("error: not_rolled_back") < first.index("error: connection_timeout")
    assert f"--endpoint-arn {live.arn} " in first
    assert "--ssl-mode verify-ca" in first
    assert "certifier:source" in first or "certifier:stack" in first
    assert more == []
    by_hand(live)
    live.tick(2, minutes=60)
    assert (live.mode, live.status(), live.unfinished) == ("verify-ca", "running", [])


def test_the_rollback_is_made_as_soon_as_the_tag_is_back(live: Live) -> None:
    """A day later, by the next run; the task runs again."""
    stranded(live, untag)
    live.tick(minutes=DAY)
    consent(live)
    live.tick(2, minutes=60)
    assert (live.mode, live.status(), live.unfinished) == ("verify-ca", "running", [])


def test_consent_to_others_does_not_keep_us_from_rolling_back(live: Live) -> None:
    """IAM permits it: the endpoint gets back what its owner knows, and no new change is made."""
    stranded(live, lambda live: consent(live, "invoices"))
    assert (live.outcome, live.mode, live.status()) == ("rolled_back", "verify-ca", "running")
    live.tick(minutes=DAY)
    assert (live.outcome, live.mode, live.status()) == ("refused", "verify-ca", "running")
    assert "not_allowed" in live.causes


@pytest.mark.parametrize("act", [untag, hand_over, lambda live: consent(live, "invoices")])
def test_no_running_task_is_stopped_for_a_rollback_without_consent(
    live: Live, act: Callable[[Live], None]
) -> None:
    """The run died, a person has started the task, and then the owner withdraws: IAM has no such
    tag on a task, so the step asks, as before a change."""
    live.certified()
    live.dms.fail_after_change(ENDPOINT)
    live.cloud.stop_child_at("Test connection")
    live.change()
    live.dms.set_task(live.task, status="running")
    act(live)
    since = live.now
    live.tick(6)
    assert (live.outcome, live.mode, live.status()) == ("failed", "verify-full", "running")
    assert "StopReplicationTask" not in live.asked(since)
    assert {"not_rolled_back", "not_allowed"} <= live.causes
    live.client.remove_tags_from_resource(ResourceArn=live.arn, TagKeys=["certifier:stack"])
    consent(live)
    live.tick(6)
    assert (live.mode, live.status(), live.unfinished) == ("verify-ca", "running", [])


def test_what_connects_after_all_needs_no_consent(live: Live) -> None:
    """The network heals: the change is proven, nothing is to be written, and the task runs."""
    stranded(live, untag)
    live.dms.judge = lambda _: None
    live.tick()
    assert (live.mode, live.status(), live.unfinished) == ("verify-full", "running", [])


def test_a_change_that_iam_denies_names_the_tag(live: Live) -> None:
    """Withdrawn between our last question and the write: nothing was written, the task runs."""
    live.certified()
    denied: list[None] = []

    def just_before(call: Any) -> None:
        if call.operation == "ModifyEndpoint" and not denied:
            denied.append(None)
            untag(live)

    live.cloud.calls.on_call.append(just_before)
    try:
        live.change()
    finally:
        live.cloud.calls.on_call.remove(just_before)
    assert denied
    assert (live.outcome, live.causes) == ("refused", {"not_allowed"})
    assert (live.mode, live.status(), live.unfinished) == ("verify-ca", "running", [])


OWN, FIRST, LATER = "orders_login", "the-first-password-of-1", "a-later-password-of-42"


@pytest.fixture
def own(live: Live) -> Iterator[Live]:
    """The source logs in as a user of its own, so that the task's other end is not concerned."""
    live.world.server.execute(f"CREATE ROLE {OWN} LOGIN PASSWORD '{FIRST}'")
    live.world.put_credentials(FIRST, username=OWN)
    yield live
    live.world.server.execute(f"DROP ROLE {OWN}")


def test_a_secret_whose_owner_withdraws_is_named_with_the_version_that_is_missing(
    own: Live,
) -> None:
    """The password of before lies in it, and is asked for by its version, never shown."""
    own.certified(credentials_mode="inline")
    secrets = own.cloud.client("secretsmanager")
    gone: list[None] = []
    own.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT and bool(gone))

    def withdraw() -> None:
        gone.append(None)
        secrets.untag_resource(SecretId=CREDENTIALS, TagKeys=[TAG])

    own.when("Test connection", withdraw)
    secret = own.world.put_credentials(LATER, username=OWN)
    own.world.server.execute(f"ALTER ROLE {OWN} PASSWORD '{LATER}'")
    own.change(credentials_mode="inline")
    assert (own.outcome, own.status()) == ("failed", "stopped")
    seen = own.found("not_allowed")["seen"]
    assert f"aws secretsmanager tag-resource --secret-id {secret} " in seen
    remedy = own.found("not_rolled_back")["remedy"]
    assert f"get-secret-value --secret-id {secret} --version-id " in remedy
    assert "--password file:///dev/stdin" in remedy
    assert LATER not in str(own.world.record())
    secrets.tag_resource(SecretId=CREDENTIALS, Tags=[{"Key": TAG, "Value": "orders"}])
    own.dms.judge = lambda _: None
    own.tick(3)
    assert (own.mode, own.status(), own.unfinished) == ("verify-full", "running", [])
