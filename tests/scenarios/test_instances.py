"""The replication instances that an endpoint is tested from."""

from dataclasses import replace
from typing import Any

import pytest

from tests.scenarios.live import DAY, NOT_TOUCHED, Live


@pytest.mark.shows("no_replication_instance")
def test_a_source_that_nothing_tests_names_no_instance(live: Live) -> None:
    """Neither the source nor a connection or task says where DMS should test from."""
    live.dms.add_instance("replication-2")
    live.change(replication_instances=None)
    assert live.outcome == "refused"
    assert "no_replication_instance" in live.causes
    assert live.dms.endpoints() == []


@pytest.mark.shows("replication_instance_chosen")
def test_the_only_instance_is_taken_when_the_source_names_none(live: Live) -> None:
    """As the guide's example does; the record says which one, and the next run needs no guess."""
    live.change(replication_instances=None)
    assert live.outcome == "certified"
    assert "replication-1" in live.found("replication_instance_chosen")["seen"]
    live.world.recertify()
    assert live.outcome == "certified"
    assert "replication_instance_chosen" not in live.causes


def test_an_endpoint_that_is_right_is_tested_from_the_only_instance(live: Live) -> None:
    """Also when nothing has to be changed, so that no plan has chosen it."""
    live.certified(task=False)
    for connection in live.client.describe_connections()["Connections"]:
        live.client.delete_connection(
            EndpointArn=connection["EndpointArn"],
            ReplicationInstanceArn=connection["ReplicationInstanceArn"],
        )
    live.cloud.clock.advance(30)
    live.world.onboard(ssl_mode="verify-ca", restart_tasks=True, replication_instances=None)
    assert live.outcome == "certified"


def test_instances_are_those_with_a_connection_when_the_source_names_none(live: Live) -> None:
    """The endpoint was tested from there before, so it is tested from there again."""
    live.certified(task=False)
    second = live.dms.add_instance("replication-2")
    live.client.test_connection(EndpointArn=live.arn, ReplicationInstanceArn=second)
    live.cloud.clock.advance(10)
    live.change(replication_instances=None)
    assert live.outcome == "certified"
    tested = {t["instance_arn"] for t in live.world.record()["tests"]}
    assert tested == {live.world.instance, second}


@pytest.mark.shows("instance_unavailable")
def test_an_instance_that_is_not_available_is_named_with_its_status(live: Live) -> None:
    """Nothing is changed meanwhile; when it is back, the change is made."""
    live.certified()
    live.dms.set_instance_status(live.world.instance, "storage-full")
    since = live.now
    live.change()
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "storage-full" in live.found("instance_unavailable")["seen"]
    assert not NOT_TOUCHED & set(live.asked(since))
    live.dms.set_instance_status(live.world.instance, "available")
    live.tick(2, minutes=DAY)
    assert (live.outcome, live.mode) == ("certified", "verify-full")


def test_one_of_two_instances_that_cannot_connect_stops_the_change(live: Live) -> None:
    """Each instance is tested by itself; the record says from where it failed."""
    second = live.dms.add_instance("replication-2")
    live.certified(task=False, replication_instances=[live.world.instance, second])
    plain = live.dms._connections._connect

    def from_the_first(connection: Any, test: Any, target: Any) -> None:
        if connection.instance.seen["ReplicationInstanceArn"] == second:
            target = replace(target, port=1)
        plain(connection, test, target)

    live.dms._connections._connect = from_the_first  # type: ignore[method-assign]
    try:
        live.change(replication_instances=[live.world.instance, second])
    finally:
        live.dms._connections._connect = plain  # type: ignore[method-assign]
    assert (live.outcome, live.mode) == ("refused", "verify-ca")
    assert "from replication instance replication-2" in live.found("connection_refused")["seen"]
