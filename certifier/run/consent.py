"""Consent: whose endpoint and whose secrets a source may use, and where their data may go.

What protects a thing is never in the request. An owner consents on the resource itself, with the
tag ``certifier:source``; a host is named by the secret, by its tag ``certifier:host``, or by the
endpoint as it is. Pure decisions over values. IAM holds that the tag is there; that it names this
source, which no condition of IAM can compare, is held here.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address

from certifier.diagnosis import finding
from certifier.endpoint.facts import EndpointFields
from certifier.identity import same_host
from certifier.models import Finding
from certifier.ownership import HOST_TAG, SOURCE_TAG, STACK_TAG, is_made
from certifier.source import Source
from certifier.vocabulary import Cause, Witness

PORT = 5432
"""PostgreSQL's port: what is meant where a host is named without one."""

TAG_LENGTH = 256
"""The longest value of a tag, in characters (botocore: dms#Tag, secretsmanager#TagValueType)."""

# DMS takes no * in the value of a tag ("^([\p{L}\p{Z}\p{N}_.:/=+\-]*)$", botocore: dms#Tag).
_WORD = re.compile(r"[a-z0-9*+-]{1,256}")


def consents(tag: str | None, source: str) -> bool:
    """Whether the value of a tag ``certifier:source`` names the source.

    Names or patterns, separated by blanks; ``*`` stands for any characters, and so does ``+``.
    """
    return any(fnmatchcase(source, word.replace("+", "*")) for word in _words(tag))


def consenting(tag: str | None) -> str:
    """Return what counts in the value of a tag ``certifier:source``; empty: nobody is named."""
    return " ".join(_words(tag))


def _words(tag: str | None) -> list[str]:
    """Return the names and patterns in a tag; a word that can be neither matches nothing."""
    return [word for word in (tag or "").split() if _WORD.fullmatch(word)]


def consent_command(arn: str, tag: str | None, source: str) -> str:
    """Return the command with which the owner of an endpoint or secret consents.

    Args:
        tag: the value that the tag has now, whose names the command keeps.
    """
    region = arn.split(":")[3]
    value = " ".join([*_words(tag), source])
    pair = shlex.quote(f"Key={SOURCE_TAG},Value={value}")
    if arn.split(":")[2] == "dms":
        how = f"aws dms add-tags-to-resource --resource-arn {shlex.quote(arn)}"
    else:
        how = f"aws secretsmanager tag-resource --secret-id {shlex.quote(arn)}"
    return f"{how} --tags {pair} --region {region}"


def not_allowed(what: str, arn: str, tags: Mapping[str, str], source: str) -> Finding | None:
    """Return that the owner of an endpoint or secret has not consented; ``None``: they have.

    Args:
        what: what it is, in a word or two.
    """
    tag = tags.get(SOURCE_TAG)
    if consents(tag, source):
        return None
    has = _has(tag)
    full = len(" ".join([*_words(tag), source])) > TAG_LENGTH
    seen = f"{what} may not be used by the source {source}: its tag {SOURCE_TAG} {has}; " + (
        f"it has no room for one more name, so its owner must write patterns: {arn}"
        if full
        else f"its owner consents with: {consent_command(arn, tag, source)}"
    )
    return finding(Cause.NOT_ALLOWED, place=Witness.INTAKE, seen=seen)


def _has(tag: str | None) -> str:
    """Return what a tag says that does not consent."""
    if words := consenting(tag):
        return f"names only {words!r}"
    if tag is None or not tag.split():
        return "is missing or empty"
    return (
        f"is {tag!r}, in which nothing is the name of a source (lower-case letters, digits and "
        "hyphens, separated by blanks)"
    )


def of_an_installation(
    identifier: str, arn: str, tags: Mapping[str, str], installation: str
) -> Finding | None:
    """Return that an endpoint bears the tag of an installation, and not an ARN that only ours have.

    What an earlier version made has no such ARN either.

    IAM lets no step change it, whoever consents: what could set a tag must not gain by it. So it
    is refused before a task is stopped for it.
    """
    # IAM compares the keys of tags without their case ("aws:ResourceTag/tag-key").
    key = next((key for key in tags if key.lower() == STACK_TAG), STACK_TAG)
    stack = tags.get(key)
    if stack is None or (stack == installation and is_made(arn)):
        return None
    whose = (
        "another installation"
        if stack != installation
        else "its ARN does not show that this installation made it (an earlier version may have)"
    )
    region = arn.split(":")[3]
    command = (
        f"aws dms remove-tags-from-resource --resource-arn {shlex.quote(arn)} "
        f"--tag-keys {shlex.quote(key)} --region {region}"
    )
    seen = (
        f"the endpoint {identifier} bears the tag {key} {stack!r}: {whose}; its owner hands "
        f"it over with: {command}"
    )
    return finding(Cause.NOT_ALLOWED, place=Witness.INTAKE, seen=seen)


# -- where data may go


@dataclass(frozen=True)
class Place:
    """A host and port that an owner has named, and where."""

    host: str
    port: int
    named_by: str

    def is_that_of(self, source: Source) -> bool:
        """Whether the source connects there."""
        return same_host(self.host, source.host) and self.port == source.port


def vouched_places(
    *,
    secret_arn: str | None,
    secret_host: str | None = None,
    secret_port: str | None = None,
    tags: Mapping[str, str],
    endpoint: EndpointFields | None,
) -> tuple[Place, ...]:
    """Return the places that the owners of secret and endpoint have named.

    The host in the secret is the only one, when it holds one; otherwise that of its tag and that
    of the endpoint as it is.

    Args:
        tags: of the secret.
        endpoint: of the adopted endpoint, as DMS describes it.
    """
    if secret_host is not None:
        named_by = f"the secret {secret_arn}"
        return tuple(_place(secret_host, secret_port or str(PORT), named_by))
    places: list[Place] = []
    if (tag := tags.get(HOST_TAG)) is not None:
        places += _tagged(tag.strip(), f"the tag {HOST_TAG} of the secret {secret_arn}")
    if endpoint is not None and endpoint.server_name is not None:
        places.append(Place(endpoint.server_name, endpoint.port or PORT, "the endpoint as it is"))
    return tuple(places)


def _place(host: str, port: str, named_by: str) -> Iterator[Place]:
    if re.fullmatch(r"[0-9]{1,5}", port):
        yield Place(host, int(port), named_by)


def _tagged(tag: str, named_by: str) -> Iterator[Place]:
    """Yield the place in a tag: ``host``, ``host:port``, an IPv6 address with or without port."""
    try:
        yield Place(str(ip_address(tag.strip("[]"))), PORT, named_by)
    except ValueError:
        host, _, port = tag.rpartition(":") if ":" in tag else (tag, "", str(PORT))
        yield from _place(host.strip("[]"), port, named_by)


def host_not_vouched(source: Source, places: tuple[Place, ...]) -> Finding | None:
    """Return that nobody whose data it is has named the source's host; ``None``: somebody has."""
    if any(place.is_that_of(source) for place in places):
        return None
    named = "; ".join(f"{place.named_by} names {place.host}:{place.port}" for place in places)
    seen = f"{source.host}:{source.port} is named by the source alone" + (
        f"; {named}" if named else ": neither a secret nor the endpoint names a host"
    )
    return finding(Cause.HOST_NOT_VOUCHED, place=Witness.INTAKE, seen=seen)


def needs_vouching(source: Source, endpoint: EndpointFields | None) -> bool:
    """Whether the source decides where anything goes.

    Without credentials nobody logs in and no endpoint is made; and one that reads host and login
    from a secret of its own stays where it is.
    """
    moves = endpoint is not None and endpoint.secret_id is None
    return source.credentials is not None or moves
