"""Who may do what: one set of statements per step, each with its ARN pattern.

The statements are written out because the ``grant_*`` helpers add ``s3:GetObject*`` and the like.
Resource ``*`` stands only where a service offers nothing narrower, and says so.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import ArnFormat, Stack
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

    def dms(self, *actions: str, on: Sequence[str], tagged: str | None = None) -> Statements:
        """DMS actions on the kinds of resource in ``on``; DMS makes up the rest of their ARNs.

        ``tagged`` limits them to resources that bear this tag, which we gave them.
        """
        statement = _allow([self._dms(kind) for kind in on], *(f"dms:{a}" for a in actions))
        return (statement if tagged is None else _tagged(statement, tagged),)

    def dms_test(self) -> Statements:
        """Have DMS connect, from any replication instance with any endpoint."""
        return self.dms("TestConnection", "DeleteConnection", on=["endpoint", "rep"])

    def acm(self) -> Statements:
        """Certificates in ACM. ListCertificates knows no resources, hence ``*``."""
        certificates = self._arn("acm", "certificate", "*", ArnFormat.SLASH_RESOURCE_NAME)
        delete = _allow([certificates], "acm:DeleteCertificate")
        return (
            _allow(["*"], "acm:ListCertificates"),
            _tagged(delete, OF_A_SOURCE),
            _allow(
                [certificates],
                "acm:AddTagsToCertificate",
                "acm:DescribeCertificate",
                "acm:GetCertificate",
                "acm:ImportCertificate",
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
    delete_canary = may.dms("DeleteEndpoint", on=["endpoint"], tagged=CANARY)
    make_endpoint = may.dms("AddTagsToResource", "CreateEndpoint", on=["endpoint", "cert"])
    grants: dict[str, Statements] = {
        "select_sources": (),
        "claim_source": (),
        "read_material": (*secrets, *may.read_bundles(), *describe),
        "probe_tls": secrets,
        "plan_changes": describe,
        "import_ca": (
            *describe,
            *may.dms("AddTagsToResource", "ImportCertificate", on=["cert"]),
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
            *secrets,
            *pass_role,
        ),
        "test_connection": (*describe, *test),
        "resume_tasks": (*describe, *test, *may.dms("StartReplicationTask", on=["task"])),
        "import_certificate": (*secrets, *may.acm()),
        "record_certification": (*describe, *delete_canary, *records, *publish),
        "tidy": (*describe, *may.dms("DeleteCertificate", on=["cert"], tagged=CA), *publish),
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


def _tagged(statement: iam.PolicyStatement, tag: str) -> iam.PolicyStatement:
    statement.add_condition("StringLike", {f"aws:ResourceTag/{tag}": "*"})
    return statement


def _allow(resources: Sequence[str], *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))
