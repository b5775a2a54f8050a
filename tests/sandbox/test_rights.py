"""In the sandbox a step may do what its deployed role allows, and nothing else."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.aws import calls
from sandbox.aws.cloud import Cloud
from sandbox.aws.deploy import STACK

PREFIX = "arn:aws:{service}:eu-west-1:123456789012:{resource}"
Act = Callable[[Cloud, Callable[[str], Any]], Any]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """An account with the stack, one secret of ours and one of another team."""
    with Cloud.start() as one:
        one.put_secret("dms/orders", {"username": "u"})
        one.put_secret("dms/theirs", {"username": "u"}, tags={})
        one.put_secret("billing/stripe", {"key": "k"})
        yield one


def denied(cloud: Cloud, step: str, act: Act) -> bool:
    """Whether the step, making this call, gets the answer that it is not authorized."""
    session: Any = calls.Session(step, cloud.region)
    try:
        act(cloud, session.client)
    except ClientError as error:
        return error.response["Error"]["Code"] in (
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationError",
        )
    return False


def read(name: str) -> Act:
    """Read that secret."""
    return lambda cloud, client: client("secretsmanager").get_secret_value(
        SecretId=cloud.client("secretsmanager").describe_secret(SecretId=name)["ARN"]
    )


def put(key: str) -> Act:
    """Write that object of our bucket."""
    return lambda cloud, client: client("s3").put_object(
        Bucket=cloud.resources["BucketName"], Key=key, Body=io.BytesIO(b"{}")
    )


def publish(cloud: Cloud, client: Callable[[str], Any]) -> Any:
    """Tell the topic."""
    return client("sns").publish(TopicArn=cloud.resources["Topic"], Message="m")


def put_item(cloud: Cloud, client: Callable[[str], Any]) -> Any:
    """Write an item within a transaction."""
    key = {"pk": {"S": "SOURCE#x"}, "sk": {"S": "STATE"}}
    table = cloud.resources["TableName"]
    change = {"Update": {"TableName": table, "Key": key, "UpdateExpression": "REMOVE x"}}
    return client("dynamodb").transact_write_items(TransactItems=[change])


def import_ca(installation: str | None) -> Act:
    """Import a CA, which is damaged: whether it is denied is asked first."""
    tags = [{"Key": "certifier:stack", "Value": installation}] if installation else []
    return lambda cloud, client: client("dms").import_certificate(
        CertificateIdentifier="c", CertificatePem="-", Tags=tags
    )


def delete_canary(installation: str) -> Act:
    """Delete an endpoint that bears a canary's tag, and that of an installation."""
    tags = {
        "certifier:canary": "orders",
        "certifier:source": "orders",
        "certifier:stack": installation,
    }

    def act(cloud: Cloud, client: Callable[[str], Any]) -> Any:
        made = cloud.client("dms").create_endpoint(
            EndpointIdentifier=f"canary-{installation}",
            ResourceIdentifier=f"certifier-canary-{installation[-9:]}",
            EndpointType="source",
            EngineName="postgres",
            ServerName="db",
            Port=5432,
            DatabaseName="d",
            Username="u",
            Password="p",
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return client("dms").delete_endpoint(EndpointArn=made["Endpoint"]["EndpointArn"])

    return act


def list_certificates(_: Cloud, client: Callable[[str], Any]) -> Any:
    """List ACM's certificates."""
    return client("acm").list_certificates()


def delete_foreign_endpoint(_: Cloud, client: Callable[[str], Any]) -> Any:
    """Delete an endpoint that does not bear a canary's tag."""
    arn = PREFIX.format(service="dms", resource="endpoint:FOREIGN")
    return client("dms").delete_endpoint(EndpointArn=arn)


@pytest.mark.parametrize(
    ("step", "act", "allowed"),
    [
        ("read_material", read("dms/orders"), True),
        ("read_material", read("billing/stripe"), False),
        ("read_material", read("dms/theirs"), False),
        ("tidy", read("dms/orders"), False),
        ("probe_tls", put("runs/r/probe_tls.json"), True),
        ("probe_tls", put("reports/r.html"), False),
        ("report", put("reports/r.html"), True),
        ("report", put("elsewhere"), False),
        ("record_certification", publish, True),
        ("probe_tls", publish, False),
        ("claim_source", put_item, True),
        ("import_ca", import_ca(STACK), True),
        ("import_ca", import_ca("another"), False),
        ("import_ca", import_ca(None), False),
        ("plan_changes", import_ca(STACK), False),
        ("import_certificate", list_certificates, True),
        ("import_ca", list_certificates, False),
        ("rehearse_changes", delete_foreign_endpoint, False),
        ("rehearse_changes", delete_canary(STACK), True),
        ("rehearse_changes", delete_canary("another"), False),
    ],
)
def test_a_call_is_denied_unless_the_role_allows_it(
    cloud: Cloud, step: str, act: Act, allowed: bool
) -> None:
    """Action, resource and tags count, for every protocol that a step speaks."""
    assert denied(cloud, step, act) is not allowed


def test_whoever_stands_outside_is_not_asked(cloud: Cloud) -> None:
    """Tests and the demo are people with rights of their own."""
    assert not denied(cloud, calls.OUTSIDE, read("billing/stripe"))
