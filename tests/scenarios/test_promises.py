"""What the cases of two things at once are judged by: each promise can be broken, and is reported.

Nothing of Certifier is in the way here: somebody does, without being seen, what it never may.
"""

from collections.abc import Callable

import pytest

from certifier.ownership import new_canary
from sandbox.aws import Call
from sandbox.aws.deploy import STACK
from sandbox.chaos.promises import Watch
from sandbox.world import NAME
from tests.scenarios.live import Live

RESUME = "resume-processing"


def watched(live: Live, *ends: str) -> Watch:
    return Watch(live.world, (NAME,), ends or ("certified",))


def stop(live: Live) -> None:
    live.client.stop_replication_task(ReplicationTaskArn=live.task)
    live.cloud.clock.advance(60)


def start(live: Live) -> None:
    """As DMS wants it: after a passing test of both ends."""
    for end in live.dms.endpoints():
        live.client.test_connection(
            EndpointArn=end["EndpointArn"], ReplicationInstanceArn=live.world.instance
        )
    live.cloud.clock.advance(60)
    live.client.start_replication_task(
        ReplicationTaskArn=live.task, StartReplicationTaskType=RESUME
    )
    live.cloud.clock.advance(60)


def weaken(live: Live) -> None:
    stop(live)
    live.modify(SslMode="require")
    live.cloud.clock.advance(60)


def leave_a_canary(live: Live) -> None:
    live.adopted(new_canary(STACK, NAME))


def leave_a_claim(live: Live) -> None:
    live.cloud.client("dynamodb").update_item(
        TableName=live.cloud.table,
        Key={"pk": {"S": f"SOURCE#{NAME}"}, "sk": {"S": "STATE"}},
        UpdateExpression="SET claim = :c",
        ExpressionAttributeValues={":c": {"M": {"execution": {"S": "nobody"}}}},
    )


def disconnect(live: Live) -> None:
    live.fails("timeout expired", lambda _: True)


def restart_seven_times(live: Live) -> None:
    for _ in range(7):
        stop(live)
        start(live)


@pytest.mark.parametrize(
    ("act", "broken"),
    [
        (stop, "is stopped, and nobody knows"),
        (weaken, "orders is certified, and orders-source has require"),
        (leave_a_canary, "orders has the canary"),
        (leave_a_claim, "orders has claim"),
        (disconnect, "orders is certified, and DMS does not connect"),
        (restart_seven_times, "has met start 7 times"),
    ],
)
def test_a_broken_promise_is_found(live: Live, act: Callable[[Live], None], broken: str) -> None:
    """Each was kept before."""
    live.certified(ssl_mode="verify-full")
    watch = watched(live)
    assert watch.broken() == []
    act(live)
    assert any(broken in line for line in watch.broken()), watch.broken()


def test_a_refused_run_that_has_written_is_found(live: Live) -> None:
    """The endpoint ends as it was: only who watches each write sees it."""
    live.certified(ssl_mode="verify-full", task=False)
    watch = watched(live, "refused")

    def write(call: Call) -> None:
        if call.caller == "read_material":
            live.cloud.calls.on_call.remove(write)
            live.modify(SslMode="verify-full")

    live.cloud.calls.on_call.append(write)
    live.world.issue()
    live.world.serve()
    run = live.world.recertify()
    assert live.outcome == "refused"
    (child,) = run.children
    said = f"orders is refused; {child.run_id} has written orders-source"
    assert [line for line in watch.broken() if "written" in line] == [said]


def test_a_task_that_a_person_stopped_may_stay_stopped_and_not_be_started(live: Live) -> None:
    live.certified(ssl_mode="verify-full")
    watch = watched(live)
    assert watch.person(lambda: stop(live))
    assert watch.broken() == []
    start(live)
    assert [line for line in watch.broken() if "which a person had stopped" in line]


def test_without_a_person_only_the_storys_own_outcome_is_right(live: Live) -> None:
    live.certified(ssl_mode="verify-full")
    watch = watched(live, "rolled_back")
    assert [line for line in watch.broken() if "nobody has acted" in line]
    watch.acted = True
    assert watch.broken() == []
