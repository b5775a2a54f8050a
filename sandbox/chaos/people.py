"""What people do while Certifier works. Each act says whether AWS, or we, have taken it."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from certifier.aws.store import Store
from certifier.ownership import SOURCE_TAG
from sandbox.aws.machine import Where
from sandbox.chaos.promises import Watch
from sandbox.chaos.stories import log_in_with
from sandbox.world import CREDENTIALS, ENDPOINT, NAME, PAIR, World

Act = Callable[[World, Watch, Random], bool]


def stop_task(world: World, watch: Watch, rng: Random) -> bool:
    """Stop a task; DMS takes it when it runs."""
    arn = _task(world, rng)
    client = world.cloud.client("dms")
    return arn is not None and watch.person(
        lambda: client.stop_replication_task(ReplicationTaskArn=arn)
    )


def start_task(world: World, watch: Watch, rng: Random) -> bool:
    """Start a task; DMS takes it when it is stopped and both endpoints connect."""
    arn = _task(world, rng)
    client = world.cloud.client("dms")
    how = "resume-processing"
    return arn is not None and watch.person(
        lambda: client.start_replication_task(ReplicationTaskArn=arn, StartReplicationTaskType=how)
    )


def modify_endpoint(world: World, watch: Watch, rng: Random) -> bool:
    """Modify the endpoint; DMS takes it when no task on it runs."""
    changes: list[dict[str, Any]] = [
        {"SslMode": "require"},
        {"DatabaseName": "postgres"},
        {"PostgreSQLSettings": {"HeartbeatFrequency": 7}},
    ]
    changed = rng.choice(changes)
    arn = (world.endpoint() or {}).get("EndpointArn")
    client = world.cloud.client("dms")
    return arn is not None and watch.person(
        lambda: client.modify_endpoint(EndpointArn=arn, EngineName="postgres", **changed),
        touches=ENDPOINT,
    )


def delete_endpoint(world: World, watch: Watch, rng: Random) -> bool:  # noqa: ARG001
    """Delete the endpoint; DMS takes it when no task uses it."""
    arn = (world.endpoint() or {}).get("EndpointArn")
    client = world.cloud.client("dms")
    return arn is not None and watch.person(
        lambda: client.delete_endpoint(EndpointArn=arn), touches=ENDPOINT
    )


def delete_certificate(world: World, watch: Watch, rng: Random) -> bool:
    """Delete a DMS certificate; DMS takes it when no endpoint has it."""
    client = world.cloud.client("dms")
    arns = sorted(one["CertificateArn"] for one in world.cloud.dms.certificates())
    arn = rng.choice(arns) if arns else None
    return arn is not None and watch.person(lambda: client.delete_certificate(CertificateArn=arn))


def withdraw(world: World, watch: Watch, rng: Random) -> bool:  # noqa: ARG001
    """Withdraw the consent to the endpoint or a secret, or give it to others, until the next run is
    about to be recorded."""
    what, value = rng.choice((ENDPOINT, CREDENTIALS, PAIR)), rng.choice((None, "others"))
    arn = (world.endpoint() or {}).get("EndpointArn")
    if what == ENDPOINT and arn is None:
        return False
    _tag(world, what, value)
    back: list[None] = []

    def give_back(where: Where) -> None:
        there = what != ENDPOINT or world.endpoint() is not None
        if where.state == "Record certification" and where.child and there and not back:
            back.append(None)
            _tag(world, what, "*" if what != ENDPOINT else "+")

    world.cloud.on_state(give_back)
    return True


def _tag(world: World, what: str, value: str | None) -> None:
    """Give the endpoint or a secret that consent; ``None``: none."""
    if what == ENDPOINT:
        dms, arn = world.cloud.client("dms"), (world.endpoint() or {})["EndpointArn"]
        if value is None:
            dms.remove_tags_from_resource(ResourceArn=arn, TagKeys=[SOURCE_TAG])
        else:
            tags = [{"Key": SOURCE_TAG, "Value": value}]
            dms.add_tags_to_resource(ResourceArn=arn, Tags=tags)
        return
    secrets = world.cloud.client("secretsmanager")
    if value is None:
        secrets.untag_resource(SecretId=what, TagKeys=[SOURCE_TAG])
    else:
        secrets.tag_resource(SecretId=what, Tags=[{"Key": SOURCE_TAG, "Value": value}])


def edit(world: World, watch: Watch, rng: Random) -> bool:
    """Register the source anew, with another spec; Onboard runs it."""
    changes: list[dict[str, Any]] = [
        {"restart_tasks": False},
        {"restart_tasks": True},
        {"restart_tasks": True, "ssl_mode": "verify-ca", "allow_downgrade": True},
        {"restart_tasks": True, "probe": "off"},
    ]
    login = watch.spec(NAME) or {}
    mode = login.get("credentials_mode", "secret")
    world.onboard(**rng.choice(changes), credentials_mode=mode)
    return True


def forget(world: World, watch: Watch, rng: Random) -> bool:  # noqa: ARG001
    """Forget the source; refused while a run has it."""
    return Store(world.cloud.client("dynamodb"), world.cloud.table).forget(NAME) is True


def rotate(world: World, watch: Watch, rng: Random) -> bool:  # noqa: ARG001
    """Put a new certificate of a new CA into the secret; PostgreSQL does not serve it yet."""
    world.issue()
    world.put_pair()
    world.cloud.emit_secret_label(PAIR)
    return True


def rotate_password(world: World, watch: Watch, rng: Random) -> bool:
    """Change the password of the sources' login, then the secret that holds it."""
    if not (world.endpoint() or {}).get("SecretsManagerSecretId"):
        watch.locked_out.add(ENDPOINT)  # until the new password is set there
    log_in_with(world, f"a-password-of-{rng.randrange(10**6)}")
    world.cloud.emit_secret_label(CREDENTIALS)
    return True


def _task(world: World, rng: Random) -> str | None:
    arns = sorted(task["ReplicationTaskArn"] for task in world.cloud.dms.tasks())
    return rng.choice(arns) if arns else None


ACTS: Mapping[str, Act] = {
    act.__name__: act
    for act in (
        stop_task,
        start_task,
        modify_endpoint,
        delete_endpoint,
        delete_certificate,
        edit,
        forget,
        rotate,
        rotate_password,
        withdraw,
    )
}
