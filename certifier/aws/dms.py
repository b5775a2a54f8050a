"""DMS: endpoints, their certificates, connection tests and tasks, in our own values.

Every fact about the service that a line here rests on is in the AWS notes, sections 1 to 6. Where a
behaviour is not confirmed, the code works either way: a filter without a match is an error or an
empty list, ``ResourceAlreadyExistsFault`` names the ARN or not, two filters are ANDed or not.

A write may have happened although the call raised: whoever calls again reads first.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from certifier import certificate
from certifier.aws.answers import matching, require_asked, require_same
from certifier.aws.clients import code_of, message_of, translate
from certifier.aws.dms_shapes import (
    certificate_of,
    connection_of,
    data_provider_of,
    endpoint_of,
    parameters,
    replication_config_of,
    tag_list,
    task_of,
    with_settings_of,
)
from certifier.endpoint.facts import (
    Connection,
    DataProvider,
    DmsCertificate,
    Endpoint,
    EndpointFields,
    ReplicationConfig,
    ReplicationTask,
)
from certifier.errors import Busy, NotYetConsistent, Refused, Throttled, Unexpected
from certifier.models import Fact
from certifier.vocabulary import Cause

if TYPE_CHECKING:
    from mypy_boto3_dms import DatabaseMigrationServiceClient

OURS = "certifier-"
"""What the identifiers of our certificates begin with."""

_PAGE = 100
_PAGES = 100  # ten times the largest quota of the service
_TAGGED = 200  # resources whose tags are asked for in one call
_NAMED = 20  # how many certificates a finding names
_BUSY_TASK = ("starting", "running")
_NOT_FOUND = "ResourceNotFoundFault"
_EXISTS = "ResourceAlreadyExistsFault"
_STATE = "InvalidResourceStateFault"
_QUOTA = "ResourceQuotaExceededFault"
_DENIED = "AccessDeniedFault"
_INVALID = (
    "InvalidParameterValueException",
    "InvalidParameterCombinationException",
    "ValidationException",  # what is not one of the words that the API's model lists
)


class TestStart(StrEnum):
    """What DMS made of our call to test a connection."""

    __test__ = False  # pytest takes it for a test

    ACCEPTED = "accepted"
    ALREADY_TESTING = "already_testing"  # another test, perhaps DMS's own, is under way


class Deletion(StrEnum):
    """What became of a certificate that was to be deleted."""

    DELETED = "deleted"
    IN_USE = "in_use"
    GONE = "gone"


class AlreadyExists(Fact):
    """There is an endpoint of that identifier already; whose it is, its tags say."""

    identifier: str


class Started(Fact):
    """DMS took the start of a task; whether it runs, its status will say."""


class Rejected(Fact):
    """DMS did not take the start of a task. ``needs_test``: a passing test would permit it."""

    text: str
    needs_test: bool


class ReplicationInstance(Fact):
    """A replication instance. It runs tests and tasks only while ``status`` is ``available``."""

    arn: str
    identifier: str
    status: str
    engine_version: str | None = None


class Quota(NamedTuple):
    """How much of a quota is used, and the most that there can be."""

    used: int
    most: int


class _Fault(NamedTuple):
    """A fault that the caller expects and has an answer for. ``retried``: not the first attempt."""

    code: str
    text: str
    retried: bool = False


class Dms:
    """DMS in one account and Region.

    Raises, from every method:
        Retryable: the service asked us to slow down, did not answer, or is busy.
        Refused: a person must act; ``seen`` says what DMS said.
        Unexpected: an error that is not expected.
    """

    def __init__(self, client: "DatabaseMigrationServiceClient") -> None:
        self._client = client

    # ---- endpoints

    def endpoint(self, name: str) -> Endpoint | None:
        """Return the endpoint of this identifier or ARN; ``None`` when there is none. One call."""
        described = self._described(name)
        return None if described is None else endpoint_of(described)

    def all_endpoints(self) -> Iterator[Endpoint]:
        """Yield every endpoint of the account and Region, of whatever engine."""
        for described in self._listed("describe_endpoints", "Endpoints"):
            yield endpoint_of(described)

    def create_endpoint(
        self,
        identifier: str,
        endpoint_type: str,
        engine: str,
        fields: EndpointFields,
        *,
        password: str | None = None,
        tags: Mapping[str, str],
        like: str | None = None,
        resource: str | None = None,
    ) -> Endpoint | AlreadyExists:
        """Create an endpoint, or say that its identifier is taken.

        Args:
            endpoint_type: ``source`` or ``target``, in any case.
            like: ARN of an endpoint whose extra connection attributes and other settings are
                copied, as a canary needs them. They may hold secrets, so they go from call to call
                and nowhere else. What DMS shows of them need not be valid input, or may name what
                is not ours to use: whatever it says to them, the endpoint is created without them.

            resource: what the ARN ends with, at most 31 characters; default: DMS makes it up.

        Raises:
            NotYetConsistent: the role was just made, and DMS may not assume it yet.
            Refused: ``dms_quota``, ``not_applied``, ``aws_denied``.
        """
        named = {} if resource is None else {"ResourceIdentifier": resource}
        own = params = parameters(fields, password, by_secret=fields.secret_id is not None)
        if like is not None:
            params = with_settings_of(self._described(like) or {}, params)

        def create(params: dict[str, Any]) -> Mapping[str, Any] | _Fault:
            return self._ask(
                "create_endpoint",
                (_EXISTS, _QUOTA, _DENIED, _NOT_FOUND, *_INVALID),
                EndpointIdentifier=identifier,
                EndpointType=endpoint_type.lower(),
                EngineName=engine,
                Tags=tag_list(tags),
                **named,
                **params,
            )

        if params == own or (answer := _unless_refused(create, params)) is None:
            answer = create(own)
        match answer:
            case _Fault(code=code) if code == _EXISTS:
                return AlreadyExists(identifier=identifier)
            case _Fault(code=code) if code == _QUOTA:
                raise Refused(Cause.DMS_QUOTA, seen=f"no room for the endpoint {identifier}")
            case _Fault():
                raise _not_taken(identifier, answer, secret=password is not None or params != own)
        return endpoint_of(answer["Endpoint"])

    def modify_endpoint(
        self, endpoint: Endpoint, fields: EndpointFields, *, password: str | None = None
    ) -> Endpoint:
        """Write ``fields`` to an endpoint, and nothing else but its engine, which DMS wants to see.

        Raises:
            Busy: it is being created, modified or tested.
            NotYetConsistent: the role was just made, and DMS may not assume it yet.
            Refused: ``tasks_running`` or ``serverless_replication``, naming them;
                ``endpoint_read_only``, ``endpoint_gone``, ``not_applied``, ``aws_denied``.
        """
        by_secret = fields.secret_id is not None or (
            endpoint.fields.secret_id is not None and fields.server_name is None
        )
        answer = self._ask(
            "modify_endpoint",
            (_STATE, _NOT_FOUND, _DENIED, *_INVALID),
            EndpointArn=endpoint.arn,
            EngineName=endpoint.engine,
            **parameters(fields, password, by_secret=by_secret),
        )
        match answer:
            case _Fault(code=code) if code == _STATE:
                raise self._held(endpoint)
            case _Fault(code=code) if code == _NOT_FOUND and self.endpoint(endpoint.arn) is None:
                raise Refused(Cause.ENDPOINT_GONE, seen=f"{endpoint.identifier} is gone")
            case _Fault():
                raise _not_taken(endpoint.identifier, answer, secret=password is not None)
        return endpoint_of(answer["Endpoint"])

    def _held(self, endpoint: Endpoint) -> Busy | Refused:
        """Return why an endpoint could not be modified: DMS's words for it are not known."""
        now = self.endpoint(endpoint.arn)
        if now is not None and now.read_only:
            seen = f"{endpoint.identifier} is managed by a zero-ETL integration"
            return Refused(Cause.ENDPOINT_READ_ONLY, seen=seen)
        running = [
            task.identifier for task in self.tasks(endpoint.arn) if task.status in _BUSY_TASK
        ]
        if running:
            seen = f"tasks run on {endpoint.identifier}: {', '.join(running)}"
            return Refused(Cause.TASKS_RUNNING, seen=seen)
        if now is not None and now.status == "active" and not self._is_tested(endpoint.arn):
            serverless = self.serverless_replications(endpoint.arn)
            if serverless:
                seen = f"serverless replications use {endpoint.identifier}: {', '.join(serverless)}"
                return Refused(Cause.SERVERLESS_REPLICATION, seen=seen)
        return Busy(f"ModifyEndpoint: {_STATE}")

    def _is_tested(self, endpoint_arn: str) -> bool:
        return any(one.status == "testing" for one in self.connections(endpoint_arn))

    def delete_endpoint(self, arn: str) -> bool:
        """Start to delete an endpoint; ``False`` when it is gone already.

        Raises:
            Busy: it is being deleted already, or tested, or a task uses it.
        """
        answer = self._ask("delete_endpoint", (_NOT_FOUND, _STATE), EndpointArn=arn)
        match answer:
            case _Fault(code=code) if code == _NOT_FOUND:
                return False
            case _Fault():
                raise Busy(f"DeleteEndpoint: {_STATE}")
        return True

    def _described(self, name: str) -> Mapping[str, Any] | None:
        by_arn = name.startswith("arn:")
        kind = "endpoint-arn" if by_arn else "endpoint-id"
        key = "EndpointArn" if by_arn else "EndpointIdentifier"
        found = self._listed("describe_endpoints", "Endpoints", (kind, name))
        return next((one for one in found if one[key].lower() == name.lower()), None)

    # ---- certificates

    def certificate_by_arn(self, arn: str) -> DmsCertificate | None:
        """Return the certificate with this ARN; ``None`` when there is none. One call."""
        return self._certificate("certificate-arn", arn)

    def certificate_by_identifier(self, identifier: str) -> DmsCertificate | None:
        """Return the certificate with this identifier; ``None`` when there is none. One call."""
        return self._certificate("certificate-id", identifier)

    def all_certificates(self) -> Iterator[DmsCertificate]:
        """Yield every certificate of the account and Region, wallets (without PEM) included."""
        for described in self._listed("describe_certificates", "Certificates"):
            yield certificate_of(described)

    def import_certificate(
        self, identifier: str, pem: str, *, tags: Mapping[str, str]
    ) -> DmsCertificate:
        """Return the certificate with this identifier and content, importing it when missing.

        Certificates are immutable, so calling again is safe, after a lost answer too.

        Raises:
            NotYetConsistent: DMS has it, and does not show it yet.
            Refused: ``dms_certificate_conflict`` when the identifier holds something else,
                ``dms_quota`` with the certificates that could go, ``ca_bundle_invalid``.
        """
        digest = certificate.bundle_digest(pem)
        found = self.certificate_by_identifier(identifier)
        if found is not None:
            return _same(found, digest)
        certificates = self.quotas().get("certificates")
        if certificates is not None and certificates.used >= certificates.most:
            raise self._no_room(identifier, certificates)
        answer = self._ask(
            "import_certificate",
            (_EXISTS, _QUOTA, "InvalidCertificateFault", *_INVALID),
            CertificateIdentifier=identifier,
            CertificatePem=pem,
            Tags=tag_list(tags),
        )
        match answer:
            case _Fault(code=code) if code == _EXISTS:
                found = self.certificate_by_identifier(identifier)
                if found is None:
                    raise NotYetConsistent(f"ImportCertificate: {_EXISTS}")
                return _same(found, digest)
            case _Fault(code=code) if code == _QUOTA:
                raise self._no_room(identifier, certificates)
            case _Fault(text=text):
                seen = f"DMS does not take the CA bundle: {text}"
                raise Refused(Cause.CA_BUNDLE_INVALID, seen=seen)
        return certificate_of(answer["Certificate"])

    def delete_certificate(self, arn: str) -> Deletion:
        """Delete a certificate, unless an endpoint uses it."""
        answer = self._ask("delete_certificate", (_NOT_FOUND, _STATE), CertificateArn=arn)
        match answer:
            case _Fault(code=code):
                return Deletion.GONE if code == _NOT_FOUND else Deletion.IN_USE
        return Deletion.DELETED

    def unused_certificates(self) -> tuple[DmsCertificate, ...]:
        """Return the certificates that no endpoint uses now. No filter knows: all are listed.

        Nor a data provider, if those may be listed.
        """
        used = {endpoint.fields.certificate_arn for endpoint in self.all_endpoints()}
        with contextlib.suppress(Refused, Unexpected):
            used |= {provider.certificate_arn for provider in self.data_providers()}
        return tuple(one for one in self.all_certificates() if one.arn not in used)

    def data_providers(self) -> tuple[DataProvider, ...]:
        """Return every data provider, of whatever engine: each may hold a DMS certificate.

        Raises:
            Refused: ``aws_denied``: the right is called dms:ListDataProviders.
        """
        found = self._listed("describe_data_providers", "DataProviders")
        return tuple(map(data_provider_of, found))

    def _certificate(self, kind: str, value: str) -> DmsCertificate | None:
        found = self._listed("describe_certificates", "Certificates", (kind, value))
        return next(
            (
                one
                for one in map(certificate_of, found)
                if value.lower() in (one.identifier.lower(), one.arn.lower())
            ),
            None,
        )

    def _no_room(self, identifier: str, quota: Quota | None) -> Refused:
        unused = sorted(one.identifier for one in self.unused_certificates())
        ours = [name for name in unused if name.startswith(OURS)]
        others = [name for name in unused if not name.startswith(OURS)]
        named = ", ".join((ours + others)[:_NAMED]) or "none"
        more = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
        counted = f"{quota.used} of {quota.most}" if quota else "all"
        return Refused(
            Cause.DMS_QUOTA,
            seen=f"no room for the certificate {identifier}: {counted} DMS certificates are used; "
            f"no endpoint uses: {named}{more}",
        )

    # ---- connection tests

    def test_connection(self, endpoint_arn: str, instance_arn: str) -> TestStart:
        """Start a test of an endpoint from a replication instance.

        Raises:
            Busy: the endpoint is being created or modified, or the connection deleted.
            NotYetConsistent: the role was just made, and DMS may not assume it yet.
            Refused: ``instance_unavailable`` with its status, ``endpoint_gone``, ``dms_quota``.
        """
        answer = self._ask(
            "test_connection",
            (_STATE, _NOT_FOUND, _QUOTA, _DENIED),
            EndpointArn=endpoint_arn,
            ReplicationInstanceArn=instance_arn,
        )
        match answer:
            case _Fault(code=code, text=text) if code == _STATE:
                if "already being tested" in text:
                    return TestStart.ALREADY_TESTING
                self.require_available(instance_arn)
                raise Busy(f"TestConnection: {_STATE}")
            case _Fault(code=code) if code == _NOT_FOUND:
                self.require_available(instance_arn)
                raise Refused(Cause.ENDPOINT_GONE, seen=f"{endpoint_arn} is gone")
            case _Fault(code=code) if code == _QUOTA:
                seen = f"{instance_arn} serves no more endpoints"
                raise Refused(Cause.DMS_QUOTA, seen=seen)
            case _Fault(code=code):
                raise NotYetConsistent(f"TestConnection: {code}")
        return TestStart.ACCEPTED

    def connections(
        self, endpoint_arn: str, instance_arn: str | None = None
    ) -> tuple[Connection, ...]:
        """Return what DMS shows of the tests of one endpoint. One call.

        Only one filter is sent: whether two are ANDed is not known. Both ARNs are compared here.
        """
        found = self._listed("describe_connections", "Connections", ("endpoint-arn", endpoint_arn))
        return tuple(
            connection_of(one)
            for one in found
            if one["EndpointArn"] == endpoint_arn
            and instance_arn in (None, one["ReplicationInstanceArn"])
        )

    def all_connections(self) -> Iterator[Connection]:
        """Yield what DMS shows of the tests of every endpoint, of whatever engine."""
        for described in self._listed("describe_connections", "Connections"):
            yield connection_of(described)

    def delete_connection(self, endpoint_arn: str, instance_arn: str) -> bool:
        """Forget the tests of an endpoint from an instance; ``False`` when there is none.

        Raises:
            Busy: a test is under way.
        """
        answer = self._ask(
            "delete_connection",
            (_NOT_FOUND, _STATE),
            EndpointArn=endpoint_arn,
            ReplicationInstanceArn=instance_arn,
        )
        match answer:
            case _Fault(code=code) if code == _NOT_FOUND:
                return False
            case _Fault():
                raise Busy(f"DeleteConnection: {_STATE}")
        return True

    def require_available(self, *instance_arns: str) -> None:
        """Return if all these instances are there and available. One call.

        Raises:
            Refused: ``instance_unavailable``, naming each that is not.
        """
        known = {instance.arn: instance for instance in self.instances(instance_arns)}
        away = []
        for arn in instance_arns:
            instance = known.get(arn)
            if instance is None:
                away.append(f"{arn} does not exist")
            elif instance.status != "available":
                away.append(f"{instance.identifier} is {instance.status}, not available")
        if away:
            raise Refused(Cause.INSTANCE_UNAVAILABLE, seen="; ".join(away))

    # ---- tasks and instances

    def tasks(self, endpoint_arn: str) -> tuple[ReplicationTask, ...]:
        """Return every task with the endpoint at one of its ends."""
        found = self._listed(
            "describe_replication_tasks",
            "ReplicationTasks",
            ("endpoint-arn", endpoint_arn),
            WithoutSettings=True,
        )
        return tuple(
            task
            for task in map(task_of, found)
            if endpoint_arn in (task.source_endpoint_arn, task.target_endpoint_arn)
        )

    def all_tasks(self) -> Iterator[ReplicationTask]:
        """Yield every task of the account and Region."""
        for described in self._listed(
            "describe_replication_tasks", "ReplicationTasks", WithoutSettings=True
        ):
            yield task_of(described)

    def task(self, arn: str) -> ReplicationTask | None:
        """Return one task; ``None`` when it is gone. One call."""
        found = self._listed(
            "describe_replication_tasks",
            "ReplicationTasks",
            ("replication-task-arn", arn),
            WithoutSettings=True,
        )
        return next((task for task in map(task_of, found) if task.arn == arn), None)

    def stop_task(self, arn: str) -> bool | None:
        """Have a task stop; ``False`` when its status does not allow it, or it is gone.

        ``None``: that is the answer to a second attempt, and the first one may have stopped it.
        """
        answer = self._ask("stop_replication_task", (_STATE, _NOT_FOUND), ReplicationTaskArn=arn)
        if not isinstance(answer, _Fault):
            return True
        return None if answer.retried else False

    def start_task(self, arn: str) -> Started | Rejected:
        """Have a task that ran before go on where it stopped."""
        answer = self._ask(
            "start_replication_task",
            (_STATE, _NOT_FOUND, *_INVALID),
            ReplicationTaskArn=arn,
            StartReplicationTaskType="resume-processing",
        )
        match answer:
            case _Fault(code=code, text=text):
                needs_test = code == _STATE and "should be successful" in text
                return Rejected(text=text, needs_test=needs_test)
        return Started()

    def serverless_replications(self, endpoint_arn: str) -> tuple[str, ...]:
        """Return the identifiers of the replication configs with the endpoint at one end."""
        return tuple(
            one.identifier
            for one in self.replication_configs()
            if endpoint_arn in (one.source_endpoint_arn, one.target_endpoint_arn)
        )

    def replication_configs(self) -> tuple[ReplicationConfig, ...]:
        """Return every serverless replication of the account and Region."""
        found = self._listed("describe_replication_configs", "ReplicationConfigs")
        return tuple(map(replication_config_of, found))

    def instances(self, arns: Iterable[str] | None = None) -> tuple[ReplicationInstance, ...]:
        """Return the replication instances with these ARNs, or all; unknown ones are left out."""
        wanted = None if arns is None else frozenset(arns)
        if wanted is not None and not wanted:
            return ()
        named = () if wanted is None else (("replication-instance-arn", *sorted(wanted)),)
        found = self._listed("describe_replication_instances", "ReplicationInstances", *named)
        return tuple(
            ReplicationInstance(
                arn=one["ReplicationInstanceArn"],
                identifier=one["ReplicationInstanceIdentifier"],
                status=one["ReplicationInstanceStatus"],
                engine_version=one.get("EngineVersion"),
            )
            for one in found
            if wanted is None or one["ReplicationInstanceArn"] in wanted
        )

    def only_instance(self) -> ReplicationInstance | None:
        """Return the one replication instance of the account and Region, if it can be used."""
        found = [each for each in self.instances() if each.status != "deleting"]
        return found[0] if len(found) == 1 and found[0].status == "available" else None

    # ---- quotas and tags

    def quotas(self) -> dict[str, Quota]:
        """Return the account's quotas by lower-case name, such as ``certificates``. One call."""
        answer = self._ask("describe_account_attributes")
        assert not isinstance(answer, _Fault)
        return {
            str(one["AccountQuotaName"]).lower(): Quota(int(one["Used"]), int(one["Max"]))
            for one in answer["AccountQuotas"]
        }

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource; empty when there is no such resource."""
        answer = self._ask("list_tags_for_resource", (_NOT_FOUND,), ResourceArn=arn)
        if isinstance(answer, _Fault):
            return {}
        found = answer["TagList"]
        require_same("list_tags_for_resource", _tagged(found), [arn])
        return {one["Key"]: one.get("Value", "") for one in found}

    def tags_of(self, arns: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the tags of many resources, by ARN; those that are not there have none.

        One call for as many as DMS takes at once. How many that is, nobody has written down, and
        one resource that is gone spoils the call: what is refused is asked again in halves.
        """
        found: dict[str, dict[str, str]] = {arn: {} for arn in arns}
        known, size = list(found), _TAGGED
        waiting = [known[at : at + size] for at in range(0, len(known), size)]
        while waiting:
            part = waiting.pop()
            answer = self._ask(
                "list_tags_for_resource", (_NOT_FOUND, *_INVALID), ResourceArnList=part
            )
            if not isinstance(answer, _Fault):
                require_same("list_tags_for_resource", _tagged(answer["TagList"]), part)
                for one in answer["TagList"]:
                    found.setdefault(one["ResourceArn"], {})[one["Key"]] = one.get("Value", "")
            elif len(part) > 1:
                half = len(part) // 2
                waiting += [part[:half], part[half:]]
        return found

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags to a resource."""
        self._ask("add_tags_to_resource", ResourceArn=arn, Tags=tag_list(tags))

    # ---- calls

    def _ask(
        self, operation: str, expected: tuple[str, ...] = (), **params: Any
    ) -> Mapping[str, Any] | _Fault:
        """Call the service. A fault in ``expected`` is returned, any other raised as ours."""
        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**params)
        except (ClientError, BotoCoreError) as error:
            code = code_of(error)
            if code in expected:
                return _Fault(code, message_of(error), retried=_was_retried(error))
            if code == "KMSThrottlingFault":
                raise Throttled(f"{operation}: {code}") from None
            if code.startswith("KMS"):
                seen = f"{operation}: {message_of(error)}"
                raise Refused(Cause.AWS_DENIED, seen=seen) from None
            raise translate(error) from None
        require_asked(operation, params, answer)
        return answer

    def _listed(
        self, operation: str, key: str, *filters: tuple[str, ...], **params: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Yield every entry of every page; nothing when a filter matches nothing.

        Raises when a page is missing, or is about something else than the filters: what is not all
        passes for all to whoever asks whether something is there.
        """
        if filters:
            params["Filters"] = [
                {"Name": name, "Values": list(values)} for name, *values in filters
            ]
        params["MaxRecords"] = _PAGE
        # The model of DescribeCertificates has a default of 10, and does not say what it takes.
        asks = _INVALID if operation == "describe_certificates" else ()
        for _ in range(_PAGES):
            answer = self._ask(operation, (_NOT_FOUND, *asks), **params)
            if isinstance(answer, _Fault) and answer.code in asks:
                del params["MaxRecords"]
                asks = ()
                continue
            before = params.get("Marker")
            if isinstance(answer, _Fault):
                if before is not None:  # what came so far is not all
                    raise NotYetConsistent(f"{operation}: the next page is not there")
                return
            yield from matching(operation, answer[key], filters)
            marker = answer.get("Marker")
            if not marker:
                return
            if marker == before:
                raise Unexpected(f"{operation}: the same page comes again")
            params["Marker"] = marker
        raise Unexpected(f"{operation}: more than {_PAGES} pages")


def _tagged(tags: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the resources that tags are of, where they say so: of one resource, they need not."""
    return [one["ResourceArn"] for one in tags if one.get("ResourceArn")]


def _unless_refused(
    create: Callable[[dict[str, Any]], Mapping[str, Any] | _Fault], params: dict[str, Any]
) -> Mapping[str, Any] | _Fault | None:
    """Return what has come of creating an endpoint; ``None``: its settings may be the reason."""
    try:
        answer = create(params)
    except (Refused, Unexpected):
        return None
    return None if isinstance(answer, _Fault) and answer.code not in (_EXISTS, _QUOTA) else answer


def _was_retried(error: ClientError | BotoCoreError) -> bool:
    """Whether botocore had made the call before, with an answer that got lost."""
    if not isinstance(error, ClientError):
        return False
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _same(found: DmsCertificate, digest: str) -> DmsCertificate:
    """Return a certificate that was there already, once it is known to hold the same CAs."""
    if found.digest != digest:
        seen = f"{found.identifier} ({found.arn}) holds other certificates than its name says"
        raise Refused(Cause.DMS_CERTIFICATE_CONFLICT, seen=seen)
    return found


def _not_taken(identifier: str, fault: _Fault, *, secret: bool) -> NotYetConsistent | Refused:
    """Return our error for a create or modify. DMS may quote a value: not where a secret went.

    That is a password, or a setting of somebody else's that may hold one.
    """
    if fault.code == _DENIED:
        return NotYetConsistent(f"{identifier}: {_DENIED}")
    said = fault.code if secret else f"{fault.code}: {fault.text}"
    return Refused(Cause.NOT_APPLIED, seen=f"DMS did not take the settings of {identifier}: {said}")
