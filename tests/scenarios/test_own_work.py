"""A step may do its own work and no more: forged notes, foreign keys, and what bears our tags."""

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws import calls
from sandbox.aws.deploy import STACK
from sandbox.world import CREDENTIALS, ENDPOINT, NAME, PAIR
from tests.scenarios.live import Live

# -- an undo log that somebody forged

UNDO = {"pk": {"S": f"UNDO#{NAME}"}, "sk": {"S": "UNDO"}}


def left_with_a_log(live: Live, **changes: Any) -> dict[str, Any]:
    """A change whose run dies after it has configured the endpoint; return its undo log."""
    live.certified(task=False, **changes)
    live.cloud.stop_child_at("Test connection")
    live.change(**changes)
    item = live.cloud.client("dynamodb").get_item(TableName=live.cloud.table, Key=UNDO)["Item"]
    log: dict[str, Any] = json.loads(item["log"]["S"])
    return log


def forge(live: Live, log: Mapping[str, Any], run: str | None = None) -> None:
    """Write that log in place of the true one, as if the same run, or another, had."""
    client = live.cloud.client("dynamodb")
    client.update_item(
        TableName=live.cloud.table,
        Key=UNDO,
        UpdateExpression="SET #l = :l" + (", #r = :r" if run else ""),
        ExpressionAttributeNames={"#l": "log", **({"#r": "run"} if run else {})},
        ExpressionAttributeValues={
            ":l": {"S": json.dumps(log)},
            **({":r": {"S": run}} if run else {}),
        },
    )


def _to_another_host(log: dict[str, Any], _: Live) -> None:
    log["fields"] = [*log["fields"], "server_name"]
    log["old"]["server_name"] = "attacker.example.com"
    log["new"]["server_name"] = None


def _with_another_secret(log: dict[str, Any], live: Live) -> None:
    theirs = live.cloud.put_secret("dms/billing", {"username": "u", "password": "hunter2-theirs"})
    version = live.cloud.client("secretsmanager").describe_secret(SecretId=theirs)
    (current,) = version["VersionIdsToStages"]
    log |= {"credentials": theirs, "old_password_version": current, "new_password_version": "x"}


def _of_another_endpoint(log: dict[str, Any], live: Live) -> None:
    log["endpoint_arn"] = live.adopted("theirs")
    log["endpoint_identifier"] = "theirs"


def _as_it_never_was(log: dict[str, Any], _: Live) -> None:
    log["old"]["ssl_mode"] = "none"


@pytest.mark.shows("undo_log_untrusted")
@pytest.mark.parametrize(
    "forged", [_to_another_host, _with_another_secret, _of_another_endpoint, _as_it_never_was]
)
def test_a_forged_undo_log_is_not_followed(
    live: Live, forged: Callable[[dict[str, Any], Live], None]
) -> None:
    """The rescue finds it, the new settings do not connect, and still nothing of it is written."""
    log = left_with_a_log(live)
    forged(log, live)
    forge(live, log)
    live.fails("timeout expired", lambda one: True)
    before, since = settings(live), live.now
    live.tick(2)
    assert live.outcome == "failed"
    assert "undo_log_untrusted" in live.causes
    assert not {"ModifyEndpoint", "DeleteEndpoint"} & set(live.asked(since))
    assert settings(live) == before
    readers = live.cloud.calls.of("secretsmanager", caller="configure_endpoint", since=since)
    assert readers == []
    assert live.unfinished != []  # a person decides


def test_a_log_that_names_another_run_is_not_followed(live: Live) -> None:
    """One that never was, whose reading nobody can look up."""
    log = left_with_a_log(live)
    forge(live, log, run="arn:aws:states:eu-west-1:123456789012:execution:m/Source:never")
    live.fails("timeout expired", lambda one: True)
    since = live.now
    live.tick(2)
    assert "undo_log_untrusted" in live.causes
    assert "ModifyEndpoint" not in live.asked(since)


def test_a_true_log_is_still_followed_by_the_rescue(live: Live) -> None:
    """The endpoint gets back what it had, from a run that did not write the log."""
    left_with_a_log(live)
    assert live.mode == "verify-full"
    live.fails("timeout expired", lambda one: one["SslMode"] == "verify-full")
    live.tick(2)
    assert live.mode == "verify-ca"
    assert "rolled_back" in {child.outcome for child in live.cloud.executions}
    assert live.unfinished == []


def settings(live: Live) -> list[tuple[str, ...]]:
    """What every endpoint is set to, as far as a forged log would change it."""
    fields = ("EndpointIdentifier", "ServerName", "SslMode", "Username")
    return [tuple(str(one.get(field)) for field in fields) for one in live.dms.endpoints()]


# -- what a role may touch

Act = Callable[[Live, Callable[[str], Any]], Any]


def item(pk: str, sk: str) -> Act:
    """Write an item."""
    whole = {"pk": {"S": pk}, "sk": {"S": sk}}
    return lambda live, client: client("dynamodb").put_item(TableName=live.cloud.table, Item=whole)


def update(pk: str, sk: str, attribute: str = "x") -> Act:
    """Remove an attribute of an item, or several, within a transaction."""
    key = {"pk": {"S": pk}, "sk": {"S": sk}}

    def act(live: Live, client: Callable[[str], Any]) -> Any:
        change = {
            "TableName": live.cloud.table,
            "Key": key,
            "UpdateExpression": f"REMOVE {attribute}",
        }
        return client("dynamodb").transact_write_items(TransactItems=[{"Update": change}])

    return act


def put(key: str) -> Act:
    """Write an object."""
    return lambda live, client: client("s3").put_object(
        Bucket=live.cloud.bucket, Key=key, Body=io.BytesIO(b"{}")
    )


def listed(prefix: str) -> Act:
    """List objects."""
    return lambda live, client: client("s3").list_objects_v2(
        Bucket=live.cloud.bucket, Prefix=prefix
    )


def secret(name: str) -> Act:
    """Read a secret."""
    return lambda live, client: client("secretsmanager").get_secret_value(
        SecretId=live.world.arn(name)
    )


def deleted(identifier: str, *tags: str) -> Act:
    """Delete an endpoint that somebody has given those tags of ours."""

    def act(live: Live, client: Callable[[str], Any]) -> Any:
        named = {"certifier:stack": STACK, "certifier:canary": NAME}
        arn = live.adopted(identifier, Tags=[{"Key": key, "Value": named[key]} for key in tags])
        return client("dms").delete_endpoint(EndpointArn=arn)

    return act


def denied(live: Live, step: str, act: Act) -> bool:
    """Whether the role of a step is not allowed to do it."""
    session: Any = calls.Session(step, live.cloud.region)
    try:
        act(live, session.client)
    except ClientError as error:
        return "AccessDenied" in error.response["Error"]["Code"]
    return False


@pytest.mark.parametrize(
    ("step", "act"),
    [
        # the probe meets hostile bytes: it writes its own documents, and nothing else
        ("probe_tls", item(f"SOURCE#{NAME}", "STATE")),
        ("probe_tls", update(f"SOURCE#{NAME}", "STATE")),
        ("probe_tls", put("runs/r/read_material.json")),
        ("probe_tls", put("runs/r/plan_changes.json")),
        ("probe_tls", put("runs/r/outcomes/orders.certified")),
        ("probe_tls", put("records/orders/x.json")),
        ("probe_tls", listed("onboarding/")),
        ("probe_tls", listed("")),
        ("plan_changes", update(f"SOURCE#{NAME}", "STATE")),
        ("report", item(f"SOURCE#{NAME}", "STATE")),
        ("report", update(f"SOURCE#{NAME}", "STATE")),
        ("report", update(f"SOURCE#{NAME}", "STATE", "notified, claim")),
        ("read_material", put("runs/r/notices/orders.json")),
        # an undo log, a pause, the breaker, an owner
        ("rehearse_changes", item(f"UNDO#{NAME}", "UNDO")),
        ("test_connection", update("PAUSE", "task")),
        ("configure_endpoint", update("PAUSE", "task")),
        ("pause_tasks", item("BREAKER", "STATE")),
        ("import_certificate", item(f"ENDPOINT#{ENDPOINT}", "OWNER")),
        ("claim_source", item(f"UNDO#{NAME}", "UNDO")),
        ("read_material", put("runs/r/configure_endpoint-apply.json")),
        # what bears our tags, and was not made as a canary
        ("rehearse_changes", deleted("theirs", "certifier:stack", "certifier:canary")),
        ("record_certification", deleted("their-s", "certifier:stack", "certifier:canary")),
        # secrets that their owner has marked
        ("probe_tls", secret(PAIR)),
        ("configure_endpoint", secret(PAIR)),
        ("rehearse_changes", secret(PAIR)),
        ("import_certificate", secret(CREDENTIALS)),
        ("resume_tasks", secret(CREDENTIALS)),
        ("test_connection", secret(PAIR)),
    ],
)
def test_no_role_reaches_what_is_not_its_own(live: Live, step: str, act: Act) -> None:
    """Whatever its code were made to do."""
    assert denied(live, step, act)


@pytest.mark.parametrize(
    ("step", "act"),
    [
        ("probe_tls", put("runs/r/probe_tls.json")),
        ("probe_tls", put("runs/r/probe_tls-refused.json")),
        ("probe_tls", secret(CREDENTIALS)),
        ("import_certificate", secret(PAIR)),
        ("configure_endpoint", item(f"UNDO#{NAME}", "UNDO")),
        ("record_certification", item("BREAKER", "STATE")),
        ("record_certification", put("runs/r/notices/orders.json")),
        ("report", update(f"SOURCE#{NAME}", "STATE", "notified")),
    ],
)
def test_each_role_reaches_what_is_its_own(live: Live, step: str, act: Act) -> None:
    """The same acts, where they belong."""
    assert not denied(live, step, act)
