"""Whether an answer is about what was asked for.

A cache or a proxy on the way may answer with the data of another resource. Such an answer counts as
none at all: of a read, nothing is known; of a write, nobody knows whether it was made. So it is
``Unavailable``, as a lost answer is, and is asked again.

Two answers of ACM repeat nothing of what they were asked for. GetCertificate: its leaf is compared
with the serial number that DescribeCertificate shows under the ARN (``require_serial``), unless it
is the very certificate that was expected there. ListTagsForCertificate: nothing can be compared, so
tags alone permit nothing. What only they say is ours is adopted when it holds the same leaf, and
deleted when this source had noted its ARN itself.
"""

from collections.abc import Iterable, Mapping
from re import fullmatch
from typing import Any, Final

from certifier.errors import Unavailable

_NAMED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    # DMS
    "create_endpoint": (("EndpointIdentifier", "Endpoint.EndpointIdentifier"),),
    "modify_endpoint": (("EndpointArn", "Endpoint.EndpointArn"),),
    "delete_endpoint": (("EndpointArn", "Endpoint.EndpointArn"),),
    "delete_certificate": (("CertificateArn", "Certificate.CertificateArn"),),
    "test_connection": (
        ("EndpointArn", "Connection.EndpointArn"),
        ("ReplicationInstanceArn", "Connection.ReplicationInstanceArn"),
    ),
    "delete_connection": (
        ("EndpointArn", "Connection.EndpointArn"),
        ("ReplicationInstanceArn", "Connection.ReplicationInstanceArn"),
    ),
    "stop_replication_task": (("ReplicationTaskArn", "ReplicationTask.ReplicationTaskArn"),),
    "start_replication_task": (("ReplicationTaskArn", "ReplicationTask.ReplicationTaskArn"),),
    # ACM's and DMS's ImportCertificate have the same name: of each, only its own is asked for.
    "import_certificate": (
        ("CertificateIdentifier", "Certificate.CertificateIdentifier"),
        ("CertificateArn", "CertificateArn"),
    ),
    "describe_certificate": (("CertificateArn", "Certificate.CertificateArn"),),
    "describe_execution": (("executionArn", "executionArn"),),
    "get_object": (("VersionId", "VersionId"),),
}
"""By operation: a parameter, and where the answer repeats it."""

_FILTERED: Final[Mapping[str, tuple[str, ...]]] = {
    "endpoint-arn": ("EndpointArn", "SourceEndpointArn", "TargetEndpointArn"),
    "endpoint-id": ("EndpointIdentifier",),
    "certificate-arn": ("CertificateArn",),
    "certificate-id": ("CertificateIdentifier",),
    "replication-task-arn": ("ReplicationTaskArn",),
    "replication-instance-arn": ("ReplicationInstanceArn",),
}
"""By filter of DMS: which members of an entry it is about."""


def require_asked(operation: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Return if the answer of a call names what its parameters name, as far as it names anything.

    Identifiers are compared in any case, since DMS keeps them in lower case.

    Raises:
        Unavailable: it is about something else.
    """
    for parameter, path in _NAMED.get(operation, ()):
        asked = params.get(parameter)
        value: Any = answer
        for member in path.split("."):
            value = value.get(member) if isinstance(value, Mapping) else None
        if asked is not None and value is not None:
            require_same(operation, (value,), (asked,))


def require_same(operation: str, found: Iterable[object], asked: Iterable[object]) -> None:
    """Return if everything that an answer names was asked for.

    Raises:
        Unavailable: something was not.
    """
    wanted = {str(one).lower() for one in asked}
    if any(str(one).lower() not in wanted for one in found):
        raise Unavailable(f"{operation}: the answer is about something else")


def require_serial(operation: str, described: object, serial: str | None) -> None:
    """Return if a certificate has the serial number that ACM describes, as far as it does so.

    Args:
        described: as ACM writes it: ``07:71:71:f4`` (API of ACM, CertificateDetail).
        serial: in hex, without colons.

    Raises:
        Unavailable: it has another one.
    """
    if isinstance(described, str) and fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})+", described):
        shown = described.replace(":", "").lower().lstrip("0")
        if serial is not None and shown != serial.lower().lstrip("0"):
            raise Unavailable(f"{operation}: the answer is about something else")


def _named(entry: Mapping[str, Any], key: str) -> str | None:
    """Return what an entry is named by; what it lacks is not something called "none"."""
    value = entry.get(key)
    return None if value is None else str(value).lower()


def matching(
    operation: str, entries: Iterable[Mapping[str, Any]], filters: Iterable[tuple[str, ...]]
) -> list[Mapping[str, Any]]:
    """Return the entries of a page that fit a filter of DMS, all of them when there is none.

    Raises:
        Unavailable: there are entries, and all are about something else.
    """
    kept = every = list(entries)
    for name, *values in filters:
        wanted = {value.lower() for value in values}
        members = _FILTERED[name]
        kept = [one for one in kept if any(_named(one, key) in wanted for key in members)]
    if every and not kept:
        raise Unavailable(f"{operation}: the answer is about something else")
    return kept
