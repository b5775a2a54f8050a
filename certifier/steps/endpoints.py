"""What several steps share about an endpoint: its new fields, its password, its instances."""

from collections.abc import Iterable
from typing import Any

from certifier.aws.secrets import Secret
from certifier.errors import Refused
from certifier.models import (
    Endpoint,
    EndpointFields,
    ImportedCa,
    Material,
    Plan,
)
from certifier.outcome import Cause
from certifier.source import CredentialsMode
from certifier.steps.tools import StepEvent, Tools

LOGIN = ("server_name", "port", "username")
SECRET = ("secret_id", "secret_role_arn")


def planned(event: StepEvent, tools: Tools[Any]) -> Plan:
    """Return the plan of this run.

    Raises:
        Refused: there is none, so nothing may be changed.
    """
    plan = tools.documents.read(event.run_id, "plan_changes", Plan)
    if plan is None:
        raise Refused(Cause.UNEXPECTED, seen="the plan of this run is gone")
    return plan


def material_of(event: StepEvent, tools: Tools[Any]) -> Material | None:
    """Return what Read material found; ``None`` in a run that went straight to the tail."""
    return tools.documents.read(event.run_id, "read_material", Material)


def new_fields(event: StepEvent, tools: Tools[Any], plan: Plan) -> EndpointFields:
    """Return every field that is ours, as it shall be: the plan's, with the imported CA."""
    imported = tools.documents.read(event.run_id, "import_ca", ImportedCa) or ImportedCa()
    if imported.certificate_arn is None:
        return plan.target
    return plan.target.model_copy(update={"certificate_arn": imported.certificate_arn})


def written_names(plan: Plan, current: EndpointFields, new: EndpointFields) -> tuple[str, ...]:
    """Return the names of the fields that must be written to get from ``current`` to ``new``."""
    return tuple(
        name
        for name, wanted in new.said().items()
        if plan.create or not equal(name, getattr(current, name), wanted)
    )


def equal(name: str, one: object, other: object) -> bool:
    """Whether two values of a field mean the same: host names ignore case."""
    if name == "server_name":
        return str(one).lower() == str(other).lower()
    return one == other


def only(fields: EndpointFields, names: tuple[str, ...]) -> EndpointFields:
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


def beside(
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


def password(event: StepEvent, tools: Tools[Any], version: str | None) -> str | None:
    """Return the password at ``version`` of the source's credentials, for an inline endpoint.

    ``None`` when the endpoint refers to the secret itself, or there is no version.

    Raises:
        Refused: the secret cannot be read at that version any more.
    """
    source = event.source.spec
    if (
        version is None
        or source.credentials is None
        or source.credentials_mode is not CredentialsMode.INLINE
    ):
        return None
    return password_at(tools, source.credentials, version)


def password_at(tools: Tools[Any], secret_arn: str, version: str) -> str:
    """Return the password that the secret held at ``version``."""
    secret = tools.secrets.read(secret_arn, version)
    if not isinstance(secret, Secret):
        raise Refused(secret.cause, findings=(secret,))
    found = secret.text("password")
    if found is None:
        raise Refused(Cause.SECRET_INCOMPLETE, findings=secret.missing("password"))
    return found
