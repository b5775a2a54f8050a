"""Whether the owner of an endpoint consents still: asked again right before it is touched."""

from typing import Any

from certifier.endpoint.facts import Endpoint
from certifier.errors import Refused
from certifier.run.consent import not_allowed
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
