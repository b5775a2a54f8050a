"""What botocore and moto work out anew for every call, though it is always the same.

A scenario is some thousand calls, and half of their time went into this.
"""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
from botocore.auth import SigV4Auth
from botocore.loaders import Loader
from botocore.useragent import UserAgentString
from moto.core import responses
from moto.core.base_backend import BaseBackend
from moto.core.serialize import AttributePicker, XFormedAttributePicker
from moto.core.utils import method_names_from_class
from moto.dynamodb import models as dynamodb
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.stepfunctions.parser.asl.component.common.path import result_path

USER_AGENT = "sandbox"
_MODELS = cache(Loader)


def session(region: str) -> boto3.Session:
    """A session of its own that shares the models of the services: reading them takes longest."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _MODELS())
    return boto3.Session("testing", "testing", region_name=region, botocore_session=core)


@contextmanager
def installed() -> Iterator[None]:
    """Share the models, remember names and paths, and sign nothing: nobody checks a signature."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(botocore.session, "create_loader", lambda _: _MODELS()))
        for picker in (AttributePicker, XFormedAttributePicker):
            stack.enter_context(patch.object(picker, "get_possible_keys", _remembering(picker)))
        methods = cache(method_names_from_class)
        stack.enter_context(patch.object(responses, "method_names_from_class", methods))
        paths = cache(vars(result_path)["parse"])
        stack.enter_context(patch.object(BaseBackend, "urls", property(_urls())))
        stack.enter_context(patch.object(result_path, "parse", paths))
        stack.enter_context(patch.object(UserAgentString, "to_string", lambda _: USER_AGENT))
        for name in ("canonical_request", "string_to_sign", "signature"):
            stack.enter_context(patch.object(SigV4Auth, name, lambda *_: ""))
        copying = SimpleNamespace(deepcopy=_deepcopy, copy=copy.copy)
        stack.enter_context(patch.object(dynamodb, "copy", copying))
        transact = _noting_keys(dynamodb.DynamoDBBackend.transact_write_items)
        stack.enter_context(
            patch.object(dynamodb.DynamoDBBackend, "transact_write_items", transact)
        )
        stack.enter_context(patch.object(SigV4Auth, "headers_to_sign", lambda *_: {}))
        yield


def _urls() -> Any:
    """Every backend of a service has the same URLs."""
    plain = vars(BaseBackend)["urls"].fget
    known: dict[type, Any] = {}

    def urls(self: BaseBackend) -> Any:
        if type(self) not in known:
            known[type(self)] = plain(self)
        return known[type(self)]

    return urls


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


_KEYS: ContextVar[Mapping[str, list[Mapping[str, Any]]] | None] = ContextVar("keys", default=None)
"""What the transaction under way writes, by table: keys, or whole items."""


def _noting_keys(plain: Any) -> Any:
    """moto copies a table for every item of a transaction, to undo it; see :func:`_deepcopy`."""

    def transact_write_items(self: Any, transact_items: list[dict[str, Any]]) -> None:
        keys: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for item in transact_items:
            for write in item.values():
                keys[str(write.get("TableName"))].append(
                    write.get("Key") or write.get("Item") or {}
                )
        token = _KEYS.set(keys)
        try:
            plain(self, transact_items)
        finally:
            _KEYS.reset(token)

    return transact_write_items


def _deepcopy(value: Any) -> Any:
    """``copy.deepcopy``; of a table in a transaction only those items that it may change."""
    keys = _KEYS.get()
    if keys is None or not isinstance(value, Table):
        return copy.deepcopy(value)
    return _backup(value, keys.get(value.name, ()))


def _backup(table: Table, keys: Iterable[Mapping[str, Any]]) -> Table:
    kept = copy.copy(table)
    rows: Any = table.items
    items: Any = defaultdict(
        dict, {key: dict(row) if isinstance(row, dict) else row for key, row in rows.items()}
    )
    for key in keys:
        place, name = items, DynamoType(key.get(table.hash_key_attr, {}))
        if table.range_key_attr is not None:
            place, name = items.get(name, {}), DynamoType(key.get(table.range_key_attr, {}))
        if name in place:
            place[name] = copy.deepcopy(place[name])
    kept.items = items
    return kept
