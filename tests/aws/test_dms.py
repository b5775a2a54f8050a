"""The DMS adapter against the stand-in: our values, typed results, our errors, lost answers."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import moto
import pytest
from botocore.stub import Stubber
from moto.core.exceptions import JsonRESTError

from certifier.aws.clients import config
from certifier.aws.dms import (
    AlreadyExists,
    Deletion,
    Dms,
    Quota,
    Rejected,
    Started,
    TestStart,
)
from certifier.certificate import bundle_digest, union
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.errors import Busy, NotYetConsistent, Refused, Throttled, Unavailable, Unexpected
from certifier.vocabulary import Cause, SslMode
from sandbox.aws import fast
from sandbox.dms import INSTANT, DmsStandIn, Durations, Quotas, Switches
from sandbox.pki import Authority, bundle
from tests.aws.faults import Faults, Kind, injected

ROOT = Authority.root("Example root")
OTHER = Authority.root("Other root")
PEM = ROOT.certificate_pem.decode()
NAME = f"certifier-{bundle_digest(PEM)[:40]}"
PLAIN = EndpointFields(
    ssl_mode=SslMode.REQUIRE,
    server_name="orders.db.example.com",
    port=5432,
    username="dms",
    database_name="orders",
)
SECRET = EndpointFields(
    ssl_mode=SslMode.REQUIRE,
    database_name="orders",
    secret_id="arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf",
    secret_role_arn="arn:aws:iam::123456789012:role/dms-secrets",
)


class Clock:
    """Time that only moves when a test says so."""

    def __init__(self) -> None:
        self.time = time.time()

    def __call__(self) -> float:
        return self.time


@dataclasses.dataclass
class World:
    """The adapter, the stand-in behind it, its clock, and the faults between them."""

    dms: Dms
    standin: DmsStandIn
    faults: Faults
    clock: Clock
    client: Any

    def endpoint(
        self, name: str = "orders", fields: EndpointFields = PLAIN, password: str | None = "pa55"
    ) -> Endpoint:
        made = self.dms.create_endpoint(
            name, "source", "postgres", fields, password=password, tags={"certifier": "endpoint"}
        )
        assert isinstance(made, Endpoint)
        found = self.dms.endpoint(made.arn)
        assert found is not None
        return found

    def passing(self, *endpoints: Endpoint) -> str:
        """An instance from which these endpoints connect; nothing is really connected to."""
        instance = self.standin.add_instance("ri")
        self.standin.judge = lambda _: ""
        for endpoint in endpoints:
            self.dms.test_connection(endpoint.arn, instance)
        return instance


Start = Callable[..., World]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a world with these switches and settings."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's back-off
    with contextlib.ExitStack() as stack:
        stack.enter_context(moto.mock_aws())

        def started(
            *, settings: dict[str, Any] | None = None, attempts: int = 3, **switch: Any
        ) -> World:
            given: dict[str, Any] = {"durations": INSTANT, "resolve": {}} | (settings or {})
            clock = Clock()
            standin = DmsStandIn(switches=Switches(**switch), clock=clock, **given)
            stack.enter_context(standin.installed())
            client: Any = fast.session(standin.region).client("dms", config=config(attempts))
            return World(Dms(client), standin, stack.enter_context(injected()), clock, client)

        yield started


def refused(caught: pytest.ExceptionInfo[Refused]) -> tuple[Cause, str]:
    return caught.value.cause, caught.value.seen


# ---- endpoints


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("fields", [PLAIN, SECRET])
def test_an_endpoint_reads_back_as_it_was_written(
    start: Start, fields: EndpointFields, mirrored: bool
) -> None:
    """What is created is read back the same, whether DMS shows plain fields once or twice."""
    world = start(plain_fields_mirrored=mirrored)
    password = None if fields.secret_id else "pa55"
    endpoint = world.endpoint(fields=fields, password=password)
    assert endpoint.fields == fields
    assert (endpoint.endpoint_type, endpoint.engine) == ("source", "postgres")
    assert (endpoint.status, endpoint.authentication) == ("active", "password")
    assert world.dms.endpoint("ORDERS") == endpoint
    assert world.dms.tags(endpoint.arn) == {"certifier": "endpoint"}


@pytest.mark.parametrize("raises", [True, False])
def test_what_is_not_there_is_none(start: Start, raises: bool) -> None:
    """An unmatched filter may raise or be empty: either way nothing is found or raised."""
    world = start(unmatched_filter_raises=raises)
    arn = "arn:aws:dms:eu-west-1:123456789012:endpoint:GONE"
    assert world.dms.endpoint("orders") is None
    assert world.dms.endpoint(arn) is None
    assert world.dms.certificate_by_identifier("certifier-x") is None
    assert world.dms.certificate_by_arn(arn) is None
    assert world.dms.connections(arn) == ()
    assert world.dms.tasks(arn) == ()
    assert world.dms.task(arn) is None
    assert world.dms.instances([arn]) == ()
    assert world.dms.instances([]) == ()
    assert world.dms.serverless_replications(arn) == ()
    assert world.dms.tags(arn) == {}
    assert world.dms.delete_endpoint(arn) is False
    assert world.dms.delete_connection(arn, arn) is False
    assert world.dms.stop_task(arn) is False
    assert world.dms.delete_certificate(arn) is Deletion.GONE


def test_a_taken_identifier_is_a_result(start: Start) -> None:
    """Whose the other endpoint is, the caller finds out: it is not an error here."""
    world = start(already_exists_names_arn=False)
    world.endpoint()
    again = world.dms.create_endpoint("orders", "SOURCE", "postgres", PLAIN, tags={})
    assert again == AlreadyExists(identifier="orders")


def test_a_lost_answer_of_a_create_is_found_again(start: Start) -> None:
    """After a create whose answer was lost, botocore's own retry says that it exists already."""
    world = start()
    world.faults.inject("CreateEndpoint", Kind.AFTER)
    made = world.dms.create_endpoint("orders", "source", "postgres", PLAIN, tags={})
    assert made == AlreadyExists(identifier="orders")
    assert world.faults.calls.count("CreateEndpoint") == 2


def test_a_modify_writes_only_what_it_is_given(start: Start) -> None:
    """Mode and CA change; the connection, which was not sent, stays. The engine is always sent."""
    world = start()
    endpoint = world.endpoint()
    ca = world.dms.import_certificate(NAME, PEM, tags={})
    wanted = EndpointFields(
        ssl_mode=SslMode.VERIFY_FULL, certificate_arn=ca.arn, database_name="orders"
    )
    changed = world.dms.modify_endpoint(endpoint, wanted)
    assert changed.fields.given() == PLAIN.given() | wanted.given()
    assert changed.rest_digest == endpoint.rest_digest
    sent = world.standin.log[-1].params
    assert sent["EngineName"] == "postgres"
    assert set(sent) == {
        "EndpointArn",
        "EngineName",
        "SslMode",
        "CertificateArn",
        "DatabaseName",
        "PostgreSQLSettings",
    }
    assert sent["PostgreSQLSettings"] == {"DatabaseName": "orders"}


def test_an_endpoint_with_a_secret_is_never_sent_a_connection_beside_it(start: Start) -> None:
    """Secret and plain fields exclude each other, also when only the database is written."""
    world = start()
    endpoint = world.endpoint(fields=SECRET, password=None)
    fields = EndpointFields(ssl_mode=SslMode.REQUIRE, database_name="other")
    assert world.dms.modify_endpoint(endpoint, fields).fields.database_name == "other"
    assert "DatabaseName" not in world.standin.log[-1].params
    plain = world.dms.modify_endpoint(endpoint, PLAIN, password="pa55")
    assert plain.fields == PLAIN


def test_other_settings_are_only_digested(start: Start) -> None:
    """Extra attributes and scripts change the digest, and are not to be found in the value."""
    world = start()
    plain = world.endpoint("plain")
    world.client.modify_endpoint(
        EndpointArn=plain.arn,
        ExtraConnectionAttributes="secretThing=hunter2;",
        PostgreSQLSettings={"AfterConnectScript": "SELECT 'hunter2'"},
    )
    changed = world.dms.endpoint(plain.arn)
    assert changed is not None
    assert changed.rest_digest != plain.rest_digest
    assert changed.settings_digest != plain.settings_digest
    assert "hunter2" not in changed.model_dump_json()
    renamed = changed.model_copy(update={"status": "modifying"})
    assert renamed.settings_digest == changed.settings_digest


def test_a_canary_can_be_like_another_endpoint(start: Start) -> None:
    """Extra attributes and other settings are copied; identity and connection are the canary's."""
    world = start()
    original = world.endpoint()
    world.client.modify_endpoint(
        EndpointArn=original.arn,
        ExtraConnectionAttributes="secretsManagerEndpointOverride=vpce.example.com;",
        PostgreSQLSettings={"HeartbeatSchema": "dms"},
    )
    world.dms.create_endpoint(
        "certifier-canary-orders", "source", "postgres", SECRET, tags={}, like=original.arn
    )
    canary = world.standin.endpoints()[-1]
    assert canary["ExtraConnectionAttributes"].startswith("secretsManagerEndpointOverride=")
    assert canary["PostgreSQLSettings"]["HeartbeatSchema"] == "dms"
    assert canary["PostgreSQLSettings"]["SecretsManagerSecretId"] == SECRET.secret_id
    assert "ServerName" not in canary


@pytest.mark.parametrize("code", ["InvalidParameterValueException", "ValidationException"])
def test_a_canary_goes_without_settings_that_dms_does_not_take(start: Start, code: str) -> None:
    """What DescribeEndpoints shows need not be valid input; a connection test needs none of it."""
    world = start()
    original = world.endpoint()
    world.client.modify_endpoint(
        EndpointArn=original.arn, PostgreSQLSettings={"PluginName": "test-decoding"}
    )
    shown = world.client.describe_endpoints()["Endpoints"][0]["PostgreSQLSettings"]
    assert shown["PluginName"] == "test_decoding"
    plain = world.standin._operations["CreateEndpoint"]

    def coded(params: Any) -> Any:
        try:
            return plain(params)
        except JsonRESTError as error:
            raise JsonRESTError(code, str(error.message)) from None

    world.standin._operations = {**world.standin._operations, "CreateEndpoint": coded}
    made = world.dms.create_endpoint(
        "canary", "source", "postgres", PLAIN, password="pa55", tags={"a": "b"}, like=original.arn
    )
    assert isinstance(made, Endpoint)
    assert made.fields == PLAIN
    assert "PluginName" not in world.standin.endpoints()[-1]["PostgreSQLSettings"]
    assert world.dms.tags(made.arn) == {"a": "b"}


def test_what_is_wrong_without_the_copied_settings_too_is_refused(start: Start) -> None:
    """One more call, no loop; the text, which may quote a setting, is not passed on."""
    world = start()
    original = world.endpoint()
    world.client.modify_endpoint(
        EndpointArn=original.arn, ExtraConnectionAttributes="password=hunter2"
    )
    asked: list[Any] = []

    def never(params: Any) -> Any:
        asked.append(params.get("ExtraConnectionAttributes"))
        raise JsonRESTError("InvalidParameterValueException", f"invalid: {params}")

    world.standin._operations = {**world.standin._operations, "CreateEndpoint": never}
    with pytest.raises(Refused) as caught:
        world.dms.create_endpoint(
            "canary", "source", "postgres", SECRET, tags={}, like=original.arn
        )
    assert asked == ["password=hunter2", None]
    cause, seen = refused(caught)
    assert (cause, "hunter2" in seen) == (Cause.NOT_APPLIED, False)


def test_read_only_and_iam_endpoints_are_recognised(start: Start) -> None:
    """Zero-ETL and IAM authentication are facts of the value; other engines are read too."""
    world = start()
    endpoint = world.endpoint()
    world.standin.set_read_only(endpoint.arn)
    world.client.create_endpoint(
        EndpointIdentifier="iam",
        EndpointType="target",
        EngineName="aurora-postgresql",
        PostgreSQLSettings={"AuthenticationMethod": "iam", "ServiceAccessRoleArn": "role"},
    )
    world.client.create_endpoint(
        EndpointIdentifier="mysql", EndpointType="target", EngineName="mysql"
    )
    found = {one.identifier: one for one in world.dms.all_endpoints()}
    assert found["orders"].read_only
    assert found["iam"].authentication == "iam"
    assert found["mysql"].engine == "mysql"
    with pytest.raises(Refused) as caught:
        world.dms.modify_endpoint(endpoint, EndpointFields(ssl_mode=SslMode.VERIFY_CA))
    assert refused(caught)[0] is Cause.ENDPOINT_READ_ONLY


def test_a_modify_under_a_running_task_names_the_task(start: Start) -> None:
    """`tasks_running`, whatever words DMS has for it."""
    world = start()
    endpoint, other = world.endpoint(), world.endpoint("warehouse")
    task = world.standin.add_task(
        "copy", source=endpoint.arn, target=other.arn, instance=world.passing()
    )
    with pytest.raises(Refused) as caught:
        world.dms.modify_endpoint(other, EndpointFields(ssl_mode=SslMode.NONE))
    assert refused(caught) == (Cause.TASKS_RUNNING, "tasks run on warehouse: copy")
    world.standin.set_task(task, status="stopped")
    world.dms.modify_endpoint(other, EndpointFields(ssl_mode=SslMode.NONE))


def test_a_modify_under_a_serverless_replication_names_it(start: Start) -> None:
    """`serverless_replication`, found by listing the configs."""
    world = start()
    endpoint, other = world.endpoint(), world.endpoint("warehouse")
    world.standin.add_serverless("stream", source=endpoint.arn, target=other.arn)
    assert world.dms.serverless_replications(other.arn) == ("stream",)
    with pytest.raises(Refused) as caught:
        world.dms.modify_endpoint(endpoint, EndpointFields(ssl_mode=SslMode.NONE))
    assert refused(caught)[0] is Cause.SERVERLESS_REPLICATION


def test_a_modify_of_a_busy_endpoint_is_busy(start: Start) -> None:
    """Being modified, or being tested, passes by itself."""
    world = start(modify_while_testing_accepted=False)
    endpoint = world.endpoint()
    instance = world.standin.add_instance("ri")
    world.standin.durations = Durations()
    world.standin.judge = lambda _: ""
    world.dms.test_connection(endpoint.arn, instance)
    with pytest.raises(Busy):
        world.dms.modify_endpoint(endpoint, EndpointFields(ssl_mode=SslMode.NONE))
    world.clock.time += 5
    world.dms.modify_endpoint(endpoint, EndpointFields(ssl_mode=SslMode.NONE))
    with pytest.raises(Busy):
        world.dms.modify_endpoint(endpoint, EndpointFields(ssl_mode=SslMode.NONE))
    with pytest.raises(Busy):
        world.dms.test_connection(endpoint.arn, instance)


def test_a_modify_of_what_is_gone_says_so(start: Start) -> None:
    """`endpoint_gone` for the endpoint; `not_applied` when the certificate is missing."""
    world = start()
    endpoint = world.endpoint()
    gone = "arn:aws:dms:eu-west-1:123456789012:cert:GONE"
    with pytest.raises(Refused) as caught:
        world.dms.modify_endpoint(endpoint, EndpointFields(certificate_arn=gone))
    assert refused(caught)[0] is Cause.NOT_APPLIED
    world.dms.delete_endpoint(endpoint.arn)
    with pytest.raises(Refused) as caught:
        world.dms.modify_endpoint(endpoint, EndpointFields(ssl_mode=SslMode.NONE))
    assert refused(caught)[0] is Cause.ENDPOINT_GONE


def test_an_acm_arn_is_not_taken(start: Start) -> None:
    """DMS says "Invalid certificate ARN"; its text is shown, unless a password was sent too."""
    world = start()
    endpoint = world.endpoint()
    acm = EndpointFields(certificate_arn="arn:aws:acm:eu-west-1:123456789012:certificate/1")
    with pytest.raises(Refused) as caught:
        world.dms.modify_endpoint(endpoint, acm)
    cause, seen = refused(caught)
    assert cause is Cause.NOT_APPLIED
    assert "Invalid certificate ARN" in seen
    with pytest.raises(Refused) as caught:
        world.dms.modify_endpoint(endpoint, acm, password="pa55")
    assert "Invalid certificate ARN" not in refused(caught)[1]


def test_a_role_that_has_not_propagated_passes_by_itself(start: Start) -> None:
    """AccessDeniedFault of the three calls that make DMS assume a role."""
    world = start()
    endpoint = world.endpoint()
    instance = world.standin.add_instance("ri")
    calls: dict[str, Callable[[], object]] = {
        "CreateEndpoint": lambda: world.endpoint("next"),
        "ModifyEndpoint": lambda: world.dms.modify_endpoint(endpoint, PLAIN),
        "TestConnection": lambda: world.dms.test_connection(endpoint.arn, instance),
    }
    for operation, call in calls.items():
        world.faults.inject(operation, Kind.DENY)
        with pytest.raises(NotYetConsistent):
            call()
        call()


def test_a_full_account_takes_no_endpoint(start: Start) -> None:
    """`dms_quota`: the rehearsal can then do with the probe."""
    world = start(settings={"quotas": Quotas(endpoints=1)})
    world.endpoint()
    with pytest.raises(Refused) as caught:
        world.endpoint("next")
    assert refused(caught)[0] is Cause.DMS_QUOTA


def test_an_endpoint_in_use_is_not_deleted(start: Start) -> None:
    """Busy while it is deleted already."""
    world = start(settings={"durations": dataclasses.replace(INSTANT, endpoint_deleting=2)})
    endpoint = world.endpoint()
    assert world.dms.delete_endpoint(endpoint.arn) is True
    with pytest.raises(Busy):
        world.dms.delete_endpoint(endpoint.arn)
    world.clock.time += 2
    assert world.dms.delete_endpoint(endpoint.arn) is False


def test_every_page_is_read(start: Start) -> None:
    """With 101 endpoints, nothing is left behind a marker."""
    world = start()
    for number in range(101):
        world.client.create_endpoint(
            EndpointIdentifier=f"e-{number}", EndpointType="source", EngineName="postgres"
        )
        world.clock.time += 1
    assert len(list(world.dms.all_endpoints())) == 101


@pytest.mark.parametrize("by_the_hundred", [True, False])
def test_every_certificate_is_listed_whatever_a_page_may_hold(
    start: Start, by_the_hundred: bool
) -> None:
    """The model gives DescribeCertificates a default of 10 and no maximum: neither is relied on."""
    world = start(certificates_by_the_hundred=by_the_hundred)
    for number in range(25):
        world.client.import_certificate(CertificateIdentifier=f"c-{number}", CertificatePem=PEM)
    listed = [one.identifier for one in world.dms.all_certificates()]
    assert sorted(listed) == sorted(f"c-{number}" for number in range(25))
    assert world.dms.certificate_by_identifier("c-24") is not None


def test_pages_that_never_end_are_an_error() -> None:
    """A service that always has one more page does not hold us for ever."""

    class Endless:
        pages = 0

        def describe_endpoints(self, **params: Any) -> dict[str, Any]:
            self.pages += 1
            return {"Endpoints": [], "Marker": str(self.pages)}

    endless: Any = Endless()
    with pytest.raises(Unexpected, match="pages"):
        list(Dms(endless).all_endpoints())
    assert endless.pages == 100


# ---- certificates


@pytest.mark.parametrize("normalised", [True, False])
def test_a_bundle_is_imported_once(start: Start, normalised: bool) -> None:
    """The second import of the same CAs is a look, however DMS gives the PEM back."""
    world = start(pem_normalised=normalised)
    pem = f"# comment\n{bundle(OTHER, ROOT, OTHER).decode()}"
    digest = bundle_digest(pem)
    first = world.dms.import_certificate("certifier-a", pem, tags={"certifier": "ca"})
    world.faults.calls.clear()
    again = world.dms.import_certificate("certifier-a", union(pem), tags={"certifier": "ca"})
    assert (first.digest, again.digest) == (digest, digest)
    assert again.arn == first.arn
    assert world.faults.calls == ["DescribeCertificates"]
    assert world.dms.certificate_by_arn(first.arn) == again
    assert world.dms.tags(first.arn) == {"certifier": "ca"}


@pytest.mark.parametrize("named", [True, False])
def test_a_lost_answer_of_an_import_does_no_harm(start: Start, named: bool) -> None:
    """botocore tries again and gets AlreadyExists, which means: compare and go on."""
    world = start(already_exists_names_arn=named)
    world.faults.inject("ImportCertificate", Kind.AFTER)
    made = world.dms.import_certificate(NAME, PEM, tags={})
    assert world.faults.calls.count("ImportCertificate") == 2
    assert [one["CertificateArn"] for one in world.standin.certificates()] == [made.arn]


def test_every_answer_of_an_import_may_be_lost(start: Start) -> None:
    """When all attempts are lost, the call is Unavailable; the next one finds what was made."""
    world = start()
    world.faults.inject("ImportCertificate", Kind.AFTER)
    world.faults.inject("ImportCertificate", Kind.BEFORE, times=2)
    with pytest.raises(Unavailable):
        world.dms.import_certificate(NAME, PEM, tags={})
    assert world.dms.import_certificate(NAME, PEM, tags={}).digest == bundle_digest(PEM)
    assert len(world.standin.certificates()) == 1


def test_an_identifier_with_other_content_is_a_conflict(start: Start) -> None:
    """Never the wrong CA under a name that promises the right one."""
    world = start()
    world.dms.import_certificate(NAME, OTHER.certificate_pem.decode(), tags={})
    with pytest.raises(Refused) as caught:
        world.dms.import_certificate(NAME, PEM, tags={})
    assert refused(caught)[0] is Cause.DMS_CERTIFICATE_CONFLICT
    assert NAME in refused(caught)[1]


@pytest.mark.parametrize("shown", [True, False])
def test_the_quota_is_seen_before_it_is_hit(start: Start, shown: bool) -> None:
    """`dms_quota` names the certificates that no endpoint uses, ours first; nothing is imported."""
    world = start(settings={"quotas": Quotas(certificates=3)})
    used = world.dms.import_certificate("certifier-used", PEM, tags={})
    world.endpoint(fields=PLAIN.model_copy(update={"certificate_arn": used.arn}))
    for name in ("a-foreign-one", "certifier-spare"):
        world.dms.import_certificate(name, PEM, tags={})
    if not shown:
        world.dms.quotas = dict  # type: ignore[method-assign]
    world.faults.calls.clear()
    with pytest.raises(Refused) as caught:
        world.dms.import_certificate("certifier-next", PEM, tags={})
    cause, seen = refused(caught)
    assert cause is Cause.DMS_QUOTA
    assert "no endpoint uses: certifier-spare, a-foreign-one" in seen
    assert "certifier-used" not in seen
    assert ("ImportCertificate" in world.faults.calls) is not shown
    assert world.dms.import_certificate("certifier-used", PEM, tags={}) == used


def test_quotas_are_read_by_name(start: Start) -> None:
    """DescribeAccountAttributes, one call."""
    world = start()
    world.endpoint()
    assert world.dms.quotas()["endpoints"] == Quota(used=1, most=1_000)


def test_what_dms_takes_for_no_certificate_is_refused(start: Start) -> None:
    """`ca_bundle_invalid`, with what DMS said."""
    world = start()
    with pytest.raises(Refused) as caught:
        world.dms.import_certificate("certifier-x", "hello", tags={})
    assert refused(caught)[0] is Cause.CA_BUNDLE_INVALID


def test_deleting_a_certificate_has_three_ends(start: Start) -> None:
    """In use, deleted, gone."""
    world = start()
    ca = world.dms.import_certificate(NAME, PEM, tags={})
    endpoint = world.endpoint(fields=PLAIN.model_copy(update={"certificate_arn": ca.arn}))
    assert world.dms.unused_certificates() == ()
    assert world.dms.delete_certificate(ca.arn) is Deletion.IN_USE
    world.dms.delete_endpoint(endpoint.arn)
    assert world.dms.unused_certificates() == (ca,)
    assert world.dms.delete_certificate(ca.arn) is Deletion.DELETED
    assert world.dms.delete_certificate(ca.arn) is Deletion.GONE


# ---- connection tests


def test_a_test_is_accepted_or_under_way(start: Start) -> None:
    """ "Already being tested" is a result, not an error."""
    world = start(settings={"durations": dataclasses.replace(INSTANT, testing=3)})
    endpoint = world.endpoint()
    instance = world.standin.add_instance("ri")
    world.standin.judge = lambda _: "timeout expired"
    assert world.dms.test_connection(endpoint.arn, instance) is TestStart.ACCEPTED
    assert world.dms.test_connection(endpoint.arn, instance) is TestStart.ALREADY_TESTING
    (testing,) = world.dms.connections(endpoint.arn)
    assert (testing.status, testing.message) == ("testing", None)
    with pytest.raises(Busy):
        world.dms.delete_connection(endpoint.arn, instance)
    world.clock.time += 3
    (failed,) = world.dms.connections(endpoint.arn, instance)
    assert failed.status == "failed"
    assert failed.message is not None
    assert "timeout expired" in failed.message
    assert world.dms.delete_connection(endpoint.arn, instance) is True


@pytest.mark.parametrize("anded", [True, False])
def test_connections_are_those_of_both_arns(start: Start, anded: bool) -> None:
    """Whatever DMS makes of two filters, no other endpoint's or instance's test is returned."""
    world = start(connection_filters_anded=anded)
    one, other = world.endpoint("a"), world.endpoint("b")
    first = world.passing(one, other)
    second = world.standin.add_instance("second")
    world.dms.test_connection(one.arn, second)
    assert {c.instance_arn for c in world.dms.connections(one.arn)} == {first, second}
    (only,) = world.dms.connections(one.arn, second)
    assert (only.endpoint_arn, only.instance_arn) == (one.arn, second)


def test_an_old_message_is_not_read_after_a_success(start: Start) -> None:
    """LastFailureMessage may outlive its failure."""
    world = start(old_message_kept=True)
    endpoint = world.endpoint()
    instance = world.standin.add_instance("ri")
    world.standin.judge = lambda _: "timeout expired"
    world.dms.test_connection(endpoint.arn, instance)
    assert world.dms.connections(endpoint.arn)[0].message
    world.standin.judge = lambda _: ""
    world.dms.test_connection(endpoint.arn, instance)
    (good,) = world.dms.connections(endpoint.arn)
    assert "LastFailureMessage" in world.standin.connections()[0]
    assert (good.status, good.message) == ("successful", None)


def test_a_password_in_what_dms_says_is_left_out(start: Start) -> None:
    """A driver that cannot read its connection string may print it; the message is kept."""
    world = start()
    endpoint = world.endpoint()
    world.standin.judge = lambda _: "missing = after x in connection info: password=S3cret x"
    world.dms.test_connection(endpoint.arn, world.standin.add_instance("ri"))
    message = world.dms.connections(endpoint.arn)[0].message
    assert message is not None
    assert "password=***" in message
    assert "S3cret" not in message


def test_an_instance_that_cannot_test_is_named(start: Start) -> None:
    """`instance_unavailable` with its status, or that it does not exist; the quota is its own."""
    world = start(settings={"quotas": Quotas(endpoints_per_instance=1)})
    endpoint = world.endpoint()
    busy = world.standin.add_instance("busy", status="storage-full")
    with pytest.raises(Refused) as caught:
        world.dms.test_connection(endpoint.arn, busy)
    assert refused(caught) == (
        Cause.INSTANCE_UNAVAILABLE,
        "busy is storage-full, not available",
    )
    with pytest.raises(Refused) as caught:
        world.dms.test_connection(endpoint.arn, busy[:-1])
    assert "does not exist" in refused(caught)[1]
    instance = world.passing(endpoint)
    with pytest.raises(Refused) as caught:
        world.dms.test_connection(world.endpoint("more").arn, instance)
    assert refused(caught)[0] is Cause.DMS_QUOTA
    world.dms.delete_endpoint(endpoint.arn)
    with pytest.raises(Refused) as caught:
        world.dms.test_connection(endpoint.arn, instance)
    assert refused(caught)[0] is Cause.ENDPOINT_GONE


def test_instances_tell_their_status(start: Start) -> None:
    """All of them, or those that are named."""
    world = start()
    first = world.standin.add_instance("first")
    world.standin.add_instance("second", status="modifying")
    assert [one.identifier for one in world.dms.instances([first])] == ["first"]
    assert {one.identifier: one.status for one in world.dms.instances()} == {
        "first": "available",
        "second": "modifying",
    }


# ---- tasks


def test_a_task_is_stopped_and_started(start: Start) -> None:
    """From either end; the StopDate separates this stop from any other."""
    world = start()
    source, target = world.endpoint(), world.endpoint("warehouse")
    instance = world.passing(source, target)
    arn = world.standin.add_task("copy", source=source.arn, target=target.arn, instance=instance)
    (running,) = world.dms.tasks(target.arn)
    assert (running.status, running.stop_date) == ("running", None)
    assert running.other_endpoint(target.arn) == source.arn
    assert world.dms.stop_task(arn) is True
    assert world.dms.stop_task(arn) is False
    first = world.dms.task(arn)
    assert first is not None
    assert (first.status, first.stop_reason) == ("stopped", "Stop Reason NORMAL")
    assert world.dms.start_task(arn) == Started()
    assert world.dms.stop_task(arn) is True
    second = world.dms.task(arn)
    assert first.stop_date is not None
    assert second is not None
    assert second.stop_date is not None
    assert second.stop_date > first.stop_date


@pytest.mark.parametrize(("retries", "taken"), [(0, False), (1, None)])
def test_a_stop_that_is_rejected_at_a_second_attempt_may_be_ours(
    retries: int, taken: bool | None
) -> None:
    """The first attempt may have stopped the task, its answer lost."""
    client = boto3.client(
        "dms", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    stubber = Stubber(client)
    stubber.add_client_error(
        "stop_replication_task",
        "InvalidResourceStateFault",
        "Replication task cannot be stopped, invalid state: stopping",
        response_meta={"RetryAttempts": retries},
    )
    with stubber:
        assert Dms(client).stop_task("arn:aws:dms:eu-west-1:1:task:T") is taken


@pytest.mark.parametrize("migration", ["cdc", "full-load-and-cdc"])
def test_tables_that_are_loaded_again_are_a_full_load(start: Start, migration: str) -> None:
    """A reload leaves the percentage of the first load as it is."""
    world = start()
    source, target = world.endpoint(), world.endpoint("warehouse")
    arn = world.standin.add_task(
        "copy",
        source=source.arn,
        target=target.arn,
        instance=world.standin.add_instance("first"),
        migration_type=migration,
    )

    def loads() -> bool:
        task = world.dms.task(arn)
        return task is not None and task.full_load

    assert not loads()
    world.standin.set_task(arn, tables_loading=1)
    assert loads()
    world.standin.set_task(arn, tables_loading=0)
    assert not loads()
    world.standin.set_task(arn, tables_loading=1, status="stopped")
    assert not loads()


def test_a_start_that_needs_a_test_says_so(start: Start) -> None:
    """`needs_test` is for a rejection that a new test clears, and for no other."""
    world = start(hidden_test_after_modify=False)
    source, target = world.endpoint(), world.endpoint("warehouse")
    instance = world.passing(source, target)
    arn = world.standin.add_task(
        "copy", source=source.arn, target=target.arn, instance=instance, status="stopped"
    )
    world.dms.modify_endpoint(source, EndpointFields(ssl_mode=SslMode.REQUIRE))
    rejected = world.dms.start_task(arn)
    assert isinstance(rejected, Rejected)
    assert rejected.needs_test
    world.dms.test_connection(source.arn, instance)
    assert world.dms.start_task(arn) == Started()
    again = world.dms.start_task(arn)
    assert isinstance(again, Rejected)
    assert not again.needs_test


def test_a_task_that_never_ran_is_rejected_not_reloaded(start: Start) -> None:
    """We only ever resume: what never ran cannot be resumed, and is never started afresh."""
    world = start()
    source, target = world.endpoint(), world.endpoint("warehouse")
    arn = world.standin.add_task(
        "copy",
        source=source.arn,
        target=target.arn,
        instance=world.passing(source, target),
        status="ready",
    )
    rejected = world.dms.start_task(arn)
    assert isinstance(rejected, Rejected)
    assert "RESUME_PROCESSING" in rejected.text


@pytest.mark.parametrize(
    ("kind", "status", "percent", "loads"),
    [
        ("full-load-and-cdc", "running", 40, True),
        ("full-load-and-cdc", "running", 100, False),
        ("full-load", "running", 0, True),
        ("full-load", "stopped", 40, False),
        ("cdc", "running", 0, False),
    ],
)
def test_a_full_load_is_recognised(
    start: Start, kind: str, status: str, percent: int, loads: bool
) -> None:
    """Under way: a running task of a kind that loads, below 100 %."""
    world = start()
    source, target = world.endpoint(), world.endpoint("warehouse")
    world.standin.add_task(
        "copy",
        source=source.arn,
        target=target.arn,
        instance=world.passing(),
        status=status,
        migration_type=kind,
        full_load_percent=percent,
    )
    assert world.dms.tasks(source.arn)[0].full_load is loads


# ---- errors that every call shares


def test_throttles_are_tried_again_and_then_ours(start: Start) -> None:
    """botocore tries three times in all; then the machine's back-off takes over."""
    world = start()
    world.endpoint()
    world.faults.inject("DescribeEndpoints", Kind.THROTTLE, times=2)
    assert world.dms.endpoint("orders") is not None
    world.faults.inject("DescribeEndpoints", Kind.THROTTLE, times=3)
    with pytest.raises(Throttled):
        world.dms.endpoint("orders")


def test_a_service_that_does_not_answer_is_unavailable(start: Start) -> None:
    """Within bounds: three attempts, then Unavailable."""
    world = start()
    world.faults.inject("DescribeReplicationTasks", Kind.BEFORE, times=3)
    with pytest.raises(Unavailable):
        world.dms.tasks("arn:aws:dms:eu-west-1:123456789012:endpoint:X")
    assert world.faults.calls.count("DescribeReplicationTasks") == 3
