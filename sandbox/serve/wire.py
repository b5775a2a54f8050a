"""AWS over HTTP: which operation a request asks for, and how an error is said.

The signature is not checked; its credential scope says Region and service. The names of operations
come from botocore's own models: from the header or the ``Action`` of a request, or, for S3 and
Lambda, from its method and path.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qs, urlsplit

import botocore.session
from botocore.model import ServiceModel

# What the sandbox serves, by botocore's names. Others get an answer that says so.
SERVICES = (
    "acm",
    "cloudformation",
    "cloudwatch",
    "dms",
    "dynamodb",
    "events",
    "iam",
    "kms",
    "lambda",
    "logs",
    "rds",
    "s3",
    "scheduler",
    "secretsmanager",
    "sns",
    "sqs",
    "stepfunctions",
    "sts",
)
# In the header of a signed request, or in the query of a presigned URL.
_CREDENTIAL = re.compile(
    r"Credential=[^/%]+(?:/|%2F)\d{8}(?:/|%2F)([a-z0-9-]+)(?:/|%2F)([a-z0-9-]+)(?:/|%2F)aws4_request",
    re.IGNORECASE,
)
# Signature version 2, which S3 alone still takes.
_OLDER = re.compile(r"AWS [^:\s]+:\S+")
_OLDER_QUERY = {"AWSAccessKeyId", "Signature"}
_REST = ("rest-json", "rest-xml")
_ANY_REGION = "us-east-1"
"""S3 finds a bucket from here, wherever it is."""


# How a service says that a page's token is not its own.
_WRONG_TOKEN = {
    "acm": "ValidationException",
    "cloudformation": "ValidationError",
    "secretsmanager": "InvalidNextTokenException",
    "sns": "InvalidParameter",
}
_TOKEN = re.compile(rb"\b[Nn]ext_?[Tt]oken\b")


class NotServed(Exception):
    """A request that the sandbox has no answer for: the HTTP status, an error code, and why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Asked:
    """What a request asks for.

    Attributes:
        event: botocore's name of the call, ``before-send.<service id>.<operation>``.
        url: where AWS would have answered it.
    """

    event: str
    service: str
    operation: str
    url: str
    protocol: str


@dataclass(frozen=True)
class _Template:
    """How a REST operation is addressed: more parts that are given make it the better match."""

    operation: str
    method: str
    path: re.Pattern[str]
    query: frozenset[tuple[str, str]]
    labels: int


def asked(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """Return what a request asks for; names of headers are in small letters.

    Raises:
        NotServed: it is not signed, or asks for what the sandbox does not have.
    """
    try:
        query = urlsplit(target).query
    except ValueError:
        raise NotServed(400, "InvalidURI", "the path of the request is not a URI") from None
    authorization = headers.get("authorization", "")
    scope = _CREDENTIAL.search(authorization or query)
    if scope is not None:
        region, signed = scope.groups()
    elif _OLDER.match(authorization) or parse_qs(query).keys() >= _OLDER_QUERY:
        region, signed = _ANY_REGION, "s3"
    else:
        raise NotServed(403, "MissingAuthenticationToken", "the request has no AWS signature")
    name = _signing_names().get(signed)
    if name is None:
        raise NotServed(501, "NotImplemented", f"the sandbox does not serve {signed}")
    model = _model(name)
    operation = _operation(model, method, target, headers, body)
    if "x-amz-target" in headers:
        _check_document(model, operation, body)
    protocol = str(model.metadata["protocol"])
    if protocol == "json" and "x-amz-target" not in headers:
        protocol = "query"  # as older clients of a service speak
    return Asked(
        event=f"before-send.{model.service_id.hyphenize()}.{operation}",
        service=name,
        operation=operation,
        url=f"https://{model.endpoint_prefix}.{region}.amazonaws.com{target}",
        protocol=protocol,
    )


def protocol_of(method: str, target: str, headers: Mapping[str, str]) -> str:
    """How a client reads an error before it is known what it asked for; names are in small letters.

    A target says JSON, a form the query protocol; else it is S3, or somebody who has no preference.
    """
    if "x-amz-target" in headers or "json" in headers.get("content-type", ""):
        return "json"
    form = "form-urlencoded" in headers.get("content-type", "")
    return "query" if form or (method == "GET" and "Action=" in target) else "rest-xml"


def _check_document(model: ServiceModel, operation: str, body: bytes) -> None:
    """Check what AWS checks before it looks at anything: a JSON object, with what is required.

    Raises:
        NotServed: it is not, or lacks something.
    """
    try:
        given = json.loads(body or b"{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise NotServed(400, "SerializationException", "the body is not a JSON object")
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return
    missing = [
        name
        for name in shape.required_members
        if shape.members[name].serialization.get("name", name) not in given
    ]
    if missing:
        raise NotServed(400, "ValidationException", f"missing: {', '.join(missing)}")


def _operation(
    model: ServiceModel, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> str:
    found: str | None = None
    if model.metadata["protocol"] in _REST:
        found = _rest_operation(model.service_name, method, target)
    elif wanted := headers.get("x-amz-target"):
        found = wanted.rpartition(".")[2]
    else:
        form = body.decode("utf-8", "replace") or urlsplit(target).query
        found = parse_qs(form).get("Action", [""])[0]
    if found not in model.operation_names:
        raise NotServed(400, "UnknownOperationException", f"{model.service_name} has no such call")
    return found


def _rest_operation(service: str, method: str, target: str) -> str | None:
    """Return the operation whose template fits best: every part of it, and the most of them."""
    parts = urlsplit(target)
    given = {(key, value[0]) for key, value in parse_qs(parts.query, True).items()}
    names = {key for key, _ in given}
    fitting = [
        template
        for template in _templates(service)
        if template.method == method
        and template.path.fullmatch(parts.path)
        and all((key, value) in given if value else key in names for key, value in template.query)
    ]
    best = max(fitting, key=lambda each: (len(each.query), -each.labels), default=None)
    return best.operation if best else None


@cache
def _templates(service: str) -> tuple[_Template, ...]:
    return tuple(_read_templates(_model(service)))


def _read_templates(model: ServiceModel) -> Iterable[_Template]:
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.deprecated and model.service_name == "s3":
            continue  # names of old for what others are called by today
        uri = urlsplit(operation.http["requestUri"])
        # {Key+} takes slashes, {Bucket} takes none; {Bucket} alone may end in one.
        path = "".join(
            (".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", uri.path)
        )
        yield _Template(
            operation=name,
            method=operation.http["method"],
            path=re.compile(path.rstrip("/") + "/?"),
            query=frozenset((key, value[0]) for key, value in parse_qs(uri.query, True).items()),
            labels=uri.path.count("{"),
        )


@cache
def _model(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


@cache
def _signing_names() -> dict[str, str]:
    return {_model(name).signing_name: name for name in SERVICES}


def failure_of(what: Asked, body: bytes, error: Exception) -> NotServed:
    """What to say of a call that moto did not survive.

    It takes the tokens of pages apart without a look whether they are its own.
    """
    if isinstance(error, ValueError | LookupError) and _TOKEN.search(body):
        code = _WRONG_TOKEN.get(what.service, "InvalidToken")
        return NotServed(400, code, "the token of the page is not valid")
    reason = f"the sandbox could not answer: {type(error).__name__}"
    return NotServed(500, "InternalFailure", reason)


def error_body(protocol: str, code: str, message: str) -> tuple[str, bytes]:
    """Return content type and body of an error as a client of that protocol reads it."""
    if protocol in ("query", "rest-xml"):
        inner = f"<Error><Code>{code}</Code><Message>{_xml(message)}</Message></Error>"
        text = inner if protocol == "rest-xml" else f"<ErrorResponse>{inner}</ErrorResponse>"
        return "text/xml", text.encode()
    return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
