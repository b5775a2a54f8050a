"""What a step may do: its role's policies, as deployed, held against every call it makes.

moto checks no permissions for us. A right that the template forgets would only be missed in a real
account, in the middle of a change; here the step gets the same AccessDenied.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from moto.awslambda.models import lambda_backends
from moto.core.botocore_stubber import MockRawResponse
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

Tags = Mapping[str, str]

# Actions whose name is not that of the operation (Service Authorization Reference).
_ACTIONS = {
    ("s3", "ListObjectsV2"): "ListBucket",
    ("dms", "DescribeDataProviders"): "ListDataProviders",
    ("dynamodb", "TransactWriteItems"): None,  # the writes in it
    ("dynamodb", "TransactGetItems"): None,
}
_PREFIXES = {"stepfunctions": "states"}
# What an operation makes, for which the request has no ARN yet.
_MADE = {
    "CreateEndpoint": "endpoint:new",
    "ImportCertificate": "cert:new",
}
# Keys of conditions that the sandbox fills in, in lower case.
_KEYS = frozenset(
    {
        "dynamodb:leadingkeys",
        "dynamodb:attributes",
        "dynamodb:returnvalues",
        "s3:prefix",
        "iam:passedtoservice",
        "aws:tagkeys",
        "events:source",
    }
)
_NAMES_OF_ARNS = (
    "EndpointArn",
    "ReplicationInstanceArn",
    "ReplicationTaskArn",
    "CertificateArn",
    "ResourceArn",
)


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": fnmatchcase,
    "StringNotEquals": str.__ne__,
    "ForAllValues:StringEquals": str.__eq__,
    "ForAllValues:StringLike": fnmatchcase,
}
_IF_EXISTS = "IfExists"


@dataclass(frozen=True)
class Need:
    """What AWS would ask about for a call: an action on a resource.

    Attributes:
        context: what else IAM's conditions may ask, by their key in lower case, but for tags.
    """

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """A right that a function needed: by what it was allowed, or that it was denied."""

    step: str
    action: str
    resource: str
    condition: str
    allowed: bool


class Rights:
    """Whether a step may make a call. ``tags_of`` returns the tags of a resource by its ARN.

    Attributes:
        used: every right that was asked for so far, and the test that asked first.
    """

    def __init__(self, account: str, region: str, tags_of: Callable[[str], Tags]) -> None:
        self._account = account
        self._region = region
        self._tags_of = tags_of
        self._statements: dict[str, list[dict[str, Any]]] = {}
        self._names: dict[str, str] = {}
        self._steps: dict[str, str] = {}
        self.used: dict[Use, str] = {}

    def missing(
        self, step: str, service: str, operation: str, request: AWSPreparedRequest
    ) -> str | None:
        """Return ``action on resource`` for the first right that the step lacks, else ``None``."""
        given = _tags_in(service, request)
        for need in self._needed(service, operation, request):
            if not self._allows(step, need, given):
                return f"{need.action} on {need.resource}"
        return None

    def shows_what_is_missing(self, step: str, request: AWSPreparedRequest) -> bool:
        """Whether S3 says to the step that an object is missing: to who may list the bucket.

        Who may list some prefixes alone asks for an object without any: a condition on the prefix
        does not hold then. AWS documents no more than the first sentence. Buckets of other teams
        have policies of their own, so there it is shown.
        """
        resource = f"arn:aws:s3:::{_bucket_and_key(request)[0]}"
        lists = any(
            "s3:ListBucket" in _listed(each["Action"]) and resource in _listed(each["Resource"])
            for each in self._of_role(step)
        )
        return not lists or self._allowing(step, Need("s3:ListBucket", resource), {}) is not None

    def _needed(self, service: str, operation: str, request: AWSPreparedRequest) -> Iterator[Need]:
        """Yield everything that AWS would ask about."""
        prefix = _PREFIXES.get(service, service)
        action = f"{prefix}:{_ACTIONS.get((service, operation), operation)}"
        match service:
            case "s3":
                bucket, key = _bucket_and_key(request)
                query = parse_qs(urlsplit(request.url).query)
                if operation == "ListObjectsV2":
                    listed = {"s3:prefix": tuple(query.get("prefix", ("",)))}
                    yield Need(action, f"arn:aws:s3:::{bucket}", listed)
                    return
                yield Need(action, f"arn:aws:s3:::{bucket}/{key}")
                if "versionId" in query:
                    yield Need("s3:GetObjectVersion", f"arn:aws:s3:::{bucket}/{key}")
            case "sns":
                yield Need(action, parse_qs(_body(request))["TopicArn"][0])
            case "dynamodb":
                yield from self._of_table(operation, json.loads(_body(request)))
            case "secretsmanager":
                yield Need(action, json.loads(_body(request))["SecretId"])
            case "rds":
                yield Need(action, self._of_rds(operation, request))
            case "stepfunctions":
                yield Need(action, json.loads(_body(request))["executionArn"])
            case "events":
                yield from self._of_buses(action, json.loads(_body(request)))
            case "dms" | "acm":
                yield from self._of_resources(service, operation, json.loads(_body(request)))
            case _:
                yield Need(action, "*")

    def _of_rds(self, operation: str, request: AWSPreparedRequest) -> str:
        """Return the resource of a call: an instance; certificates are nobody's."""
        if operation == "DescribeCertificates":
            return "*"
        named = parse_qs(_body(request)).get("DBInstanceIdentifier", ["*"])[0]
        return self._arn("rds", f"db:{named}")

    def _of_buses(self, action: str, body: dict[str, Any]) -> Iterator[Need]:
        """Yield each bus that an event goes to, with the source that the event names."""
        for entry in body["Entries"]:
            bus = entry.get("EventBusName", "default")
            arn = bus if bus.startswith("arn:") else self._arn("events", f"event-bus/{bus}")
            yield Need(action, arn, {"events:source": (entry["Source"],)})

    def _of_table(self, operation: str, body: dict[str, Any]) -> Iterator[Need]:
        items = body.get("TransactItems")
        if items is None:
            index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
            table = self._arn("dynamodb", f"table/{body['TableName']}{index}")
            yield Need(f"dynamodb:{operation}", table, _leading_keys(body))
            return
        names = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
        for item in items:
            ((kind, one),) = item.items()
            table = self._arn("dynamodb", f"table/{one['TableName']}")
            action = f"dynamodb:{names.get(kind, 'ConditionCheckItem')}"
            yield Need(action, table, _leading_keys(one))

    def _of_resources(self, service: str, operation: str, body: dict[str, Any]) -> Iterator[Need]:
        """DMS and ACM: the ARNs in the request, what it makes, the role that it hands over."""
        arns = [body[name] for name in _NAMES_OF_ARNS if name in body]
        if operation.startswith("Describe") and service == "dms":
            arns = []
        elif not arns and operation.startswith(("Create", "Import")):
            made = "certificate/new" if service == "acm" else _MADE[operation]
            arns = [self._arn(service, made)]
        for arn in arns or ["*"]:
            yield Need(f"{service}:{_ACTIONS.get((service, operation), operation)}", arn)
        keys = {"aws:tagkeys": tuple(tag["Key"] for tag in body.get("Tags") or ())}
        if body.get("Tags") and service == "dms":
            yield Need("dms:AddTagsToResource", self._arn("dms", _MADE[operation]), keys)
        if body.get("Tags") and service == "acm":
            yield Need("acm:AddTagsToCertificate", self._arn("acm", "certificate/new"), keys)
        handed = body.get("PostgreSQLSettings", {})
        if role := handed.get("SecretsManagerAccessRoleArn"):
            yield Need("iam:GetRole", role)
            to = (f"dms.{self._region}.amazonaws.com",)
            yield Need("iam:PassRole", role, {"iam:passedtoservice": to})
        if secret := handed.get("SecretsManagerSecretId"):
            yield Need("secretsmanager:DescribeSecret", secret)

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self._region}:{self._account}:{resource}"

    def _allows(self, step: str, need: Need, given: Tags) -> bool:
        """Whether the role allows it; writes down by what."""
        statement = self._allowing(step, need, given)
        condition = json.dumps((statement or {}).get("Condition", {}), sort_keys=True)
        resource = need.resource
        if statement is not None:
            patterns = _listed(statement["Resource"])
            resource = next(one for one in patterns if fnmatchcase(need.resource, one))
        use = Use(self._step(step), need.action, resource, condition, statement is not None)
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        self.used.setdefault(use, test)
        return statement is not None

    def _allowing(self, step: str, need: Need, given: Tags) -> dict[str, Any] | None:
        """Return the statement that allows it, if one does and none denies it."""
        return self._permitting(self._of_role(step), need, given)

    def _permitting(
        self, statements: list[dict[str, Any]], need: Need, given: Tags
    ) -> dict[str, Any] | None:
        fitting = [
            statement
            for statement in statements
            if any(fnmatchcase(need.action, one) for one in _listed(statement["Action"]))
            and any(fnmatchcase(need.resource, one) for one in _listed(statement["Resource"]))
            and self._holds(statement.get("Condition", {}), need, given)
        ]
        if any(statement["Effect"] == "Deny" for statement in fitting):
            return None
        return fitting[0] if fitting else None

    def _holds(self, condition: Mapping[str, Mapping[str, Any]], need: Need, given: Tags) -> bool:
        """Whether every condition of a statement holds for what is asked about.

        Raises:
            ValueError: a condition that the sandbox cannot read: it would only be guessed.
        """
        tags: Mapping[str, Tags] = {}
        if condition:
            of_resource = self._tags_of(need.resource)
            tags = {
                "aws:ResourceTag": of_resource,
                "secretsmanager:ResourceTag": of_resource,
                "aws:RequestTag": given,
            }
        for operator, tests in condition.items():
            if operator == "Null":  # whether the key is not there
                for key, wanted in tests.items():
                    kind, _, name = key.partition("/")
                    if kind not in tags:
                        raise ValueError(f"the sandbox knows no condition {operator} {key}")
                    if (name not in tags[kind]) != (wanted == "true"):
                        return False
                continue
            fits = _OPERATORS.get(operator.removesuffix(_IF_EXISTS))
            for key, wanted in tests.items():
                kind, _, name = key.partition("/")
                if fits is None or not (kind in tags or key.lower() in _KEYS):
                    raise ValueError(f"the sandbox knows no condition {operator} {key}")
                values = need.context.get(key.lower(), ())
                if kind in tags:
                    values = (tags[kind][name],) if name in tags[kind] else ()
                if not _fulfilled(operator, fits, values, _listed(wanted)):
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
        if action.startswith("secretsmanager:"):  # IAM looks at the secret, however it is named
            known = secretsmanager_backends[self._account][self._region].secrets.get(resource)
            resource = known.arn if known is not None else resource
        return self._permitting(statements, Need(action, resource), {}) is not None

    def _step(self, who: str) -> str:
        """Return the step of a function by its name; a step stands for itself."""
        if who not in self._steps:
            functions = lambda_backends[self._account][self._region].list_functions()
            steps = {str(f.function_name): str(f.handler).split(".")[-2] for f in functions}
            self._steps[who] = steps.get(who, who)
        return self._steps[who]

    def _function(self, step: str) -> str:
        """Return the name of the only function of a step; a function's name stands for itself."""
        if step not in self._names:
            functions = lambda_backends[self._account][self._region].list_functions()
            named = {str(f.function_name): str(f.handler).split(".")[-2] for f in functions}
            (self._names[step],) = (name for name, of in named.items() if step in (name, of))
        return self._names[step]


def _fulfilled(
    operator: str, fits: Callable[[str, str], bool], values: tuple[str, ...], wanted: list[str]
) -> bool:
    """Whether what a call has for a condition's key fulfils it; it may have nothing."""
    if operator.startswith("ForAllValues:"):  # IAM: true of none, too
        return all(any(fits(value, one) for one in wanted) for value in values)
    if not values:  # a negation holds of what is not there
        return operator.endswith(_IF_EXISTS) or "Not" in operator
    if "Not" in operator:
        return all(fits(value, one) for value in values for one in wanted)
    return any(fits(value, one) for value in values for one in wanted)


def _leading_keys(request: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Return the partition key that a write is made under, and the attributes that it names."""
    key = request.get("Key") or request.get("Item") or {}
    if "pk" not in key:
        return {}
    found = {
        "dynamodb:leadingkeys": (key["pk"]["S"],),
        "dynamodb:attributes": tuple(sorted({*key, *_named_in(request)})),
    }
    if "ReturnValues" in request:
        found["dynamodb:returnvalues"] = (str(request["ReturnValues"]),)
    return found


def _named_in(request: Mapping[str, Any]) -> Iterator[str]:
    """Yield the attributes that the expressions of a request name, themselves or by an alias."""
    yield from request.get("ExpressionAttributeNames", {}).values()
    for name in ("UpdateExpression", "ConditionExpression"):
        yield from re.findall(r"(?<![#:\w])[a-z_]\w*(?![\w(])", request.get(name, ""))


def denied(service: str, request: AWSPreparedRequest, right: str) -> AWSResponse:
    """Say "not authorized" in the service's own protocol."""
    text = f"The role of this function is not authorized to perform: {right}"
    status, content_type = 400, "application/x-amz-json-1.1"
    body = json.dumps({"__type": "AccessDeniedException", "message": text})
    if service == "s3":
        status, content_type = 403, "application/xml"
        body = f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>"
    elif service in ("sns", "rds"):
        status, content_type = 403, "text/xml"
        code = "AuthorizationError" if service == "sns" else "AccessDenied"
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
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
