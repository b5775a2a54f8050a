"""Answers of the real DMS, as public documents and reports show them, with other names and numbers.

Our adapters read them, and the stand-in answers in their shape. The endpoint and the task are as
the `aws` command printed them (reports of users; AWS's own examples); the failures are verbatim.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from moto.core.botocore_stubber import MockRawResponse

from certifier.aws.dms import Dms
from certifier.diagnosis import explain
from certifier.vocabulary import Cause, SslMode
from sandbox.aws import shapes
from sandbox.dms import INSTANT, DmsStandIn

RECORDED: dict[str, Any] = json.loads(
    Path(__file__).with_name("recorded").joinpath("dms.json").read_text("utf-8")
)
# What today's API shows and the recordings, some years old, do not.
NEWER = {"DescribeEndpoints": {"Endpoints[].IsReadOnly"}}


@pytest.fixture
def recorded() -> Dms:
    """An adapter whose client gets the recorded answers, and parses them as it always does."""
    client: Any = boto3.Session("a", "b", region_name="eu-west-1").client("dms")

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        target: Any = request.headers["X-Amz-Target"]
        operation = target.decode().rpartition(".")[2]
        body: Any = MockRawResponse(json.dumps(RECORDED[operation]))
        headers: Any = HeadersDict()
        return AWSResponse(request.url, 200, headers, body)

    client.meta.events.register("before-send.database-migration-service", answer)
    return Dms(client)


def test_an_endpoint_of_real_dms_is_read(recorded: Dms) -> None:
    """By password: type in capitals, the login at both levels, no certificate."""
    (endpoint,) = recorded.all_endpoints()
    assert (endpoint.endpoint_type, endpoint.engine, endpoint.status) == (
        "source",
        "postgres",
        "active",
    )
    assert endpoint.fields.ssl_mode is SslMode.REQUIRE
    assert endpoint.fields.certificate_arn is None
    assert (endpoint.fields.port, endpoint.fields.database_name) == (5432, "orders")
    assert (endpoint.authentication, endpoint.read_only) == ("password", False)


def test_connections_of_real_dms_are_read(recorded: Dms) -> None:
    """A success without a message, and failures that the catalogue knows."""
    passed, refused, silent = recorded.all_connections()
    assert (passed.status, passed.message) == ("successful", None)
    assert refused.message is not None
    assert silent.message is not None
    causes = [explain(message).cause for message in (refused.message, silent.message)]
    assert causes == [Cause.HBA_REJECTED_PLAINTEXT, Cause.CONNECTION_TIMEOUT]


def test_a_task_of_real_dms_is_read(recorded: Dms) -> None:
    """Its dates, its reason to stop, and that its load is over."""
    (task,) = recorded.all_tasks()
    assert (task.status, task.stop_reason) == ("stopped", "Stop Reason FULL_LOAD_ONLY_FINISHED")
    assert task.full_load is False
    assert task.stop_date is not None
    assert task.stop_date.timestamp() == 1590619842.068


def paths(value: Any, at: str = "") -> Iterator[str]:
    """Every member of an answer by its path."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{at}.{name}".removeprefix(".")
            yield from paths(item, f"{at}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, f"{at}[]")


def answered(standin: DmsStandIn) -> dict[str, Any]:
    """The stand-in's answers in an account like the recorded one."""
    call = standin.call
    instance = standin.add_instance("replication-1")
    standin.judge = lambda seen: "timeout expired" if seen["EndpointType"] == "TARGET" else ""
    ends = [
        call(
            "CreateEndpoint",
            {
                "EndpointIdentifier": f"orders-{kind}",
                "EndpointType": kind,
                "EngineName": "postgres",
                "Username": "postgres",
                "Password": "x",
                "ServerName": "localhost",
                "Port": 5432,
                "DatabaseName": "orders",
                "SslMode": "require",
            },
        )["Endpoint"]["EndpointArn"]
        for kind in ("source", "target")
    ]
    call("DescribeEndpoints", {})
    for end in ends:
        call("TestConnection", {"EndpointArn": end, "ReplicationInstanceArn": instance})
    standin.settle()
    standin.add_task("t", source=ends[0], target=ends[1], instance=instance, status="stopped")
    return {operation: call(operation, {}) for operation in RECORDED}


@pytest.mark.parametrize("operation", RECORDED)
def test_the_stand_in_answers_in_the_recorded_shape(operation: str) -> None:
    """The same members on every level: none that the real one does not have, none left out."""
    standin = DmsStandIn(durations=INSTANT, resolve={}, patience=5.0)
    ours = set(paths(answered(standin)[operation]))
    assert ours - NEWER.get(operation, set()) == set(paths(RECORDED[operation]))


@pytest.mark.parametrize("operation", RECORDED)
def test_the_recordings_fit_the_model(operation: str) -> None:
    """They were copied right; DMS alone differs from its model, in the case of a type."""
    model = boto3.Session(region_name="eu-west-1").client("dms").meta.service_model
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    found = set(shapes.problems(shape, RECORDED[operation]))
    assert {each for each in found if ".EndpointType: not one of" not in each} == set()
