"""The password of a source that is set on its endpoint, read again at its pinned version."""

from typing import Any

from certifier.aws.secrets import Secret
from certifier.errors import Refused
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
    return password_at(context, source.credentials, version)


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


def password_at(context: StepContext[Any], secret_arn: str, version: str) -> str:
    """Return the password that the secret held at ``version``."""
    secret = context.secrets.require(secret_arn, version)
    found = secret.text("password")
    if found is None:
        raise Refused.because(*secret.missing("password"))
    return found
