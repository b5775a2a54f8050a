"""Clients that nobody here wrote, used in unusual ways: an error as AWS says it, and never a hang.

After each of them the account answers as before.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.serve import http
from tests.served.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCOPE = "Credential=sandbox/20261129/eu-west-1/{}/aws4_request"
DMS = {
    "Authorization": f"AWS4-HMAC-SHA256 {SCOPE.format('dms')}, SignedHeaders=host, Signature=0",
    "X-Amz-Target": "AmazonDMSv20160101.DescribeEndpoints",
    "Content-Type": "application/x-amz-json-1.1",
}
WITHIN = 20.0
"""Seconds for an answer; much less than a connection may idle."""


@pytest.fixture
def port(served: Served) -> int:
    """The account's port."""
    return int(urlsplit(served.account["url"]).port or 0)


@pytest.fixture(autouse=True)
def _answers_afterwards(port: int) -> Iterator[None]:
    yield
    answer = asked(port, body=b"{}")
    assert answer.status == 200


def asked(
    port: int, *, body: bytes | None = None, method: str = "POST", path: str = "/", **more: str
) -> HTTPResponse:
    """Make a request of DMS, with headers that replace others; the answer has been read."""
    connection = HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    headers = {**DMS, **{name.replace("_", "-"): value for name, value in more.items()}}
    connection.request(method, path, body, {name: text for name, text in headers.items() if text})
    answer = connection.getresponse()
    answer.text = answer.read().decode()  # type: ignore[attr-defined]
    connection.close()
    return answer


def said(answer: Any) -> tuple[int, str]:
    """Status and code of an error, however it is written."""
    text = answer.text
    if text.startswith("<"):
        return answer.status, text.partition("<Code>")[2].partition("</Code>")[0]
    return answer.status, json.loads(text)["__type"]


def raw(port: int, *parts: bytes, end: bool = False) -> str:
    """Send bytes as they are, and return what comes back until the server is silent or closes.

    ``end``: the client says that nothing more comes.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as client:
        for part in parts:
            client.sendall(part)
        if end:
            with suppress(OSError):  # it may have answered and closed by now
                client.shutdown(socket.SHUT_WR)
        read = bytearray()
        try:
            while chunk := client.recv(65536):
                read += chunk
                if b"\r\n\r\n" in read and not end:
                    break
        except ConnectionResetError:
            pass
    return read.decode("latin-1")


def head(*lines: str) -> bytes:
    """The beginning of a signed request of DMS."""
    given = [f"{name}: {text}" for name, text in DMS.items()]
    return "\r\n".join(["POST / HTTP/1.1", "Host: 127.0.0.1:1", *given, *lines, "", ""]).encode()


@pytest.mark.parametrize(
    ("changed", "body", "error"),
    [
        ({"Authorization": ""}, b"{}", (403, "MissingAuthenticationToken")),
        ({"Authorization": "Basic c2FuZGJveA=="}, b"{}", (403, "MissingAuthenticationToken")),
        ({"X_Amz_Target": "AmazonDMSv20160101.Nothing"}, b"{}", (400, "UnknownOperationException")),
        ({}, b"{", (400, "SerializationException")),
        ({}, b"[]", (400, "SerializationException")),
        ({}, b"\xff\xfe", (400, "SerializationException")),
        (
            {"X_Amz_Target": "AmazonDMSv20160101.TestConnection"},
            b"{}",
            (400, "ValidationException"),
        ),
        ({}, b'{"Marker": "LTU="}', (400, "InvalidParameterValueException")),
        ({}, b'{"Marker": "of another account"}', (400, "InvalidParameterValueException")),
        ({}, b'{"MaxRecords": 5}', (400, "InvalidParameterValueException")),
        ({"Authorization": f"AWS4 {SCOPE.format('ec2')}"}, b"{}", (501, "NotImplemented")),
    ],
)
def test_a_wrong_request_is_an_error_of_aws(
    port: int, changed: dict[str, str], body: bytes, error: tuple[int, str]
) -> None:
    """Unsigned, unknown, not JSON, incomplete, another's page, a service that is not there."""
    assert said(asked(port, body=body, **changed)) == error


def test_a_signature_of_another_key_is_served(port: int) -> None:
    """Signatures are not checked: any credentials will do, as the page says."""
    other = DMS["Authorization"].replace("sandbox/", "AKIAIOSFODNN7EXAMPLE/")
    assert asked(port, body=b"{}", Authorization=other).status == 200


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((head("Content-Length: 2"), b"{}"), "200"),
        ((head("Content-Length: 100"), b"{}"), "400"),
        ((head("Content-Length: two"), b"{}"), "400"),
        ((head("Content-Length: -1"), b"{}"), "400"),
        ((head(f"Content-Length: {http.BODY_LIMIT + 1}"), b"{}"), "413"),
        ((head("Content-Length: 99999999999999999999999999"), b"{}"), "400"),
        ((head("Transfer-Encoding: chunked"), b"2\r\n{}\r\n0\r\n\r\n"), "200"),
        ((head("Transfer-Encoding: chunked"), b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\nx: y\r\n\r\n"), "200"),
        ((head("Transfer-Encoding: chunked"), b"two\r\n{}\r\n0\r\n\r\n"), "400"),
        ((head("Transfer-Encoding: chunked"), b"-2\r\n{}\r\n0\r\n\r\n"), "400"),
        ((head("Transfer-Encoding: chunked"), b"1\r\n{}\r\n0\r\n\r\n"), "400"),
        ((head("Transfer-Encoding: chunked"), b"ffffffff\r\n{}"), "413"),
        ((head("Transfer-Encoding: chunked"), b"2\r\n{}"), "400"),
        ((head("Content-Length: 2", "Expect: 100-continue"), b"{}"), "100"),
        ((b"POST //[ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",), "403"),
        ((b"NONSENSE\r\n\r\n",), "400"),
        ((b"GET / HTTP/9.9\r\n\r\n",), "505"),
        ((b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",), "414"),
    ],
)
def test_bytes_that_no_client_sends_are_answered(
    port: int, parts: tuple[bytes, ...], status: str
) -> None:
    """Lengths that are wrong or no numbers, chunks that lie, lines that are too long."""
    begun = time.monotonic()
    answer = raw(port, *parts, end=True)
    assert time.monotonic() - begun < WITHIN
    assert status in answer.partition("\r\n")[0] or f"code: {status}" in answer, answer[:200]


def test_a_connection_is_used_again(port: int) -> None:
    """Keep-alive: ten requests on one, an error among them."""
    connection = HTTPConnection("127.0.0.1", port, timeout=WITHIN)
    statuses = []
    for number in range(10):
        connection.request("POST", "/", b"{" if number == 4 else b"{}", DMS)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        socket_used = connection.sock
        assert socket_used is not None
    assert statuses == [400 if number == 4 else 200 for number in range(10)]
    connection.close()


def test_a_slow_client_keeps_nobody_waiting(port: int) -> None:
    """One sends a byte a second, ten others are answered meanwhile, and then it is, too."""
    begun = head("Content-Length: 2")
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as slow:
        slow.sendall(begun[:40])
        started = time.monotonic()
        for _ in range(10):
            assert asked(port, body=b"{}").status == 200
        assert time.monotonic() - started < WITHIN
        slow.sendall(begun[40:] + b"{")
        time.sleep(1)
        slow.sendall(b"}")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")


def test_many_clients_at_once(port: int) -> None:
    """Sixteen, four requests each; whoever is throttled gets the error of DMS."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: asked(port, body=b"{}"), range(64)))
    outcomes = {answer.status if answer.status == 200 else said(answer) for answer in answers}
    assert outcomes <= {200, (400, "ThrottlingException")}
    assert 200 in outcomes


@pytest.fixture
def client(served: Served) -> Callable[[str], Any]:
    """Make clients of boto3 that try each call once."""
    session: Any = boto3.Session("a", "b", region_name="eu-west-1")
    config = Config(retries={"total_max_attempts": 1}, read_timeout=WITHIN)

    def make(service: str) -> Any:
        return session.client(service, endpoint_url=served.account["url"], config=config)

    return make


def test_big_bodies_come_back_as_they_were(served: Served, tmp_path: Path) -> None:
    """20 MB in several parts, by the aws command; and a listing of it."""
    file, back = tmp_path / "big", tmp_path / "back"
    file.write_bytes(bytes(range(256)) * 80_000)
    served.shell("aws s3 mb s3://big-bodies")
    served.shell(f"aws s3 cp --only-show-errors {file} s3://big-bodies/big")
    served.shell(f"aws s3 cp --only-show-errors s3://big-bodies/big {back}")
    assert back.read_bytes() == file.read_bytes()
    assert str(file.stat().st_size) in served.shell("aws s3 ls s3://big-bodies")


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_is_served(served: Served, version: str) -> None:
    """Its signature is in the query, not in a header; of the older version by default."""
    session: Any = boto3.Session("a", "b", region_name="eu-west-1")
    config = Config(signature_version=version)
    s3 = session.client("s3", endpoint_url=served.account["url"], config=config)
    s3.create_bucket(
        Bucket=f"presigned-{version}",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    s3.put_object(Bucket=f"presigned-{version}", Key="a b", Body=b"hello")
    named = {"Bucket": f"presigned-{version}", "Key": "a b"}
    url = s3.generate_presigned_url("get_object", named)
    assert served.shell(f"curl -s '{url}'") == "hello"


def test_older_protocols_are_served(port: int) -> None:
    """The query protocol by GET, and of SQS, whose clients speak JSON today."""
    cloudformation = f"AWS4-HMAC-SHA256 {SCOPE.format('cloudformation')}"
    answer: Any = asked(
        port,
        method="GET",
        path="/?Action=DescribeStacks&Version=2010-05-15&StackName=Certifier",
        Authorization=cloudformation,
        X_Amz_Target="",
        Content_Type="",
    )
    assert (answer.status, "<StackName>Certifier</StackName>" in answer.text) == (200, True)
    queues = f"AWS4-HMAC-SHA256 {SCOPE.format('sqs')}"
    form = "application/x-www-form-urlencoded"
    older = {"Authorization": queues, "X_Amz_Target": "", "Content_Type": form}
    listed: Any = asked(port, body=b"Action=ListQueues&Version=2012-11-05", **older)
    assert (listed.status, "<QueueUrl>" in listed.text) == (200, True)
    unknown = asked(port, body=b"Action=Nothing&Version=2012-11-05", **older)
    assert said(unknown) == (400, "UnknownOperationException")


@pytest.mark.parametrize(
    ("service", "operation", "given"),
    [
        ("dms", "describe_replication_tasks", {"Marker": "bm90IGEgbnVtYmVy"}),
        ("stepfunctions", "list_state_machines", {"nextToken": "foreign"}),
        ("secretsmanager", "list_secrets", {"NextToken": "foreign"}),
        ("cloudformation", "describe_stacks", {"NextToken": "foreign"}),
        ("acm", "list_certificates", {"NextToken": "foreign"}),
        ("sns", "list_topics", {"NextToken": "foreign"}),
        ("s3", "list_objects_v2", {"Bucket": "no-such-bucket", "ContinuationToken": "foreign"}),
        ("dynamodb", "scan", {"TableName": "none", "ExclusiveStartKey": {"pk": {"S": "x"}}}),
    ],
)
def test_a_foreign_page_token_does_not_fail_the_account(
    client: Callable[[str], Any], service: str, operation: str, given: dict[str, Any]
) -> None:
    """Refused as the client's fault, or a page; never a failure of ours."""
    status = 200
    try:
        getattr(client(service), operation)(**given)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    assert status < 500
