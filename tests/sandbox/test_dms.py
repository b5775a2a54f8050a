"""The DMS stand-in does what the AWS facts say of the real one; each test names its section."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import moto
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.aws import fast
from sandbox.dms import BLACKHOLE, INSTANT, DmsStandIn, Durations, FailureStyle, Quotas, Switches
from sandbox.dms.libpq import failure_message
from sandbox.pki import Authority, bundle, self_signed
from sandbox.postgres import Access, Postgres

HOST = "orders.db.example.com"
ROOT = Authority.root("Example root")
OTHER_ROOT = Authority.root("Other root")
LEAF = ROOT.issue([HOST], ["127.0.0.1"])
PEM = ROOT.certificate_pem.decode()
RESOLVE = {HOST: "127.0.0.1", "silent.db.example.com": BLACKHOLE}


class Clock:
    """Time that only moves when a test says so."""

    def __init__(self) -> None:
        self.time = time.time()

    def __call__(self) -> float:
        return self.time


class Dms:
    """A client of a fresh stand-in, with short words for what most tests do first."""

    def __init__(self, standin: DmsStandIn, clock: Clock, server: Postgres | None) -> None:
        self.standin = standin
        self.clock = clock
        self.server = server
        self.client: Any = fast.session(standin.region).client(
            "dms", config=Config(retries={"total_max_attempts": 1})
        )

    def certificate(self, name: str = "certifier-a", pem: str = PEM) -> str:
        answer = self.client.import_certificate(CertificateIdentifier=name, CertificatePem=pem)
        return str(answer["Certificate"]["CertificateArn"])

    def endpoint(self, name: str = "orders", **fields: Any) -> str:
        plain = {
            "ServerName": HOST,
            "Port": self.server.port if self.server else 5432,
            "Username": self.server.user if self.server else "dms",
            "Password": self.server.password if self.server else "pa55word",
            "DatabaseName": "postgres",
        }
        answer = self.client.create_endpoint(
            EndpointIdentifier=name,
            EngineName="postgres",
            **({"EndpointType": "source"} | plain | fields),
        )
        return str(answer["Endpoint"]["EndpointArn"])

    def test(self, endpoint: str, instance: str) -> dict[str, Any]:
        """Test to the end, and show the connection as it then is."""
        self.client.test_connection(EndpointArn=endpoint, ReplicationInstanceArn=instance)
        return self.finish(endpoint)

    def finish(self, endpoint: str) -> dict[str, Any]:
        self.standin.settle()
        self.clock.time += 600
        return self.connections(endpoint)[0]

    def connections(self, endpoint: str) -> list[dict[str, Any]]:
        found = self.client.describe_connections(
            Filters=[{"Name": "endpoint-arn", "Values": [endpoint]}]
        )
        return list(found["Connections"])

    def described(self, endpoint: str) -> dict[str, Any]:
        found = self.client.describe_endpoints(
            Filters=[{"Name": "endpoint-arn", "Values": [endpoint]}]
        )
        return dict(found["Endpoints"][0])


Start = Callable[..., Dms]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a stand-in with these switches and settings; it ends with the test."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(moto.mock_aws())

        def started(
            *, server: Postgres | None = None, settings: dict[str, Any] | None = None, **switch: Any
        ) -> Dms:
            clock = Clock()
            given: dict[str, Any] = {"durations": INSTANT, "resolve": RESOLVE} | (settings or {})
            standin = DmsStandIn(switches=Switches(**switch), clock=clock, **given)
            stack.enter_context(standin.installed())
            return Dms(standin, clock, server)

        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres.start(tls=LEAF, hba=Access.TLS_ONLY) as running:
        yield running


def failing(call: Callable[..., Any], /, **params: Any) -> dict[str, Any]:
    """The error that a call ends with, as botocore parsed it."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    response: Any = caught.value.response
    return {"Code": response["Error"]["Code"], "Message": response["Error"]["Message"]} | {
        name: value for name, value in response.items() if name == "resourceArn"
    }


# ---- section 2: certificates


def test_certificates_are_immutable(start: Start) -> None:
    """2: importing an identifier again is ResourceAlreadyExistsFault, with or without the ARN."""
    for named in (True, False):
        dms = start(already_exists_names_arn=named)
        arn = dms.certificate()
        error = failing(
            dms.client.import_certificate, CertificateIdentifier="certifier-a", CertificatePem=PEM
        )
        assert error["Code"] == "ResourceAlreadyExistsFault"
        assert error.get("resourceArn") == (arn if named else None)


def test_a_certificate_needs_pem_or_wallet(start: Start) -> None:
    """1: neither of the two is InvalidParameterValueException, which the model does not have."""
    dms = start()
    error = failing(dms.client.import_certificate, CertificateIdentifier="empty")
    assert error["Code"] == "InvalidParameterValueException"
    assert "CertificatePem" in error["Message"]


def test_what_is_not_pem_is_not_a_certificate(start: Start) -> None:
    """2: unusable content is InvalidCertificateFault."""
    dms = start()
    error = failing(
        dms.client.import_certificate, CertificateIdentifier="odd", CertificatePem="hello"
    )
    assert error["Code"] == "InvalidCertificateFault"


@pytest.mark.parametrize("name", ["1st", "a--b", "ends-", "under_score", "ü"])
def test_identifiers_are_letters_digits_and_single_hyphens(start: Start, name: str) -> None:
    """2: begins with a letter, no two hyphens in a row, none at the end."""
    dms = start()
    error = failing(dms.client.import_certificate, CertificateIdentifier=name, CertificatePem=PEM)
    assert error["Code"] == "InvalidParameterValueException"


def test_identifiers_may_come_back_in_lower_case(start: Start) -> None:
    """2 (UNCONFIRMED): DMS lower-cases identifiers, or it does not."""
    for lowered, shown in ((True, "upper"), (False, "Upper")):
        dms = start(identifiers_lowered=lowered)
        dms.certificate("Upper")
        assert dms.standin.certificates()[0]["CertificateIdentifier"] == shown


def test_certificates_come_ten_to_a_page(start: Start) -> None:
    """2: DescribeCertificates shows 10 by default, and a marker leads to the rest."""
    dms = start()
    for number in range(12):
        dms.certificate(f"certifier-{number}")
    first = dms.client.describe_certificates()
    second = dms.client.describe_certificates(Marker=first["Marker"])
    assert (len(first["Certificates"]), len(second["Certificates"])) == (10, 2)
    assert "Marker" not in second
    pages = dms.client.get_paginator("describe_certificates").paginate()
    assert len([one for page in pages for one in page["Certificates"]]) == 12


def test_a_certificate_is_found_by_identifier_and_by_arn(start: Start) -> None:
    """2: filters are certificate-arn and certificate-id; facts of the certificate are shown."""
    dms = start()
    arn = dms.certificate()
    dms.certificate("certifier-b")
    for name, value in (("certificate-id", "certifier-a"), ("certificate-arn", arn)):
        found = dms.client.describe_certificates(Filters=[{"Name": name, "Values": [value]}])
        assert [one["CertificateArn"] for one in found["Certificates"]] == [arn]
        assert found["Certificates"][0]["CertificatePem"] == PEM
        assert found["Certificates"][0]["KeyLength"] == 256


def test_an_unmatched_filter_raises_or_is_empty(start: Start) -> None:
    """2 (UNCONFIRMED): ResourceNotFoundFault or an empty list, for every Describe."""
    for operation, key in (
        ("describe_certificates", "certificate-id"),
        ("describe_endpoints", "endpoint-id"),
        ("describe_connections", "endpoint-arn"),
        ("describe_replication_tasks", "endpoint-arn"),
        ("describe_replication_instances", "replication-instance-id"),
    ):
        filters = [{"Name": key, "Values": ["nothing"]}]
        dms = start(unmatched_filter_raises=True)
        error = failing(getattr(dms.client, operation), Filters=filters)
        assert error["Code"] == "ResourceNotFoundFault"
        dms = start(unmatched_filter_raises=False)
        answer = getattr(dms.client, operation)(Filters=filters)
        assert [value for name, value in answer.items() if name != "ResponseMetadata"] == [[]]


def test_an_unknown_filter_is_an_error(start: Start) -> None:
    """2: "who uses this certificate" cannot be asked with a filter."""
    dms = start()
    error = failing(
        dms.client.describe_endpoints, Filters=[{"Name": "certificate-arn", "Values": ["x"]}]
    )
    assert error["Code"] == "InvalidParameterValueException"


def test_a_used_certificate_cannot_be_deleted(start: Start) -> None:
    """2: in use is InvalidResourceStateFault, also while the endpoint is being deleted."""
    dms = start(settings={"durations": dataclasses.replace(INSTANT, endpoint_deleting=5)})
    arn = dms.certificate()
    endpoint = dms.endpoint(SslMode="verify-ca", CertificateArn=arn)
    dms.client.delete_endpoint(EndpointArn=endpoint)
    error = failing(dms.client.delete_certificate, CertificateArn=arn)
    assert error["Code"] == "InvalidResourceStateFault"
    dms.clock.time += 5
    dms.client.delete_certificate(CertificateArn=arn)
    gone = failing(dms.client.delete_certificate, CertificateArn=arn)
    assert gone["Code"] == "ResourceNotFoundFault"


def test_a_pem_may_come_back_normalised(start: Start) -> None:
    """2 (UNCONFIRMED): text around the blocks comes back, or the bare blocks do."""
    text = f"# a bundle\n{PEM}\n"
    dms = start(pem_normalised=False)
    dms.certificate(pem=text)
    assert dms.standin.certificates()[0]["CertificatePem"] == text
    dms = start(pem_normalised=True)
    dms.certificate(pem=text)
    assert dms.standin.certificates()[0]["CertificatePem"] == PEM.strip()


def test_a_bundle_is_described_by_its_first_or_last_certificate(start: Start) -> None:
    """2 (UNCONFIRMED): which certificate of a bundle the dates describe."""
    both = bundle(ROOT, OTHER_ROOT).decode()
    for last, root in ((False, ROOT), (True, OTHER_ROOT)):
        dms = start(bundle_facts_from_last=last)
        dms.certificate(pem=both)
        shown = dms.client.describe_certificates()["Certificates"][0]
        assert shown["ValidToDate"] == root.certificate.not_valid_after_utc


def test_quotas_are_held_and_shown(start: Start) -> None:
    """2: 100 certificates and 1,000 endpoints; DescribeAccountAttributes says used and max."""
    dms = start(settings={"quotas": Quotas(certificates=1, endpoints=1)})
    dms.certificate()
    dms.endpoint()
    for call, params in (
        (
            dms.client.import_certificate,
            {"CertificateIdentifier": "b", "CertificatePem": PEM},
        ),
        (
            dms.client.create_endpoint,
            {"EndpointIdentifier": "b", "EndpointType": "source", "EngineName": "postgres"},
        ),
    ):
        assert failing(call, **params)["Code"] == "ResourceQuotaExceededFault"
    shown = dms.client.describe_account_attributes()["AccountQuotas"]
    assert {one["AccountQuotaName"]: (one["Used"], one["Max"]) for one in shown}[
        "Certificates"
    ] == (1, 1)
    assert (Quotas().certificates, Quotas().endpoints) == (100, 1_000)


def test_all_calls_share_one_bucket(start: Start) -> None:
    """2: 200 tokens, 8 a second, for every operation; then ThrottlingException, Rate exceeded."""
    dms = start()
    for _ in range(100):
        dms.client.describe_endpoints()
        dms.client.describe_certificates()
    error = failing(dms.client.describe_account_attributes)
    assert error == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    dms.clock.time += 1
    for _ in range(8):
        dms.client.describe_endpoints()
    assert failing(dms.client.describe_endpoints)["Code"] == "ThrottlingException"


# ---- section 1 and 3: endpoints


def test_an_endpoint_is_shown_without_its_password(start: Start) -> None:
    """3: types come back in capitals, passwords never, plain fields in both places."""
    dms = start()
    arn = dms.endpoint(SslMode="require", ExtraConnectionAttributes="heartbeatEnable=true;")
    shown = dms.described(arn)
    assert shown["EndpointType"] == "SOURCE"
    assert shown["SslMode"] == "require"
    assert shown["ServerName"] == shown["PostgreSQLSettings"]["ServerName"] == HOST
    assert shown["DatabaseName"] == "postgres"
    assert shown["ExtraConnectionAttributes"] == "heartbeatEnable=true;"
    assert "pa55word" not in json.dumps(shown, default=str)
    assert "pa55word" not in repr(dms.standin.log)
    dms = start(plain_fields_mirrored=False)
    assert dms.described(dms.endpoint())["PostgreSQLSettings"] == {}


def test_the_default_mode_is_none(start: Start) -> None:
    """1: an endpoint without SslMode is not encrypted."""
    dms = start()
    assert dms.described(dms.endpoint())["SslMode"] == "none"


def test_an_acm_certificate_is_not_a_dms_certificate(start: Start) -> None:
    """1: an ACM ARN is InvalidParameterValueException: Invalid certificate ARN."""
    dms = start()
    error = failing(
        dms.client.create_endpoint,
        EndpointIdentifier="orders",
        EndpointType="source",
        EngineName="postgres",
        CertificateArn="arn:aws:acm:eu-west-1:123456789012:certificate/1234",
    )
    assert error == {
        "Code": "InvalidParameterValueException",
        "Message": "Invalid certificate ARN",
    }
    missing = failing(
        dms.client.modify_endpoint,
        EndpointArn=dms.endpoint(),
        CertificateArn="arn:aws:dms:eu-west-1:123456789012:cert:NOTTHERE",
    )
    assert missing["Code"] == "ResourceNotFoundFault"


def test_verifying_needs_a_certificate(start: Start, server: Postgres) -> None:
    """1 (UNCONFIRMED): verify-* without a certificate is refused, or fails in the test."""
    dms = start()
    for mode in ("verify-ca", "verify-full"):
        error = failing(
            dms.client.create_endpoint,
            EndpointIdentifier=mode,
            EndpointType="source",
            EngineName="postgres",
            SslMode=mode,
        )
        assert error["Code"] == "InvalidParameterValueException"
    dms = start(server=server, verify_without_certificate_refused=False)
    tested = dms.test(dms.endpoint(SslMode="verify-ca"), dms.standin.add_instance("ri"))
    assert "does not exist" in tested["LastFailureMessage"]
    assert "or change sslmode to disable server certificate" in tested["LastFailureMessage"]


def test_secret_and_plain_text_exclude_each_other(start: Start) -> None:
    """3: "You can't specify both"."""
    dms = start()
    error = failing(
        dms.client.create_endpoint,
        EndpointIdentifier="orders",
        EndpointType="source",
        EngineName="postgres",
        ServerName=HOST,
        PostgreSQLSettings={"SecretsManagerSecretId": "s", "SecretsManagerAccessRoleArn": "r"},
    )
    assert error["Code"] == "InvalidParameterCombinationException"
    arn = dms.endpoint()
    dms.client.modify_endpoint(
        EndpointArn=arn,
        PostgreSQLSettings={"SecretsManagerSecretId": "s", "SecretsManagerAccessRoleArn": "r"},
    )
    shown = dms.described(arn)
    assert shown["PostgreSQLSettings"]["SecretsManagerSecretId"] == "s"
    assert "ServerName" not in shown
    assert shown["DatabaseName"] == "postgres"


def test_states_take_their_time(start: Start) -> None:
    """3: creating, active, modifying, active, deleting, gone."""
    dms = start(settings={"durations": Durations()})
    arn = dms.endpoint()
    assert dms.described(arn)["Status"] == "creating"
    error = failing(dms.client.modify_endpoint, EndpointArn=arn, SslMode="require")
    assert error["Code"] == "InvalidResourceStateFault"
    dms.clock.time += 2
    assert dms.described(arn)["Status"] == "active"
    dms.client.modify_endpoint(EndpointArn=arn, SslMode="require")
    assert dms.described(arn)["Status"] == "modifying"
    dms.clock.time += 2
    dms.client.delete_endpoint(EndpointArn=arn)
    assert dms.described(arn)["Status"] == "deleting"
    dms.clock.time += 2
    assert dms.client.describe_endpoints()["Endpoints"] == []


def test_time_can_move_by_calls() -> None:
    """A stand-in with a tick needs no clock: every call takes so many seconds."""
    with moto.mock_aws():
        ticking = DmsStandIn(clock=lambda: 0.0, tick=1.0, resolve={})
        with ticking.installed():
            dms = Dms(ticking, Clock(), None)
            arn = dms.endpoint()
            assert dms.described(arn)["Status"] == "creating"
            assert dms.described(arn)["Status"] == "active"


def test_a_modify_merges_unless_it_is_exact(start: Start) -> None:
    """3: ExactSettings=false merges named settings; true replaces them all."""
    dms = start()
    arn = dms.endpoint(PostgreSQLSettings={"SlotName": "dms", "HeartbeatEnable": True})
    dms.client.modify_endpoint(EndpointArn=arn, PostgreSQLSettings={"SlotName": "other"})
    settings = dms.described(arn)["PostgreSQLSettings"]
    assert (settings["SlotName"], settings["HeartbeatEnable"]) == ("other", True)
    dms.client.modify_endpoint(
        EndpointArn=arn, PostgreSQLSettings={"SlotName": "third"}, ExactSettings=True
    )
    assert dms.described(arn)["PostgreSQLSettings"] == {"SlotName": "third"}


def test_a_modify_may_reset_the_database(start: Start) -> None:
    """3 (UNCONFIRMED): a modify without DatabaseName keeps it, or sets it to null."""
    for resets in (False, True):
        dms = start(modify_resets_database_name=resets)
        arn = dms.endpoint()
        dms.client.modify_endpoint(EndpointArn=arn, SslMode="require")
        assert dms.described(arn).get("DatabaseName") == (None if resets else "postgres")
        dms.client.modify_endpoint(EndpointArn=arn, SslMode="require", DatabaseName="orders")
        assert dms.described(arn)["DatabaseName"] == "orders"


def test_a_zero_etl_endpoint_is_read_only(start: Start) -> None:
    """3: IsReadOnly is shown, and such an endpoint cannot be modified directly."""
    dms = start()
    arn = dms.endpoint()
    dms.standin.set_read_only(arn)
    assert dms.described(arn)["IsReadOnly"] is True
    error = failing(dms.client.modify_endpoint, EndpointArn=arn, SslMode="require")
    assert error["Code"] == "InvalidResourceStateFault"


@pytest.mark.parametrize("status", ["starting", "running"])
def test_no_modify_under_a_running_task(start: Start, status: str) -> None:
    """3: a modify is rejected while a task on either end is starting or running."""
    dms = start()
    ends = [dms.endpoint("orders"), dms.endpoint("warehouse", EndpointType="target")]
    instance = dms.standin.add_instance("ri")
    task = dms.standin.add_task(
        "copy", source=ends[0], target=ends[1], instance=instance, status=status
    )
    for arn in ends:
        error = failing(dms.client.modify_endpoint, EndpointArn=arn, SslMode="require")
        assert error["Code"] == "InvalidResourceStateFault"
    dms.standin.set_task(task, status="stopped")
    for arn in ends:
        dms.client.modify_endpoint(EndpointArn=arn, SslMode="require")
    used = failing(dms.client.delete_endpoint, EndpointArn=ends[0])
    assert used["Code"] == "InvalidResourceStateFault"


def test_no_modify_under_a_serverless_replication(start: Start) -> None:
    """6: configs are described, and a running replication holds its endpoints too."""
    dms = start()
    source, target = dms.endpoint("orders"), dms.endpoint("warehouse")
    config = dms.standin.add_serverless("stream", source=source, target=target)
    configs = dms.client.describe_replication_configs()["ReplicationConfigs"]
    assert [one["SourceEndpointArn"] for one in configs] == [source]
    running = dms.client.describe_replications(
        Filters=[{"Name": "replication-config-arn", "Values": [config]}]
    )["Replications"]
    assert running[0]["Status"] == "running"
    error = failing(dms.client.modify_endpoint, EndpointArn=source, SslMode="require")
    assert error["Code"] == "InvalidResourceStateFault"


def test_tags_belong_to_resources(start: Start) -> None:
    """2, 3: endpoints and certificates carry tags; a resource that is not there has none."""
    dms = start()
    arn = dms.endpoint(Tags=[{"Key": "certifier:source", "Value": "orders"}])
    dms.client.add_tags_to_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "data"}])
    listed = dms.client.list_tags_for_resource(ResourceArn=arn)["TagList"]
    assert {one["Key"]: one["Value"] for one in listed} == {
        "certifier:source": "orders",
        "team": "data",
    }
    dms.client.remove_tags_from_resource(ResourceArn=arn, TagKeys=["team"])
    listed = dms.client.list_tags_for_resource(ResourceArnList=[arn])["TagList"]
    assert [(one["Key"], one["ResourceArn"]) for one in listed] == [("certifier:source", arn)]
    error = failing(dms.client.list_tags_for_resource, ResourceArn=arn[:-1])
    assert error["Code"] == "ResourceNotFoundFault"


def test_endpoint_names_are_taken_once(start: Start) -> None:
    """3: creating or renaming to a name that is there is ResourceAlreadyExistsFault."""
    dms = start()
    dms.endpoint("orders")
    other = dms.endpoint("other")
    error = failing(dms.client.modify_endpoint, EndpointArn=other, EndpointIdentifier="orders")
    assert error["Code"] == "ResourceAlreadyExistsFault"


@pytest.mark.parametrize(
    ("field", "value"),
    [("SslMode", "prefer"), ("EndpointType", "SOURCE"), ("KmsKeyId", "key")],
)
def test_the_model_rejects_what_it_does_not_know(start: Start, field: str, value: str) -> None:
    """3: KmsKeyId is not a parameter of a modify; enums are DMS's own words."""
    dms = start()
    arn = dms.endpoint()
    if field == "KmsKeyId":
        with pytest.raises(Exception, match="Unknown parameter"):
            dms.client.modify_endpoint(EndpointArn=arn, **{field: value})
    else:
        enum = dms.client.meta.service_model.operation_model("CreateEndpoint").input_shape.members[
            field
        ]
        assert value not in enum.enum


# ---- section 4: connection tests


def test_a_test_takes_time_and_then_passes(start: Start, server: Postgres) -> None:
    """4: TestConnection answers `testing`; later the connection is `successful`."""
    dms = start(server=server, settings={"durations": Durations()})
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="verify-full", CertificateArn=dms.certificate())
    dms.clock.time += 2
    answer = dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
    assert answer["Connection"]["Status"] == "testing"
    dms.standin.settle()
    assert dms.connections(arn)[0]["Status"] == "testing"
    assert dms.finish(arn)["Status"] == "successful"


def test_libpq_judges_the_endpoint_as_it_is(start: Start, server: Postgres) -> None:
    """4.1: mode, CA, name and password of the endpoint decide, in libpq's own words."""
    dms = start(server=server)
    instance = dms.standin.add_instance("ri")
    good, wrong = (
        dms.certificate("good"),
        dms.certificate("wrong", OTHER_ROOT.certificate_pem.decode()),
    )
    both = dms.certificate("both", bundle(OTHER_ROOT, ROOT).decode())
    dms.standin.resolve = RESOLVE | {"other.db.example.com": "127.0.0.1"}
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"SslMode": "verify-full", "CertificateArn": good}, None),
        ({"SslMode": "verify-full", "CertificateArn": both}, None),
        ({"SslMode": "require"}, None),
        ({"SslMode": "verify-ca", "CertificateArn": wrong}, "certificate verify failed"),
        ({"SslMode": "none"}, "no pg_hba.conf entry"),
        (
            {
                "SslMode": "verify-full",
                "CertificateArn": good,
                "ServerName": "other.db.example.com",
            },
            'does not match host name "other.db.example.com"',
        ),
        ({"SslMode": "require", "Password": "wrong"}, "password authentication failed"),
        ({"SslMode": "require", "DatabaseName": "nope"}, 'database "nope" does not exist'),
        ({"SslMode": "require", "Port": 1}, "Connection refused"),
        (
            {"SslMode": "require", "ServerName": "gone.db.example.com"},
            'could not translate host name "gone.db.example.com" to address',
        ),
        ({"SslMode": "require", "ServerName": "silent.db.example.com"}, "timeout expired"),
        ({"SslMode": "require", "ServerName": "127.0.0.1"}, None),
    ]
    for number, (fields, words) in enumerate(cases):
        tested = dms.test(dms.endpoint(f"case-{number}", **fields), instance)
        assert tested["Status"] == ("failed" if words else "successful"), tested
        if words:
            assert words in tested["LastFailureMessage"]
            assert "Application-Status: 1020912" in tested["LastFailureMessage"]


def test_a_silent_host_times_out_late(start: Start) -> None:
    """4: a host that answers nothing keeps the test going until "timeout expired"."""
    dms = start(settings={"durations": Durations()})
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(ServerName="silent.db.example.com")
    dms.clock.time += 10
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
    dms.clock.time += 59
    assert dms.connections(arn)[0]["Status"] == "testing"
    dms.clock.time += 1
    assert "timeout expired" in dms.connections(arn)[0]["LastFailureMessage"]


def test_the_secret_is_read_when_the_test_runs(start: Start, server: Postgres) -> None:
    """3: an endpoint with a secret connects with what the secret says now."""
    dms = start(server=server)
    secrets: Any = fast.session(dms.standin.region).client("secretsmanager")
    login = {
        "host": HOST,
        "port": server.port,
        "username": server.user,
        "password": server.password,
        "dbname": "ignored",
    }
    secret = secrets.create_secret(Name="dms/orders", SecretString=json.dumps(login))["ARN"]
    created = dms.client.create_endpoint(
        EndpointIdentifier="orders",
        EndpointType="source",
        EngineName="postgres",
        SslMode="require",
        DatabaseName="postgres",
        PostgreSQLSettings={"SecretsManagerSecretId": secret, "SecretsManagerAccessRoleArn": "r"},
    )
    arn = created["Endpoint"]["EndpointArn"]
    instance = dms.standin.add_instance("ri")
    assert dms.test(arn, instance)["Status"] == "successful"
    secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(login | {"password": "old"}))
    assert "password authentication" in dms.test(arn, instance)["LastFailureMessage"]
    for unusable in ({"username": "u"}, login | {"port": "many"}, ["a list"]):
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(unusable))
        message = dms.test(arn, instance)["LastFailureMessage"]
        assert "Unable to find Secrets Manager secret" in message
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    assert "Unable to find Secrets Manager secret" in dms.test(arn, instance)["LastFailureMessage"]


def test_a_test_under_way_refuses_another(start: Start, server: Postgres) -> None:
    """3: InvalidResourceStateFault that says "already being tested", per replication instance."""
    dms = start(server=server, settings={"durations": dataclasses.replace(INSTANT, testing=3)})
    first, second = dms.standin.add_instance("ri-a"), dms.standin.add_instance("ri-b")
    arn = dms.endpoint(SslMode="require")
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=first)
    error = failing(dms.client.test_connection, EndpointArn=arn, ReplicationInstanceArn=first)
    assert error["Code"] == "InvalidResourceStateFault"
    assert "already being tested" in error["Message"]
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=second)
    assert len(dms.connections(arn)) == 2


def test_a_modify_starts_a_test_of_its_own(start: Start, server: Postgres) -> None:
    """3: ModifyEndpoint starts a hidden test, so that an immediate TestConnection collides."""
    dms = start(server=server, settings={"durations": dataclasses.replace(INSTANT, testing=3)})
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="require")
    assert dms.test(arn, instance)["Status"] == "successful"
    dms.client.modify_endpoint(EndpointArn=arn, DatabaseName="nope")
    error = failing(dms.client.test_connection, EndpointArn=arn, ReplicationInstanceArn=instance)
    assert "already being tested" in error["Message"]
    assert "TestConnection" not in [call.operation for call in dms.standin.log[-3:-1]]
    assert 'database "nope"' in dms.finish(arn)["LastFailureMessage"]
    dms.standin.switches = Switches(hidden_test_after_modify=False)
    dms.client.modify_endpoint(EndpointArn=arn, DatabaseName="postgres")
    assert dms.connections(arn)[0]["Status"] == "failed"


def test_a_hidden_test_may_follow_a_create_or_come_late(start: Start, server: Postgres) -> None:
    """3 (UNCONFIRMED): also after a create, and some seconds after the change."""
    dms = start(server=server, hidden_test_after_create=True, hidden_test_delay=2)
    dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="require")
    assert dms.standin.connections() == []
    dms.clock.time += 2
    assert dms.connections(arn)[0]["Status"] == "testing"
    assert dms.finish(arn)["Status"] == "successful"
    dms.client.modify_endpoint(EndpointArn=arn, SslMode="require")
    assert dms.connections(arn)[0]["Status"] == "successful"
    dms.clock.time += 2
    assert dms.connections(arn)[0]["Status"] == "testing"


def test_a_test_judges_the_settings_it_began_with(start: Start, server: Postgres) -> None:
    """4 (UNCONFIRMED): a test from before a modify says nothing of the new settings."""
    dms = start(server=server, settings={"durations": dataclasses.replace(INSTANT, testing=3)})
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="require")
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
    dms.client.modify_endpoint(EndpointArn=arn, DatabaseName="nope")
    assert dms.finish(arn)["Status"] == "successful"
    dms = start(server=server, modify_while_testing_accepted=False)
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="none")
    dms.standin.durations = Durations()
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
    error = failing(dms.client.modify_endpoint, EndpointArn=arn, DatabaseName="nope")
    assert error["Code"] == "InvalidResourceStateFault"


def test_an_old_verdict_may_still_be_shown(start: Start, server: Postgres) -> None:
    """4: for a while after acceptance, DescribeConnections may show the verdict from before."""
    dms = start(
        server=server,
        old_status_shown_for=5,
        settings={"durations": dataclasses.replace(INSTANT, testing=10)},
    )
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="require")
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
    assert dms.connections(arn)[0]["Status"] == "testing"
    assert dms.finish(arn)["Status"] == "successful"
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
    assert dms.connections(arn)[0]["Status"] == "successful"
    dms.clock.time += 5
    assert dms.connections(arn)[0]["Status"] == "testing"


def test_a_message_may_outlive_its_failure(start: Start, server: Postgres) -> None:
    """4: LastFailureMessage is of the last failure, and may be shown after a success."""
    for kept in (True, False):
        dms = start(server=server, old_message_kept=kept)
        instance = dms.standin.add_instance("ri")
        arn = dms.endpoint(SslMode="none")
        assert dms.test(arn, instance)["Status"] == "failed"
        dms.client.modify_endpoint(EndpointArn=arn, SslMode="require")
        shown = dms.finish(arn)
        assert shown["Status"] == "successful"
        assert ("LastFailureMessage" in shown) is kept


def test_two_filters_are_anded_or_the_last_one_counts(start: Start) -> None:
    """4 (UNCONFIRMED): DescribeConnections with both filters."""
    for anded, expected in ((True, 1), (False, 2)):
        dms = start(connection_filters_anded=anded)
        instance = dms.standin.add_instance("ri")
        arns = [dms.endpoint("a"), dms.endpoint("b")]
        for arn in arns:
            dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
        found = dms.client.describe_connections(
            Filters=[
                {"Name": "endpoint-arn", "Values": [arns[0]]},
                {"Name": "replication-instance-arn", "Values": [instance]},
            ]
        )
        assert len(found["Connections"]) == expected


def test_a_test_needs_an_available_instance_and_an_active_endpoint(start: Start) -> None:
    """4: InvalidResourceStateFault, or ResourceNotFoundFault for what is not there."""
    dms = start(settings={"durations": Durations()})
    arn = dms.endpoint()
    ready = dms.standin.add_instance("ready")
    busy = dms.standin.add_instance("busy", status="modifying")
    creating = failing(dms.client.test_connection, EndpointArn=arn, ReplicationInstanceArn=ready)
    assert creating["Code"] == "InvalidResourceStateFault"
    dms.clock.time += 10
    error = failing(dms.client.test_connection, EndpointArn=arn, ReplicationInstanceArn=busy)
    assert error["Code"] == "InvalidResourceStateFault"
    missing = failing(
        dms.client.test_connection, EndpointArn=arn, ReplicationInstanceArn=ready[:-1]
    )
    assert missing["Code"] == "ResourceNotFoundFault"


def test_connections_can_be_deleted(start: Start) -> None:
    """4: DeleteConnection, by endpoint and instance; they also go with their endpoint."""
    dms = start()
    instance = dms.standin.add_instance("ri")
    pair = {"EndpointArn": dms.endpoint(), "ReplicationInstanceArn": instance}
    dms.test(pair["EndpointArn"], instance)
    assert dms.client.delete_connection(**pair)["Connection"]["Status"] == "deleting"
    assert failing(dms.client.delete_connection, **pair)["Code"] == "ResourceNotFoundFault"
    dms.test(pair["EndpointArn"], instance)
    dms.client.delete_endpoint(EndpointArn=pair["EndpointArn"])
    assert dms.client.describe_connections()["Connections"] == []


def test_an_instance_takes_a_hundred_endpoints(start: Start) -> None:
    """2: endpoints per replication instance are limited."""
    dms = start(settings={"quotas": Quotas(endpoints_per_instance=1)})
    instance = dms.standin.add_instance("ri")
    dms.test(dms.endpoint("a"), instance)
    error = failing(
        dms.client.test_connection, EndpointArn=dms.endpoint("b"), ReplicationInstanceArn=instance
    )
    assert error["Code"] == "ResourceQuotaExceededFault"


def test_require_may_use_the_certificate(start: Start, server: Postgres) -> None:
    """4.1 (UNCONFIRMED): under `require`, a wrong CA on the endpoint is ignored, or it fails."""
    for used, status in ((False, "successful"), (True, "failed")):
        dms = start(server=server, require_uses_root_certificate=used)
        wrong = dms.certificate(pem=OTHER_ROOT.certificate_pem.decode())
        arn = dms.endpoint(SslMode="require", CertificateArn=wrong)
        assert dms.test(arn, dms.standin.add_instance("ri"))["Status"] == status


@pytest.mark.real_clock("libpq verifies by the machine's clock")
def test_a_self_signed_server_may_be_trusted(start: Start) -> None:
    """1 (UNCONFIRMED): a self-signed server certificate that is its own CA."""
    leaf = self_signed([HOST], ["127.0.0.1"])
    with Postgres.start(tls=leaf) as alone:
        for trusted, status in ((True, "successful"), (False, "failed")):
            dms = start(server=alone, self_signed_trusted=trusted)
            own = dms.certificate(pem=leaf.certificate_pem.decode())
            arn = dms.endpoint(SslMode="verify-full", CertificateArn=own)
            tested = dms.test(arn, dms.standin.add_instance("ri"))
            assert tested["Status"] == status
            assert trusted or "certificate verify failed" in tested["LastFailureMessage"]


def test_failure_messages_have_the_forms_that_were_seen() -> None:
    """4.1: with and without [unixODBC], the second line, and the server's address."""
    words = (
        'connection to server at "127.0.0.1", port 5432 failed: FATAL:  password authentication '
        'failed for user "dms"'
    )
    odbc = failure_message(words, style=FailureStyle.UNIXODBC, server_prefix=False)
    assert "Failed to connect  Network error has occurred" in odbc
    assert '[unixODBC]FATAL:  password authentication failed for user "dms"\n\n' in odbc
    assert odbc.endswith(
        'Message: [password authentication failed for user "dms"], NativeErrorCode: [28P01]'
    )
    plain = failure_message(words, style=FailureStyle.PLAIN, server_prefix=False)
    assert plain.endswith(
        'NativeError: 101 Message: FATAL:  password authentication failed for user "dms"'
    )
    provider = failure_message(words, style=FailureStyle.PROVIDER, server_prefix=True)
    assert provider.startswith("Endpoint failed: ")
    assert words in provider


def test_the_rehearsal_can_pass_and_the_change_fail(start: Start, server: Postgres) -> None:
    """A switch of the stand-in's own: DMS cannot connect with the endpoint's new settings."""
    dms = start(server=server)
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="require")
    certificate = dms.certificate()
    dms.standin.fail_after_change("orders")
    canary = dms.endpoint("canary", SslMode="verify-full", CertificateArn=certificate)
    assert dms.test(canary, instance)["Status"] == "successful"
    assert dms.test(arn, instance)["Status"] == "successful"
    dms.client.modify_endpoint(EndpointArn=arn, SslMode="verify-full", CertificateArn=certificate)
    assert "timeout expired" in dms.finish(arn)["LastFailureMessage"]


def test_a_patient_stand_in_waits_for_libpq(start: Start, server: Postgres) -> None:
    """On a clock that is stopped, a test whose time is over has its verdict at the next call."""
    dms = start(server=server, settings={"patience": 10.0})
    instance = dms.standin.add_instance("ri")
    arn = dms.endpoint(SslMode="require")
    dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
    assert dms.connections(arn)[0]["Status"] == "successful"


def test_tests_run_beside_other_calls(start: Start, server: Postgres) -> None:
    """4: TestConnection is asynchronous; twenty at once all end, and calls go on meanwhile."""
    dms = start(server=server)
    instance = dms.standin.add_instance("ri")
    arns = [dms.endpoint(f"e-{number}", SslMode="require") for number in range(20)]

    def test(arn: str) -> None:
        dms.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)

    threads = [threading.Thread(target=test, args=(arn,)) for arn in arns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    dms.standin.settle()
    found = dms.client.describe_connections()["Connections"]
    assert {one["Status"] for one in found} == {"successful"}
    assert len(found) == 20


# ---- section 6: tasks


@pytest.fixture
def replication(start: Start, server: Postgres) -> tuple[Dms, str, str, str]:
    """A stand-in with two tested endpoints: (dms, task ARN of a running task, source, instance)."""
    dms = start(server=server)
    instance = dms.standin.add_instance("ri")
    source, target = (dms.endpoint(name, SslMode="require") for name in ("orders", "warehouse"))
    for arn in (source, target):
        assert dms.test(arn, instance)["Status"] == "successful"
    task = dms.standin.add_task("copy", source=source, target=target, instance=instance)
    return dms, task, source, instance


def described_task(dms: Dms, arn: str) -> dict[str, Any]:
    found = dms.client.describe_replication_tasks(
        Filters=[{"Name": "replication-task-arn", "Values": [arn]}]
    )
    return dict(found["ReplicationTasks"][0])


def resume(dms: Dms, arn: str) -> None:
    dms.client.start_replication_task(
        ReplicationTaskArn=arn, StartReplicationTaskType="resume-processing"
    )


def test_a_task_stops_and_resumes(replication: tuple[Dms, str, str, str]) -> None:
    """6: running, stopping, stopped with reason and date, starting, running."""
    dms, task, _, _ = replication
    dms.standin.durations = Durations()
    dms.client.stop_replication_task(ReplicationTaskArn=task)
    assert described_task(dms, task)["Status"] == "stopping"
    dms.clock.time += 5
    stopped = described_task(dms, task)
    assert (stopped["Status"], stopped["StopReason"]) == ("stopped", "Stop Reason NORMAL")
    first = stopped["ReplicationTaskStats"]["StopDate"]
    resume(dms, task)
    assert described_task(dms, task)["Status"] == "starting"
    dms.clock.time += 5
    assert described_task(dms, task)["Status"] == "running"
    dms.client.stop_replication_task(ReplicationTaskArn=task)
    dms.clock.time += 5
    assert described_task(dms, task)["ReplicationTaskStats"]["StopDate"] > first


def test_only_a_running_task_stops(replication: tuple[Dms, str, str, str]) -> None:
    """6: stopping what does not run, and starting what runs, is InvalidResourceStateFault."""
    dms, task, _, _ = replication
    error = failing(
        dms.client.start_replication_task,
        ReplicationTaskArn=task,
        StartReplicationTaskType="resume-processing",
    )
    assert error["Code"] == "InvalidResourceStateFault"
    dms.standin.set_task(task, status="stopped")
    error = failing(dms.client.stop_replication_task, ReplicationTaskArn=task)
    assert error["Code"] == "InvalidResourceStateFault"


def test_a_start_needs_a_passing_test_on_every_end(
    replication: tuple[Dms, str, str, str],
) -> None:
    """3: the fault reads "Test connection ... should be successful for starting"."""
    dms, task, source, instance = replication
    dms.standin.switches = Switches(hidden_test_after_modify=False)
    dms.standin.set_task(task, status="stopped")
    dms.client.modify_endpoint(EndpointArn=source, SslMode="require")
    error = failing(
        dms.client.start_replication_task,
        ReplicationTaskArn=task,
        StartReplicationTaskType="resume-processing",
    )
    assert error["Code"] == "InvalidResourceStateFault"
    assert "should be successful for starting the replication task" in error["Message"]
    assert dms.test(source, instance)["Status"] == "successful"
    resume(dms, task)
    assert described_task(dms, task)["Status"] == "running"


def test_a_modify_may_leave_the_pass_valid(replication: tuple[Dms, str, str, str]) -> None:
    """3 (inference): a pass from before a modify no longer counts, or still does."""
    dms, task, source, _ = replication
    dms.standin.switches = Switches(hidden_test_after_modify=False, modify_invalidates_pass=False)
    dms.standin.set_task(task, status="stopped")
    dms.client.modify_endpoint(EndpointArn=source, SslMode="require")
    resume(dms, task)


def test_the_first_run_is_a_start_and_the_next_a_resume(
    replication: tuple[Dms, str, str, str],
) -> None:
    """6: start-replication is the only first run; resume-processing needs one before it."""
    dms, running, _, instance = replication
    ends = described_task(dms, running)
    created = dms.client.create_replication_task(
        ReplicationTaskIdentifier="second",
        SourceEndpointArn=ends["SourceEndpointArn"],
        TargetEndpointArn=ends["TargetEndpointArn"],
        ReplicationInstanceArn=instance,
        MigrationType="cdc",
        TableMappings="{}",
    )["ReplicationTask"]
    task = created["ReplicationTaskArn"]
    assert described_task(dms, task)["Status"] == "ready"
    starts = ("resume-processing", "start-replication")
    for wrong, right in (starts, starts[::-1]):
        error = failing(
            dms.client.start_replication_task,
            ReplicationTaskArn=task,
            StartReplicationTaskType=wrong,
        )
        assert error["Code"] == "InvalidParameterCombinationException"
        dms.client.start_replication_task(ReplicationTaskArn=task, StartReplicationTaskType=right)
        assert described_task(dms, task)["Status"] == "running"
        dms.client.stop_replication_task(ReplicationTaskArn=task)
        assert described_task(dms, task)["Status"] == "stopped"


def test_tasks_are_found_by_either_end(replication: tuple[Dms, str, str, str]) -> None:
    """6: the filter endpoint-arn matches source and target; settings can be left out."""
    dms, task, source, _ = replication
    target = described_task(dms, task)["TargetEndpointArn"]
    for arn in (source, target):
        found = dms.client.describe_replication_tasks(
            Filters=[{"Name": "endpoint-arn", "Values": [arn]}], WithoutSettings=True
        )["ReplicationTasks"]
        assert [one["ReplicationTaskArn"] for one in found] == [task]
        assert "ReplicationTaskSettings" not in found[0]


def test_a_task_can_fail_to_start(replication: tuple[Dms, str, str, str]) -> None:
    """6: a start is accepted, and the task may end as failed with its own message."""
    dms, task, _, _ = replication
    dms.standin.set_task(task, status="stopped", start_failure="slot is in use")
    resume(dms, task)
    failed = described_task(dms, task)
    said = "Last Error  slot is in use Stop Reason FATAL_ERROR Error Level FATAL"
    assert (failed["Status"], failed["LastFailureMessage"]) == ("failed", said)
    assert failed["StopReason"] == said


def test_events_tell_of_tasks(replication: tuple[Dms, str, str, str]) -> None:
    """What happened to a task in the last hour, or since a time; by category, and page by page."""
    dms, task, _, _ = replication

    def reported(**chosen: Any) -> list[str]:
        events = dms.client.describe_events(SourceType="replication-task", **chosen)["Events"]
        return [each["Message"].removeprefix("Replication task has ") for each in events]

    dms.clock.time += 7200
    assert reported() == []
    since = datetime.fromtimestamp(dms.standin.now(), UTC)
    dms.client.stop_replication_task(ReplicationTaskArn=task)
    assert reported(SourceIdentifier="copy") == ["stopped."]
    assert reported(SourceIdentifier="another") == []
    dms.standin.set_task(task, status="failed")
    assert reported(StartTime=since) == ["stopped.", "failed."]
    assert reported(EventCategories=["failure"]) == ["failed."]
    assert reported(EndTime=since, Duration=24 * 60) == ["started."]
    assert failing(dms.client.describe_events, Duration=1_000_000)["Code"] == (
        "InvalidParameterValueException"
    )


def test_a_task_moves_to_another_instance(replication: tuple[Dms, str, str, str]) -> None:
    """6: it is moving while its instance is still the old one, and stops where it was."""
    dms, task, _, instance = replication
    other = dms.standin.add_instance("ri-2")
    error = failing(
        dms.client.move_replication_task,
        ReplicationTaskArn=task,
        TargetReplicationInstanceArn=other,
    )
    assert error["Code"] == "InvalidResourceStateFault"
    dms.standin.set_task(task, status="stopped")
    dms.standin.durations = Durations()
    dms.client.move_replication_task(ReplicationTaskArn=task, TargetReplicationInstanceArn=other)
    moving = described_task(dms, task)
    assert (moving["Status"], moving["ReplicationInstanceArn"]) == ("moving", instance)
    dms.clock.time += 10
    moved = described_task(dms, task)
    assert (moved["Status"], moved["ReplicationInstanceArn"]) == ("stopped", other)


def test_a_full_load_shows_its_progress(replication: tuple[Dms, str, str, str]) -> None:
    """6: FullLoadProgressPercent is in the statistics of the task."""
    dms, task, _, _ = replication
    dms.standin.set_task(task, full_load_percent=40)
    assert described_task(dms, task)["ReplicationTaskStats"]["FullLoadProgressPercent"] == 40


def test_instances_take_time_to_create(start: Start) -> None:
    """4: an instance is creating, then available."""
    dms = start(settings={"durations": Durations()})
    dms.client.create_replication_instance(
        ReplicationInstanceIdentifier="ri", ReplicationInstanceClass="dms.t3.medium"
    )
    for status in ("creating", "available"):
        found = dms.client.describe_replication_instances()["ReplicationInstances"]
        assert found[0]["ReplicationInstanceStatus"] == status
        dms.clock.time += 10


def test_an_operation_it_does_not_know_is_said(start: Start) -> None:
    """What the stand-in does not play is an error with its name, never a made-up answer."""
    dms = start()
    with pytest.raises(NotImplementedError, match="DescribeSchemas"):
        dms.client.describe_schemas(EndpointArn="arn:aws:dms:eu-west-1:1:endpoint:X")
