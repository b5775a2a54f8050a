"""What a step may do: its role's policies, as deployed, held against every call it makes.

moto checks no permissions for us. A right that the template forgets would only be missed in a real
account, in the middle of a change; here the step gets the same AccessDenied.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from moto.awslambda.models import lambda_backends
from moto.core.botocore_stubber import MockRawResponse
from moto.iam.models import iam_backends

Tags = Mapping[str, str]

# Actions whose name is not that of the operation (Service Authorization Reference).
_ACTIONS = {
    ("s3", "ListObjectsV2"): "ListBucket",
    ("dynamodb", "TransactWriteItems"): None,  # the writes in it
    ("dynamodb", "TransactGetItems"): None,
}
_PREFIXES = {"stepfunctions": "states"}
# What an operation makes, for which the request has no ARN yet.
_MADE = {
    "CreateEndpoint": "endpoint:new",
    "ImportCertificate": "cert:new",
}
_NAMES_OF_ARNS = (
    "EndpointArn",
    "ReplicationInstanceArn",
    "ReplicationTaskArn",
    "CertificateArn",
    "ResourceArn",
)


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringEqualsIfExists": str.__eq__,
    "StringLike": fnmatchcase,
}


class Rights:
    """Whether a step may make a call. ``tags_of`` tells the tags of a resource by its ARN."""

    def __init__(self, account: str, region: str, tags_of: Callable[[str], Tags]) -> None:
        self._account = account
        self._region = region
        self._tags_of = tags_of
        self._statements: dict[str, list[dict[str, Any]]] = {}
        self._names: dict[str, str] = {}

    def missing(
        self, step: str, service: str, operation: str, request: AWSPreparedRequest
    ) -> str | None:
        """Return ``action on resource`` for the first right that the step lacks, else ``None``."""
        given = _tags_in(service, request)
        for action, resource in self._needed(service, operation, request):
            if not self._allows(step, action, resource, given):
                return f"{action} on {resource}"
        return None

    def _needed(
        self, service: str, operation: str, request: AWSPreparedRequest
    ) -> Iterator[tuple[str, str]]:
        """Yield every (action, resource) that AWS would ask about."""
        prefix = _PREFIXES.get(service, service)
        action = f"{prefix}:{_ACTIONS.get((service, operation), operation)}"
        match service:
            case "s3":
                bucket, key = _bucket_and_key(request)
                listed = operation == "ListObjectsV2"
                yield action, f"arn:aws:s3:::{bucket}" + ("" if listed else f"/{key}")
                if "versionId=" in request.url:
                    yield "s3:GetObjectVersion", f"arn:aws:s3:::{bucket}/{key}"
            case "sns":
                yield action, parse_qs(_body(request))["TopicArn"][0]
            case "dynamodb":
                yield from self._of_table(operation, json.loads(_body(request)))
            case "secretsmanager":
                yield action, json.loads(_body(request))["SecretId"]
            case "rds":
                named = parse_qs(_body(request)).get("DBInstanceIdentifier", ["*"])[0]
                yield action, self._arn("rds", f"db:{named}")
            case "stepfunctions":
                yield action, json.loads(_body(request))["executionArn"]
            case "dms" | "acm":
                yield from self._of_resources(service, operation, json.loads(_body(request)))
            case _:
                yield action, "*"

    def _of_table(self, operation: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
        items = body.get("TransactItems")
        if items is None:
            index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
            yield (
                f"dynamodb:{operation}",
                self._arn("dynamodb", f"table/{body['TableName']}{index}"),
            )
            return
        names = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
        for item in items:
            ((kind, one),) = item.items()
            table = self._arn("dynamodb", f"table/{one['TableName']}")
            yield f"dynamodb:{names.get(kind, 'ConditionCheckItem')}", table

    def _of_resources(
        self, service: str, operation: str, body: dict[str, Any]
    ) -> Iterator[tuple[str, str]]:
        """DMS and ACM: the ARNs in the request, what it makes, the role that it hands over."""
        arns = [body[name] for name in _NAMES_OF_ARNS if name in body]
        if operation.startswith("Describe") and service == "dms":
            arns = []
        elif not arns and operation.startswith(("Create", "Import")):
            made = "certificate/new" if service == "acm" else _MADE[operation]
            arns = [self._arn(service, made)]
        for arn in arns or ["*"]:
            yield f"{service}:{operation}", arn
        if body.get("Tags") and service == "dms":
            yield "dms:AddTagsToResource", self._arn("dms", _MADE[operation])
        if body.get("Tags") and service == "acm":
            yield "acm:AddTagsToCertificate", self._arn("acm", "certificate/new")
        handed = body.get("PostgreSQLSettings", {})
        if role := handed.get("SecretsManagerAccessRoleArn"):
            yield "iam:GetRole", role
            yield "iam:PassRole", role
        if secret := handed.get("SecretsManagerSecretId"):
            yield "secretsmanager:DescribeSecret", secret

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self._region}:{self._account}:{resource}"

    def _allows(self, step: str, action: str, resource: str, given: Tags) -> bool:
        return self._permit(self._of_role(step), action, resource, given)

    def _permit(
        self, statements: list[dict[str, Any]], action: str, resource: str, given: Tags
    ) -> bool:
        fitting = [
            statement["Effect"]
            for statement in statements
            if any(fnmatchcase(action, one) for one in _listed(statement["Action"]))
            and any(fnmatchcase(resource, one) for one in _listed(statement["Resource"]))
            and self._holds(statement.get("Condition", {}), resource, given)
        ]
        return "Allow" in fitting and "Deny" not in fitting

    def _holds(
        self, condition: Mapping[str, Mapping[str, Any]], resource: str, given: Tags
    ) -> bool:
        """Whether tags of the resource, or tags that the request gives, are as they must be."""
        if not condition:
            return True
        of_resource = self._tags_of(resource)
        tags = {
            "aws:ResourceTag": of_resource,
            "secretsmanager:ResourceTag": of_resource,
            "aws:RequestTag": given,
        }
        for operator, tests in condition.items():
            for key, wanted in tests.items():
                kind, _, name = key.partition("/")
                if operator not in _OPERATORS or kind not in tags:
                    raise ValueError(f"the sandbox knows no condition {operator} {key}")
                value = tags[kind].get(name)
                if value is None and operator.endswith("IfExists"):
                    continue
                fits = _OPERATORS[operator]
                if value is None or not any(fits(value, one) for one in _listed(wanted)):
                    return False
        return True

    def _of_role(self, step: str) -> list[dict[str, Any]]:
        """Return the statements of the role of a step, or of a function by its name.

        Read once from what was deployed.
        """
        name = self._function(step)
        if name not in self._statements:
            function = lambda_backends[self._account][self._region].get_function(name)
            role = iam_backends[self._account]["aws"].get_role_by_arn(function.role)
            documents = [json.loads(text) for text in role.policies.values()]
            self._statements[name] = [s for d in documents for s in d["Statement"]]
        return self._statements[name]

    def role_may(self, role_arn: str, action: str, resource: str) -> bool:
        """Whether a role that was deployed may do that; one that nobody deployed may do it."""
        roles = {role.arn: role for role in iam_backends[self._account]["aws"].get_roles()}
        role = roles.get(role_arn)
        if role is None:
            return True
        documents = [json.loads(text) for text in role.policies.values()]
        statements = [s for document in documents for s in document["Statement"]]
        return self._permit(statements, action, resource, {})

    def _function(self, step: str) -> str:
        """Return the name of the only function of a step; a function's name stands for itself."""
        if step not in self._names:
            functions = lambda_backends[self._account][self._region].list_functions()
            named = {str(f.function_name): str(f.handler).split(".")[-2] for f in functions}
            (self._names[step],) = (name for name, of in named.items() if step in (name, of))
        return self._names[step]


def denied(service: str, request: AWSPreparedRequest, right: str) -> AWSResponse:
    """Say "not authorized" in the service's own protocol."""
    text = f"The role of this function is not authorized to perform: {right}"
    status, content_type = 400, "application/x-amz-json-1.1"
    body = json.dumps({"__type": "AccessDeniedException", "message": text})
    if service == "s3":
        status, content_type = 403, "application/xml"
        body = f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>"
    elif service == "sns":
        status, content_type = 403, "text/xml"
        body = (
            "<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code>"
            f"<Message>{text}</Message></Error></ErrorResponse>"
        )
    headers: Any = HeadersDict()
    headers["Content-Type"] = content_type
    return AWSResponse(request.url, status, headers, MockRawResponse(body))


def _tags_in(service: str, request: AWSPreparedRequest) -> Tags:
    """Return the tags that a call to DMS or ACM gives to what it makes or names."""
    if service not in ("dms", "acm"):
        return {}
    tags = json.loads(_body(request)).get("Tags", ())
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def _bucket_and_key(request: AWSPreparedRequest) -> tuple[str, str]:
    """The bucket is the first label of the host, or else the first part of the path."""
    url = urlsplit(request.url)
    path = unquote(url.path).lstrip("/")
    host = url.hostname or ""
    if host.startswith("s3."):
        bucket, _, key = path.partition("/")
        return bucket, key
    return host.partition(".s3.")[0], path


def _body(request: AWSPreparedRequest) -> str:
    body = request.body or b""
    return body.decode() if isinstance(body, bytes) else str(body)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
