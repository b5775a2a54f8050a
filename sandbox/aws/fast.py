"""What botocore and moto work out anew for every call, though it is always the same.

A scenario is some thousand calls, and half of their time went into this.
"""

import copy
import inspect
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from string import ascii_letters, digits
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
from botocore import handlers, hooks, regions
from botocore.auth import SigV4Auth
from botocore.client import ClientCreator
from botocore.endpoint_provider import EndpointProvider
from botocore.hooks import BaseEventHooks, EventAliaser
from botocore.loaders import Loader
from botocore.useragent import UserAgentString
from moto import backend_index
from moto.core import models, responses
from moto.core.base_backend import BaseBackend
from moto.core.serialize import (
    AttributePicker,
    AttributePickerContext,
    ResponseSerializer,
    XFormedAttributePicker,
)
from moto.core.utils import method_names_from_class
from moto.dynamodb import models as dynamodb
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing import ast_nodes, validators
from moto.moto_api._internal.moto_random import MotoRandom
from moto.stepfunctions.parser.asl.component.common.path import result_path

USER_AGENT = "sandbox"
_MODELS = cache(Loader)
_NODES: Any = ast_nodes  # without types
_KINDS: dict[tuple[type, tuple[type, ...]], bool] = {}
_PICKERS = (AttributePicker, XFormedAttributePicker)
_SIGNING = ("canonical_request", "string_to_sign", "signature")
_PLAIN_TRIE: Any = vars(hooks)["_PrefixTrie"]


def session(region: str) -> boto3.Session:
    """A session of its own that shares the models of the services: reading them takes longest."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _MODELS())
    return boto3.Session("testing", "testing", region_name=region, botocore_session=core)


@contextmanager
def installed() -> Iterator[None]:
    """Share the models, remember names and paths, and sign nothing: nobody checks a signature.

    To be entered before ``mock_aws``, which otherwise registers each of its URLs for each method
    of ``requests``, which nobody here calls AWS with.
    """
    with ExitStack() as stack:
        stack.enter_context(patch.object(BaseBackend, "urls", property(_urls())))
        for owner, name, quick in _seams():
            stack.enter_context(patch.object(owner, name, quick))
        yield


@cache
def _seams() -> tuple[tuple[Any, str, Any], ...]:
    """What stands in for what. Made once, so that all clouds of a process share what is known."""
    return (
        (models, "RESPONSES_METHODS", ()),
        (botocore.session, "create_loader", lambda _: _MODELS()),
        *((picker, "get_possible_keys", _remembering(picker)) for picker in _PICKERS),
        (ResponseSerializer, "get_value", _value_of()),
        (responses, "method_names_from_class", cache(method_names_from_class)),
        (backend_index, "backend_url_patterns", _patterns()),
        (MotoRandom, "get_random_string", _random_string),
        (result_path, "parse", cache(vars(result_path)["parse"])),
        (dynamodb, "copy", _Copies),
        (DynamoDBBackend, "transact_write_items", _transactions()),
        (Table, "query", _queries()),
        (validators, "deepcopy", _copied),
        (_NODES.DepthFirstTraverser, "traverse", _traverse),
        (_NODES.Node, "find_clauses", _find_clauses),
        (ConditionExpressionParser, "_lex_condition_expression", _words_of_conditions()),
        (EventAliaser, "_alias_event_name", _aliases()),
        (BaseEventHooks, "_verify_accept_kwargs", lambda *_: None),
        (hooks, "_PrefixTrie", _Trie),
        (botocore.session.Session, "_register_builtin_handlers", _handlers_of_sessions()),
        (ClientCreator, "_create_methods", _methods()),
        (regions, "EndpointProvider", _providers()),
        (UserAgentString, "to_string", lambda _: USER_AGENT),
        *((SigV4Auth, each, lambda *_: "") for each in _SIGNING),
        (SigV4Auth, "headers_to_sign", lambda *_: {}),
    )


class _Copies:
    """``copy`` as moto's DynamoDB gets it: a table is not copied, see ``_transactions``."""

    @staticmethod
    def deepcopy(value: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value)


def _transactions() -> Any:
    """A transaction keeps what it touches; moto copies the whole table, once for each write.

    With a thousand sources in the table that took seconds for each transaction. Each table has a
    range key.
    """
    plain = vars(DynamoDBBackend)["transact_write_items"]

    def transact_write_items(self: DynamoDBBackend, transact_items: Sequence[Any]) -> None:
        touched = []
        for operation in transact_items:
            ((kind, given),) = operation.items()
            table = self.get_table(given["TableName"])
            named = given["Item"] if kind == "Put" else given["Key"]
            hash_key = DynamoType(named[table.hash_key_attr])
            range_key = DynamoType(named[table.range_key_attr])
            before = copy.deepcopy(table.get_item(hash_key, range_key))
            touched.append((table, hash_key, range_key, before))
        try:
            plain(self, transact_items)
        except Exception:
            for table, hash_key, range_key, before in reversed(touched):
                if before is None:
                    table.delete_item(hash_key, range_key)
                else:
                    table.items[hash_key][range_key] = before
            raise

    return transact_write_items


def _queries() -> Any:
    """A query of a partition sorts its items alone; moto sorts the whole table for each.

    The table shows nothing else meanwhile, so only one call may be under way (``calls.installed``).
    """
    plain: Any = vars(Table)["query"]
    place = list(inspect.signature(plain).parameters).index("index_name")

    def query(self: Any, *given: Any, **named: Any) -> Any:
        hash_key, index = given[0], (self, *given)[place]
        if index is not None or hash_key is None:
            return plain(self, *given, **named)
        items = self.items
        self.items = {hash_key: items[hash_key]} if hash_key in items else {}
        try:
            return plain(self, *given, **named)
        finally:
            self.items = items

    return query


def _is(node: Any, *wanted: type) -> bool:
    """``isinstance``, asked once for each type: moto's nodes are abstract, where it takes long."""
    place = (type(node), wanted)
    if place not in _KINDS:
        _KINDS[place] = isinstance(node, wanted)
    return _KINDS[place]


def _traverse(self: Any, root: Any) -> Any:
    """Each of moto's eight checks of an expression asks once which nodes it wants."""
    wanted = self.nodes_to_be_processed()

    def visit(node: Any, place: int) -> Any:
        if not _is(node, _NODES.Node):
            return node
        parent = node.parent
        for number, child in enumerate(node.children or ()):
            self.pre_processing_of_child(node, number)
            visit(child, number)
        if _is(node, *wanted):
            node = self.process(node)
            node.parent = parent
            if parent:
                parent.children[place] = node
        return node

    return visit(root, -1)


def _words_of_conditions() -> Any:
    """A condition names its values, so that the same few texts come again and again."""
    plain = ConditionExpressionParser._lex_condition_expression
    known: dict[str, tuple[Any, ...]] = {}

    def lexed(self: Any) -> deque[Any]:
        text = self.condition_expression
        if text not in known:
            known[text] = tuple(plain(self))
        return deque(known[text])

    return lexed


def _find_clauses(self: Any, clause_types: Sequence[type]) -> list[Any]:
    found = []
    for child in self.children or ():
        if type(child) in clause_types:
            found.append(child)
        elif _is(child, _NODES.Expression, _NODES.UpdateExpressionFunction):
            found += child.find_clauses(clause_types)
    return found


def _copied(node: Any, place: Any = None) -> Any:
    """A tree of moto's nodes is copied node by node; its leaves are texts."""
    if not _is(node, _NODES.Node):
        return copy.deepcopy(node) if place is None else node
    made = copy.copy(node)
    made.parent = place
    if node.children is not None:
        made.children = [_copied(child, made) for child in node.children]
    return made


def _random_string(
    self: MotoRandom, length: int = 20, include_digits: bool = True, lower_case: bool = False
) -> str:
    """All letters at once: each answer has an identifier of 52."""
    made = "".join(self.choices(ascii_letters + digits * include_digits, k=length))
    return made.lower() if lower_case else made


def _patterns() -> Any:
    """Most calls are for DynamoDB, whose hosts no other service has: it is looked for first."""
    return sorted(backend_index.backend_url_patterns, key=lambda each: each[0] != "dynamodb")


class _Trie(_PLAIN_TRIE):  # type: ignore[misc]
    """Handlers by event. A copy shares its nodes, until one of the two changes them.

    Each client copies the handlers of its session, some thousand nodes, and adds a dozen.
    """

    def __init__(self) -> None:
        super().__init__()
        self._root: dict[str, Any]
        self._mine = object()

    def __copy__(self) -> "_Trie":
        made = _Trie()
        made._root = self._root
        self._mine = object()
        return made

    def append_item(self, key: str, *args: Any, **kw: Any) -> None:
        self._own(key)
        super().append_item(key, *args, **kw)

    def remove_item(self, key: str, *args: Any, **kw: Any) -> None:
        self._own(key)
        super().remove_item(key, *args, **kw)

    def _own(self, key: str) -> None:
        """Have no node on the way to the key that another trie has too."""
        node = self._root = self._owned(self._root)
        for part in key.split("."):
            if part not in node["children"]:
                break
            child = self._owned(node["children"][part])
            node["children"][part] = node = child

    def _owned(self, node: dict[str, Any]) -> dict[str, Any]:
        if node.get("of") is self._mine:
            return node
        values = node["values"] and hooks.NodeList(*map(list, node["values"]))
        return {**node, "children": dict(node["children"]), "values": values, "of": self._mine}


def _handlers_of_sessions() -> Any:
    """Every session has the same handlers to begin with."""
    plain = vars(botocore.session.Session)["_register_builtin_handlers"]
    known: dict[tuple[Any, ...], Any] = {}

    def register(self: Any, events: Any) -> None:
        there = tuple(handlers.BUILTIN_HANDLERS)
        if there in known:
            events._emitter._handlers = copy.copy(known[there])
        else:
            plain(self, events)
            known[there] = copy.copy(events._emitter._handlers)

    return register


def _methods() -> Any:
    """Every client of a service has the same methods; its class is its own."""
    plain = vars(ClientCreator)["_create_methods"]
    known: dict[str, dict[str, Any]] = {}

    def methods(self: ClientCreator, service_model: Any) -> dict[str, Any]:
        name = service_model.service_name
        if name not in known:
            known[name] = plain(self, service_model)
        return dict(known[name])

    return methods


def _providers() -> Any:
    """Every client of a service finds its endpoint by the same rules."""
    known: dict[int, tuple[Any, EndpointProvider]] = {}

    def provider(ruleset_data: Any, partition_data: Any, excluded_params: Any) -> EndpointProvider:
        # The rules are kept with what was made of them, so that no others can get their identity.
        place = id(ruleset_data)
        if place not in known or known[place][0] is not ruleset_data:
            made = EndpointProvider(ruleset_data, partition_data, excluded_params)
            known[place] = (ruleset_data, made)
        return known[place][1]

    return provider


def _aliases() -> Any:
    """Every client has the same aliases of events, and works them out for itself."""
    plain = vars(EventAliaser)["_alias_event_name"]
    known: dict[str, str] = {}

    def alias(self: EventAliaser, event_name: str) -> str:
        if event_name not in known:
            known[event_name] = plain(self, event_name)
        return known[event_name]

    return alias


def _urls() -> Any:
    """Every backend of a service has the same URLs, until a stand-in is installed."""
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


def _value_of() -> Any:
    """A dictionary that answers is asked for its keys; moto makes a context for each member.

    Of the nine members of an AttributeValue one is set, and each item has a dozen of them.
    """
    plain = ResponseSerializer.get_value
    known: dict[tuple[type, str, Any], tuple[str, ...]] = {}

    def get_value(self: Any, value: Any, key: str, shape: Any) -> Any:
        picker = self._value_picker
        if type(value) is not dict or getattr(picker, "response_transformers", True):
            return plain(self, value, key, shape)
        place = (type(picker), key, shape)
        keys = known.get(place)
        if keys is None:
            model = self.operation_model
            context = AttributePickerContext(value, key, shape, model, model.service_model)
            keys = known[place] = picker.get_possible_keys(context)
        for each in keys:
            if each in value:
                return value[each]
            if "." in each:
                return plain(self, value, key, shape)
        return None

    return get_value
