"""When two names are those of one thing in AWS, or of one host. Text is not identity.

DMS takes a secret by its name, a partial ARN or the full one, and shows it as it was given (AWS
notes, section 12). Names that only a call could tell apart are not taken for the same.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

_SECRET_ARN = re.compile(
    r"(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}):secret:(.+)", re.DOTALL
)
_SUFFIX = re.compile(r"(.+)-[A-Za-z0-9]{6}", re.DOTALL)
_ROLE_ARN = re.compile(r"(arn:[a-z-]+:iam::[0-9]{12}):role/(?:.*/)?([^/]+)")


def same_host(one: str, other: str) -> bool:
    """Whether two names are those of one host: case and a final dot say nothing.

    Case is that of ASCII, as in DNS (RFC 4343): to ``str.lower`` the sign of Kelvin is a k.
    """
    return _host(one) == _host(other)


def _host(host: str) -> str:
    if not host.isascii():
        return host
    plain = host.lower().removesuffix(".")
    try:
        return str(ip_address(plain))
    except ValueError:
        return plain


def same_secret(one: str, other: str) -> bool:
    """Whether two ids are of one secret: by name, by partial ARN or by full ARN.

    A full ARN ends with a hyphen and six characters that Secrets Manager has added. A name that
    itself ends so may look like one; then only what is equal to the letter is the same, and a name
    without an ARN, which is never cut.
    """
    if one == other:
        return True
    (place, name), (other_place, other_name) = _secret(one), _secret(other)
    if place is not None and other_place is not None:
        return place == other_place and _full_and_partial(name, other_name)
    if place is None and other_place is None:
        return False  # two names, and not the same
    named, within = (name, other_name) if place is None else (other_name, name)
    full = _SUFFIX.fullmatch(within)
    return named == within if full is None else named == full[1]


def is_full_secret_arn(text: str) -> bool:
    """Whether an id of a secret has the form of a full ARN, with its six-character suffix."""
    found = _SECRET_ARN.fullmatch(text)
    return found is not None and _SUFFIX.fullmatch(found[2]) is not None


def _secret(text: str) -> tuple[str | None, str]:
    """Return account and Region of an ARN, and what follows ``secret:``; of a name, the name."""
    found = _SECRET_ARN.fullmatch(text)
    return (None, text) if found is None else (found[1], found[2])


def _full_and_partial(one: str, other: str) -> bool:
    """Whether one is the full form of the other, which cannot itself be a full one."""
    return any(
        _SUFFIX.fullmatch(partial) is None
        and (cut := _SUFFIX.fullmatch(full)) is not None
        and cut[1] == partial
        for full, partial in ((one, other), (other, one))
    )


def same_role(one: str, other: str) -> bool:
    """Whether two ARNs are of one role: its name is unique in the account, whatever its path.

    IAM compares names without case (IAM user guide, "IAM and AWS STS quotas").
    """
    a, b = _ROLE_ARN.fullmatch(one), _ROLE_ARN.fullmatch(other)
    if a is None or b is None:
        return one == other
    return (a[1], a[2].lower()) == (b[1], b[2].lower())


def same_resource(one: str, other: str) -> bool:
    """Whether two ARNs, or two identifiers, of DMS are the same: DMS compares without case.

    They are ASCII; what is not is equal to the letter or another's.
    """
    if not (one.isascii() and other.isascii()):
        return one == other
    return one.lower() == other.lower()


def each_once(arns: Iterable[str]) -> tuple[str, ...]:
    """Return ARNs of DMS in order, each once; of two spellings the one that sorts first."""
    found: dict[str, str] = {}
    for arn in sorted(arns):
        found.setdefault(arn.lower(), arn)
    return tuple(found.values())
