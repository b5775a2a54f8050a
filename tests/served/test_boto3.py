"""boto3's waiters and paginators, which AWS wrote, end as they should against the stand-ins."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import WaiterError

from tests.served.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUICK = {"Delay": 1, "MaxAttempts": 60}
"""Their own delays are up to a minute; the account's clock runs faster."""
MANY = 105
"""More than the largest page of DMS."""

Client = Callable[[str], Any]


@pytest.fixture(scope="module")
def client(served: Served) -> Client:
    """Clients of the account over HTTP, made once."""
    session: Any = boto3.Session("sandbox", "sandbox", region_name="eu-west-1")
    config = Config(proxies={}, retries={"mode": "standard", "total_max_attempts": 8})
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            url = served.account["url"]
            made[service] = session.client(service, endpoint_url=url, config=config)
        return made[service]

    return client


def by_id(name: str, value: str) -> dict[str, Any]:
    """One filter of DMS."""
    return {"Filters": [{"Name": name, "Values": [value]}]}


def endpoint(dms: Any, identifier: str) -> dict[str, Any]:
    """An endpoint as it is described."""
    (found,) = dms.describe_endpoints(**by_id("endpoint-id", identifier))["Endpoints"]
    return dict(found)


def copied(dms: Any, identifier: str, **changes: Any) -> str:
    """Make an endpoint to where one of the estate leads; return its ARN."""
    there = endpoint(dms, "crm-source")
    fields = {
        "EndpointType": "source",
        "EngineName": "postgres",
        "ServerName": there["ServerName"],
        "Port": there["Port"],
        "DatabaseName": "crm",
        "Username": "dms_user",
        "Password": "correct-horse-battery",
        "SslMode": "require",
        **changes,
    }
    made = dms.create_endpoint(EndpointIdentifier=identifier, **fields)["Endpoint"]
    return str(made["EndpointArn"])


def wait(client: Any, waiter: str, **arguments: Any) -> None:
    """Wait as boto3 does, more often."""
    client.get_waiter(waiter).wait(**arguments, WaiterConfig=QUICK)


def test_waiters_for_connections(client: Client) -> None:
    """A test that passes ends the wait; one that fails ends it as a failure."""
    dms = client("dms")
    (instance, *_) = dms.describe_replication_instances()["ReplicationInstances"]
    for identifier in ("crm-source", "reporting-source"):
        arn = endpoint(dms, identifier)["EndpointArn"]
        chosen = by_id("endpoint-arn", arn)
        dms.test_connection(
            EndpointArn=arn, ReplicationInstanceArn=instance["ReplicationInstanceArn"]
        )
        if identifier == "crm-source":
            wait(dms, "test_connection_succeeds", **chosen)
        else:
            with pytest.raises(WaiterError, match="terminal failure state"):
                wait(dms, "test_connection_succeeds", **chosen)


def test_waiters_for_a_task_and_all_it_needs(client: Client, served: Served) -> None:
    """Instance available, task ready, running, stopped, failed, deleted; endpoint deleted."""
    dms = client("dms")
    instance = dms.create_replication_instance(
        ReplicationInstanceIdentifier="waited-for", ReplicationInstanceClass="dms.t3.medium"
    )["ReplicationInstance"]["ReplicationInstanceArn"]
    wait(dms, "replication_instance_available", **by_id("replication-instance-arn", instance))
    source = copied(dms, "waited-source")
    target = copied(dms, "waited-target", EndpointType="target")
    for arn in (source, target):
        served.until(
            lambda arn=arn: (
                dms.describe_endpoints(**by_id("endpoint-arn", arn))["Endpoints"][0][  # type: ignore[misc]
                    "Status"
                ]
                == "active"
            )
        )
        dms.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
        wait(dms, "test_connection_succeeds", **by_id("endpoint-arn", arn))
    task = dms.create_replication_task(
        ReplicationTaskIdentifier="waited-task",
        SourceEndpointArn=source,
        TargetEndpointArn=target,
        ReplicationInstanceArn=instance,
        MigrationType="cdc",
        TableMappings="{}",
    )["ReplicationTask"]["ReplicationTaskArn"]
    chosen = by_id("replication-task-arn", task)
    wait(dms, "replication_task_ready", **chosen)
    # Each waiter for the next state takes the states before for a failure, so it is begun late.
    begun = {"start-replication": "running", "resume-processing": "failed"}
    for kind, status in begun.items():
        if status == "failed":
            served.sandbox("do", "task-will-not-restart")
        dms.start_replication_task(ReplicationTaskArn=task, StartReplicationTaskType=kind)
        served.until(lambda: _status(dms, chosen) != "starting")
        if status == "running":
            wait(dms, "replication_task_running", **chosen)
            dms.stop_replication_task(ReplicationTaskArn=task)
            wait(dms, "replication_task_stopped", **chosen)
        else:
            with pytest.raises(WaiterError, match="terminal failure state"):
                wait(dms, "replication_task_running", **chosen)
    served.sandbox("do", "repair")
    dms.delete_replication_task(ReplicationTaskArn=task)
    wait(dms, "replication_task_deleted", **chosen)
    dms.delete_endpoint(EndpointArn=source)
    wait(dms, "endpoint_deleted", **by_id("endpoint-arn", source))


def _status(dms: Any, chosen: dict[str, Any]) -> str:
    return str(dms.describe_replication_tasks(**chosen)["ReplicationTasks"][0]["Status"])


def test_waiters_of_cloudformation_and_acm(client: Client) -> None:
    """The stack is there and complete; a certificate that is not there is a failure."""
    formation = client("cloudformation")
    wait(formation, "stack_exists", StackName="Certifier")
    wait(formation, "stack_create_complete", StackName="Certifier")
    missing = "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    with pytest.raises(WaiterError, match="ResourceNotFoundException"):
        wait(client("acm"), "certificate_validated", CertificateArn=missing)


# -- paginators


@pytest.fixture(scope="module")
def fleet(client: Client) -> None:
    """More endpoints than fit into a page."""
    for number in range(MANY):
        copied(client("dms"), f"paged-{number:03}")


PAGED = {
    "describe_certificates": ("dms", "Certificates", "CertificateArn"),
    "describe_connections": ("dms", "Connections", "EndpointArn"),
    "describe_endpoints": ("dms", "Endpoints", "EndpointArn"),
    "describe_replication_instances": ("dms", "ReplicationInstances", "ReplicationInstanceArn"),
    "describe_replication_tasks": ("dms", "ReplicationTasks", "ReplicationTaskArn"),
    "list_certificates": ("acm", "CertificateSummaryList", "CertificateArn"),
    "list_state_machines": ("stepfunctions", "stateMachines", "stateMachineArn"),
}


@pytest.mark.parametrize("operation", PAGED)
def test_pages_of_20_and_of_100_hold_the_same(client: Client, fleet: None, operation: str) -> None:
    """Every item once, in no page more than was asked for."""
    service, key, name = PAGED[operation]
    paginator = client(service).get_paginator(operation)
    found = {}
    for size in (20, 100):
        pages = [page[key] for page in paginator.paginate(PaginationConfig={"PageSize": size})]
        assert all(len(page) <= size for page in pages)
        found[size] = [item[name] for page in pages for item in page]
        assert len(set(found[size])) == len(found[size])
    assert found[20] == found[100]
    if operation == "describe_endpoints":
        assert len(found[20]) > MANY


def test_executions_and_histories_page_too(client: Client, served: Served) -> None:
    """Executions, and the history of one from both ends, in pages of 20 and of 100."""
    states = client("stepfunctions")
    (machine, *_) = [
        each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]
    ]
    executions = states.list_executions(stateMachineArn=machine)["executions"]
    arn = executions[-1]["executionArn"]  # the one that certified the estate
    pages = states.get_paginator("get_execution_history")
    ids = {}
    for newest_first in (True, False):
        for size in (20, 100):
            found = pages.paginate(
                executionArn=arn, reverseOrder=newest_first, PaginationConfig={"PageSize": size}
            )
            listed = [event["id"] for page in found for event in page["events"]]
            ids[newest_first, size] = listed if not newest_first else listed[::-1]
    assert len({tuple(each) for each in ids.values()}) == 1
    assert len(ids[True, 20]) > 20
    last = states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)
    assert [event["id"] for event in last["events"]] == ids[False, 100][-1:]
