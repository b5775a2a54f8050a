"""A stand-in for AWS DMS behind moto's URL: what the AWS facts say of the real one, and no more.

moto answers requests for DMS with its own backend, which lacks half of the operations and changes
everything at once. :class:`DmsStandIn` takes its place: it keeps endpoints, certificates,
connections, instances and tasks of one account in one Region, lets states take their time on the
clock it is given, and makes connection tests with real libpq in a thread. Request shapes are
checked by botocore before a call arrives here, so only rules that the model does not hold are
written down.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import moto.dms.urls
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, BaseResponse
from moto.secretsmanager.models import secretsmanager_backends

from certifier.certificate import certificates_in
from sandbox.dms.certificates import Certificates
from sandbox.dms.connections import Connections
from sandbox.dms.endpoints import Endpoints
from sandbox.dms.events import Events
from sandbox.dms.serverless import Replications
from sandbox.dms.switches import Durations, Quotas, Switches
from sandbox.dms.tasks import Instances, Tasks
from sandbox.dms.world import (
    PLAIN,
    Fault,
    Operations,
    Serverless,
    World,
    copy_of,
    invalid,
    not_found,
    page,
)


@dataclass(frozen=True)
class Call:
    """One call that arrived: the operation, its parameters without passwords, and how it ended."""

    operation: str
    params: Mapping[str, Any]
    error: str | None
    at: float


class DmsStandIn(World):
    """DMS in one account and Region.

    ``resolve`` maps host names to the addresses that DMS sees; with a map, names outside it do not
    resolve, and :data:`BLACKHOLE` as an address swallows packets. ``clock`` gives seconds since the
    epoch on the clock that every state duration is counted in, and ``tick`` adds that many seconds
    per call, so that a test without a clock moves by polling. ``secrets`` returns the text of a
    secret (default: moto's Secrets Manager). ``patience`` is how long, in real seconds, a call
    waits for libpq when the time of a test is over on the clock.

    ``switches``, ``durations``, ``quotas``, ``resolve`` and ``judge`` may be replaced at any time.
    ``judge(endpoint)`` sees an endpoint as DescribeEndpoints shows it, and returns the words with
    which a test of it fails, "" to let it pass, or None to let libpq decide. ``may(role, action,
    resource)`` says whether a role that DMS assumes may do something.
    """

    def __init__(
        self,
        *,
        switches: Switches | None = None,
        durations: Durations | None = None,
        quotas: Quotas | None = None,
        resolve: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        tick: float = 0.0,
        account: str = "123456789012",
        region: str = "eu-west-1",
        secrets: Callable[[str], str] | None = None,
        patience: float = 0.0,
    ) -> None:
        super().__init__(
            switches=switches or Switches(),
            durations=durations or Durations(),
            quotas=quotas or Quotas(),
            resolve=resolve,
            clock=clock,
            tick=tick,
            account=account,
            region=region,
            secrets=secrets or self._moto_secret,
        )
        self.patience = patience
        self.log: list[Call] = []
        self.on_answer: list[Callable[[Call], object]] = []
        self._tokens = float(self.quotas.calls_at_once)
        self._refilled = self.now()
        self._certificates = Certificates(self)
        self._connections = Connections(self)
        self._endpoints = Endpoints(self, self._connections)
        self._instances = Instances(self)
        self._tasks = Tasks(self)
        self._operations: Operations = {
            **self._certificates.operations(),
            **self._connections.operations(),
            **self._endpoints.operations(),
            **self._instances.operations(),
            **self._tasks.operations(),
            **Events(self).operations(),
            **Replications(self).operations(),
            "AddTagsToResource": self._add_tags_to_resource,
            "DescribeAccountAttributes": self._describe_account_attributes,
            "DescribeDataProviders": self._describe_data_providers,
            "ListTagsForResource": self._list_tags_for_resource,
            "RemoveTagsFromResource": self._remove_tags_from_resource,
        }

    # -- what a harness or a test uses -------------------------------------------------------

    @contextmanager
    def installed(self) -> Iterator["DmsStandIn"]:
        """Answer DMS calls inside ``mock_aws()``; afterwards moto's own DMS answers again."""
        before = moto.dms.urls.url_paths["{0}/$"]

        def dispatch(*args: Any, **kwargs: Any) -> Any:
            return _Response(self)._dispatch(*args, **kwargs)

        moto.dms.urls.url_paths["{0}/$"] = dispatch
        try:
            yield self
        finally:
            moto.dms.urls.url_paths["{0}/$"] = before
            self.settle()

    def settle(self, timeout: float = 30.0) -> None:
        """Wait for connections under way (real seconds), so that none outlives its server."""
        self._connections.settle(timeout)

    def add_instance(
        self, identifier: str, *, status: str = "available", engine_version: str = "3.6.1"
    ) -> str:
        """A replication instance that is there; returns its ARN."""
        with self.lock:
            instance = self._instances.add(
                {"ReplicationInstanceIdentifier": identifier, "EngineVersion": engine_version},
                status,
            )
            return str(instance.seen["ReplicationInstanceArn"])

    def set_instance_status(self, arn: str, status: str) -> None:
        """Let an instance be, say, `modifying` or `storage-full`."""
        with self.lock:
            self.state.instances[arn].seen["ReplicationInstanceStatus"] = status

    def add_task(
        self,
        identifier: str,
        *,
        source: str,
        target: str,
        instance: str,
        status: str = "running",
        migration_type: str = "cdc",
        full_load_percent: int = 100,
        start_failure: str | None = None,
    ) -> str:
        """A task between two endpoints (ARNs); returns its ARN.

        Any status but `ready` and `creating` means that it has run before. With `start_failure` it
        fails with that message whenever it is started.
        """
        with self.lock:
            task = self._tasks.add(
                {
                    "ReplicationTaskIdentifier": identifier,
                    "SourceEndpointArn": source,
                    "TargetEndpointArn": target,
                    "ReplicationInstanceArn": instance,
                    "MigrationType": migration_type,
                    "TableMappings": "{}",
                },
                status,
            )
            task.ran = status not in ("ready", "creating")
            task.start_failure = start_failure
            task.seen["ReplicationTaskStats"]["FullLoadProgressPercent"] = full_load_percent
            if task.ran:
                self._tasks.started(task)
                task.seen["Status"] = status
            if status == "stopped":
                self._tasks.stopped(task)
            elif status == "failed":
                self._tasks.failed(task, TASK_ERROR)
            return str(task.seen["ReplicationTaskArn"])

    def set_task(
        self,
        arn: str,
        *,
        status: str | None = None,
        message: str | None = None,
        stop_reason: str | None = None,
        full_load_percent: int | None = None,
        tables_loading: int | None = None,
        start_failure: str | None = None,
    ) -> None:
        """Let a task do something by itself: fail, move, finish its load, refuse to start."""
        with self.lock:
            task = self.state.tasks[arn]
            if status == "stopped":
                self._tasks.stopped(task)
            elif status == "failed":
                self._tasks.failed(task, TASK_ERROR)
            elif status is not None:
                task.seen["Status"] = status
            if message is not None:
                task.seen["LastFailureMessage"] = message
            if stop_reason is not None:
                task.seen["StopReason"] = stop_reason
            if full_load_percent is not None:
                task.seen["ReplicationTaskStats"]["FullLoadProgressPercent"] = full_load_percent
            if tables_loading is not None:
                task.seen["ReplicationTaskStats"]["TablesLoading"] = tables_loading
            task.start_failure = start_failure

    def add_serverless(
        self,
        identifier: str,
        *,
        source: str,
        target: str,
        status: str = "running",
        failure: str | None = None,
    ) -> str:
        """A serverless replication between two endpoints; returns the ARN of its config.

        ``failure`` is why the test of its source failed.
        """
        with self.lock:
            arn = self.new_arn("replication-config")
            now = self.date()
            self.state.configs[arn] = Serverless(
                {
                    "ReplicationConfigIdentifier": identifier,
                    "ReplicationConfigArn": arn,
                    "SourceEndpointArn": source,
                    "TargetEndpointArn": target,
                    "ReplicationType": "cdc",
                    "IsReadOnly": False,
                    "ReplicationConfigCreateTime": now,
                    "ReplicationConfigUpdateTime": now,
                },
                status,
                failure,
            )
            return arn

    def add_data_provider(self, name: str, **settings: Any) -> str:
        """A data provider for PostgreSQL with those settings; returns its ARN."""
        with self.lock:
            arn = self.new_arn("data-provider")
            self.state.providers[arn] = {
                "DataProviderName": name,
                "DataProviderArn": arn,
                "Engine": "postgres",
                "Settings": {"PostgreSqlSettings": settings},
            }
            return arn

    def set_read_only(self, arn: str, *, read_only: bool = True) -> None:
        """Let an endpoint be managed by a zero-ETL integration."""
        with self.lock:
            self.state.endpoints[arn].seen["IsReadOnly"] = read_only

    def fail_after_change(self, identifier: str, words: str = "timeout expired") -> None:
        """Let tests of an endpoint fail for any settings but those it has now.

        Plays "the rehearsal passes, but DMS cannot connect after the change": a canary has another
        identifier and is judged by libpq, and the old settings connect again once they are back.
        """
        with self.lock:
            good = next(
                self.seen_endpoint(endpoint)
                for endpoint in self.state.endpoints.values()
                if endpoint.seen["EndpointIdentifier"] == identifier
            )
        fields = ("SslMode", *PLAIN, "PostgreSQLSettings")
        trusted = self._trusted(good)

        def judge(endpoint: Mapping[str, Any]) -> str | None:
            if endpoint["EndpointIdentifier"] != identifier:
                return None
            same = all(endpoint.get(name) == good.get(name) for name in fields)
            return None if same and self._trusted(endpoint) == trusted else words

        self.judge = judge

    def _trusted(self, endpoint: Mapping[str, Any]) -> tuple[bytes, ...]:
        """The CAs of an endpoint, whatever the ARN of the DMS certificate that holds them."""
        certificate = self.state.certificates.get(endpoint.get("CertificateArn", ""))
        return certificates_in(certificate.seen.get("CertificatePem", "") if certificate else "")

    def endpoints(self) -> list[dict[str, Any]]:
        """Every endpoint as DescribeEndpoints shows it, without a call."""
        with self.lock:
            self.advance()
            return [self.seen_endpoint(endpoint) for endpoint in self.state.endpoints.values()]

    def tasks(self) -> list[dict[str, Any]]:
        """Every task as DescribeReplicationTasks shows it, without a call."""
        with self.lock:
            self.advance()
            return [copy_of(task.seen) for task in self.state.tasks.values()]

    def certificates(self) -> list[dict[str, Any]]:
        """Every certificate as DescribeCertificates shows it, without a call."""
        with self.lock:
            return [dict(certificate.seen) for certificate in self.state.certificates.values()]

    def connections(self) -> list[dict[str, Any]]:
        """Every connection in its true state, without a call."""
        with self.lock:
            self.advance()
            return [self._connections.seen(found, stale=False) for found in self._connections.all()]

    # -- the call ----------------------------------------------------------------------------

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer one API call. Raises Fault, or JsonRESTError for what the model lacks."""
        handler = self._operations.get(operation)
        if handler is None:
            raise NotImplementedError(f"the DMS stand-in does not know {operation}")
        with self.lock:
            self.tick()
            error: str | None = None
            try:
                self._take_token()
                self.advance()
                self._connections.wait(self.patience)
                return handler(params)
            except Fault as fault:
                error = fault.code
                raise
            except JsonRESTError as fault:
                error = fault.error_type
                raise
            finally:
                self.log.append(Call(operation, _without_passwords(params), error, self.now()))
                for listener in self.on_answer:
                    listener(self.log[-1])

    def _take_token(self) -> None:
        """One bucket for every call of the account (section 2)."""
        quotas = self.quotas
        now = self.now()
        refill = max(0.0, now - self._refilled) * quotas.calls_per_second
        self._tokens = min(float(quotas.calls_at_once), self._tokens + refill)
        self._refilled = now
        if not quotas.throttled:
            return
        if self._tokens < 1:
            raise JsonRESTError("ThrottlingException", "Rate exceeded")
        self._tokens -= 1

    def _moto_secret(self, secret: str) -> str:
        backend = secretsmanager_backends[self.account][self.region]
        try:
            value = backend.get_secret_value(secret, "", "AWSCURRENT")
        except JsonRESTError as error:
            raise LookupError(error.error_type) from None
        return str(value.get("SecretString", ""))

    # -- serverless, quotas, tags ------------------------------------------------------------

    def _describe_data_providers(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.filtered(
            params,
            [dict(provider) for provider in self.state.providers.values()],
            {"data-provider-identifier": "DataProviderName"},
        )
        return page(params, "DataProviders", found)

    def _describe_account_attributes(self, _: dict[str, Any]) -> dict[str, Any]:
        used = {
            "ReplicationInstances": (len(self.state.instances), self.quotas.instances),
            "Endpoints": (len(self.state.endpoints), self.quotas.endpoints),
            "Certificates": (len(self.state.certificates), self.quotas.certificates),
            "ReplicationTasks": (len(self.state.tasks), self.quotas.tasks),
        }
        return {
            "AccountQuotas": [
                {"AccountQuotaName": name, "Used": taken, "Max": most}
                for name, (taken, most) in used.items()
            ],
            "UniqueAccountIdentifier": "c44445555666",
        }

    def _add_tags_to_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = self._tagged(params["ResourceArn"])
        self.add_tags(arn, params["Tags"])
        return {}

    def _remove_tags_from_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = self._tagged(params["ResourceArn"])
        for key in params["TagKeys"]:
            self.state.tags.get(arn, {}).pop(key, None)
        return {}

    def _list_tags_for_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        several = params.get("ResourceArnList")
        if (several is None) == ("ResourceArn" not in params):
            raise invalid("Specify either ResourceArn or ResourceArnList")
        arns = [self._tagged(arn) for arn in several or [params["ResourceArn"]]]
        return {
            "TagList": [
                {"Key": key, "Value": value} | ({"ResourceArn": arn} if several else {})
                for arn in arns
                for key, value in self.state.tags.get(arn, {}).items()
            ]
        }

    def _tagged(self, arn: str) -> str:
        known: tuple[Mapping[str, object], ...] = (
            self.state.certificates,
            self.state.endpoints,
            self.state.instances,
            self.state.tasks,
            self.state.configs,
        )
        if not any(arn in kind for kind in known):
            raise not_found(f"Resource {arn} not found")
        return arn


TASK_ERROR = "Task error notification received from subtask 0, thread 0."
"""Why a task fails that is only said to have failed."""


class _Response(BaseResponse):
    """One request: moto's parsing and serialising around :meth:`DmsStandIn.call`."""

    def __init__(self, standin: DmsStandIn) -> None:
        super().__init__(service_name="dms")
        self._standin = standin

    def call_action(self) -> Any:
        params = json.loads(self.body or "{}")
        try:
            result: object = self._standin.call(self._get_action(), params)
        except Fault as fault:
            result = fault
        except JsonRESTError as fault:
            headers = {"Content-Type": "application/x-amz-json-1.1"} | dict(self.response_headers)
            return fault.code, headers, fault.description
        return self.serialized(ActionResult(result))


def _without_passwords(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "***" if name == "Password" else _without_passwords(one)
            for name, one in value.items()
        }
    return value
