"""The shell commands that documents show, and the `aws` command line as far as they use it.

A command is run as a reader would run it. `aws` is not installed (it pins another botocore than we
do), so its commands are made into the calls that it would make: the parameters are read by the
service model, and botocore refuses what the service does not take.
"""

import json
import re
import shlex
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jmespath
from botocore import xform_name
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from tests.docs.markdown import blocks

SCALARS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "long": int,
    "boolean": lambda text: text == "true",
}
_SERVICES = {"s3api": "s3"}
_CAPTURE = re.compile(r"(\w+)=\$\((.*)\)")


def commands(text: str, language: str = "sh") -> list[str]:
    """Every command of the code blocks: continued lines joined, comments left out."""
    lines: list[str] = []
    for block in blocks(text, language):
        joined = block.replace("\\\n", " ")
        lines += [line for line in joined.splitlines() if line.strip() and line[0] != "#"]
    return lines


def capture(line: str) -> tuple[str | None, str]:
    """A command, and the variable that its output is put into by ``NAME=$(…)``."""
    match = _CAPTURE.fullmatch(line)
    return (match[1], match[2]) if match else (None, line)


def words(line: str, variables: Mapping[str, str] = {}) -> list[str]:
    """The words of a command, variables filled in. Raises KeyError for one that is not known."""
    lexer = re.split(r"('[^']*')", line)
    filled = [
        part if part.startswith("'") else string.Template(part).substitute(variables)
        for part in lexer
    ]
    return shlex.split("".join(filled), comments=True)


class Aws:
    """The `aws` command line over the clients of a test."""

    def __init__(self, client: Callable[..., Any]) -> None:
        self._client = client

    def __call__(self, line: str, variables: Mapping[str, str] = {}) -> Any:
        """Make the call; return its answer, or what ``--query`` takes out of it.

        With ``--output text`` the answer is text, as the command prints it.
        """
        program, *arguments = words(line, variables)
        assert program == "aws", line
        return self.run(arguments)

    def run(self, arguments: Sequence[str]) -> Any:
        """The same for arguments that a shell has split already."""
        service, operation, *rest = arguments
        client = self._client(_SERVICES.get(service, service))
        model = client.meta.service_model.operation_model(_named(client, operation))
        options = dict(_options(rest))
        query, output = (options.pop(name, [""])[0] for name in ("query", "output"))
        answer = client._make_api_call(model.name, parameters(model, options))
        answer.pop("ResponseMetadata", None)
        if query:
            answer = jmespath.search(query, answer)
        return _as_text(answer) if output == "text" else answer


def _named(client: Any, operation: str) -> str:
    names: dict[str, str] = {
        xform_name(name, "-"): name for name in client.meta.service_model.operation_names
    }
    return names[operation]


def _options(rest: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(option, its values) in order."""
    while rest:
        name, rest = rest[0], rest[1:]
        assert name.startswith("--"), name
        values = []
        while rest and not rest[0].startswith("--"):
            values.append(rest[0])
            rest = rest[1:]
        yield name.removeprefix("--"), values


def parameters(model: OperationModel, options: Mapping[str, list[str]]) -> dict[str, Any]:
    """The parameters of a call. Raises KeyError for an option that the operation does not have."""
    assert model.input_shape is not None
    members = {xform_name(name, "-"): (name, s) for name, s in model.input_shape.members.items()}
    chosen = (
        (members[name.removeprefix("no-")], values, not name.startswith("no-"))
        for name, values in options.items()
    )
    return {
        name: _value(shape, values) if values else flag for (name, shape), values, flag in chosen
    }


def _value(shape: Shape, values: list[str]) -> Any:
    if values[0].startswith("file://"):
        values = [Path(values[0].removeprefix("file://")).read_text("utf-8")]
    elif values[0][:1] in ("{", "["):
        return json.loads(values[0])
    if isinstance(shape, StructureShape):
        return _shorthand(shape, values[0])
    if shape.type_name == "blob":
        return Path(values[0]).read_bytes()
    if isinstance(shape, ListShape):
        member = shape.member
        if isinstance(member, StructureShape):
            return [_shorthand(member, value) for value in values]
        return [SCALARS.get(member.type_name, str)(value) for value in values]
    (value,) = values
    return SCALARS.get(shape.type_name, str)(value)


def _shorthand(shape: StructureShape, text: str) -> dict[str, Any]:
    """``Name=x,Values=y`` as the command line reads it."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        member = shape.members[key]
        found[key] = [value] if isinstance(member, ListShape) else value
    return found


def _as_text(answer: Any) -> str:
    if isinstance(answer, list):
        nested = any(isinstance(each, list) for each in answer)
        return ("\n" if nested else "\t").join(_as_text(each) for each in answer)
    return "None" if answer is None else str(answer)
