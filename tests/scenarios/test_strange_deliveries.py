"""EventBridge delivers at least once, in any order, up to a day late: what an event says of itself,
but for what it is about, decides nothing."""

from typing import Any

from certifier.aws.store import Store
from sandbox.aws import Execution
from sandbox.world import NAME, PAIR
from tests.scenarios.live import Live

LATE = ("2026-01-01T00:00:00Z", "2999-12-31T23:59:59Z", "never", 12, None)


def rotated(live: Live, **more: Any) -> dict[str, Any]:
    """Return the event of the last rotation as a rule delivers it."""
    secret = live.cloud.client("secretsmanager").describe_secret(SecretId=PAIR)
    return {
        "version": "0",
        "id": "6f87d04b-9f74-4f04-a780-7acf4b0a9b38",
        "detail-type": "Secret Label Updated",
        "source": "aws.secretsmanager",
        "account": live.cloud.account,
        "region": live.cloud.region,
        "time": "2026-11-30T07:00:00Z",
        "resources": [secret["ARN"]],
        "detail": {"name": PAIR, "labelUpdated": ["AWSCURRENT"], "versionId": "v"},
        **more,
    }


def renew(live: Live) -> None:
    live.world.issue()
    live.world.serve()
    live.world.put_pair()


def trusts_the_new_ca(live: Live) -> bool:
    return live.world.authority.certificate_pem.decode().strip() in live.world.trusted()


def test_two_rotations_within_a_second_end_with_the_second_one(live: Live) -> None:
    """The second begins while the first is being certified; both events come twice, and the one of
    the first comes last."""
    live.certified(ssl_mode="verify-full")
    renew(live)
    first = rotated(live)
    seen: list[Execution] = []

    def again() -> None:
        renew(live)
        seen.extend(live.cloud.run(event) for event in (rotated(live), rotated(live), first))

    live.when("Probe TLS", again)
    live.cloud.run(first)
    assert [run.status for run in seen] == ["SUCCEEDED"] * 3
    live.tick(2)
    assert (live.outcome, live.status(), live.unfinished) == ("certified", "running", [])
    assert trusts_the_new_ca(live)
    since = live.now
    for time in LATE:
        assert live.cloud.run(rotated(live, time=time)).status == "SUCCEEDED"
    live.tick(2)
    assert live.asked(since) == []
    assert (live.outcome, live.status()) == ("certified", "running")


def test_an_event_of_what_nobody_uses_any_more_runs_nothing(live: Live) -> None:
    """The source was forgotten, or has another name or secret since; the event may be large."""
    live.certified(task=False)
    late = rotated(live, detail={**rotated(live)["detail"], "more": "x" * 200_000})
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    assert store.forget(NAME) is True
    run = live.cloud.run(late)
    assert (run.status, run.children) == ("SUCCEEDED", [])
    tags = [{"Key": "certifier:source", "Value": "renamed"}]
    live.client.add_tags_to_resource(ResourceArn=live.arn, Tags=tags)
    assert live.world.onboard(name="renamed", ssl_mode="verify-ca").status == "SUCCEEDED"
    run = live.cloud.run(late)
    assert [child.name for child in run.children] == ["renamed"]
    assert live.world.outcome("renamed") == "certified"
