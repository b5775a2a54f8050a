"""Who may do what: one set of statements per step, each with its ARN pattern.

The statements are written out because the ``grant_*`` helpers add ``s3:GetObject*`` and the like.
Resource ``*`` stands only where a service offers nothing narrower, and says so.

Nothing that the steps make can be deleted without its tag (``certifier/ownership.py``). The value
of ``STACK_TAG`` is the name of the stack, so that of two installations in one account neither can
delete, or pass off as its own, what the other has made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from certifier.ownership import (
    CA_TAG,
    CANARY_RESOURCES,
    CANARY_TAG,
    HOLDS_TAG,
    MADE_RESOURCES,
    SOURCE_TAG,
    STACK_TAG,
)
from certifier.vocabulary import EVENT_SOURCE
from stacks.settings import Settings
from stacks.storage import Storage

Statements = tuple[iam.PolicyStatement, ...]

# What DMS describes, by the end of the action's name.
CERTIFICATES, CONNECTIONS, ENDPOINTS = "Certificates", "Connections", "Endpoints"
INSTANCES, TASKS = "ReplicationInstances", "ReplicationTasks"
SERVERLESS, QUOTAS = "ReplicationConfigs", "AccountAttributes"

# What a secret holds, as its owner says with HOLDS_TAG.
CREDENTIALS, SERVER_CERTIFICATE = "credentials", "server-certificate"


def for_this_account(scope: Construct, principal: iam.ServicePrincipal) -> iam.IPrincipal:
    """A service that may assume a role for this account alone.

    For Lambda and DMS, AWS does not document that they say for which account they come, and a role
    that they could not assume any more would stop everything: so what they say must be right, and
    it may be missing. A role cannot be passed across accounts anyway.
    """
    account = Stack.of(scope).account
    return principal.with_conditions({"StringEqualsIfExists": {"aws:SourceAccount": account}})


def on_behalf_of(
    scope: Construct, service: str, resource: str, arn_format: ArnFormat
) -> iam.IPrincipal:
    """A service that acts for what this account and Region has of its resource, and no other.

    Args:
        service: as in its ARNs and its principal, such as ``events``.
        resource: such as ``rule``; ``arn_format``: how its name follows.
    """
    stack = Stack.of(scope)
    ours = stack.format_arn(
        service=service, resource=resource, resource_name="*", arn_format=arn_format
    )
    return iam.ServicePrincipal(f"{service}.amazonaws.com").with_conditions(
        {
            "ArnLike": {"aws:SourceArn": ours},
            "StringEquals": {"aws:SourceAccount": stack.account},
        }
    )


def dms_principals(stack: Stack) -> list[str]:
    """What IAM may call DMS when a role is passed to it: which of the two is not documented."""
    return ["dms.amazonaws.com", f"dms.{stack.region}.amazonaws.com"]


class DmsSecretRole(Construct):
    """The role with which DMS reads the credentials of an endpoint.

    DMS assumes it as its *regional* principal (DMS user guide, "Using secrets to access AWS
    Database Migration Service endpoints").
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        region = Stack.of(self).region
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=for_this_account(self, iam.ServicePrincipal(f"dms.{region}.amazonaws.com")),
        )
        secrets = Permissions(self, settings=settings).read_secrets()
        for statement in _never_marked(secrets, SERVER_CERTIFICATE):
            self.role.add_to_policy(statement)


class Permissions:
    """The statements that the table in :func:`grant` is made of."""

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        self._stack = Stack.of(scope)
        self._settings = settings

    def read_secrets(self) -> Statements:
        """The secrets under the prefixes of the settings, and the keys that they are under.

        A value only with the owner's consent: the secret's tag, which describing it shows. Whether
        the tag names the source, which IAM does not know, the steps look.
        """
        secrets = [self._arn("secretsmanager", "secret", f"{p}*") for p in self._prefixes]
        keys = [*self._settings.kms_keys]
        return (
            _allow(secrets, "secretsmanager:DescribeSecret"),
            _with(
                _allow(secrets, "secretsmanager:GetSecretValue"),
                "StringLike",
                f"secretsmanager:ResourceTag/{SOURCE_TAG}",
                "?*",
            ),
            *((self._through_secrets(keys),) if keys else ()),
        )

    def _through_secrets(self, keys: Sequence[str]) -> iam.PolicyStatement:
        """The keys, but only where Secrets Manager uses them for the caller."""
        service = f"secretsmanager.{self._stack.region}.{self._stack.url_suffix}"
        decrypt = _allow(keys, "kms:Decrypt", "kms:DescribeKey")
        return _with(decrypt, "StringEquals", "kms:ViaService", service)

    def read_bundles(self) -> Statements:
        """CA bundles in the buckets that the settings allow."""
        objects = [f"arn:{self._stack.partition}:s3:::{b}/*" for b in self._settings.bundle_buckets]
        return (_allow(objects, "s3:GetObject"),) if objects else ()

    def dms_describe(self, *shown: str) -> Statements:
        """What DMS shows of these. Its Describe actions know no resources, hence ``*``."""
        return (_allow(["*"], *(f"dms:Describe{each}" for each in shown)),)

    def dms_tags(self) -> Statements:
        """The tags of endpoints and certificates."""
        return (_allow([self._dms("cert"), self._dms("endpoint")], "dms:ListTagsForResource"),)

    def dms_providers(self) -> Statements:
        """Data providers, by the right that DescribeDataProviders asks for; it lists all of them.

        (Service Authorization Reference, "API operations defined by AWS DMS".)
        """
        return (_allow(["*"], "dms:ListDataProviders"),)

    def dms(self, *actions: str, on: Sequence[str]) -> Statements:
        """DMS actions on the kinds of resource in ``on``; DMS makes up the rest of their ARNs."""
        return (_allow([self._dms(kind) for kind in on], *(f"dms:{a}" for a in actions)),)

    def dms_modify(self) -> Statements:
        """Change endpoints whose owner has consented, or that we made; any may trust a certificate.

        Who makes endpoints can set tags on one that has none. Whatever it tags bears the tag of
        the installation, and that alone makes nothing ours: consent counts on what does not bear
        it, and what we made is known by its ARN.
        """
        (theirs,), (made,), certificates = (
            self.dms("ModifyEndpoint", on=["endpoint"]),
            self.dms("ModifyEndpoint", on=[f"endpoint:{MADE_RESOURCES}"]),
            self.dms("ModifyEndpoint", on=["cert"]),
        )
        theirs = _with(theirs, "Null", f"aws:ResourceTag/{STACK_TAG}", "true")
        return (_bears(theirs, SOURCE_TAG), _ours(_bears(made, SOURCE_TAG)), *certificates)

    def dms_make(self, action: str, *, on: Sequence[str]) -> Statements:
        """Make something in DMS that bears this installation's tag from the beginning.

        Whoever creates with tags is asked for AddTagsToResource too, under an ARN that is not
        known yet. So it could tag what bears no tag, but with our own tags alone, and never
        without that of the installation.
        """
        (make,), (tag,) = self.dms(action, on=on), self.dms("AddTagsToResource", on=on)
        keys = (
            [CANARY_TAG, STACK_TAG, SOURCE_TAG]
            if action == "CreateEndpoint"
            else [CA_TAG, STACK_TAG]
        )
        tag.add_condition("ForAllValues:StringEquals", {"aws:TagKeys": sorted(keys)})
        return (_made_here(make), _not_of_another(_made_here(tag)))

    def dms_delete(self, action: str, *, on: Sequence[str], tagged: Sequence[str]) -> Statements:
        """Delete what bears these tags, and that of this installation."""
        (delete,) = self.dms(action, on=on)
        for tag in tagged:
            _bears(delete, tag)
        return (_ours(delete),)

    def dms_test(self) -> Statements:
        """Have DMS connect, from any replication instance with any endpoint."""
        return self.dms("TestConnection", "DeleteConnection", on=["endpoint", "rep"])

    def rds(self) -> Statements:
        """Which cluster a DB instance belongs to; events name only the instance."""
        return (_allow([self._arn("rds", "db", "*")], "rds:DescribeDBInstances"),)

    def rds_roots(self) -> Statements:
        """Which CAs RDS has, in the Region of any host; they belong to no account, hence ``*``."""
        return (_allow(["*"], "rds:DescribeCertificates"),)

    def acm_read(self) -> Statements:
        """The public parts of a certificate that lives in ACM."""
        certificates = [self._arn("acm", "certificate", "*", ArnFormat.SLASH_RESOURCE_NAME)]
        return (_allow(certificates, "acm:GetCertificate"),)

    def acm(self) -> Statements:
        """Certificates in ACM. ListCertificates knows no resources, hence ``*``."""
        certificates = [self._arn("acm", "certificate", "*", ArnFormat.SLASH_RESOURCE_NAME)]
        make, tag, renew, delete = (
            _allow(certificates, f"acm:{action}")
            for action in (
                "ImportCertificate",
                "AddTagsToCertificate",
                "ImportCertificate",
                "DeleteCertificate",
            )
        )
        return (
            _allow(["*"], "acm:ListCertificates"),
            _made_here(make),
            _not_of_another(_made_here(tag)),
            # Over an earlier import, which takes no tags: over one of ours, or one that a person
            # has tagged with a source and with no installation.
            _not_of_another(_bears(renew, SOURCE_TAG)),
            _ours(_bears(delete, SOURCE_TAG)),
            _allow(
                certificates,
                "acm:DescribeCertificate",
                "acm:GetCertificate",
                "acm:ListTagsForCertificate",
            ),
        )

    def pass_role(self, role: iam.IRole) -> Statements:
        """Hand the secret role to DMS: asked of the caller of CreateEndpoint and ModifyEndpoint."""
        hand_over = _allow([role.role_arn], "iam:PassRole")
        hand_over.add_condition(
            "StringEquals", {"iam:PassedToService": dms_principals(self._stack)}
        )
        return (_allow([role.role_arn], "iam:GetRole"), hand_over)

    def put_events(self) -> Statements:
        """Put events of ours on the bus of the settings, and of nobody else's name."""
        bus = self._settings.event_bus
        named = self._arn("events", "event-bus", bus, ArnFormat.SLASH_RESOURCE_NAME)
        put = _allow([bus if bus.startswith("arn:") else named], "events:PutEvents")
        return (_with(put, "StringEquals", "events:source", EVENT_SOURCE),)

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return self._settings.secret_prefixes

    def _dms(self, kind: str) -> str:
        name, _, ends = kind.partition(":")
        return self._arn("dms", name, ends or "*")

    def _arn(
        self,
        service: str,
        resource: str,
        name: str,
        arn_format: ArnFormat = ArnFormat.COLON_RESOURCE_NAME,
    ) -> str:
        return self._stack.format_arn(
            service=service, resource=resource, resource_name=name, arn_format=arn_format
        )


def grant(
    scope: Construct,
    *,
    settings: Settings,
    functions: Mapping[str, lambda_.Function],
    storage: Storage,
    topic: sns.ITopic,
    dms_role: iam.IRole,
) -> None:
    """Give each step what it does, and no more."""
    may = Permissions(scope, settings=settings)
    publish = (_allow([topic.topic_arn], "sns:Publish"),)
    test, secrets = may.dms_test(), may.read_secrets()
    # The owner's mark on a secret keeps the keys of servers from who needs passwords, and the
    # other way round.
    passwords = _never_marked(secrets, SERVER_CERTIFICATE)
    pairs = _never_marked(secrets, CREDENTIALS)
    pass_role = may.pass_role(dms_role)
    delete_canary = may.dms_delete(
        "DeleteEndpoint", on=[f"endpoint:{CANARY_RESOURCES}"], tagged=[CANARY_TAG, SOURCE_TAG]
    )
    make_endpoint = may.dms_make("CreateEndpoint", on=["endpoint", "cert"])
    # Without room for a CA, what nobody uses is named: endpoints and data providers may use one.
    import_ca = (
        *may.dms_describe(QUOTAS, CERTIFICATES, ENDPOINTS),
        *may.dms_providers(),
        *may.dms_make("ImportCertificate", on=["cert"]),
    )
    grants: dict[str, Statements] = {
        "register_sources": (),
        "select_sources": (*may.rds(), *publish),
        "claim_source": (),
        "read_material": (
            *secrets,
            *may.read_bundles(),
            *may.rds_roots(),
            *may.acm_read(),
            *may.dms_describe(CERTIFICATES, ENDPOINTS),
            *may.dms_tags(),
        ),
        "probe_tls": passwords,
        "plan_changes": may.dms_describe(CONNECTIONS, INSTANCES, SERVERLESS, TASKS),
        "import_ca": import_ca,
        "rehearse_changes": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES),
            *may.dms_tags(),
            *make_endpoint,
            *delete_canary,
            *test,
            *passwords,
            *pass_role,
        ),
        "pause_tasks": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES, SERVERLESS, TASKS),
            *may.dms_tags(),
            *test,
            *may.dms("StopReplicationTask", on=["task"]),
        ),
        "configure_endpoint": (
            *import_ca,
            # Why an endpoint cannot be modified: DMS's words do not say.
            *may.dms_describe(CONNECTIONS, SERVERLESS, TASKS),
            *may.dms_tags(),
            *make_endpoint,
            *may.dms_modify(),
            *passwords,
            *pass_role,
        ),
        # Of a failed test it hides the password in what the server said to DMS.
        "test_connection": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES, TASKS),
            *test,
            *passwords,
        ),
        "resume_tasks": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES, TASKS),
            *test,
            *may.dms("StartReplicationTask", on=["task"]),
        ),
        "import_certificate": (*pairs, *may.acm()),
        "record_certification": (
            *may.dms_describe(ENDPOINTS),
            *may.dms_tags(),
            *delete_canary,
            *publish,
            *may.put_events(),
        ),
        "tidy": (
            *may.dms_describe(CERTIFICATES, ENDPOINTS),
            *may.dms_tags(),
            *may.dms_providers(),
            *may.dms_delete("DeleteCertificate", on=["cert"], tagged=[CA_TAG]),
            *publish,
        ),
        "report": publish,
    }
    for name, function in functions.items():
        kept = (*_items(storage, ITEMS[name]), *_objects(storage, OBJECTS[name]))
        for statement in (*kept, *grants[name]):
            function.add_to_role_policy(statement)


def grant_execution_look_up(
    scope: Construct, *, machine: sfn.IStateMachine, claim: lambda_.Function
) -> None:
    """Let Claim source ask whether the owner of a claim, a child execution, has ended.

    A policy of its own: in the role's default policy, which the function waits for, it would close
    a circle from machine to function to role and back.
    """
    stack, name = Stack.of(scope), machine.state_machine_name
    executions = [
        stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{name}{rest}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        for rest in (":*", "/*")
    ]
    assert claim.role is not None
    iam.Policy(
        scope,
        "LookUpExecutions",
        statements=[_allow(executions, "states:DescribeExecution")],
        roles=[claim.role],
    )


@dataclass(frozen=True)
class Items:
    """What a function does with the table.

    Attributes:
        gets: whether it reads single items.
        only: the attributes that its writes may name, keys among them; empty: any.
        reads: other operations; who scans reads the index too.
        writes: for each partition key, what is done under it.
    """

    reads: tuple[str, ...] = ()
    writes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gets: bool = True
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objects:
    """What a function does with the bucket: keys, ``*`` for any part of one.

    Attributes:
        lists: whether it lists what it reads; who reads what may be missing needs it too.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


# Partition keys: what is remembered of a source, what it is, how it is rolled back, whose an
# endpoint is, which tasks are stopped.
STATE, SPEC, UNDO, OWNER, PAUSE = "SOURCE#*", "SPEC#*", "UNDO#*", "ENDPOINT#*", "PAUSE"
PUT, UPDATE, DELETE, CHECK = "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"
_NOTES = {STATE: (UPDATE,)}
# Of what people have been notified: see certifier/run/pending.py.
NOTED = ("anchors", "anchors_left", "events", "notified", "unsent")

ITEMS: Mapping[str, Items] = {
    "register_sources": Items(
        reads=("Query",),
        # What it deletes, it has just written: all are registered or none.
        writes={
            SPEC: (PUT, DELETE),
            STATE: (UPDATE, DELETE),
            OWNER: (PUT, DELETE),
            UNDO: (CHECK,),
        },
    ),
    "select_sources": Items(reads=("Query", "Scan"), writes=_NOTES),
    "claim_source": Items(
        reads=("Query",),
        writes={STATE: (UPDATE, CHECK), SPEC: (CHECK,), UNDO: (UPDATE, DELETE)},
    ),
    "read_material": Items(writes={STATE: (UPDATE,), OWNER: (PUT,)}),
    # It meets hostile bytes, and writes nothing here.
    "probe_tls": Items(),
    "plan_changes": Items(),
    "import_ca": Items(writes={"UNUSED": (DELETE,)}),
    "rehearse_changes": Items(writes=_NOTES),
    "pause_tasks": Items(reads=("Query",), writes={STATE: (UPDATE, CHECK), PAUSE: (UPDATE,)}),
    "configure_endpoint": Items(
        writes={
            STATE: (UPDATE, CHECK),
            OWNER: (PUT,),
            UNDO: (PUT, UPDATE),
            "UNUSED": (DELETE,),
        }
    ),
    "test_connection": Items(writes={STATE: (UPDATE, CHECK), UNDO: (UPDATE,)}),
    "resume_tasks": Items(
        reads=("Query",), writes={STATE: (UPDATE, CHECK), PAUSE: (UPDATE, DELETE)}
    ),
    "import_certificate": Items(writes=_NOTES),
    "record_certification": Items(
        reads=("Query",), writes={STATE: (UPDATE,), UNDO: (DELETE,), "BREAKER": (PUT, CHECK)}
    ),
    "tidy": Items(
        reads=("Query", "Scan"),
        writes={"TIDY": (PUT,), "UNUSED": (UPDATE, DELETE)},
        gets=False,
    ),
    # The page of the fleet shows every source; what it has notified people of is remembered.
    "report": Items(
        reads=("Scan",),
        writes=_NOTES,
        only=("pk", "sk", "recorded_by", *NOTED),
    ),
}
"""What each function may do with the table."""

_NOT_OURS = "runs/*/outcomes/*"  # who loses the claim writes its outcome


def _of_step(name: str, *more: str, claims: bool = True) -> Objects:
    """A step of a run reads what the others left, and writes its own."""
    own = (f"runs/*/{name}*", *more)
    return Objects(reads=("runs/*",), writes=(*own, _NOT_OURS) if claims else own)


OBJECTS: Mapping[str, Objects] = {
    "register_sources": Objects(writes=("onboarding/*",)),
    "select_sources": Objects(
        reads=("onboarding/*",), writes=("runs/*/manifest.json", "runs/*/outcomes/*")
    ),
    "claim_source": Objects(writes=("runs/*/claim_source*", _NOT_OURS)),
    "read_material": _of_step("read_material"),
    "probe_tls": _of_step("probe_tls", claims=False),
    "plan_changes": _of_step("plan_changes", claims=False),
    "import_ca": _of_step("import_ca"),
    "rehearse_changes": _of_step("rehearse_changes"),
    # A window that has closed since makes the plan one that waits.
    "pause_tasks": _of_step("pause_tasks", "runs/*/plan_changes.json"),
    "configure_endpoint": _of_step("configure_endpoint"),
    "test_connection": _of_step("test_connection"),
    "resume_tasks": _of_step("resume_tasks"),
    "import_certificate": _of_step("import_certificate"),
    "record_certification": _of_step("record_certification", "records/*", "runs/*/notices/*"),
    "tidy": Objects(),
    "report": Objects(reads=("runs/*", "records/*", "reports/latest.json"), writes=("reports/*",)),
}
"""What each function may do with the bucket."""


def _items(storage: Storage, items: Items) -> Statements:
    """Reads, and writes under the partition keys that are the function's own.

    A transaction needs the rights of the writes in it.
    """
    table = storage.table.table_arn
    index = [f"{table}/index/due"] if "Scan" in items.reads else []
    reads = [f"dynamodb:{each}" for each in (("GetItem",) if items.gets else ()) + items.reads]
    statements = [_allow([table, *index], *reads)]
    for operation in (PUT, UPDATE, DELETE, CHECK):
        keys = [key for key, operations in items.writes.items() if operation in operations]
        if keys:
            write = _allow([table], f"dynamodb:{operation}")
            write.add_condition("ForAllValues:StringLike", {"dynamodb:LeadingKeys": keys})
            if items.only:  # and does not answer with the others
                write.add_condition(
                    "ForAllValues:StringEquals", {"dynamodb:Attributes": sorted(items.only)}
                )
                write.add_condition("StringEqualsIfExists", {"dynamodb:ReturnValues": "NONE"})
            statements.append(write)
    return tuple(statements)


def _objects(storage: Storage, objects: Objects) -> Statements:
    """Keys to read and to write.

    Who may list what is not there learns that it is missing. Whether S3 says so to who may list a
    prefix alone is not documented; ``Documents.get`` asks again by listing.
    """
    statements = []
    if objects.reads:
        keys = [storage.bucket.arn_for_objects(key) for key in objects.reads]
        listing = _allow([storage.bucket.bucket_arn], "s3:ListBucket")
        listing.add_condition("StringLike", {"s3:prefix": list(objects.reads)})
        statements += [_allow(keys, "s3:GetObject"), listing]
    if objects.writes:
        keys = [storage.bucket.arn_for_objects(key) for key in objects.writes]
        statements.append(_allow(keys, "s3:PutObject"))
    return tuple(statements)


def _never_marked(secrets: Statements, holds: str) -> Statements:
    """Read secrets, but none that its owner has marked as holding this."""
    marked = f"aws:ResourceTag/{HOLDS_TAG}"
    copies = [iam.PolicyStatement.from_json(each.to_json()) for each in secrets]
    for each in copies:
        if any(action.startswith("secretsmanager:") for action in each.actions):
            each.add_condition("StringNotEqualsIfExists", {marked: holds})
    return tuple(copies)


def _made_here(statement: iam.PolicyStatement) -> iam.PolicyStatement:
    """The request names this installation as the one that makes the resource."""
    return _with(statement, "StringEquals", f"aws:RequestTag/{STACK_TAG}", Aws.STACK_NAME)


def _ours(statement: iam.PolicyStatement) -> iam.PolicyStatement:
    """This installation has made the resource."""
    return _with(statement, "StringEquals", f"aws:ResourceTag/{STACK_TAG}", Aws.STACK_NAME)


def _not_of_another(statement: iam.PolicyStatement) -> iam.PolicyStatement:
    """The resource is this installation's, or no installation's."""
    key = f"aws:ResourceTag/{STACK_TAG}"
    return _with(statement, "StringEqualsIfExists", key, Aws.STACK_NAME)


def _bears(statement: iam.PolicyStatement, tag: str) -> iam.PolicyStatement:
    """The resource has the tag, with some value."""
    return _with(statement, "StringLike", f"aws:ResourceTag/{tag}", "?*")


def _with(
    statement: iam.PolicyStatement, operator: str, key: str, value: str
) -> iam.PolicyStatement:
    statement.add_condition(operator, {key: value})
    return statement


def _allow(resources: Sequence[str], *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))
