"""DMS endpoints: created, merged, read back (AWS facts, sections 1 and 3)."""

import re
from functools import partial
from typing import Any

from moto.core.exceptions import JsonRESTError

from sandbox.dms.connections import Connections
from sandbox.dms.world import (
    PLAIN,
    Endpoint,
    Fault,
    Operations,
    World,
    bad_state,
    ends_of,
    given,
    invalid,
    not_found,
    page,
)

_LOGIN = ("ServerName", "Port", "Username", "Password")
_SECRET = ("SecretsManagerSecretId", "SecretsManagerAccessRoleArn")
_TOP_LEVEL = (
    "EngineName",
    "SslMode",
    "CertificateArn",
    "ExtraConnectionAttributes",
    "ServiceAccessRoleArn",
)
_CERTIFICATE_ARN = re.compile(r"arn:[\w-]+:dms:[\w-]+:\d+:cert:[\w-]+")
_PLUGINS = ("no-preference", "test-decoding", "pglogical")
_BUSY_TASK = ("starting", "running")
_BUSY_SERVERLESS = ("initializing", "preparing_metadata_resources", "testing_connection", "running")


class Endpoints:
    """Create, modify, describe, delete."""

    def __init__(self, dms: World, connections: Connections) -> None:
        self._dms = dms
        self._connections = connections

    def operations(self) -> Operations:
        """The API operations that are answered here."""
        return {
            "CreateEndpoint": self._create,
            "ModifyEndpoint": self._modify,
            "DescribeEndpoints": self._describe,
            "DeleteEndpoint": self._delete,
        }

    def _create(self, params: dict[str, Any]) -> dict[str, Any]:
        identifier = self._free(params["EndpointIdentifier"])
        if len(self._dms.state.endpoints) >= self._dms.quotas.endpoints:
            raise Fault("ResourceQuotaExceededFault", "The quota for endpoints is exceeded")
        self._check_settings(params)
        arn = self._dms.new_arn("endpoint", params.get("ResourceIdentifier"))
        endpoint = Endpoint(
            seen={
                "EndpointIdentifier": identifier,
                "EndpointArn": arn,
                "EndpointType": params["EndpointType"].upper(),
                "EngineName": params["EngineName"],
                "EngineDisplayName": "PostgreSQL",
                "Status": "creating",
                "SslMode": "none",
                "KmsKeyId": params.get("KmsKeyId", self._dms.kms_key()),
                "IsReadOnly": False,
            },
            settings={},
        )
        self._apply(endpoint, params)
        self._check_certificate(endpoint)
        self._dms.state.endpoints[arn] = endpoint
        self._dms.add_tags(arn, params.get("Tags"))
        self._dms.later(self._dms.durations.endpoint_creating, lambda: self._active(endpoint))
        if self._dms.switches.hidden_test_after_create:
            for instance in self._dms.state.instances.values():
                self._dms.later(
                    self._dms.switches.hidden_test_delay,
                    partial(self._connections.test_unless_testing, endpoint, instance),
                )
        return {"Endpoint": self._dms.seen_endpoint(endpoint)}

    def _modify(self, params: dict[str, Any]) -> dict[str, Any]:
        switches = self._dms.switches
        endpoint = self._dms.endpoint(params["EndpointArn"])
        arn = endpoint.seen["EndpointArn"]
        if endpoint.seen["IsReadOnly"]:
            raise bad_state(f"Endpoint {arn} is read-only and cannot be modified")
        if endpoint.seen["Status"] != "active":
            raise bad_state(f"Endpoint {arn} is in status {endpoint.seen['Status']}")
        self._reject_while_replicating(arn)
        if not switches.modify_while_testing_accepted and self._connections.is_testing(endpoint):
            raise bad_state(f"Endpoint {arn} is being tested")
        if "EndpointIdentifier" in params:
            self._free(params["EndpointIdentifier"], but=arn)
        self._check_settings(params)
        changed = Endpoint(dict(endpoint.seen), dict(endpoint.settings), endpoint.password)
        self._apply(changed, params)
        if switches.modify_resets_database_name and not given(params, "DatabaseName"):
            changed.settings.pop("DatabaseName", None)
        self._check_certificate(changed)
        endpoint.before = self._dms.seen_endpoint(endpoint)
        endpoint.before_until = self._dms.now() + self._dms.durations.modify_unseen
        endpoint.seen = changed.seen | {"Status": "modifying"}
        endpoint.settings, endpoint.password = changed.settings, changed.password
        endpoint.revision += 1
        self._dms.later(self._dms.durations.endpoint_modifying, lambda: self._active(endpoint))
        if switches.hidden_test_after_modify and switches.hidden_test_delay:
            self._dms.later(
                switches.hidden_test_delay, lambda: self._connections.hidden_test(endpoint)
            )
        elif switches.hidden_test_after_modify:
            self._connections.hidden_test(endpoint)
        return {"Endpoint": self._dms.seen_endpoint(endpoint)}

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        switches = self._dms.switches
        endpoint = self._dms.endpoint(params["EndpointArn"])
        arn = endpoint.seen["EndpointArn"]
        if any(arn in ends_of(task.seen) for task in self._dms.state.tasks.values()):
            raise bad_state(f"Endpoint {arn} is part of one or more replication tasks")
        if any(arn in ends_of(config.seen) for config in self._dms.state.configs.values()):
            raise bad_state(f"Endpoint {arn} is part of one or more replication configs")
        if not switches.delete_while_testing_accepted and self._connections.is_testing(endpoint):
            raise bad_state(f"Endpoint {arn} is being tested")
        if endpoint.seen["Status"] == "deleting":
            raise bad_state(f"Endpoint {arn} is being deleted")
        endpoint.seen["Status"] = "deleting"
        self._dms.later(self._dms.durations.endpoint_deleting, lambda: self._forget(arn))
        return {"Endpoint": self._dms.seen_endpoint(endpoint)}

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._dms.filtered(
            params,
            [endpoint.seen for endpoint in self._dms.state.endpoints.values()],
            {
                "endpoint-arn": "EndpointArn",
                "endpoint-id": "EndpointIdentifier",
                "endpoint-type": "EndpointType",
                "engine-name": "EngineName",
            },
        )
        shown = page(params, "Endpoints", found)
        return shown | {
            "Endpoints": [
                self._shown(self._dms.endpoint(one["EndpointArn"])) for one in shown["Endpoints"]
            ]
        }

    def _shown(self, endpoint: Endpoint) -> dict[str, Any]:
        """As it is, or as it was a moment ago."""
        if self._dms.now() < endpoint.before_until:
            return dict(endpoint.before)
        return self._dms.seen_endpoint(endpoint)

    def _free(self, text: str, but: str | None = None) -> str:
        """The identifier, once it is known that no endpoint (but one) has it."""
        identifier = self._dms.identifier(text, "endpoint")
        for arn, other in self._dms.state.endpoints.items():
            if arn != but and other.seen["EndpointIdentifier"] == identifier:
                raise self._dms.exists("endpoint", identifier, arn)
        return identifier

    def _active(self, endpoint: Endpoint) -> None:
        if endpoint.seen["Status"] in ("creating", "modifying"):
            endpoint.seen["Status"] = "active"

    def _forget(self, arn: str) -> None:
        self._dms.state.endpoints.pop(arn, None)
        self._dms.state.tags.pop(arn, None)
        for key in [key for key in self._dms.state.connections if key[0] == arn]:
            del self._dms.state.connections[key]

    def _check_settings(self, params: dict[str, Any]) -> None:
        """ "You can specify a secret, or clear text. You can't specify both" (section 3)."""
        if any(given(params, name) for name in _SECRET) and any(
            given(params, name) for name in _LOGIN
        ):
            raise JsonRESTError(
                "InvalidParameterCombinationException",
                "Specify either SecretsManagerSecretId with SecretsManagerAccessRoleArn, or clear "
                "text UserName, Password, ServerName, and Port. You can't specify both.",
            )
        plugin = (params.get("PostgreSQLSettings") or {}).get("PluginName")
        if plugin is not None and plugin not in _PLUGINS:
            raise invalid(f"Invalid value for PluginName: {plugin}")
        certificate = params.get("CertificateArn")
        if certificate is not None:
            if not _CERTIFICATE_ARN.fullmatch(certificate):
                raise invalid("Invalid certificate ARN")
            if certificate not in self._dms.state.certificates:
                raise not_found(f"Certificate {certificate} not found")

    def _check_certificate(self, endpoint: Endpoint) -> None:
        verifies = endpoint.seen["SslMode"].startswith("verify-")
        if (
            verifies
            and "CertificateArn" not in endpoint.seen
            and self._dms.switches.verify_without_certificate_refused
        ):
            raise invalid(f"CertificateArn is required with SSL mode {endpoint.seen['SslMode']}")

    def _apply(self, endpoint: Endpoint, params: dict[str, Any]) -> None:
        """Merge what was sent into the endpoint; `ExactSettings` replaces the settings instead."""
        sent = dict(params.get("PostgreSQLSettings") or {})
        for name in (*PLAIN, "Password"):
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
            endpoint.seen["EndpointIdentifier"] = self._dms.identifier(
                params["EndpointIdentifier"], "endpoint"
            )

    def _reject_while_replicating(self, arn: str) -> None:
        running = [
            task.seen["ReplicationTaskIdentifier"]
            for task in self._dms.state.tasks.values()
            if arn in ends_of(task.seen) and task.seen["Status"] in _BUSY_TASK
        ] + [
            config.seen["ReplicationConfigIdentifier"]
            for config in self._dms.state.configs.values()
            if arn in ends_of(config.seen) and config.status in _BUSY_SERVERLESS
        ]
        if running:
            raise bad_state(
                f"Endpoint {arn} is part of one or more running replications: {', '.join(running)}"
            )
