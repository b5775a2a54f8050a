"""A stand-in for AWS DMS behind moto's URL: what the AWS facts say of the real one, and no more.

moto answers requests for DMS with its own backend, which lacks half of the operations and changes
everything at once. :class:`DmsStandIn` takes its place: it keeps endpoints, certificates,
connections, instances and tasks of one account in one Region, lets states take their time on the
clock it is given, and makes connection tests with real libpq in a thread. Request shapes are
checked by botocore before a call arrives here, so only rules that the model does not hold are
written down.
"""

import base64
import hashlib
import heapq
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import moto.dms.urls
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.secretsmanager.models import secretsmanager_backends

from sandbox.dms.connection import (
    BLACKHOLE,
    Target,
    connect,
    failure_message,
    secret_message,
)
from sandbox.dms.switches import Durations, Quotas, Switches

_PLAIN = ("ServerName", "Port", "Username", "DatabaseName")
_LOGIN = ("ServerName", "Port", "Username", "Password")
_SECRET = ("SecretsManagerSecretId", "SecretsManagerAccessRoleArn")
_TOP_LEVEL = (
    "EngineName",
    "SslMode",
    "CertificateArn",
    "ExtraConnectionAttributes",
    "ServiceAccessRoleArn",
)
_IDENTIFIER = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])*")
_CERTIFICATE_ARN = re.compile(r"arn:[\w-]+:dms:[\w-]+:\d+:cert:[\w-]+")
_BUSY_TASK = ("starting", "running")
_BUSY_SERVERLESS = ("initializing", "preparing_metadata_resources", "testing_connection", "running")


@dataclass(frozen=True)
class Call:
    """One call that arrived: the operation, its parameters without passwords, and how it ended."""

    operation: str
    params: Mapping[str, Any]
    error: str | None
    at: float


class Fault(ServiceException):
    """A fault of the DMS model; its attributes (`resourceArn`) arrive in the client.

    moto looks for the model of an error beside the class, so it needs one outside moto.
    """


@dataclass
class _Certificate:
    seen: dict[str, Any]


@dataclass
class _Endpoint:
    """`seen` is what DescribeEndpoints shows, apart from plain fields, which live in `settings`."""

    seen: dict[str, Any]
    settings: dict[str, Any]
    password: str | None = None
    revision: int = 0
    """Grows with every change, so that a test outcome can be told from one of older settings."""


@dataclass
class _Instance:
    seen: dict[str, Any]


@dataclass
class _Task:
    seen: dict[str, Any]
    ran: bool = False
    start_failure: str | None = None


@dataclass
class _Config:
    seen: dict[str, Any]
    status: str


@dataclass
class _Test:
    """One connection test under way. `message` is None while libpq works, "" once it connected."""

    revision: int
    elapsed: bool = False
    message: str | None = None


@dataclass
class _Connection:
    endpoint: _Endpoint
    instance: _Instance
    status: str = "testing"
    message: str | None = None
    revision: int = -1
    """The endpoint's revision that the last verdict belongs to."""
    test: _Test | None = None
    old_status: str | None = None
    old_until: float = 0.0


class DmsStandIn:
    """DMS in one account and Region.

    ``resolve`` maps host names to the addresses that DMS sees; with a map, names outside it do not
    resolve, and :data:`BLACKHOLE` as an address swallows packets. ``clock`` gives seconds since the
    epoch on the clock that every state duration is counted in, and ``tick`` adds that many seconds
    per call, so that a test without a clock moves by polling. ``secrets`` returns the text of a
    secret (default: moto's Secrets Manager). ``patience`` is how long, in real seconds,
    DescribeConnections waits for libpq when a test's time is over on the clock.

    ``switches``, ``durations``, ``quotas``, ``resolve`` and ``judge`` may be replaced at any time.
    ``judge(endpoint)`` sees an endpoint as DescribeEndpoints shows it, and returns the words with
    which a test of it fails, "" to let it pass, or None to let libpq decide.
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
        self.switches = switches or Switches()
        self.durations = durations or Durations()
        self.quotas = quotas or Quotas()
        self.resolve = resolve
        self.judge: Callable[[Mapping[str, Any]], str | None] = lambda _: None
        self.account = account
        self.region = region
        self.patience = patience
        self.log: list[Call] = []
        self._secrets = secrets or self._moto_secret
        self._clock = clock
        self._tick = tick
        self._ticks = 0.0
        self._stamp = 0.0
        self._made = 0
        self._lock = threading.RLock()
        self._test_done = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._queued = 0
        self._tokens = float(self.quotas.calls_at_once)
        self._refilled = self.now()
        self._certificates: dict[str, _Certificate] = {}
        self._endpoints: dict[str, _Endpoint] = {}
        self._instances: dict[str, _Instance] = {}
        self._tasks: dict[str, _Task] = {}
        self._configs: dict[str, _Config] = {}
        self._connections: dict[tuple[str, str], _Connection] = {}
        self._tags: dict[str, dict[str, str]] = {}

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

    def now(self) -> float:
        """Seconds since the epoch on the stand-in's clock."""
        return self._clock() + self._ticks

    def settle(self, timeout: float = 30.0) -> None:
        """Wait for connections under way (real seconds), so that none outlives its server."""
        with self._lock:
            threads, self._threads = self._threads, []
        for thread in threads:
            thread.join(timeout)

    def add_instance(
        self, identifier: str, *, status: str = "available", engine_version: str = "3.6.1"
    ) -> str:
        """A replication instance that is there; returns its ARN."""
        with self._lock:
            instance = self._new_instance(
                {"ReplicationInstanceIdentifier": identifier, "EngineVersion": engine_version},
                status,
            )
            return str(instance.seen["ReplicationInstanceArn"])

    def set_instance_status(self, arn: str, status: str) -> None:
        """Let an instance be, say, `modifying` or `storage-full`."""
        with self._lock:
            self._instances[arn].seen["ReplicationInstanceStatus"] = status

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
        with self._lock:
            task = self._new_task(
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
                self._started(task)
                task.seen["Status"] = status
            if status in ("stopped", "failed"):
                self._stopped(task, status=status)
            return str(task.seen["ReplicationTaskArn"])

    def set_task(
        self,
        arn: str,
        *,
        status: str | None = None,
        message: str | None = None,
        stop_reason: str | None = None,
        full_load_percent: int | None = None,
        start_failure: str | None = None,
    ) -> None:
        """Let a task do something by itself: fail, move, finish its load, refuse to start."""
        with self._lock:
            task = self._tasks[arn]
            if status in ("stopped", "failed"):
                self._stopped(task, status=status)
            if status is not None:
                task.seen["Status"] = status
            if message is not None:
                task.seen["LastFailureMessage"] = message
            if stop_reason is not None:
                task.seen["StopReason"] = stop_reason
            if full_load_percent is not None:
                task.seen["ReplicationTaskStats"]["FullLoadProgressPercent"] = full_load_percent
            task.start_failure = start_failure

    def add_serverless(
        self, identifier: str, *, source: str, target: str, status: str = "running"
    ) -> str:
        """A serverless replication between two endpoints; returns the ARN of its config."""
        with self._lock:
            arn = self._arn("replication-config")
            self._configs[arn] = _Config(
                {
                    "ReplicationConfigIdentifier": identifier,
                    "ReplicationConfigArn": arn,
                    "SourceEndpointArn": source,
                    "TargetEndpointArn": target,
                    "ReplicationType": "cdc",
                    "IsReadOnly": False,
                },
                status,
            )
            return arn

    def set_read_only(self, arn: str, *, read_only: bool = True) -> None:
        """Let an endpoint be managed by a zero-ETL integration."""
        with self._lock:
            self._endpoints[arn].seen["IsReadOnly"] = read_only

    def start_hidden_test(self, endpoint: str) -> None:
        """Start the test that DMS starts unasked, on every instance that tested the endpoint."""
        with self._lock:
            self._hidden_test(self._endpoints[endpoint])

    def fail_after_change(self, identifier: str, words: str = "timeout expired") -> None:
        """Let tests of an endpoint fail for any settings but those it has now.

        Plays "the rehearsal passes, but DMS cannot connect after the change": a canary has another
        identifier and is judged by libpq, and the old settings connect again once they are back.
        """
        with self._lock:
            good = next(
                self._seen_endpoint(endpoint)
                for endpoint in self._endpoints.values()
                if endpoint.seen["EndpointIdentifier"] == identifier
            )
        fields = ("SslMode", "CertificateArn", *_PLAIN, "PostgreSQLSettings")

        def judge(endpoint: Mapping[str, Any]) -> str | None:
            if endpoint["EndpointIdentifier"] != identifier:
                return None
            same = all(endpoint.get(name) == good.get(name) for name in fields)
            return None if same else words

        self.judge = judge

    def endpoints(self) -> list[dict[str, Any]]:
        """Every endpoint as DescribeEndpoints shows it, without a call."""
        with self._lock:
            self._advance()
            return [self._seen_endpoint(endpoint) for endpoint in self._endpoints.values()]

    def tasks(self) -> list[dict[str, Any]]:
        """Every task as DescribeReplicationTasks shows it, without a call."""
        with self._lock:
            self._advance()
            return [_copy(task.seen) for task in self._tasks.values()]

    def certificates(self) -> list[dict[str, Any]]:
        """Every certificate as DescribeCertificates shows it, without a call."""
        with self._lock:
            return [dict(certificate.seen) for certificate in self._certificates.values()]

    def connections(self) -> list[dict[str, Any]]:
        """Every connection in its true state, without a call."""
        with self._lock:
            self._advance()
            return [self._seen_connection(found, stale=False) for found in self._all_connections()]

    # -- the call ----------------------------------------------------------------------------

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer one API call. Raises Fault, or JsonRESTError for what the model lacks."""
        handler = _OPERATIONS.get(operation)
        if handler is None:
            raise NotImplementedError(f"the DMS stand-in does not know {operation}")
        with self._lock:
            self._ticks += self._tick
            error: str | None = None
            try:
                self._take_token()
                self._advance()
                return handler(self, params)
            except Fault as fault:
                error = fault.code
                raise
            except JsonRESTError as fault:
                error = fault.error_type
                raise
            finally:
                self.log.append(Call(operation, _without_passwords(params), error, self.now()))

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

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._queued += 1
        heapq.heappush(self._due, (self.now() + seconds, self._queued, act))

    def _advance(self) -> None:
        """Do what has come due since the last call."""
        now = self.now()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()

    # -- certificates ------------------------------------------------------------------------

    def _import_certificate(self, params: dict[str, Any]) -> dict[str, Any]:
        identifier = self._identifier(params["CertificateIdentifier"], "certificate")
        pem, wallet = params.get("CertificatePem"), params.get("CertificateWallet")
        if (pem is None) == (wallet is None):
            raise _invalid(
                "Please provide a value for either for CertificatePem or for CertificateWallet."
            )
        for arn, other in self._certificates.items():
            if other.seen["CertificateIdentifier"] == identifier:
                raise self._exists("certificate", identifier, arn)
        if len(self._certificates) >= self.quotas.certificates:
            raise _fault("ResourceQuotaExceededFault", "The quota for certificates is exceeded")
        arn = self._arn("cert")
        seen: dict[str, Any] = {
            "CertificateIdentifier": identifier,
            "CertificateArn": arn,
            "CertificateCreationDate": self._date(),
            "CertificateOwner": self.account,
        }
        if pem is not None:
            seen |= self._certificate_facts(pem)
        else:
            seen["CertificateWallet"] = base64.b64decode(wallet or "")
        self._certificates[arn] = _Certificate(seen)
        self._add_tags(arn, params.get("Tags"))
        return {"Certificate": dict(seen)}

    def _certificate_facts(self, pem: str) -> dict[str, Any]:
        try:
            bundle = x509.load_pem_x509_certificates(pem.encode())
        except ValueError:
            raise _fault("InvalidCertificateFault", "The certificate was not valid") from None
        described = bundle[-1 if self.switches.bundle_facts_from_last else 0]
        key = described.public_key()
        length = (
            key.key_size if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None
        )
        if self.switches.pem_normalised:
            pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in bundle).strip()
        return {
            "CertificatePem": pem,
            "ValidFromDate": described.not_valid_before_utc,
            "ValidToDate": described.not_valid_after_utc,
            "SigningAlgorithm": described.signature_algorithm_oid._name,
            "KeyLength": length,
        }

    def _describe_certificates(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._filtered(
            params,
            [certificate.seen for certificate in self._certificates.values()],
            {"certificate-arn": "CertificateArn", "certificate-id": "CertificateIdentifier"},
        )
        return _page(params, "Certificates", found, default=10, least=1)

    def _delete_certificate(self, params: dict[str, Any]) -> dict[str, Any]:
        certificate = self._certificates.get(params["CertificateArn"])
        if certificate is None:
            raise _not_found(f"Certificate {params['CertificateArn']} not found")
        arn = certificate.seen["CertificateArn"]
        if any(one.seen.get("CertificateArn") == arn for one in self._endpoints.values()):
            raise _state(f"Certificate {arn} is in use by one or more endpoints")
        del self._certificates[arn]
        self._tags.pop(arn, None)
        return {"Certificate": dict(certificate.seen)}

    # -- endpoints ---------------------------------------------------------------------------

    def _create_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        identifier = self._identifier(params["EndpointIdentifier"], "endpoint")
        for other_arn, other in self._endpoints.items():
            if other.seen["EndpointIdentifier"] == identifier:
                raise self._exists("endpoint", identifier, other_arn)
        if len(self._endpoints) >= self.quotas.endpoints:
            raise _fault("ResourceQuotaExceededFault", "The quota for endpoints is exceeded")
        self._check_settings(params)
        arn = self._arn("endpoint", params.get("ResourceIdentifier"))
        endpoint = _Endpoint(
            seen={
                "EndpointIdentifier": identifier,
                "EndpointArn": arn,
                "EndpointType": params["EndpointType"].upper(),
                "EngineName": params["EngineName"],
                "EngineDisplayName": "PostgreSQL",
                "Status": "creating",
                "SslMode": "none",
                "KmsKeyId": params.get("KmsKeyId", self._kms_key()),
                "IsReadOnly": False,
            },
            settings={},
        )
        self._apply(endpoint, params)
        self._check_certificate(endpoint)
        self._endpoints[arn] = endpoint
        self._add_tags(arn, params.get("Tags"))
        self._later(self.durations.endpoint_creating, lambda: self._active(endpoint))
        if self.switches.hidden_test_after_create:
            for instance in self._instances.values():
                self._later(
                    self.switches.hidden_test_delay,
                    lambda instance=instance: self._test_unless_testing(endpoint, instance),  # type: ignore[misc]
                )
        return {"Endpoint": self._seen_endpoint(endpoint)}

    def _modify_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._endpoint(params["EndpointArn"])
        arn = endpoint.seen["EndpointArn"]
        if endpoint.seen["IsReadOnly"]:
            raise _state(f"Endpoint {arn} is read-only and cannot be modified")
        if endpoint.seen["Status"] != "active":
            raise _state(f"Endpoint {arn} is in status {endpoint.seen['Status']}")
        self._reject_while_replicating(arn)
        if not self.switches.modify_while_testing_accepted and self._is_testing(endpoint):
            raise _state(f"Endpoint {arn} is being tested")
        if "EndpointIdentifier" in params:
            identifier = self._identifier(params["EndpointIdentifier"], "endpoint")
            for other_arn, other in self._endpoints.items():
                if other_arn != arn and other.seen["EndpointIdentifier"] == identifier:
                    raise self._exists("endpoint", identifier, other_arn)
        self._check_settings(params)
        changed = _Endpoint(
            dict(endpoint.seen), dict(endpoint.settings), endpoint.password, endpoint.revision
        )
        self._apply(changed, params)
        if self.switches.modify_resets_database_name and not _given(params, "DatabaseName"):
            changed.settings.pop("DatabaseName", None)
        self._check_certificate(changed)
        endpoint.seen = changed.seen | {"Status": "modifying"}
        endpoint.settings, endpoint.password = changed.settings, changed.password
        endpoint.revision += 1
        self._later(self.durations.endpoint_modifying, lambda: self._active(endpoint))
        if self.switches.hidden_test_after_modify:
            if self.switches.hidden_test_delay:
                self._later(self.switches.hidden_test_delay, lambda: self._hidden_test(endpoint))
            else:
                self._hidden_test(endpoint)
        return {"Endpoint": self._seen_endpoint(endpoint)}

    def _delete_endpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._endpoint(params["EndpointArn"])
        arn = endpoint.seen["EndpointArn"]
        if any(arn in _ends(task.seen) for task in self._tasks.values()):
            raise _state(f"Endpoint {arn} is part of one or more replication tasks")
        if any(arn in _ends(config.seen) for config in self._configs.values()):
            raise _state(f"Endpoint {arn} is part of one or more replication configs")
        if not self.switches.delete_while_testing_accepted and self._is_testing(endpoint):
            raise _state(f"Endpoint {arn} is being tested")
        if endpoint.seen["Status"] == "deleting":
            raise _state(f"Endpoint {arn} is being deleted")
        endpoint.seen["Status"] = "deleting"
        self._later(self.durations.endpoint_deleting, lambda: self._forget_endpoint(arn))
        return {"Endpoint": self._seen_endpoint(endpoint)}

    def _describe_endpoints(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._filtered(
            params,
            [self._seen_endpoint(endpoint) for endpoint in self._endpoints.values()],
            {
                "endpoint-arn": "EndpointArn",
                "endpoint-id": "EndpointIdentifier",
                "endpoint-type": "EndpointType",
                "engine-name": "EngineName",
            },
        )
        return _page(params, "Endpoints", found)

    def _active(self, endpoint: _Endpoint) -> None:
        if endpoint.seen["Status"] in ("creating", "modifying"):
            endpoint.seen["Status"] = "active"

    def _forget_endpoint(self, arn: str) -> None:
        self._endpoints.pop(arn, None)
        self._tags.pop(arn, None)
        for key in [key for key in self._connections if key[0] == arn]:
            del self._connections[key]

    def _check_settings(self, params: dict[str, Any]) -> None:
        """ "You can specify a secret, or clear text. You can't specify both" (section 3)."""
        if any(_given(params, name) for name in _SECRET) and any(
            _given(params, name) for name in _LOGIN
        ):
            raise JsonRESTError(
                "InvalidParameterCombinationException",
                "Specify either SecretsManagerSecretId with SecretsManagerAccessRoleArn, or clear "
                "text UserName, Password, ServerName, and Port. You can't specify both.",
            )
        certificate = params.get("CertificateArn")
        if certificate is not None:
            if not _CERTIFICATE_ARN.fullmatch(certificate):
                raise _invalid("Invalid certificate ARN")
            if certificate not in self._certificates:
                raise _not_found(f"Certificate {certificate} not found")

    def _check_certificate(self, endpoint: _Endpoint) -> None:
        verifies = endpoint.seen["SslMode"].startswith("verify-")
        if (
            verifies
            and "CertificateArn" not in endpoint.seen
            and self.switches.verify_without_certificate_refused
        ):
            raise _invalid(f"CertificateArn is required with SSL mode {endpoint.seen['SslMode']}")

    def _apply(self, endpoint: _Endpoint, params: dict[str, Any]) -> None:
        """Merge what was sent into the endpoint; `ExactSettings` replaces the settings instead."""
        sent = dict(params.get("PostgreSQLSettings") or {})
        for name in (*_PLAIN, "Password"):
            if name in params:
                sent.setdefault(name, params[name])
        replaced: set[str] = set()
        if params.get("ExactSettings"):
            replaced = set(endpoint.settings)
        elif any(name in sent for name in _SECRET):
            replaced = set(_LOGIN)
        elif any(name in sent for name in _LOGIN):
            replaced = set(_SECRET)
        if "Password" in replaced:
            endpoint.password = None
        endpoint.password = sent.pop("Password", endpoint.password)
        endpoint.settings = {
            name: value for name, value in endpoint.settings.items() if name not in replaced
        } | sent
        endpoint.seen |= {name: params[name] for name in _TOP_LEVEL if name in params}
        if "EndpointType" in params:
            endpoint.seen["EndpointType"] = params["EndpointType"].upper()
        if "EndpointIdentifier" in params:
            endpoint.seen["EndpointIdentifier"] = self._identifier(
                params["EndpointIdentifier"], "endpoint"
            )

    def _seen_endpoint(self, endpoint: _Endpoint) -> dict[str, Any]:
        """As DescribeEndpoints shows it: the type in capitals, never a password (section 3)."""
        plain = {name: endpoint.settings[name] for name in _PLAIN if name in endpoint.settings}
        settings = dict(endpoint.settings)
        if not self.switches.plain_fields_mirrored:
            settings = {name: value for name, value in settings.items() if name not in plain}
        return endpoint.seen | plain | {"PostgreSQLSettings": settings}

    def _reject_while_replicating(self, arn: str) -> None:
        running = [
            task.seen["ReplicationTaskIdentifier"]
            for task in self._tasks.values()
            if arn in _ends(task.seen) and task.seen["Status"] in _BUSY_TASK
        ] + [
            config.seen["ReplicationConfigIdentifier"]
            for config in self._configs.values()
            if arn in _ends(config.seen) and config.status in _BUSY_SERVERLESS
        ]
        if running:
            raise _state(
                f"Endpoint {arn} is part of one or more running replications: {', '.join(running)}"
            )

    # -- connections -------------------------------------------------------------------------

    def _test_connection(self, params: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._endpoint(params["EndpointArn"])
        instance = self._instance(params["ReplicationInstanceArn"])
        if endpoint.seen["Status"] != "active":
            raise _state(
                f"Endpoint {endpoint.seen['EndpointArn']} is in status {endpoint.seen['Status']}"
            )
        if instance.seen["ReplicationInstanceStatus"] != "available":
            raise _state(
                f"Replication instance {instance.seen['ReplicationInstanceArn']} is in status "
                f"{instance.seen['ReplicationInstanceStatus']}"
            )
        connection = self._connections.get(_pair(endpoint, instance))
        if connection is None:
            self._check_instance_quota(instance)
        elif connection.status in ("testing", "deleting"):
            raise _state(f"Connection is already being {connection.status.replace('ing', 'ed')}")
        connection = self._start_test(endpoint, instance)
        return {"Connection": self._seen_connection(connection, stale=False)}

    def _describe_connections(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.patience:
            self._test_done.wait_for(lambda: not self._overdue(), timeout=self.patience)
        filters = params.get("Filters") or []
        if not self.switches.connection_filters_anded:
            params = params | {"Filters": filters[-1:]}
        found = self._filtered(
            params,
            [self._seen_connection(one, stale=True) for one in self._all_connections()],
            {
                "endpoint-arn": "EndpointArn",
                "replication-instance-arn": "ReplicationInstanceArn",
            },
        )
        return _page(params, "Connections", found)

    def _delete_connection(self, params: dict[str, Any]) -> dict[str, Any]:
        key = params["EndpointArn"], params["ReplicationInstanceArn"]
        connection = self._connections.get(key)
        if connection is None:
            raise _not_found("Connection not found")
        if connection.status in ("testing", "deleting"):
            raise _state(f"Connection is in status {connection.status}")
        connection.status = "deleting"
        self._later(
            self.durations.connection_deleting, lambda: self._forget_connection(key, connection)
        )
        return {"Connection": self._seen_connection(connection, stale=False)}

    def _forget_connection(self, key: tuple[str, str], connection: _Connection) -> None:
        if self._connections.get(key) is connection:
            del self._connections[key]

    def _check_instance_quota(self, instance: _Instance) -> None:
        arn = instance.seen["ReplicationInstanceArn"]
        used = sum(1 for _, tested_from in self._connections if tested_from == arn)
        if used >= self.quotas.endpoints_per_instance:
            raise _fault(
                "ResourceQuotaExceededFault",
                f"The quota for endpoints of replication instance {arn} is exceeded",
            )

    def _hidden_test(self, endpoint: _Endpoint) -> None:
        for connection in self._all_connections():
            if connection.endpoint is endpoint:
                self._test_unless_testing(endpoint, connection.instance)

    def _test_unless_testing(self, endpoint: _Endpoint, instance: _Instance) -> None:
        connection = self._connections.get(_pair(endpoint, instance))
        if connection is None or connection.status not in ("testing", "deleting"):
            self._start_test(endpoint, instance)

    def _start_test(self, endpoint: _Endpoint, instance: _Instance) -> _Connection:
        """Judge the endpoint's settings as they are now; the verdict comes when time is over."""
        connection = self._connections.setdefault(
            _pair(endpoint, instance), _Connection(endpoint, instance)
        )
        if connection.test is not None or connection.revision >= 0:
            connection.old_status = connection.status
            connection.old_until = self.now() + self.switches.old_status_shown_for
        connection.status = "testing"
        test = connection.test = _Test(endpoint.revision)
        seconds = self.durations.testing
        target = self._target(endpoint)
        words = self.judge(self._seen_endpoint(endpoint))
        if words is not None:
            test.message = self._failure(words) if words else ""
        elif isinstance(target, str):
            test.message = target
        elif (self.resolve or {}).get(target.host) == BLACKHOLE:
            test.message = self._failure("timeout expired")
            seconds = self.durations.connect_timeout
        else:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(
                target=self._connect, args=(connection, test, target), name="dms-test", daemon=True
            )
            self._threads.append(thread)
            thread.start()

        def elapsed() -> None:
            test.elapsed = True
            self._conclude(connection, test)

        self._later(seconds, elapsed)
        return connection

    def _connect(self, connection: _Connection, test: _Test, target: Target) -> None:
        """In a thread of its own, with no lock held while libpq works."""
        try:
            words = connect(target, self.resolve)
        except Exception as bug:  # noqa: BLE001 - whatever it is, the test must end and show it
            words = f"internal error {type(bug).__name__}"
        with self._lock:
            test.message = "" if words is None else self._failure(words)
            self._conclude(connection, test)
            self._test_done.notify_all()

    def _conclude(self, connection: _Connection, test: _Test) -> None:
        """The verdict shows once libpq is done and the test's time is over, whichever is later."""
        if connection.test is not test or test.message is None or not test.elapsed:
            return
        connection.revision = test.revision
        connection.status = "failed" if test.message else "successful"
        if test.message or not self.switches.old_message_kept:
            connection.message = test.message or None

    def _overdue(self) -> bool:
        return any(
            one.test is not None and one.test.elapsed and one.test.message is None
            for one in self._all_connections()
        )

    def _failure(self, words: str) -> str:
        return failure_message(
            words,
            style=self.switches.failure_style,
            server_prefix=self.switches.server_prefix_shown,
        )

    def _target(self, endpoint: _Endpoint) -> Target | str:
        """What to connect to, or the failure message when the endpoint's secret is no use."""
        settings = endpoint.settings
        login: Mapping[str, Any] = {
            "host": settings.get("ServerName"),
            "port": settings.get("Port"),
            "username": settings.get("Username"),
            "password": endpoint.password,
        }
        secret = settings.get("SecretsManagerSecretId")
        if secret is not None:
            try:
                login = json.loads(self._secrets(secret))
            except (LookupError, ValueError):
                return secret_message(secret, "Secrets Manager can't find the specified secret.")
            missing = [key for key in ("username", "password", "port", "host") if key not in login]
            if missing:
                return secret_message(secret, f"missing {', '.join(missing)}")
        ssl_mode = endpoint.seen["SslMode"]
        certificate = self._certificates.get(endpoint.seen.get("CertificateArn", ""))
        trusts = ssl_mode.startswith("verify-") or (
            ssl_mode == "require" and self.switches.require_uses_root_certificate
        )
        return Target(
            host=str(login.get("host") or ""),
            port=int(login.get("port") or 5432),
            user=str(login.get("username") or ""),
            password=str(login.get("password") or ""),
            database=settings.get("DatabaseName"),
            ssl_mode=ssl_mode,
            bundle=certificate.seen.get("CertificatePem") if certificate and trusts else None,
            self_signed_trusted=self.switches.self_signed_trusted,
        )

    def _moto_secret(self, secret: str) -> str:
        backend = secretsmanager_backends[self.account][self.region]
        try:
            value = backend.get_secret_value(secret, "", "AWSCURRENT")
        except JsonRESTError as error:
            raise LookupError(error.error_type) from None
        return str(value.get("SecretString", ""))

    def _seen_connection(self, connection: _Connection, *, stale: bool) -> dict[str, Any]:
        status = connection.status
        if (
            stale
            and status == "testing"
            and connection.old_status
            and (self.now() < connection.old_until)
        ):
            status = connection.old_status
        seen = {
            "EndpointArn": connection.endpoint.seen["EndpointArn"],
            "EndpointIdentifier": connection.endpoint.seen["EndpointIdentifier"],
            "ReplicationInstanceArn": connection.instance.seen["ReplicationInstanceArn"],
            "ReplicationInstanceIdentifier": connection.instance.seen[
                "ReplicationInstanceIdentifier"
            ],
            "Status": status,
        }
        return seen | ({"LastFailureMessage": connection.message} if connection.message else {})

    def _all_connections(self) -> list[_Connection]:
        return list(self._connections.values())

    def _is_testing(self, endpoint: _Endpoint) -> bool:
        return any(
            one.endpoint is endpoint and one.status == "testing" for one in self._all_connections()
        )

    # -- replication instances ---------------------------------------------------------------

    def _create_replication_instance(self, params: dict[str, Any]) -> dict[str, Any]:
        instance = self._new_instance(params, "creating")

        def available() -> None:
            instance.seen["ReplicationInstanceStatus"] = "available"

        self._later(self.durations.instance_creating, available)
        return {"ReplicationInstance": dict(instance.seen)}

    def _new_instance(self, params: dict[str, Any], status: str) -> _Instance:
        identifier = self._identifier(
            params["ReplicationInstanceIdentifier"], "replication instance"
        )
        for other_arn, other in self._instances.items():
            if other.seen["ReplicationInstanceIdentifier"] == identifier:
                raise self._exists("replication instance", identifier, other_arn)
        if len(self._instances) >= self.quotas.instances:
            raise _fault("ResourceQuotaExceededFault", "The quota for instances is exceeded")
        arn = self._arn("rep", params.get("ResourceIdentifier"))
        instance = _Instance(
            {
                "ReplicationInstanceIdentifier": identifier,
                "ReplicationInstanceArn": arn,
                "ReplicationInstanceClass": params.get("ReplicationInstanceClass", "dms.t3.medium"),
                "ReplicationInstanceStatus": status,
                "AllocatedStorage": params.get("AllocatedStorage", 50),
                "EngineVersion": params.get("EngineVersion", "3.6.1"),
                "InstanceCreateTime": self._date(),
                "KmsKeyId": params.get("KmsKeyId", self._kms_key()),
                "MultiAZ": params.get("MultiAZ", False),
                "PubliclyAccessible": params.get("PubliclyAccessible", False),
            }
        )
        self._instances[arn] = instance
        self._add_tags(arn, params.get("Tags"))
        return instance

    def _describe_replication_instances(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._filtered(
            params,
            [dict(instance.seen) for instance in self._instances.values()],
            {
                "replication-instance-arn": "ReplicationInstanceArn",
                "replication-instance-id": "ReplicationInstanceIdentifier",
                "replication-instance-class": "ReplicationInstanceClass",
                "engine-version": "EngineVersion",
            },
        )
        return _page(params, "ReplicationInstances", found)

    # -- tasks -------------------------------------------------------------------------------

    def _create_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        for end in _ends(params):
            self._endpoint(end)
        self._instance(params["ReplicationInstanceArn"])
        task = self._new_task(params, "creating")
        self._later(
            self.durations.task_creating, lambda: self._change_task(task, "creating", "ready")
        )
        return {"ReplicationTask": _copy(task.seen)}

    def _new_task(self, params: dict[str, Any], status: str) -> _Task:
        identifier = self._identifier(params["ReplicationTaskIdentifier"], "replication task")
        for other_arn, other in self._tasks.items():
            if other.seen["ReplicationTaskIdentifier"] == identifier:
                raise self._exists("replication task", identifier, other_arn)
        if len(self._tasks) >= self.quotas.tasks:
            raise _fault("ResourceQuotaExceededFault", "The quota for tasks is exceeded")
        arn = self._arn("task", params.get("ResourceIdentifier"))
        task = _Task(
            {
                "ReplicationTaskIdentifier": identifier,
                "ReplicationTaskArn": arn,
                "SourceEndpointArn": params["SourceEndpointArn"],
                "TargetEndpointArn": params["TargetEndpointArn"],
                "ReplicationInstanceArn": params["ReplicationInstanceArn"],
                "MigrationType": params["MigrationType"],
                "TableMappings": params["TableMappings"],
                "ReplicationTaskSettings": params.get("ReplicationTaskSettings", "{}"),
                "Status": status,
                "ReplicationTaskCreationDate": self._date(),
                "ReplicationTaskStats": {},
            }
        )
        self._tasks[arn] = task
        self._add_tags(arn, params.get("Tags"))
        return task

    def _describe_replication_tasks(self, params: dict[str, Any]) -> dict[str, Any]:
        tasks = [_copy(task.seen) for task in self._tasks.values()]
        if params.get("WithoutSettings"):
            for task in tasks:
                del task["ReplicationTaskSettings"], task["TableMappings"]
        found = self._filtered(
            params,
            tasks,
            {
                "replication-task-arn": "ReplicationTaskArn",
                "replication-task-id": "ReplicationTaskIdentifier",
                "migration-type": "MigrationType",
                "endpoint-arn": ("SourceEndpointArn", "TargetEndpointArn"),
                "replication-instance-arn": "ReplicationInstanceArn",
            },
        )
        return _page(params, "ReplicationTasks", found)

    def _start_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._task(params["ReplicationTaskArn"])
        kind = params["StartReplicationTaskType"]
        if task.seen["Status"] not in ("ready", "stopped", "failed"):
            raise _state(
                f"Replication task cannot be started, invalid state: {task.seen['Status']}"
            )
        if (kind == "start-replication") == task.ran:
            when = "for the first time" if kind == "start-replication" else "previously"
            raise JsonRESTError(
                "InvalidParameterCombinationException",
                f"Start Type : {kind.upper().replace('-', '_')}, valid only for tasks running "
                f"{when}",
            )
        self._reject_unproven(task)
        task.seen["Status"] = "starting"
        self._later(self.durations.task_starting, lambda: self._start_task(task))
        return {"ReplicationTask": _copy(task.seen)}

    def _reject_unproven(self, task: _Task) -> None:
        """Every endpoint of the task needs a passing test on the task's instance (section 3)."""
        instance = self._instance(task.seen["ReplicationInstanceArn"])
        if instance.seen["ReplicationInstanceStatus"] != "available":
            raise _state("Replication instance is not available")
        for end in _ends(task.seen):
            endpoint = self._endpoint(end)
            connection = self._connections.get(_pair(endpoint, instance))
            passed = connection is not None and connection.status == "successful"
            if passed and self.switches.modify_invalidates_pass:
                passed = connection is not None and connection.revision == endpoint.revision
            if not passed:
                raise _state(
                    "Test connection for replication instance "
                    f"{instance.seen['ReplicationInstanceIdentifier']} and endpoint "
                    f"{endpoint.seen['EndpointIdentifier']} should be successful for starting the "
                    "replication task"
                )

    def _start_task(self, task: _Task) -> None:
        if task.seen["Status"] != "starting":
            return
        if task.start_failure is not None:
            self._stopped(task, status="failed")
            task.seen["LastFailureMessage"] = task.start_failure
            task.seen["StopReason"] = "Stop Reason FATAL_ERROR"
            return
        self._started(task)

    def _started(self, task: _Task) -> None:
        now = self._date()
        task.ran = True
        task.seen |= {"Status": "running", "ReplicationTaskStartDate": now}
        task.seen.pop("StopReason", None)
        stats = task.seen["ReplicationTaskStats"]
        stats.pop("StopDate", None)
        stats |= {"StartDate": now, "FreshStartDate": stats.get("FreshStartDate", now)}
        stats.setdefault("FullLoadProgressPercent", 100)

    def _stop_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._task(params["ReplicationTaskArn"])
        if task.seen["Status"] != "running":
            raise _state(
                f"Replication task cannot be stopped, invalid state: {task.seen['Status']}"
            )
        task.seen["Status"] = "stopping"
        self._later(
            self.durations.task_stopping,
            lambda: self._stopped(task) if task.seen["Status"] == "stopping" else None,
        )
        return {"ReplicationTask": _copy(task.seen)}

    def _stopped(self, task: _Task, status: str = "stopped") -> None:
        task.seen |= {"Status": status, "StopReason": "Stop Reason NORMAL"}
        task.seen["ReplicationTaskStats"]["StopDate"] = self._date()

    def _modify_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._task(params["ReplicationTaskArn"])
        before = task.seen["Status"]
        if before not in ("ready", "stopped", "failed"):
            raise _state(f"Replication task cannot be modified, invalid state: {before}")
        for name in ("TableMappings", "ReplicationTaskSettings", "MigrationType"):
            if name in params:
                task.seen[name] = params[name]
        task.seen["Status"] = "modifying"
        self._later(
            self.durations.task_creating, lambda: self._change_task(task, "modifying", before)
        )
        return {"ReplicationTask": _copy(task.seen)}

    def _delete_replication_task(self, params: dict[str, Any]) -> dict[str, Any]:
        task = self._task(params["ReplicationTaskArn"])
        if task.seen["Status"] not in ("ready", "stopped", "failed", "creating"):
            raise _state(
                f"Replication task cannot be deleted, invalid state: {task.seen['Status']}"
            )
        task.seen["Status"] = "deleting"
        arn = task.seen["ReplicationTaskArn"]

        def gone() -> None:
            self._tasks.pop(arn, None)
            self._tags.pop(arn, None)

        self._later(self.durations.task_deleting, gone)
        return {"ReplicationTask": _copy(task.seen)}

    def _change_task(self, task: _Task, before: str, after: str) -> None:
        if task.seen["Status"] == before:
            task.seen["Status"] = after

    # -- serverless, quotas, tags ------------------------------------------------------------

    def _describe_replication_configs(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._filtered(
            params,
            [dict(config.seen) for config in self._configs.values()],
            _CONFIG_FILTERS,
        )
        return _page(params, "ReplicationConfigs", found)

    def _describe_replications(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._filtered(
            params,
            [config.seen | {"Status": config.status} for config in self._configs.values()],
            _CONFIG_FILTERS,
        )
        return _page(params, "Replications", found)

    def _describe_account_attributes(self, _: dict[str, Any]) -> dict[str, Any]:
        used = {
            "ReplicationInstances": (len(self._instances), self.quotas.instances),
            "Endpoints": (len(self._endpoints), self.quotas.endpoints),
            "Certificates": (len(self._certificates), self.quotas.certificates),
            "ReplicationTasks": (len(self._tasks), self.quotas.tasks),
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
        self._add_tags(arn, params["Tags"])
        return {}

    def _remove_tags_from_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        arn = self._tagged(params["ResourceArn"])
        for key in params["TagKeys"]:
            self._tags.get(arn, {}).pop(key, None)
        return {}

    def _list_tags_for_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        several = params.get("ResourceArnList")
        if (several is None) == ("ResourceArn" not in params):
            raise _invalid("Specify either ResourceArn or ResourceArnList")
        arns = [self._tagged(arn) for arn in several or [params["ResourceArn"]]]
        return {
            "TagList": [
                {"Key": key, "Value": value} | ({"ResourceArn": arn} if several else {})
                for arn in arns
                for key, value in self._tags.get(arn, {}).items()
            ]
        }

    def _tagged(self, arn: str) -> str:
        known: tuple[Mapping[str, object], ...] = (
            self._certificates,
            self._endpoints,
            self._instances,
            self._tasks,
            self._configs,
        )
        if not any(arn in kind for kind in known):
            raise _not_found(f"Resource {arn} not found")
        return arn

    def _add_tags(self, arn: str, tags: list[dict[str, str]] | None) -> None:
        for tag in tags or []:
            self._tags.setdefault(arn, {})[tag["Key"]] = tag.get("Value", "")

    # -- small rules shared by all -----------------------------------------------------------

    def _filtered(
        self,
        params: dict[str, Any],
        items: list[dict[str, Any]],
        names: Mapping[str, str | tuple[str, ...]],
    ) -> list[dict[str, Any]]:
        filters = params.get("Filters") or []
        found = items
        for one in filters:
            if one["Name"] not in names:
                raise _invalid(f"Unrecognized filter name: {one['Name']}")
            fields = names[one["Name"]]
            wanted = {value.lower() for value in one["Values"]}
            found = [
                item
                for item in found
                if any(
                    str(item.get(name, "")).lower() in wanted
                    for name in ((fields,) if isinstance(fields, str) else fields)
                )
            ]
        if filters and not found and self.switches.unmatched_filter_raises:
            raise _not_found("No resources found matching the given filters")
        return found

    def _identifier(self, text: str, kind: str) -> str:
        if not _IDENTIFIER.fullmatch(text) or len(text) > 255:
            raise _invalid(
                f"The {kind} identifier must begin with a letter; it must contain only ASCII "
                "letters, digits, and hyphens; and must not end with a hyphen or contain two "
                "consecutive hyphens"
            )
        return text.lower() if self.switches.identifiers_lowered else text

    def _exists(self, kind: str, identifier: str, arn: str) -> Fault:
        fault = _fault("ResourceAlreadyExistsFault", f"The {kind} {identifier} already exists")
        if self.switches.already_exists_names_arn:
            fault.resourceArn = arn  # type: ignore[attr-defined]
        return fault

    def _endpoint(self, arn: str) -> _Endpoint:
        try:
            return self._endpoints[arn]
        except KeyError:
            raise _not_found(f"Endpoint {arn} not found") from None

    def _instance(self, arn: str) -> _Instance:
        try:
            return self._instances[arn]
        except KeyError:
            raise _not_found(f"Replication instance {arn} not found") from None

    def _task(self, arn: str) -> _Task:
        try:
            return self._tasks[arn]
        except KeyError:
            raise _not_found(f"Replication task {arn} not found") from None

    def _arn(self, kind: str, name: str | None = None) -> str:
        self._made += 1
        digest = hashlib.sha256(f"{kind}:{self._made}".encode()).digest()
        name = name or base64.b32encode(digest).decode()[:26]
        return f"arn:aws:dms:{self.region}:{self.account}:{kind}:{name}"

    def _kms_key(self) -> str:
        return f"arn:aws:kms:{self.region}:{self.account}:key/aws-dms"

    def _date(self) -> datetime:
        """Now, and later than every date given before: two stops never share a StopDate."""
        self._stamp = max(round(self.now(), 3), round(self._stamp + 0.001, 3))
        return datetime.fromtimestamp(self._stamp, UTC)


_CONFIG_FILTERS: Mapping[str, str | tuple[str, ...]] = {
    "replication-config-arn": "ReplicationConfigArn",
    "replication-config-id": "ReplicationConfigIdentifier",
}

_OPERATIONS: Mapping[str, Callable[[DmsStandIn, dict[str, Any]], dict[str, Any]]] = {
    "AddTagsToResource": DmsStandIn._add_tags_to_resource,
    "CreateEndpoint": DmsStandIn._create_endpoint,
    "CreateReplicationInstance": DmsStandIn._create_replication_instance,
    "CreateReplicationTask": DmsStandIn._create_replication_task,
    "DeleteCertificate": DmsStandIn._delete_certificate,
    "DeleteConnection": DmsStandIn._delete_connection,
    "DeleteEndpoint": DmsStandIn._delete_endpoint,
    "DeleteReplicationTask": DmsStandIn._delete_replication_task,
    "DescribeAccountAttributes": DmsStandIn._describe_account_attributes,
    "DescribeCertificates": DmsStandIn._describe_certificates,
    "DescribeConnections": DmsStandIn._describe_connections,
    "DescribeEndpoints": DmsStandIn._describe_endpoints,
    "DescribeReplicationConfigs": DmsStandIn._describe_replication_configs,
    "DescribeReplicationInstances": DmsStandIn._describe_replication_instances,
    "DescribeReplicationTasks": DmsStandIn._describe_replication_tasks,
    "DescribeReplications": DmsStandIn._describe_replications,
    "ImportCertificate": DmsStandIn._import_certificate,
    "ListTagsForResource": DmsStandIn._list_tags_for_resource,
    "ModifyEndpoint": DmsStandIn._modify_endpoint,
    "ModifyReplicationTask": DmsStandIn._modify_replication_task,
    "RemoveTagsFromResource": DmsStandIn._remove_tags_from_resource,
    "StartReplicationTask": DmsStandIn._start_replication_task,
    "StopReplicationTask": DmsStandIn._stop_replication_task,
    "TestConnection": DmsStandIn._test_connection,
}


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


def _page(
    params: dict[str, Any],
    key: str,
    items: list[dict[str, Any]],
    *,
    default: int = 100,
    least: int = 20,
) -> dict[str, Any]:
    """One page of a Describe: 20 to 100, default 100; certificates default 10 (sections 2, 4)."""
    size = params.get("MaxRecords", default)
    if not least <= size <= 100:
        raise _invalid(f"MaxRecords must be between {least} and 100")
    marker = params.get("Marker")
    try:
        start = int(base64.b64decode(marker)) if marker else 0
    except ValueError:
        raise _invalid("Invalid marker") from None
    page: dict[str, Any] = {key: items[start : start + size]}
    if start + size < len(items):
        page["Marker"] = base64.b64encode(str(start + size).encode()).decode()
    return page


def _given(params: Mapping[str, Any], name: str) -> bool:
    return name in params or name in (params.get("PostgreSQLSettings") or {})


def _ends(seen: Mapping[str, Any]) -> tuple[str, str]:
    return seen["SourceEndpointArn"], seen["TargetEndpointArn"]


def _pair(endpoint: _Endpoint, instance: _Instance) -> tuple[str, str]:
    return endpoint.seen["EndpointArn"], instance.seen["ReplicationInstanceArn"]


def _copy(task: Mapping[str, Any]) -> dict[str, Any]:
    return {**task, "ReplicationTaskStats": dict(task["ReplicationTaskStats"])}


def _without_passwords(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "***" if name == "Password" else _without_passwords(one)
            for name, one in value.items()
        }
    return value


def _fault(code: str, message: str) -> Fault:
    return Fault(code, message)


def _state(message: str) -> Fault:
    return _fault("InvalidResourceStateFault", message)


def _not_found(message: str) -> Fault:
    return _fault("ResourceNotFoundFault", message)


def _invalid(message: str) -> JsonRESTError:
    return JsonRESTError("InvalidParameterValueException", message)
