"""Whether the owner of an endpoint consents still: asked again right before it is touched, and when
IAM has said no."""

from typing import Any

from certifier.endpoint.facts import Endpoint
from certifier.errors import Refused
from certifier.run.consent import not_allowed, of_an_installation
from certifier.run.event import StepEvent
from certifier.steps.context import StepContext


def require_consent(event: StepEvent, context: StepContext[Any], endpoint: Endpoint) -> None:
    """Refuse what the owner has withdrawn since the material was read: a rehearsal takes minutes,
    and what waits for its window longer.

    IAM asks for the tag too, but not for what is in it, and not of who stops a task.

    Raises:
        Refused: the endpoint's tag does not name the source any more.
    """
    what = f"the endpoint {endpoint.identifier}"
    tags = context.dms.tags(endpoint.arn)
    if (refusal := not_allowed(what, endpoint.arn, tags, event.name)) is not None:
        raise Refused.because(refusal)


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
        tags = context.dms.tags(endpoint.arn)
    except Refused:
        return denied
    what, name = f"the endpoint {endpoint.identifier}", endpoint.identifier
    found = (
        not_allowed(what, endpoint.arn, tags, event.name),
        of_an_installation(name, endpoint.arn, tags, context.settings.installation),
    )
    reasons = tuple(each for each in found if each is not None)
    return Refused.because(*reasons) if reasons else denied
