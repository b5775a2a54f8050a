"""The fields of a DMS endpoint that Certifier manages: groups, equality, what to send."""

from collections.abc import Callable, Iterable, Mapping

from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.identity import same_host, same_resource, same_role, same_secret

LOGIN = ("server_name", "port", "username")


SECRET = ("secret_id", "secret_role_arn")


_IDENTITY: Mapping[str, Callable[[str, str], bool]] = {
    "server_name": same_host,
    "secret_id": same_secret,
    "secret_role_arn": same_role,
    "certificate_arn": same_resource,
}


def equal(name: str, one: object, other: object) -> bool:
    """Whether two values of an endpoint's field mean the same host, secret, role or certificate."""
    same = _IDENTITY.get(name)
    if same is not None and isinstance(one, str) and isinstance(other, str):
        return same(one, other)
    return one == other


def differing(names: Iterable[str], one: EndpointFields, other: EndpointFields) -> tuple[str, ...]:
    """Return those of ``names`` that have another value in ``one`` than in ``other``."""
    return tuple(n for n in names if not equal(n, getattr(one, n), getattr(other, n)))


def subset(fields: EndpointFields, names: tuple[str, ...]) -> EndpointFields:
    """Return ``fields`` with everything but ``names`` left out."""
    return EndpointFields.model_validate({name: getattr(fields, name) for name in names})


def replaced_by(names: Iterable[str]) -> tuple[str, ...]:
    """Return the fields that DMS may empty when ``names`` are written.

    An endpoint has a secret, or a host, port and user of its own, never both (aws-facts 3).
    """
    written = set(names)
    if written.intersection(SECRET):
        return LOGIN
    return SECRET if written.intersection(LOGIN) else ()


def complete_modify(
    endpoint: Endpoint, names: tuple[str, ...], new: EndpointFields, *, password: bool = False
) -> EndpointFields:
    """Return what to send so that ``names`` get their new values and nothing else moves.

    DMS has been seen to empty the database name when it was not sent along, and wants the whole
    connection when a part of it changes (aws-facts 3, "Partial-update traps").

    Args:
        password: one is sent too, which is a part of the connection.
    """
    now = endpoint.fields
    sent = {name: getattr(new, name) for name in names}
    sent.setdefault("database_name", now.database_name)
    if password or any(name in LOGIN for name in names):
        for name in LOGIN:
            sent.setdefault(name, getattr(now, name))
    if any(name in SECRET for name in names):
        for name in SECRET:
            sent.setdefault(name, getattr(now, name))
    return EndpointFields.model_validate(sent)
