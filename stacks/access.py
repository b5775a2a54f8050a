"""Who may do what: one row for each step, of statements that ``statements.py`` writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from certifier.ownership import CA_TAG
from stacks.settings import Settings
from stacks.statements import (
    CERTIFICATES,
    CONNECTIONS,
    ENDPOINTS,
    INSTANCES,
    SERVERLESS,
    TASKS,
    Permissions,
    Statements,
    allow,
    for_this_account,
)
from stacks.storage import Storage


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
        for statement in Permissions(self, settings=settings).passwords():
            self.role.add_to_policy(statement)


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
    grants = _of_steps(may, publish=(allow([topic.topic_arn], "sns:Publish"),), dms_role=dms_role)
    for name, function in functions.items():
        kept = (*_items(storage, ITEMS[name]), *_objects(storage, OBJECTS[name]))
        for statement in (*kept, *grants[name]):
            function.add_to_role_policy(statement)


def _of_steps(
    may: Permissions, *, publish: Statements, dms_role: iam.IRole
) -> Mapping[str, Statements]:
    """What each step does besides its reads and writes in the table and the bucket.

    The owner's mark on a secret keeps the keys of servers from who needs passwords, and the other
    way round.
    """
    return {
        "register_sources": (),
        "select_sources": (*may.rds(), *publish),
        "claim_source": (),
        "read_material": (
            *may.read_secrets(),
            *may.read_bundles(),
            *may.rds_roots(),
            *may.acm_read(),
            *may.dms_describe(CERTIFICATES, ENDPOINTS),
            *may.dms_tags(),
        ),
        "probe_tls": may.passwords(),
        "plan_changes": may.dms_describe(CONNECTIONS, INSTANCES, SERVERLESS, TASKS),
        "import_ca": may.import_ca(),
        "rehearse_changes": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES),
            *may.dms_tags(),
            *may.make_endpoint(),
            *may.delete_canary(),
            *may.dms_test(),
            *may.passwords(),
            *may.pass_role(dms_role),
        ),
        "pause_tasks": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES, SERVERLESS, TASKS),
            *may.dms_tags(),
            *may.dms_test(),
            *may.dms("StopReplicationTask", on=["task"]),
        ),
        "configure_endpoint": (
            *may.import_ca(),
            # Why an endpoint cannot be modified: DMS's words do not say.
            *may.dms_describe(CONNECTIONS, SERVERLESS, TASKS),
            *may.dms_tags(),
            *may.make_endpoint(),
            *may.dms_modify(),
            *may.passwords(),
            *may.pass_role(dms_role),
        ),
        # Of a failed test it hides the password in what the server said to DMS.
        "test_connection": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES, TASKS),
            *may.dms_test(),
            *may.passwords(),
        ),
        "resume_tasks": (
            *may.dms_describe(CONNECTIONS, ENDPOINTS, INSTANCES, TASKS),
            *may.dms_test(),
            *may.dms("StartReplicationTask", on=["task"]),
        ),
        "import_certificate": (*may.server_keys(), *may.acm()),
        "record_certification": (
            *may.dms_describe(ENDPOINTS),
            *may.dms_tags(),
            *may.delete_canary(),
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
        statements=[allow(executions, "states:DescribeExecution")],
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
        reads=("Query", "Scan"),
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
    statements = [allow([table, *index], *reads)]
    for operation in (PUT, UPDATE, DELETE, CHECK):
        keys = [key for key, operations in items.writes.items() if operation in operations]
        if keys:
            write = allow([table], f"dynamodb:{operation}")
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
        listing = allow([storage.bucket.bucket_arn], "s3:ListBucket")
        listing.add_condition("StringLike", {"s3:prefix": list(objects.reads)})
        statements += [allow(keys, "s3:GetObject"), listing]
    if objects.writes:
        keys = [storage.bucket.arn_for_objects(key) for key in objects.writes]
        statements.append(allow(keys, "s3:PutObject"))
    return tuple(statements)
