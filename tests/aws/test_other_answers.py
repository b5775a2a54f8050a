"""Answers about another resource than was asked for, as a cache or a proxy may give them.

They count as none: of a read, nothing is known; of a write, nobody knows whether it was made.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from certifier.aws.acm import Acm, Pair
from certifier.aws.answers import matching
from certifier.aws.dms import Dms
from certifier.aws.rds import Rds
from certifier.aws.s3 import Bucket
from certifier.aws.secrets import Secrets
from certifier.aws.states import States
from certifier.aws.table import Table
from certifier.endpoint.facts import EndpointFields
from certifier.errors import Unavailable
from certifier.run.state import Claim
from certifier.vocabulary import SslMode
from sandbox.aws import fast
from sandbox.pki import Authority
from tests.aws.test_store import NOW

REGION = "eu-west-1"
DMS_ARN = f"arn:aws:dms:{REGION}:111122223333"
MINE, OTHER = f"{DMS_ARN}:endpoint:MINE", f"{DMS_ARN}:endpoint:OTHER"
INSTANCE = f"{DMS_ARN}:rep:I"
TASK = f"{DMS_ARN}:task:MINE"
SECRET = f"arn:aws:secretsmanager:{REGION}:111122223333:secret:mine-AbCdEf"
SECRETS = f"arn:aws:secretsmanager:{REGION}:111122223333:secret:other-AbCdEf"
ACM_ARN = f"arn:aws:acm:{REGION}:111122223333:certificate/"
RUN = f"arn:aws:states:{REGION}:111122223333:execution:certify:mine"
VERSIONS = ["a" * 32, "b" * 32]
ROOT = Authority.root("Example root", not_before=NOW)
PEM = ROOT.certificate_pem.decode()


def endpoint(arn: str = OTHER, identifier: str = "other") -> dict[str, Any]:
    return {
        "EndpointArn": arn,
        "EndpointIdentifier": identifier,
        "EndpointType": "SOURCE",
        "EngineName": "postgres",
        "SslMode": "require",
    }


def task(arn: str = f"{DMS_ARN}:task:OTHER") -> dict[str, Any]:
    return {
        "ReplicationTaskArn": arn,
        "ReplicationTaskIdentifier": "other",
        "Status": "running",
        "SourceEndpointArn": OTHER,
        "TargetEndpointArn": OTHER,
        "ReplicationInstanceArn": INSTANCE,
        "MigrationType": "cdc",
    }


CERTIFICATE = {
    "CertificateArn": f"{DMS_ARN}:cert:OTHER",
    "CertificateIdentifier": "other",
    "CertificatePem": PEM,
}
CONNECTION = {"EndpointArn": OTHER, "ReplicationInstanceArn": INSTANCE, "Status": "successful"}
OF_DMS: dict[str, tuple[Callable[[Dms], object], dict[str, Any]]] = {
    "describe_endpoints": (lambda dms: dms.endpoint(MINE), {"Endpoints": [endpoint()]}),
    "describe_endpoints by identifier": (
        lambda dms: dms.endpoint("mine"),
        {"Endpoints": [endpoint()]},
    ),
    "create_endpoint": (
        lambda dms: dms.create_endpoint("mine", "source", "postgres", EndpointFields(), tags={}),
        {"Endpoint": endpoint()},
    ),
    "modify_endpoint": (
        lambda dms: dms.modify_endpoint(mine(), EndpointFields(ssl_mode=SslMode.REQUIRE)),
        {"Endpoint": endpoint()},
    ),
    "delete_endpoint": (lambda dms: dms.delete_endpoint(MINE), {"Endpoint": endpoint()}),
    "describe_certificates": (
        lambda dms: dms.certificate_by_arn(f"{DMS_ARN}:cert:MINE"),
        {"Certificates": [CERTIFICATE]},
    ),
    "describe_certificates by identifier": (
        lambda dms: dms.import_certificate("mine", PEM, tags={}),
        {"Certificates": [CERTIFICATE]},
    ),
    "delete_certificate": (
        lambda dms: dms.delete_certificate(f"{DMS_ARN}:cert:MINE"),
        {"Certificate": CERTIFICATE},
    ),
    "test_connection": (
        lambda dms: dms.test_connection(MINE, INSTANCE),
        {"Connection": CONNECTION},
    ),
    "describe_connections": (
        lambda dms: dms.connections(MINE, INSTANCE),
        {"Connections": [CONNECTION]},
    ),
    "delete_connection": (
        lambda dms: dms.delete_connection(MINE, INSTANCE),
        {"Connection": CONNECTION},
    ),
    "describe_replication_tasks": (lambda dms: dms.tasks(MINE), {"ReplicationTasks": [task()]}),
    "describe_replication_tasks by ARN": (
        lambda dms: dms.task(TASK),
        {"ReplicationTasks": [task()]},
    ),
    "stop_replication_task": (lambda dms: dms.stop_task(TASK), {"ReplicationTask": task()}),
    "start_replication_task": (lambda dms: dms.start_task(TASK), {"ReplicationTask": task()}),
    "describe_replication_instances": (
        lambda dms: dms.require_available(INSTANCE),
        {
            "ReplicationInstances": [
                {
                    "ReplicationInstanceArn": f"{DMS_ARN}:rep:OTHER",
                    "ReplicationInstanceIdentifier": "other",
                    "ReplicationInstanceStatus": "available",
                }
            ]
        },
    ),
    "list_tags_for_resource": (
        lambda dms: dms.tags(MINE),
        {"TagList": [{"Key": "certifier:consent", "Value": "yes", "ResourceArn": OTHER}]},
    ),
    "list_tags_for_resource of many": (
        lambda dms: dms.tags_of([MINE]),
        {"TagList": [{"Key": "certifier:consent", "Value": "yes", "ResourceArn": OTHER}]},
    ),
}


def stubbed(service: Any, operation: str, answer: dict[str, Any]) -> Any:
    """A client whose next call is answered so."""
    client = fast.session(REGION).client(service)
    stubber = Stubber(client)
    stubber.add_response(operation, answer)
    stubber.activate()
    return client


def mine() -> Any:
    dms = Dms(
        stubbed("dms", "describe_endpoints", {"Endpoints": [endpoint(MINE, "mine")]}),
    )
    found = dms.endpoint(MINE)
    assert found is not None
    return found


@pytest.mark.parametrize("name", OF_DMS)
def test_dms_speaks_of_something_else(name: str) -> None:
    """Nothing of it is read as what was asked for, nor as its absence."""
    act, answer = OF_DMS[name]
    with pytest.raises(Unavailable, match="something else"):
        act(Dms(stubbed("dms", name.partition(" ")[0], answer)))


@pytest.mark.parametrize(
    ("asked", "version", "answered"),
    [
        (SECRET, None, {"ARN": SECRETS, "Name": "other"}),
        (SECRET, None, {"ARN": f"{SECRET[:-6]}ZzZzZz", "Name": "mine"}),
        (SECRET[:-7], None, {"ARN": SECRETS, "Name": "other"}),
        ("mine", None, {"ARN": SECRETS, "Name": "other"}),
        (SECRET, VERSIONS[0], {"ARN": SECRET, "Name": "mine"}),
    ],
)
def test_another_secret_or_version_is_not_read(
    asked: str, version: str | None, answered: dict[str, str]
) -> None:
    """By name, ARN, ARN without suffix; and nothing of the value is in the error."""
    whole = {**answered, "VersionId": VERSIONS[1], "SecretString": '{"password": "hunter2"}'}
    with pytest.raises(Unavailable) as caught:
        Secrets(stubbed("secretsmanager", "get_secret_value", whole)).read(asked, version)
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("asked", [SECRET, SECRET[:-7], "mine"])
def test_a_secret_is_read_by_whatever_it_is_called(asked: str) -> None:
    """Or the test above shows nothing."""
    whole = {"ARN": SECRET, "Name": "mine", "VersionId": VERSIONS[0], "SecretString": "{}"}
    Secrets(stubbed("secretsmanager", "get_secret_value", whole)).require(asked, VERSIONS[0])


@pytest.mark.parametrize("act", [Secrets.described, Secrets.current_version])
def test_another_secret_is_not_described(act: Callable[[Secrets, str], object]) -> None:
    """Its tags may give a consent, and its version would be pinned."""
    answer = {"ARN": SECRETS, "Name": "other", "Tags": [], "VersionIdsToStages": {}}
    with pytest.raises(Unavailable):
        act(Secrets(stubbed("secretsmanager", "describe_secret", answer)), SECRET)


def test_another_execution_has_not_ended_ours() -> None:
    """Or a claim would be taken from a run that goes on."""
    answer = {
        "executionArn": RUN.replace("mine", "other"),
        "stateMachineArn": f"arn:aws:states:{REGION}:111122223333:stateMachine:certify",
        "status": "FAILED",
        "startDate": NOW,
        "stopDate": NOW,
    }
    with pytest.raises(Unavailable):
        States(stubbed("stepfunctions", "describe_execution", answer)).ended_at(
            Claim(execution=RUN, since=NOW, due_at=NOW)
        )


def test_another_version_of_a_bundle_is_not_read() -> None:
    """The one that was pinned was looked at."""
    answer = {"VersionId": "v2", "Body": StreamingBody(BytesIO(b"x"), 1)}
    with pytest.raises(Unavailable):
        Bucket(stubbed("s3", "get_object", answer)).read_bundle("s3://trust/bundle.pem", "v1")


def test_another_db_instance_names_no_cluster() -> None:
    """RDS is asked for one instance."""
    answer = {"DBInstances": [{"DBInstanceIdentifier": "other", "DBClusterIdentifier": "c"}]}
    with pytest.raises(Unavailable):
        Rds(stubbed("rds", "describe_db_instances", answer)).cluster_of("mine")


@pytest.mark.parametrize("of_import", [True, False])
def test_acm_speaks_of_another_certificate(of_import: bool) -> None:
    """Of what uses it, or of what was written."""
    if of_import:
        client = stubbed("acm", "import_certificate", {"CertificateArn": f"{ACM_ARN}other"})
        pair = Pair(certificate=PEM, chain="", private_key=lambda: b"key")
        with pytest.raises(Unavailable):
            Acm(client, "stack")._import(pair, arn=f"{ACM_ARN}mine")
        return
    answer = {"Certificate": {"CertificateArn": f"{ACM_ARN}other"}}
    with pytest.raises(Unavailable):
        Acm(stubbed("acm", "describe_certificate", answer), "stack").certificate(f"{ACM_ARN}mine")


KEY = {"pk": {"S": "SOURCE#other"}, "sk": {"S": "STATE"}}


@pytest.mark.parametrize(
    ("operation", "answer", "act"),
    [
        ("get_item", {"Item": KEY}, lambda t: t.get({"pk": "SOURCE#mine", "sk": "STATE"})),
        ("query", {"Items": [KEY]}, lambda t: t.partition("SOURCE#mine")),
        (
            "update_item",
            {"Attributes": KEY},
            lambda t: t.updated(t.update_op({"pk": "SOURCE#mine", "sk": "STATE"}, set_={"a": 1})),
        ),
    ],
)
def test_another_item_is_not_ours(
    operation: str, answer: dict[str, Any], act: Callable[[Table], object]
) -> None:
    """Whatever it holds: another's claim, undo log or state."""
    with pytest.raises(Unavailable):
        act(Table(stubbed("dynamodb", operation, answer), "table"))


def test_what_an_entry_lacks_is_nothing_called_none() -> None:
    """An endpoint may be called so, and an entry without an identifier is not that endpoint."""
    with pytest.raises(Unavailable, match="something else"):
        matching("describe_endpoints", [{"EndpointArn": MINE}], [("endpoint-id", "none")])
