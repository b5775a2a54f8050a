"""What several steps share about an endpoint: its new fields, its password, its instances."""

from typing import Any

from certifier.aws.secrets import Secret
from certifier.endpoint.facts import EndpointFields
from certifier.errors import Refused
from certifier.run.documents import ImportedCa, Material, Plan
from certifier.run.event import StepEvent
from certifier.source import CredentialsMode
from certifier.steps.context import StepContext
from certifier.vocabulary import Cause


def planned(event: StepEvent, context: StepContext[Any]) -> Plan:
    """Return the plan of this run.

    Raises:
        Refused: there is none, so nothing may be changed.
    """
    plan = context.documents.read(event.run_id, "plan_changes", Plan)
    if plan is None:
        raise Refused(Cause.UNEXPECTED, seen="the plan of this run is gone")
    return plan


def material_of(event: StepEvent, context: StepContext[Any]) -> Material | None:
    """Return what Read material found; ``None`` in a run that went straight to the tail."""
    return context.documents.read(event.run_id, "read_material", Material)


def new_fields(event: StepEvent, context: StepContext[Any], plan: Plan) -> EndpointFields:
    """Return every field that is ours, as it shall be: the plan's, with the imported CA."""
    imported = context.documents.read(event.run_id, "import_ca", ImportedCa) or ImportedCa()
    if imported.certificate_arn is None:
        return plan.target
    return plan.target.model_copy(update={"certificate_arn": imported.certificate_arn})


def password(event: StepEvent, context: StepContext[Any], version: str | None) -> str | None:
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
    return password_at(context, source.credentials, version)


def password_at(context: StepContext[Any], secret_arn: str, version: str) -> str:
    """Return the password that the secret held at ``version``."""
    secret = context.secrets.read(secret_arn, version)
    if not isinstance(secret, Secret):
        raise Refused(secret.cause, findings=(secret,))
    found = secret.text("password")
    if found is None:
        raise Refused(Cause.SECRET_INCOMPLETE, findings=secret.missing("password"))
    return found
