"""Whose something in AWS is: tags on what an installation makes, or an owner lets it use; names.

An account and Region may hold several installations of Certifier, each a stack with a table of its
own. What one makes bears the name of its stack, and no other one changes or deletes it. The same CA
in two installations is two DMS certificates, since neither knows what the other still needs.
"""

import hashlib
import secrets
from collections.abc import Mapping

STACK_TAG = "certifier:stack"
"""On everything that is made: the name of the stack, which is the name of the installation."""
SOURCE_TAG = "certifier:source"
"""On endpoints, secrets and certificates in ACM: the names of the sources that may use them.

On what we make it is the name of its source; on what is not ours, its owner consents with it
(``certifier.run.consent``).
"""
HOST_TAG = "certifier:host"
"""On a secret that holds no host: the host, or ``host:port``, that its login is for."""
CANARY_TAG = "certifier:canary"
"""On a canary endpoint: the name of the source that it rehearses for."""
CA_TAG = "certifier"
"""On a DMS certificate."""
HOLDS_TAG = "certifier:holds"
"""On a secret: what its owner says that it holds; see docs/operate/permissions.md."""

_OURS = "certifier-"
_CANARIES = f"{_OURS}canary-"
_MADE = f"{_OURS}made-"
CANARY_RESOURCES = f"{_CANARIES}*"
"""What the ARN of a canary ends with. Who may delete can set a tag; what an ARN is, only who makes
the endpoint can say."""
MADE_RESOURCES = f"{_MADE}*"
"""The same of an endpoint that was made for a source."""
_TOKEN = 7  # bytes
_DIGITS = 40


def canary_prefix(installation: str, source: str) -> str:
    """Return what the identifier of every canary endpoint of a source begins with."""
    return f"{_CANARIES}{_short(installation)}-{source}-"


def new_canary(installation: str, source: str) -> str:
    """Return the identifier of a canary that is about to be made.

    Its end is random, so nobody can have taken it before. Whoever makes it remembers it first.
    """
    return canary_prefix(installation, source) + secrets.token_hex(_TOKEN)


def canary_resource(identifier: str) -> str:
    """Return what the ARN of the canary with that identifier ends with; DMS takes 31 characters.

    The rights to delete an endpoint go by it (stacks/statements.py): tags can be set later, an
    ARN not.
    """
    return _CANARIES + identifier.rpartition("-")[2]


def made_resource() -> str:
    """Return what the ARN of an endpoint that is about to be made for a source ends with.

    The rights to change one of ours go by it, as those to delete a canary: whatever tags somebody
    could set on another's endpoint, its ARN does not become one of these.
    """
    return _MADE + secrets.token_hex(_TOKEN)


def made_arn(resource: str, execution: str) -> str:
    """Return the ARN of an endpoint that is about to be made: DMS ends it as it was asked to.

    Its end is random, so nobody can have named it before. Whoever makes it holds it first.

    Args:
        resource: how it ends (``made_resource``).
        execution: the ARN of the run, which has the account and Region.
    """
    _, partition, _, region, account, *_ = execution.split(":")
    return f"arn:{partition}:dms:{region}:{account}:endpoint:{resource}"


def is_made(arn: str) -> bool:
    """Whether an endpoint was made for a source, by whichever installation."""
    return arn.rpartition(":")[2].lower().startswith(_MADE)


def is_canary(arn: str, identifier: str) -> bool:
    """Whether an endpoint is the one that was made as the canary with that identifier."""
    return arn.lower().endswith(f":endpoint:{canary_resource(identifier)}")


def is_reserved(endpoint: str) -> bool:
    """Whether an endpoint, by identifier or ARN, bears a name that is kept for what is ours.

    By ARN a source may name the endpoint that was made for it.
    """
    named = endpoint.rpartition(":")[2].lower()
    by_arn = ":" in endpoint
    return named.startswith(_OURS) and not (by_arn and named.startswith(_MADE))


def certificate_identifier(installation: str, digest: str) -> str:
    """Return the DMS certificate identifier of a bundle, from its digest (64 hex digits)."""
    return f"{certificate_prefix(installation)}{digest[:_DIGITS]}"


def certificate_prefix(installation: str) -> str:
    """Return what the identifiers of an installation's DMS certificates begin with."""
    return f"{_OURS}{_short(installation)}-"


def is_ours(tags: Mapping[str, str], installation: str) -> bool:
    """Whether what has these tags was made by the installation."""
    return tags.get(STACK_TAG) == installation


def _short(installation: str) -> str:
    """Eight digits for a stack's name: DMS takes fewer characters, and lowers their case."""
    return hashlib.sha256(installation.encode()).hexdigest()[:8]
