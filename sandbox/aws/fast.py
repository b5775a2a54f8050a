"""What botocore and moto work out anew for every call, though it is always the same.

A scenario is some thousand calls, and half of their time went into this.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from botocore.auth import SigV4Auth
from botocore.useragent import UserAgentString
from moto.core import responses
from moto.core.serialize import AttributePicker, XFormedAttributePicker
from moto.core.utils import method_names_from_class

USER_AGENT = "sandbox"


@contextmanager
def installed() -> Iterator[None]:
    """Remember names, say one user agent, and sign nothing: nobody here checks a signature."""
    with ExitStack() as stack:
        for picker in (AttributePicker, XFormedAttributePicker):
            stack.enter_context(patch.object(picker, "get_possible_keys", _remembering(picker)))
        methods = cache(method_names_from_class)
        stack.enter_context(patch.object(responses, "method_names_from_class", methods))
        stack.enter_context(patch.object(UserAgentString, "to_string", lambda _: USER_AGENT))
        stack.enter_context(patch.object(SigV4Auth, "canonical_request", lambda *_: ""))
        stack.enter_context(patch.object(SigV4Auth, "signature", lambda *_: "0"))
        yield


def _remembering(picker: Any) -> Any:
    """Names depend on the attribute, its shape and the type of the object, never on its values."""
    plain = picker.get_possible_keys
    known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def get_possible_keys(self: Any, context: Any) -> tuple[str, ...]:
        # The shape is kept with its names, so that no other one can get its identity.
        place = (type(self), context.key, context.shape, type(context.obj))
        keys = known.get(place)
        if keys is None:
            keys = known[place] = tuple(dict.fromkeys(plain(self, context)))
        return keys

    return get_possible_keys
