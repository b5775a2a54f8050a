"""Who may do what: one set of statements per step, each with its ARN pattern.

The statements are written out because the ``grant_*`` helpers add ``s3:GetObject*`` and the like.
Resource ``*`` stands only where a service offers nothing narrower, and says so.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.settings import Settings
from stacks.storage import Storage

Statements = tuple[iam.PolicyStatement, ...]

# The tags of what the steps make: an endpoint to rehearse on, a CA in DMS, a pair in ACM. Nothing
# without its tag can be deleted.
CANARY = "certifier:canary"
CA = "certifier"
OF_A_SOURCE = "certifier:source"
# The tag of all that. Its value is the name of the stack, so that of two installations in one
# account neither can delete, or pass off as its own, what the other has made.
INSTALLATION = "certifier:stack"


class DmsSecretRole(Construct):
    """The role with which DMS reads the credentials of an endpoint.

    DMS assumes it as its *regional* principal (DMS user guide, "Using secrets to access AWS
    Database Migration Service endpoints").
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        region = Stack.of(self).region
        self.role = iam.Role(
            self, "Role", assumed_by=iam.ServicePrincipal(f"dms.{region}.amazonaws.com")
        )
        for statement in Permissions(self, settings=settings).read_secrets():
            self.role.add_to_policy(statement)


class Permissions:
    """The statements that the table in :func:`grant` is made of."""

    def __init__(self, scope: Construct, *, settings: Settings) -> None:
        self._stack = Stack.of(scope)
        self._settings = settings

    def read_secrets(self) -> Statements:
        """The secrets under the prefixes of the settings, and the keys that they are under."""
        secrets = [self._arn("secretsmanager", "secret", f"{p}*") for p in self._prefixes]
        keys = [*self._settings.kms_keys]
        return (
            _allow(secrets, "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"),
            *((_allow(keys, "kms:Decrypt", "kms:DescribeKey"),) if keys else ()),
        )

    def read_bundles(self) -> Statements:
        """CA bundles in the buckets that the settings allow."""
        objects = [f"arn:{self._stack.partition}:s3:::{b}/*" for b in self._settings.bundle_buckets]
        return (_allow(objects, "s3:GetObject", "s3:GetObjectVersion"),) if objects else ()

    def dms_describe(self) -> Statements:
        """What DMS shows. Its Describe actions know no resources, hence ``*``."""
        return (
            _allow(
                ["*"],
                "dms:DescribeAccountAttributes",
                "dms:DescribeCertificates",
                "dms:DescribeConnections",
                "dms:DescribeEndpoints",
                "dms:DescribeReplicationConfigs",
                "dms:DescribeReplicationInstances",
                "dms:DescribeReplicationTasks",
            ),
            _allow([self._dms("cert"), self._dms("endpoint")], "dms:ListTagsForResource"),
        )

    def dms(self, *actions: str, on: Sequence[str]) -> Statements:
        """DMS actions on the kinds of resource in ``on``; DMS makes up the rest of their ARNs."""
        return (_allow([self._dms(kind) for kind in on], *(f"dms:{a}" for a in actions)),)

    def dms_make(self, action: str, *, on: Sequence[str]) -> Statements:
        """Make something in DMS that bears this installation's tag from the beginning.

        Whoever creates with tags is asked for AddTagsToResource too.
        """
        (make,), (tag,) = self.dms(action, on=on), self.dms("AddTagsToResource", on=on)
        return (_made_here(make), _not_of_another(_made_here(tag)))

    def dms_delete(self, action: str, *, on: Sequence[str], tagged: str) -> Statements:
        """Delete what bears this tag, and that of this installation."""
        (delete,) = self.dms(action, on=on)
        return (_ours(_bears(delete, tagged)),)

    def dms_test(self) -> Statements:
        """Have DMS connect, from any replication instance with any endpoint."""
        return self.dms("TestConnection", "DeleteConnection", on=["endpoint", "rep"])

    def rds(self) -> Statements:
        """Which cluster a DB instance belongs to; events name only the instance."""
        return (_allow([self._arn("rds", "db", "*")], "rds:DescribeDBInstances"),)

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
            _not_of_another(_bears(renew, OF_A_SOURCE)),
            _ours(_bears(delete, OF_A_SOURCE)),
            _allow(
                certificates,
                "acm:DescribeCertificate",
                "acm:GetCertificate",
                "acm:ListTagsForCertificate",
            ),
        )

    def pass_role(self, role: iam.IRole) -> Statements:
        """Hand the secret role to DMS: asked of the caller of CreateEndpoint and ModifyEndpoint."""
        return (_allow([role.role_arn], "iam:GetRole", "iam:PassRole"),)

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return self._settings.secret_prefixes

    def _dms(self, kind: str) -> str:
        return self._arn("dms", kind, "*")

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
    table, runs, records = _table(storage), _objects(storage, "runs"), _objects(storage, "records")
    publish = (_allow([topic.topic_arn], "sns:Publish"),)
    describe, test, secrets = may.dms_describe(), may.dms_test(), may.read_secrets()
    pass_role = may.pass_role(dms_role)
    delete_canary = may.dms_delete("DeleteEndpoint", on=["endpoint"], tagged=CANARY)
    make_endpoint = may.dms_make("CreateEndpoint", on=["endpoint", "cert"])
    grants: dict[str, Statements] = {
        "select_sources": (*may.rds(), *publish),
        "claim_source": (),
        "read_material": (*secrets, *may.read_bundles(), *describe),
        "probe_tls": secrets,
        "plan_changes": describe,
        "import_ca": (
            *describe,
            *may.dms_make("ImportCertificate", on=["cert"]),
        ),
        "rehearse_changes": (
            *describe,
            *make_endpoint,
            *delete_canary,
            *test,
            *secrets,
            *pass_role,
        ),
        "pause_tasks": (*describe, *test, *may.dms("StopReplicationTask", on=["task"])),
        "configure_endpoint": (
            *describe,
            *make_endpoint,
            *may.dms("ModifyEndpoint", on=["endpoint", "cert"]),
            *may.dms_make("ImportCertificate", on=["cert"]),
            *secrets,
            *pass_role,
        ),
        "test_connection": (*describe, *test),
        "resume_tasks": (*describe, *test, *may.dms("StartReplicationTask", on=["task"])),
        "import_certificate": (*secrets, *may.acm()),
        "record_certification": (*describe, *delete_canary, *records, *publish),
        "tidy": (
            *describe,
            *may.dms_delete("DeleteCertificate", on=["cert"], tagged=CA),
            *publish,
        ),
        "report": _objects(storage, "reports"),
    }
    for name, function in functions.items():
        for statement in (*table, *runs, *grants[name]):
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


def _table(storage: Storage) -> Statements:
    """Items and the index; a transaction needs the rights of the writes in it."""
    arn = storage.table.table_arn
    return (
        _allow(
            [arn, f"{arn}/index/due"],
            "dynamodb:BatchGetItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        ),
    )


def _objects(storage: Storage, folder: str) -> Statements:
    """Read and write one folder; without ListBucket, S3 does not say that an object is missing."""
    return (
        _allow([storage.bucket.arn_for_objects(f"{folder}/*")], "s3:GetObject", "s3:PutObject"),
        _allow([storage.bucket.bucket_arn], "s3:ListBucket"),
    )


def _made_here(statement: iam.PolicyStatement) -> iam.PolicyStatement:
    """The request names this installation as the one that makes the resource."""
    return _with(statement, "StringEquals", f"aws:RequestTag/{INSTALLATION}", Aws.STACK_NAME)


def _ours(statement: iam.PolicyStatement) -> iam.PolicyStatement:
    """This installation has made the resource."""
    return _with(statement, "StringEquals", f"aws:ResourceTag/{INSTALLATION}", Aws.STACK_NAME)


def _not_of_another(statement: iam.PolicyStatement) -> iam.PolicyStatement:
    """The resource is this installation's, or no installation's."""
    key = f"aws:ResourceTag/{INSTALLATION}"
    return _with(statement, "StringEqualsIfExists", key, Aws.STACK_NAME)


def _bears(statement: iam.PolicyStatement, tag: str) -> iam.PolicyStatement:
    return _with(statement, "StringLike", f"aws:ResourceTag/{tag}", "*")


def _with(
    statement: iam.PolicyStatement, operator: str, key: str, value: str
) -> iam.PolicyStatement:
    statement.add_condition(operator, {key: value})
    return statement


def _allow(resources: Sequence[str], *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))
