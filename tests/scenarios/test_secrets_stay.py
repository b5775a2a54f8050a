"""Nothing that a run leaves behind holds a private key or a password."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from sandbox.world import NAME, PASSWORD, World

NEW_PASSWORD = "another-horse-another-battery"


def traces(world: World) -> Iterator[tuple[str, str]]:
    """Yield everything that the runs have left: where, and its text."""
    for execution in world.cloud.executions:
        yield f"history of {execution.run_id}", json.dumps(execution.history, default=str)
        yield f"input of {execution.run_id}", json.dumps(execution.input)
        yield f"output of {execution.run_id}", json.dumps(execution.output)
        yield f"cause of {execution.run_id}", str(execution.cause)
    for number, line in enumerate(world.cloud.log):
        yield f"log line {number}", line
    for item in world.cloud.items():
        yield f"item {item['pk']['S']} {item['sk']['S']}", json.dumps(item)
    for key, body in world.cloud.objects().items():
        yield f"object {key}", body.decode(errors="replace")
    for subject, message in world.cloud.notices:
        yield f"notice {subject}", message
    for endpoint in world.cloud.dms.endpoints():
        yield f"endpoint {endpoint['EndpointIdentifier']}", json.dumps(endpoint, default=str)


def secrets_of(world: World) -> set[str]:
    """Return what must be nowhere: passwords, and every line of every private key."""
    keys = (world.leaf.key_pem, world.authority.key_pem)
    lines = {line for key in keys for line in key.decode().splitlines() if "-----" not in line}
    return {"PRIVATE KEY", PASSWORD, NEW_PASSWORD, *lines}


def leaks(world: World, secrets: set[str]) -> list[str]:
    """Return where any of the secrets stands."""
    return [where for where, text in traces(world) if any(secret in text for secret in secrets)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


def test_no_story_leaves_a_secret_anywhere(world: World) -> None:
    """Onboard, rotate under a task, roll back, refuse, fail, rotate a password: search all."""
    secrets = secrets_of(world)
    world.onboard(restart_tasks=True)
    world.add_task()
    world.renew()
    secrets |= secrets_of(world)
    world.issue()
    secrets |= secrets_of(world)
    world.cloud.dms.fail_after_change("orders-source")
    world.announce()
    assert world.outcome() == "rolled_back"
    world.cloud.dms.judge = lambda _: None
    world.onboard(
        name="inline", endpoint="inline-source", credentials_mode="inline", server_certificate=None,
        ca_bundle=world.put_bundle("inline.pem", world.serving.certificate_pem),
    )  # fmt: skip
    assert world.outcome("inline") == "certified"
    world.put_credentials(NEW_PASSWORD)
    world.cloud.emit_secret_label("dms/orders")
    assert world.outcome() == "refused"
    assert {"password_rejected"} <= set(world.causes())
    world.cloud.put_secret("dms/orders", json.dumps({"username": "u", "password": [NEW_PASSWORD]}))
    world.recertify()
    world.cloud.put_secret(
        "dms/orders-tls", json.dumps({"certificate": world.leaf.key_pem.decode()})
    )
    world.recertify()
    assert world.outcome(NAME) == "refused"
    assert leaks(world, secrets) == []


@pytest.mark.parametrize("where", ["rehearsal", "test"])
def test_what_a_server_says_to_dms_leaves_no_secret(world: World, where: str) -> None:
    """It names the password in its error, whole, in part, and in other forms."""
    said = (
        f'FATAL:  password "{PASSWORD}" ({PASSWORD[2:-2]}, {quote(PASSWORD)}, '
        f"{base64.b64encode(PASSWORD.encode()).decode()}) was rejected"
    )
    world.put_credentials()
    world.put_pair()
    world.serve()
    name = f"said-{where}"
    world.cloud.dms.judge = lambda one: (
        said if ("canary" in one["EndpointIdentifier"]) is (where == "rehearsal") else None
    )
    world.onboard(name=name, endpoint=name, credentials_mode="inline")
    world.cloud.dms.judge = lambda _: None
    assert world.outcome(name) == {"rehearsal": "refused", "test": "failed"}[where]
    shown = json.dumps(world.record(name))
    assert "was rejected" in shown
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    pieces = {form[i : i + 6] for form in (PASSWORD, encoded) for i in range(len(form) - 5)}
    pieces = {piece for piece in pieces if piece not in "correct"}  # a word of a remedy
    assert leaks(world, pieces) == []


@pytest.mark.parametrize("sign", [" ", "'", '"', "\\", "\t"])
def test_a_password_that_breaks_a_connection_string_is_refused_unseen(
    world: World, sign: str
) -> None:
    """libpq would say what it could not read of it; so nobody is given it."""
    broken = f"correct{sign}battery"
    world.put_credentials(broken)
    since = len(world.cloud.calls)
    world.onboard(name="broken", endpoint="broken-source", credentials_mode="inline")
    world.put_credentials()
    assert world.outcome("broken") == "refused"
    assert "password_unusable" in world.causes("broken")
    assert world.cloud.calls.of("dms", writes=True, since=since) == []
    assert leaks(world, {broken, json.dumps(broken)[1:-1]}) == []


@pytest.mark.parametrize("planted", ["PRIVATE KEY", PASSWORD])
def test_a_planted_secret_is_found(world: World, planted: str) -> None:
    """The search works: whatever is put into an object, an item or a state's input is found."""
    world.cloud.client("s3").put_object(
        Bucket=world.cloud.bucket, Key="runs/planted.json", Body=f'{{"x": "{planted}"}}'
    )
    world.cloud.client("dynamodb").put_item(
        TableName=world.cloud.table,
        Item={"pk": {"S": "PLANTED"}, "sk": {"S": planted}},
    )
    run = world.cloud.run({"names": [planted]})
    found = leaks(world, {planted})
    assert "object runs/planted.json" in found
    assert f"item PLANTED {planted}" in found
    assert f"input of {run.run_id}" in found
