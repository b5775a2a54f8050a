"""Whether the owner of an endpoint consents still: asked again right before it is touched, and when
IAM has said no."""

from typing import Any

from certifier.endpoint.facts import Endpoint
from certifier.errors import Refused
from certifier.models import Finding
from certifier.run.consent import not_allowed, of_an_installation
from certifier.run.event import StepEvent
from certifier.steps.context import StepContext


def require_consent(event: StepEvent, context: StepContext[Any], endpoint: Endpoint) -> None:
    """Refuse what the owner has withdrawn since the material was read: a rehearsal takes minutes,
    and what waits for its window longer.

    IAM asks for the tag too, but not for what is in it, and not of who stops a task.

    Raises:
        Refused: the endpoint's tag does not name the source any more, or another installation has
            the endpoint.
    """
    if reasons := _forbidden(event, context, endpoint):
        raise Refused.because(*reasons)


def why_denied(
    event: StepEvent, context: StepContext[Any], endpoint: Endpoint, denied: Refused
) -> Refused:
    """Return why IAM lets nobody change the endpoint, as far as its tags say it.

    Its owner may have withdrawn their consent, or handed it to another installation, after a change
    was written: then no role's policy is wrong, and a tag is what a rollback waits for.

    Returns:
        ``denied`` when the tags are as they should be, or cannot be read.
    """
    try:
        reasons = _forbidden(event, context, endpoint)
    except Refused:
        return denied
    return Refused.because(*reasons) if reasons else denied


def _forbidden(
    event: StepEvent, context: StepContext[Any], endpoint: Endpoint
) -> tuple[Finding, ...]:
    """Return what the tags of the endpoint have against its use."""
    tags, name = context.dms.tags(endpoint.arn), endpoint.identifier
    found = (
        not_allowed(f"the endpoint {name}", endpoint.arn, tags, event.name),
        of_an_installation(name, endpoint.arn, tags, context.settings.installation),
    )
    return tuple(each for each in found if each is not None)
