"""``docs/reference/settings.md``: every setting of an installation, from ``stacks.settings``."""

import inspect
import re
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen

from certifier.models import POLICY_CAUSES
from certifier.vocabulary import Cause
from handbook.text import NOTICE, code, listed, table
from stacks.settings import LOG_DAYS, PREFIX, Settings

_TEXTS: Mapping[str, str] = {
    "stack": "a letter, then letters, digits and hyphens; at most 128",
    "secret_prefixes": "beginnings of names, at least one, 1,340 characters in all",
    "kms_keys": "ARNs of keys",
    "bundle_buckets": "names of buckets",
    "notify": "addresses",
    "docs_url": "an address that begins with `https://`",
    "event_bus": "a name or an ARN",
    "group_tag": "the key of a tag, or nothing",
    "runbook": "a URL or a path, at most 300 characters",
    "probe_subnets": "ids, `subnet-…`",
    "probe_security_groups": "ids, `sg-…`",
    "probe_hosts": "names, addresses, `*`; 1,500 characters in all",
    "probe_ports": "numbers from 1 to 65535",
    "log_days": listed(map(str, LOG_DAYS)),
}
"""What a pattern allows, in words."""

_INTRODUCTION = f"""\
# The settings of an installation

Each setting is a key of the CDK context that begins with `{PREFIX}`: `"{PREFIX}batch": 50` in
`cdk.json`, or `-c {PREFIX}batch=50` on the command line, where a list is written with commas. A
wrong or unknown one stops the synthesis with one message that names all of them. How to deploy is
in [deploy.md](../operate/deploy.md).

{NOTICE}"""


def page() -> str:
    """Return the whole document."""
    meanings = described(Settings.__doc__ or "")
    order = list(meanings)  # that of the docstring: the policy's fields are inherited
    fields = sorted(Settings.model_fields.items(), key=lambda item: order.index(item[0]))
    rows = (
        (code(name), _default(field.default), allowed(name), _capital(meanings[name]))
        for name, field in fields
    )
    return "\n".join(
        (_INTRODUCTION, table(("setting", "default", "allowed", "what it does"), rows))
    )


def described(docstring: str) -> Mapping[str, str]:
    """Return the text for each name in the ``Attributes`` of a docstring."""
    attributes = inspect.cleandoc(docstring).partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \w)", attributes):
        names, _, text = entry.strip().partition(": ")
        found |= dict.fromkeys(re.split(r",\s+", names), " ".join(text.split()).replace("``", "`"))
    return found


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _default(value: object) -> str:
    match value:
        case bool():
            return code(str(value).lower())
        case int() | str():
            return code(str(value))
        case tuple():
            return code(",".join(value)) if value else "none"
        case _:
            return "required"


def allowed(name: str) -> str:
    """Return what the setting's annotation allows, in a few words."""
    field = Settings.model_fields[name]
    text = _TEXTS.get(name) or _words(field.annotation, field.metadata)
    most = next((each.max_length for each in field.metadata if isinstance(each, MaxLen)), None)
    return text if most is None else f"at most {most} {text}"


def _words(annotation: Any, metadata: Sequence[object]) -> str:
    if get_origin(annotation) is Annotated:
        annotation, *inner = get_args(annotation)
        return _words(annotation, (*metadata, *inner))
    if get_origin(annotation) in (tuple, types.GenericAlias):
        return "a list of " + _words(get_args(annotation)[0], ())
    if get_origin(annotation) is Literal:
        return listed(get_args(annotation))
    if annotation is bool:
        return "`true`, `false`"
    if annotation is int:
        low, high = (
            next((getattr(each, key) for each in metadata if isinstance(each, kind)), None)
            for kind, key in ((Ge, "ge"), (Le, "le"))
        )
        return "a number" if low is None else f"{low} to {high}"
    if annotation is Cause:
        return ", ".join(f"[`{cause}`](causes.md#{cause})" for cause in POLICY_CAUSES)
    return "text"
