"""Serverless replications: listed, started and stopped. They come with ``add_serverless``."""

from collections.abc import Mapping
from typing import Any

from sandbox.dms.tasks import NOTHING_LOADED
from sandbox.dms.world import Operations, Serverless, World, bad_state, not_found, page

_CONFIG_FILTERS: Mapping[str, str | tuple[str, ...]] = {
    "replication-config-arn": "ReplicationConfigArn",
    "replication-config-id": "ReplicationConfigIdentifier",
}


class Replications:
    """Describe, start, stop."""

    def __init__(self, dms: World) -> None:
        self._dms = dms

    def operations(self) -> Operations:
        """The API operations that are answered here."""
        return {
            "DescribeReplicationConfigs": self._describe_replication_configs,
            "DescribeReplications": self._describe_replications,
            "StartReplication": self._start,
            "StopReplication": self._stop,
        }

    def _describe_replication_configs(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._dms.filtered(
            params,
            [dict(config.seen) for config in self._dms.state.configs.values()],
            _CONFIG_FILTERS,
        )
        return page(params, "ReplicationConfigs", found)

    def _describe_replications(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._dms.filtered(
            params,
            [self._replication(config) for config in self._dms.state.configs.values()],
            _CONFIG_FILTERS,
        )
        return page(params, "Replications", found)

    def _replication(self, config: Serverless) -> dict[str, Any]:
        seen = dict(config.seen)
        messages = []
        if config.failure is not None:
            endpoint = self._dms.endpoint(seen["SourceEndpointArn"]).seen["EndpointIdentifier"]
            messages.append(
                f"Test connection failed for endpoint '{endpoint}' and replication config "
                f"'{seen['ReplicationConfigIdentifier']}'. Failure Message: '{config.failure}'"
            )
        return seen | {
            "Status": config.status,
            "ProvisionData": {"IsNewProvisioningAvailable": False, "ProvisionedCapacityUnits": 0},
            "FailureMessages": messages,
            "ReplicationStats": dict(NOTHING_LOADED),
            "ReplicationCreateTime": seen.pop("ReplicationConfigCreateTime"),
            "ReplicationUpdateTime": seen.pop("ReplicationConfigUpdateTime"),
        }

    def _start(self, params: dict[str, Any]) -> dict[str, Any]:
        config = self._config(params["ReplicationConfigArn"])
        if config.status == "running":
            raise bad_state(f"Replication {params['ReplicationConfigArn']} is already running")
        config.status = "running"
        return {"Replication": self._replication(config)}

    def _stop(self, params: dict[str, Any]) -> dict[str, Any]:
        config = self._config(params["ReplicationConfigArn"])
        if config.status != "running":
            raise bad_state(f"Replication {params['ReplicationConfigArn']} is not running")
        config.status = "stopped"
        return {"Replication": self._replication(config)}

    def _config(self, arn: str) -> Serverless:
        try:
            return self._dms.state.configs[arn]
        except KeyError:
            raise not_found(f"Replication config {arn} not found") from None
