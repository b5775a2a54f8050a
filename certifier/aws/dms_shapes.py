"""The shapes of DMS's API: what it shows in our own values, and what it is given.

Nothing here calls the service. Where a value stands at either of two places, or in a form of its
own, is in the AWS notes, sections 1 to 6.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from certifier import certificate
from certifier.endpoint.facts import (
    Connection,
    DataProvider,
    DmsCertificate,
    Endpoint,
    EndpointFields,
    ReplicationConfig,
    ReplicationTask,
)
from certifier.errors import Unexpected
from certifier.text import redact_passwords
from certifier.vocabulary import SslMode

_LAST_ERROR = re.compile(
    r"Last Error\s+(?P<why>\S.*?)\s*Stop Reason \w+ Error Level \w+\.?", re.DOTALL
)
_POSTGRESQL = ("postgres", "aurora-postgresql")
_CONNECTION = {
    "server_name": "ServerName",
    "port": "Port",
    "username": "Username",
    "database_name": "DatabaseName",
}
_SECRET = {
    "secret_id": "SecretsManagerSecretId",
    "secret_role_arn": "SecretsManagerAccessRoleArn",
}
_READ_AS_FIELDS = frozenset(
    {
        "CertificateArn",
        "EndpointArn",
        "EndpointIdentifier",
        "EndpointType",
        "EngineName",
        "IsReadOnly",
        "PostgreSQLSettings",
        "SslMode",
        "Status",
        *_CONNECTION.values(),
    }
)
_READ_AS_SETTINGS = frozenset(
    {"AuthenticationMethod", "Password", *_CONNECTION.values(), *_SECRET.values()}
)


def parameters(fields: EndpointFields, password: str | None, *, by_secret: bool) -> dict[str, Any]:
    """Return ``fields`` as parameters of CreateEndpoint and ModifyEndpoint.

    A connection is said at the top level and in PostgreSQLSettings alike; with a secret, which
    excludes a host, a port and a user, in the settings only.
    """
    said = fields.given()
    params: dict[str, Any] = {}
    if fields.ssl_mode is not None:
        params["SslMode"] = fields.ssl_mode.value
    if fields.certificate_arn is not None:
        params["CertificateArn"] = fields.certificate_arn
    connection = {theirs: said[ours] for ours, theirs in _CONNECTION.items() if ours in said}
    if password is not None:
        connection["Password"] = password
    settings = connection | {theirs: said[ours] for ours, theirs in _SECRET.items() if ours in said}
    if settings:
        params["PostgreSQLSettings"] = settings
    return params if by_secret else params | connection


def with_settings_of(original: Mapping[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """Return ``params`` with the settings of another endpoint that are not ours beneath them.

    Nor its secret, wherever it stands: beside ours, either of them could be the one that is tried.
    """
    settings = {
        name: value
        for name, value in original.get("PostgreSQLSettings", {}).items()
        if name not in _READ_AS_SETTINGS
    } | params.get("PostgreSQLSettings", {})
    attributes = _without_login(str(original.get("ExtraConnectionAttributes") or ""))
    return (
        params
        | ({"PostgreSQLSettings": settings} if settings else {})
        | ({"ExtraConnectionAttributes": attributes} if attributes else {})
    )


def endpoint_of(described: Mapping[str, Any]) -> Endpoint:
    """Return what DescribeEndpoints shows; plain fields stand at either of two places."""
    settings: Mapping[str, Any] = described.get("PostgreSQLSettings", {})

    def given(name: str) -> Any:
        return described.get(name) or settings.get(name) or None

    rest = {
        "top": {name: value for name, value in described.items() if name not in _READ_AS_FIELDS},
        "settings": {
            name: value for name, value in settings.items() if name not in _READ_AS_SETTINGS
        },
    }
    text = json.dumps(rest, sort_keys=True, default=str)
    return Endpoint(
        arn=described["EndpointArn"],
        identifier=described["EndpointIdentifier"],
        endpoint_type=described["EndpointType"].lower(),
        engine=described["EngineName"].lower(),
        status=described.get("Status", "").lower(),
        fields=EndpointFields(
            ssl_mode=_ssl_mode(described),
            certificate_arn=described.get("CertificateArn") or None,
            **{ours: given(theirs) for ours, theirs in _CONNECTION.items()},
            **_secret(described, settings),
        ),
        authentication=settings.get("AuthenticationMethod") or "password",
        read_only=bool(described.get("IsReadOnly")),
        rest_digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _ssl_mode(described: Mapping[str, Any]) -> SslMode | None:
    """Return the mode; ``None`` when it is a new one of another engine, which concerns nobody here.

    Raises:
        Unexpected: an endpoint for PostgreSQL has a mode that this version does not know.
    """
    word = described.get("SslMode") or SslMode.NONE.value
    if word in set(SslMode):
        return SslMode(word)
    if described["EngineName"].lower().startswith(_POSTGRESQL):
        identifier = described["EndpointIdentifier"]
        raise Unexpected(f"DescribeEndpoints: {identifier} has the unknown SslMode {word[:40]}")
    return None


def _secret(described: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the secret and its role, which may also stand in the extra connection attributes.

    There they are ``SecretsManagerSecretId=...;SecretsManagerAccessRoleArn=...``, in any case.
    """
    parts = str(described.get("ExtraConnectionAttributes") or "").split(";")
    extra = {_named(part): part.partition("=")[2].strip() for part in parts}
    return {
        ours: settings.get(theirs) or extra.get(theirs.lower()) or None
        for ours, theirs in _SECRET.items()
    }


def _named(part: str) -> str:
    """Return the name of an extra connection attribute, in lower case."""
    return part.partition("=")[0].strip().lower()


def _without_login(attributes: str) -> str:
    """Return extra connection attributes without a secret and its role."""
    theirs = {name.lower() for name in _SECRET.values()}
    return ";".join(part for part in attributes.split(";") if _named(part) not in theirs)


def data_provider_of(described: Mapping[str, Any]) -> DataProvider:
    """Return a data provider. Its settings stand under the name of its engine."""
    kinds = [one for one in described.get("Settings", {}).values() if isinstance(one, Mapping)]
    settings: Mapping[str, Any] = kinds[0] if kinds else {}
    mode = settings.get("SslMode")
    return DataProvider(
        arn=described["DataProviderArn"],
        name=described["DataProviderName"],
        engine=str(described.get("Engine", "")).lower(),
        host=settings.get("ServerName") or None,
        port=settings.get("Port") or None,
        ssl_mode=SslMode(mode) if mode in set(SslMode) else None,
        certificate_arn=settings.get("CertificateArn") or None,
    )


def certificate_of(described: Mapping[str, Any]) -> DmsCertificate:
    """Return a certificate; one that holds a wallet has no PEM."""
    pem = described.get("CertificatePem") or ""
    return DmsCertificate(
        arn=described["CertificateArn"],
        identifier=described["CertificateIdentifier"],
        pem=pem,
        digest=certificate.bundle_digest(pem),
    )


def connection_of(described: Mapping[str, Any]) -> Connection:
    """Return a connection. An old message may outlive its failure: it counts only with one."""
    status = described["Status"]
    return Connection(
        endpoint_arn=described["EndpointArn"],
        instance_arn=described["ReplicationInstanceArn"],
        status=status,
        message=_said(described) if status == "failed" else None,
        instance=described.get("ReplicationInstanceIdentifier"),
    )


def replication_config_of(described: Mapping[str, Any]) -> ReplicationConfig:
    """Return a serverless replication with the endpoints at its two ends."""
    return ReplicationConfig(
        arn=str(described["ReplicationConfigArn"]),
        identifier=str(described["ReplicationConfigIdentifier"]),
        source_endpoint_arn=str(described.get("SourceEndpointArn") or ""),
        target_endpoint_arn=str(described.get("TargetEndpointArn") or ""),
    )


def task_of(described: Mapping[str, Any]) -> ReplicationTask:
    """Return a task; ``full_load``: it copies tables now, for the first time or again."""
    stats: Mapping[str, Any] = described.get("ReplicationTaskStats", {})
    stopped: datetime | None = stats.get("StopDate")
    begun: datetime | None = stats.get("StartDate")
    running = described["Status"] == "running"
    loads = described["MigrationType"] != "cdc" and stats.get("FullLoadProgressPercent", 0) < 100
    reloads = stats.get("TablesLoading", 0) > 0  # the percentage stays that of the first load
    return ReplicationTask(
        arn=described["ReplicationTaskArn"],
        identifier=described["ReplicationTaskIdentifier"],
        status=described["Status"],
        source_endpoint_arn=described["SourceEndpointArn"],
        target_endpoint_arn=described["TargetEndpointArn"],
        instance_arn=described["ReplicationInstanceArn"],
        migration_type=described["MigrationType"],
        full_load=running and (loads or reloads),
        start_date=begun.astimezone(UTC) if begun else None,
        stop_reason=redact_passwords(described.get("StopReason") or "") or None,
        stop_date=stopped.astimezone(UTC) if stopped else None,
        message=_why_failed(described),
    )


_FAILED = ("failed", "failed-move")


def _why_failed(described: Mapping[str, Any]) -> str | None:
    """Return the words inside of what DMS says of a task that failed; StopReason has them all.

    ``None`` in any other status: LastFailureMessage outlives the failure, as a connection's does.
    """
    if described["Status"] not in _FAILED:
        return None
    said = _said(described)
    found = _LAST_ERROR.fullmatch(said or "")
    return found["why"] if found else said


def _said(described: Mapping[str, Any]) -> str | None:
    """Return what DMS said last, without what looks like a password: it is kept and shown."""
    return redact_passwords(described.get("LastFailureMessage") or "") or None


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in the form that DMS takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
