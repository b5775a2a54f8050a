"""Whether what goes over the wire has the shapes that AWS wrote down.

botocore checks types and required members of what is sent, and no pattern, enum or length of it; of
what comes back it reads the members it knows and drops the others, without a word. So a stand-in
may answer what AWS never would, and nobody notices. :func:`observed` notices: it compares requests
and answers of the services that speak JSON, which both stand-ins do, with botocore's models.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.model import OperationModel, Shape
from moto.core.botocore_stubber import BotocoreStubber

SERVICES: Mapping[str, str] = {
    "acm": "acm",
    "database-migration-service": "dms",
    "dynamodb": "dynamodb",
    "eventbridge": "events",
    "secrets-manager": "secretsmanager",
    "sfn": "stepfunctions",
}
"""What is observed: service ids as botocore's events have them, and the names of their models."""
_NUMBER: tuple[tuple[type, ...], str] = ((int, float), "a number")
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "structure": ((dict,), "a structure"),
    "list": ((list,), "a list"),
    "map": ((dict,), "a map"),
    "string": ((str,), "a string"),
    "boolean": ((bool,), "a boolean"),
    "integer": _NUMBER,
    "long": _NUMBER,
    "float": _NUMBER,
    "double": _NUMBER,
    "timestamp": ((int, float), "a time in seconds"),
}


@contextmanager
def observed() -> Iterator[set[str]]:
    """Yield what differs from the models in the calls that are made inside, each difference once.

    To be entered when the account is open.
    """
    differences: set[str] = set()
    plain = BotocoreStubber.__call__

    def answer(
        self: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **keywords: Any
    ) -> AWSResponse | None:
        response = plain(self, event_name, request, **keywords)
        _, service, operation = event_name.split(".")[:3]
        if service in SERVICES:
            model = _operation(SERVICES[service], operation)
            differences.update(_of_call(model, request.body, response))
        return response

    with patch.object(BotocoreStubber, "__call__", answer):
        yield differences


def _of_call(model: OperationModel, body: Any, response: AWSResponse | None) -> Iterator[str]:
    name = f"{model.service_model.service_name} {model.name}"
    if model.input_shape is not None:
        yield from (f"{name} sent {text}" for text in problems(model.input_shape, _json(body)))
    if response is None or response.status_code != 200 or model.output_shape is None:
        return
    answered = _json(response.content)
    yield from (f"{name} answered {text}" for text in problems(model.output_shape, answered))


def _json(body: Any) -> Any:
    return json.loads(body or b"{}")


@cache
def _operation(service: str, operation: str) -> OperationModel:
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(operation)


def problems(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Yield where a value, as JSON carries it, does not fit a shape.

    Values themselves are left out: they may be secret. A pattern that Python does not read is
    skipped.
    """
    where = path or shape.name
    if shape.type_name in _TYPES:
        types, words = _TYPES[shape.type_name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"{where}: {type(value).__name__}, not {words}"
            return
    checked: Any = shape
    match checked.type_name:
        case "structure":
            yield from _structure(checked, value, where)
        case "list":
            yield from _length(checked, len(value), where)
            for item in value:
                yield from problems(checked.member, item, f"{where}[]")
        case "map":
            for item in value.values():
                yield from problems(checked.value, item, f"{where}{{}}")
        case "string":
            yield from _string(checked, value, where)
        case "integer" | "long" | "float" | "double":
            yield from _length(checked, value, where)


def _structure(shape: Any, value: Any, where: str) -> Iterator[str]:
    names = {
        member.serialization.get("name", name): member for name, member in shape.members.items()
    }
    for name in shape.required_members:
        if shape.members[name].serialization.get("name", name) not in value:
            yield f"{where}: lacks {name}"
    for name, item in value.items():
        if name not in names:
            yield f"{where}: has an unknown {name}"
        else:
            yield from problems(names[name], item, f"{where}.{name}")


def _string(shape: Any, value: Any, where: str) -> Iterator[str]:
    yield from _length(shape, len(value), where)
    if (enum := shape.metadata.get("enum")) and value not in enum:
        yield f"{where}: not one of the enum's values"
    pattern = _pattern(shape.metadata.get("pattern"))
    if pattern is not None and not pattern.fullmatch(value):
        yield f"{where}: does not match the pattern"


def _length(shape: Any, size: float, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"{where}: less than {least}"
    if most is not None and size > most:
        yield f"{where}: more than {most}"


@cache
def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text, re.DOTALL)
    except re.error:
        return None
