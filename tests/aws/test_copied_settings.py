"""A canary copies what its endpoint shows, and whatever DMS says to that, it is made without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.stub import Stubber

from certifier.aws.dms import Dms
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.errors import NotYetConsistent, Refused
from certifier.vocabulary import Cause
from sandbox.aws import fast

REGION = "eu-west-1"
ARN = f"arn:aws:dms:{REGION}:111122223333:endpoint:"
ROLE = "arn:aws:iam::111122223333:role/"
SECRET = f"arn:aws:secretsmanager:{REGION}:111122223333:secret:dms/orders-AbCdEf"
OURS = EndpointFields(database_name="orders", secret_id=SECRET, secret_role_arn=f"{ROLE}ours")


def described(name: str, **more: Any) -> dict[str, Any]:
    """What DescribeEndpoints shows of an endpoint."""
    return {
        "EndpointArn": ARN + name,
        "EndpointIdentifier": name,
        "EndpointType": "SOURCE",
        "EngineName": "postgres",
        "Status": "active",
        **more,
    }


@contextmanager
def answering(original: dict[str, Any]) -> Iterator[tuple[Dms, Stubber, list[Any]]]:
    """DMS with that endpoint; the caller adds what it answers to each CreateEndpoint."""
    client = fast.session(REGION).client("dms")
    asked: list[Any] = []
    client.meta.events.register(
        "provide-client-params.database-migration-service.CreateEndpoint",
        lambda params, **_: asked.append(params),
    )
    with Stubber(client) as stubber:
        stubber.add_response("describe_endpoints", {"Endpoints": [original]})
        yield Dms(client), stubber, asked


def create(dms: Dms, fields: EndpointFields = OURS) -> Any:
    return dms.create_endpoint("canary", "source", "postgres", fields, tags={}, like=ARN + "orders")


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",  # a role among them that is not ours to pass
        "AccessDeniedFault",
        "InvalidEndpointFault",  # in no version of the model yet
        "InvalidResourceStateFault",
        "KMSKeyNotAccessibleFault",
        "ResourceNotFoundFault",
        "S3AccessDeniedFault",
    ],
)
def test_whatever_dms_says_to_what_is_copied(code: str) -> None:
    """It is asked once more without, and that is what a connection test needs."""
    settings = {"ServiceAccessRoleArn": f"{ROLE}theirs", "SlotName": "orders"}
    with answering(described("orders", PostgreSQLSettings=settings)) as (dms, stubber, asked):
        stubber.add_client_error("create_endpoint", code, "no")
        stubber.add_response("create_endpoint", {"Endpoint": described("canary")})
        assert isinstance(create(dms), Endpoint)
        stubber.assert_no_pending_responses()
    assert [params["PostgreSQLSettings"].get("SlotName") for params in asked] == ["orders", None]


def test_what_is_denied_without_them_too_is_denied() -> None:
    """It is the action itself, or a role that is too young."""
    original = described("orders", PostgreSQLSettings={"SlotName": "orders"})
    for code, error in (
        ("AccessDeniedException", Refused),
        ("AccessDeniedFault", NotYetConsistent),
    ):
        with answering(original) as (dms, stubber, _):
            for _ in range(2):
                stubber.add_client_error("create_endpoint", code, "dms:CreateEndpoint")
            with pytest.raises(error) as caught:
                create(dms)
        if isinstance(caught.value, Refused):
            assert caught.value.cause is Cause.AWS_DENIED


@pytest.mark.parametrize("code", ["ThrottlingException", "ResourceQuotaExceededFault"])
def test_what_has_nothing_to_do_with_settings_is_asked_once(code: str) -> None:
    """A full account and a throttled call are that without them too."""
    original = described("orders", PostgreSQLSettings={"SlotName": "orders"})
    with answering(original) as (dms, stubber, asked):
        stubber.add_client_error("create_endpoint", code, "no")
        with pytest.raises(Exception, match=r"ThrottlingException|dms_quota"):
            create(dms)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("attributes", "copied"),
    [
        (f"SecretsManagerSecretId=old;secretsmanageraccessrolearn={ROLE}old", None),
        ("a=1; SecretsManagerSecretId=old;b=x=y", "a=1;b=x=y"),
        ("a=1; b=2;", "a=1; b=2;"),
    ],
)
def test_a_login_among_the_attributes_is_the_endpoints_own(
    attributes: str, copied: str | None
) -> None:
    """The canary tries the new one: two secrets would leave open which of them was tried."""
    original = described("orders", ExtraConnectionAttributes=attributes)
    with answering(original) as (dms, stubber, asked):
        stubber.add_response("create_endpoint", {"Endpoint": described("canary")})
        create(dms)
    (params,) = asked
    assert params.get("ExtraConnectionAttributes") == copied
