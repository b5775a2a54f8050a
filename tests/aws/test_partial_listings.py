"""A listing that ends early, or never: what is not all does not pass for all."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from certifier.aws.acm import Acm
from certifier.aws.dms import Dms
from certifier.certificate import CertificateFacts, Names
from certifier.errors import NotYetConsistent, Unexpected

_REGION = "eu-west-1"
_LEAF = CertificateFacts(sha256="0" * 64, names=Names(dns=("db.example.com",)))


def _client(service: Any) -> Any:
    return boto3.client(
        service, region_name=_REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )


@pytest.fixture
def dms() -> Iterator[tuple[Dms, Stubber]]:
    """The adapter, and what answers it; botocore checks every answer against its model."""
    client = _client("dms")
    with Stubber(client) as answers:
        yield Dms(client), answers


def _task(number: int) -> dict[str, str]:
    arn = f"arn:aws:dms:{_REGION}:111122223333"
    return {
        "ReplicationTaskArn": f"{arn}:task:T{number}",
        "ReplicationTaskIdentifier": f"task-{number}",
        "Status": "running",
        "SourceEndpointArn": f"{arn}:endpoint:A",
        "TargetEndpointArn": f"{arn}:endpoint:B",
        "ReplicationInstanceArn": f"{arn}:rep:I",
        "MigrationType": "cdc",
    }


def _page(number: int, marker: str | None) -> dict[str, Any]:
    following = {} if marker is None else {"Marker": marker}
    return {"ReplicationTasks": [_task(number)], **following}


def _tasks(dms: Dms) -> list[str]:
    found = dms.tasks(f"arn:aws:dms:{_REGION}:111122223333:endpoint:A")
    return [one.identifier for one in found]


def test_every_page_is_read(dms: tuple[Dms, Stubber]) -> None:
    """Or this file shows nothing."""
    adapter, answers = dms
    answers.add_response("describe_replication_tasks", _page(1, "next"))
    answers.add_response("describe_replication_tasks", _page(2, None))
    assert _tasks(adapter) == ["task-1", "task-2"]


def _same_page(answers: Stubber) -> None:
    answers.add_response("describe_replication_tasks", _page(1, "next"))
    answers.add_response("describe_replication_tasks", _page(1, "next"))


def _no_page(answers: Stubber) -> None:
    answers.add_response("describe_replication_tasks", _page(1, "next"))
    answers.add_client_error("describe_replication_tasks", "ResourceNotFoundFault")


def _pages_without_end(answers: Stubber) -> None:
    for number in range(100):
        answers.add_response("describe_replication_tasks", _page(number, f"next-{number % 2}"))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (_same_page, Unexpected),
        (_no_page, NotYetConsistent),
        (_pages_without_end, Unexpected),
    ],
)
def test_a_part_of_the_tasks_is_not_all_of_them(
    dms: tuple[Dms, Stubber], script: Callable[[Stubber], None], error: type[Exception]
) -> None:
    """Or a change would begin with a task that nobody has stopped."""
    adapter, answers = dms
    script(answers)
    with pytest.raises(error):
        _tasks(adapter)


def test_a_filter_that_matches_nothing_is_none_at_all(dms: tuple[Dms, Stubber]) -> None:
    """Whether DMS says that as an error or as an empty list."""
    adapter, answers = dms
    answers.add_client_error("describe_replication_tasks", "ResourceNotFoundFault")
    assert _tasks(adapter) == []


def test_a_part_of_acms_certificates_is_not_all_of_them() -> None:
    """Or one that is ours would be imported a second time."""
    client = _client("acm")
    page = {
        "CertificateSummaryList": [
            {
                "CertificateArn": f"arn:aws:acm:{_REGION}:111122223333:certificate/x",
                "DomainName": "other.example.com",
            }
        ],
        "NextToken": "next",
    }
    with Stubber(client) as answers:
        for _ in range(2):
            answers.add_response("list_certificates", page)
        with pytest.raises(Unexpected):
            Acm(client, "certifier").tagged("orders", _LEAF)
