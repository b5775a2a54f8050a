"""The password of a source that is set on its endpoint, read again at its pinned version."""

from typing import Any

from certifier.aws.secrets import Secret
from certifier.errors import Refused
from certifier.models import Finding
from certifier.run.consent import not_allowed
from certifier.run.documents import MATERIAL
from certifier.run.event import StepEvent
from certifier.source import CredentialsMode
from certifier.steps.context import StepContext


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
    return password_at(event, context, source.credentials, version)


def password_in(event: StepEvent, context: StepContext[Any]) -> str | None:
    """Return the password of the source as this run has read it, to be hidden in texts.

    ``None`` when the source names no credentials, or they can no longer be read.
    """
    material = context.read(event, MATERIAL)
    version = material.versions.credentials if material else None
    arn = event.source.spec.credentials
    if arn is None or version is None:
        return None
    secret = context.secrets.read(arn, version)
    return secret.text("password") if isinstance(secret, Secret) else None


def password_at(event: StepEvent, context: StepContext[Any], secret_arn: str, version: str) -> str:
    """Return the password that the secret held at ``version``.

    Raises:
        Refused: it cannot be read; ``not_allowed`` when its owner has withdrawn their consent.
    """
    secret = context.secrets.read(secret_arn, version)
    if not isinstance(secret, Secret):
        raise Refused.because(_withdrawn(event, context, secret_arn) or secret)
    found = secret.text("password")
    if found is None:
        raise Refused.because(*secret.missing("password"))
    return found


def _withdrawn(event: StepEvent, context: StepContext[Any], secret_arn: str) -> Finding | None:
    """Return that the secret's owner does not consent any more, if its tags say so."""
    secret = context.secrets.described(secret_arn)
    if isinstance(secret, Finding):
        return None
    return not_allowed("the secret", secret.arn, secret.tags, event.name)
