"""What has come of a story: everything that must be the same with a fault as without one."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from certifier.ownership import SOURCE_TAG
from sandbox.aws.cloud import TICK_MINUTES
from sandbox.world import World

_deserialize = TypeDeserializer().deserialize
_KEPT = ("SslMode", "Status", "EngineName", "EndpointType", "PostgreSQLSettings")

End = Mapping[str, Any]


def end_of(world: World, names: tuple[str, ...]) -> End:
    """Return endpoints, certificates, connections, tasks, what is open in the table, as JSON."""
    cloud = world.cloud
    items = [{k: _deserialize(v) for k, v in item.items()} for item in cloud.items()]
    states = {item["pk"]: item for item in items if item["sk"] == "STATE"}
    certificates = {
        c["CertificateArn"]: c["CertificateIdentifier"] for c in cloud.dms.certificates()
    }
    endpoints = {e["EndpointArn"]: e for e in cloud.dms.endpoints()}
    end = {
        "sources": {
            name: _source(states.get(f"SOURCE#{name}", {}), cloud.clock.now()) for name in names
        },
        "undo logs": [item["pk"] for item in items if item["sk"] == "UNDO"],
        "pauses": [item["sk"] for item in items if item["pk"] == "PAUSE"],
        "endpoints": {
            e["EndpointIdentifier"]: {key: e.get(key) for key in _KEPT}
            | {"certificate": certificates.get(e.get("CertificateArn"))}
            for e in endpoints.values()
        },
        "certificates": sorted(certificates.values()),
        "connections": sorted(
            f"{endpoints[c['EndpointArn']]['EndpointIdentifier']} {c['Status']}"
            for c in cloud.dms.connections()
        ),
        "tasks": {t["ReplicationTaskIdentifier"]: t["Status"] for t in cloud.dms.tasks()},
        "acm": _acm(world),
        "running": [e.run_id for e in cloud.executions if e.status == "RUNNING"],
    }
    whole: End = json.loads(json.dumps(end, sort_keys=True, default=str))
    return whole


def _source(state: Mapping[str, Any], now: datetime) -> Mapping[str, Any]:
    due = state.get("due_at")
    soon = now + timedelta(minutes=TICK_MINUTES)
    return {
        "outcome": state.get("outcome"),
        "claim": bool(state.get("claim")),
        "canary": state.get("canary"),
        "pending_restarts": sorted(state.get("pending_restarts", ())),
        "due": "never" if due is None else "soon" if due <= soon.isoformat() else "later",
    }


def _acm(world: World) -> list[str]:
    """Return whose certificates are in ACM, and which leaf each one holds."""
    found = []
    for bundle in world.cloud.acm.certificates().values():
        leaf = x509.load_pem_x509_certificate(bundle.cert)
        source = dict(bundle.tags.items()).get(SOURCE_TAG)
        found.append(f"{source} {leaf.fingerprint(SHA256()).hex()[:16]}")
    return sorted(found)


def settled(end: End) -> bool:
    """Whether nothing is left open, and no source is due soon: nothing more would happen today."""
    sources = end["sources"].values()
    return not (end["undo logs"] or end["pauses"] or end["running"]) and all(
        source["outcome"] and not source["claim"] and source["due"] != "soon" for source in sources
    )


def differences(end: End, expected: End) -> list[str]:
    """Return what is not as it should be, one line each."""
    return [
        f"{key}: {_short(end[key])}, not {_short(expected[key])}"
        for key in expected
        if end[key] != expected[key]
    ]


def _short(value: Any) -> str:
    return json.dumps(value, sort_keys=True)[:1500]
