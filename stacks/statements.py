"""The statements of IAM that rights are made of, each with its ARN pattern.

They are written out because the ``grant_*`` helpers add ``s3:GetObject*`` and the like. Resource
``*`` stands only where a service offers nothing narrower, and says so.

Nothing that the steps make can be deleted without its tag (``certifier/ownership.py``). The value
of ``STACK_TAG`` is the name of the stack, so that of two installations in one account neither can
delete, or pass off as its own, what the other has made.
"""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
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


class Permissions:
    """The statements that the table in ``access.py`` is made of."""

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
            allow(secrets, "secretsmanager:DescribeSecret"),
            _with(
                allow(secrets, "secretsmanager:GetSecretValue"),
                "StringLike",
                f"secretsmanager:ResourceTag/{SOURCE_TAG}",
                "?*",
            ),
            *((self._through_secrets(keys),) if keys else ()),
        )

    def _through_secrets(self, keys: Sequence[str]) -> iam.PolicyStatement:
        """The keys, but only where Secrets Manager uses them for the caller."""
        service = f"secretsmanager.{self._stack.region}.{self._stack.url_suffix}"
        decrypt = allow(keys, "kms:Decrypt", "kms:DescribeKey")
        return _with(decrypt, "StringEquals", "kms:ViaService", service)

    def read_bundles(self) -> Statements:
        """CA bundles in the buckets that the settings allow."""
        objects = [f"arn:{self._stack.partition}:s3:::{b}/*" for b in self._settings.bundle_buckets]
        return (allow(objects, "s3:GetObject"),) if objects else ()

    def dms_describe(self, *shown: str) -> Statements:
        """What DMS shows of these. Its Describe actions know no resources, hence ``*``."""
        return (allow(["*"], *(f"dms:Describe{each}" for each in shown)),)

    def dms_tags(self) -> Statements:
        """The tags of endpoints and certificates."""
        return (allow([self._dms("cert"), self._dms("endpoint")], "dms:ListTagsForResource"),)

    def dms_providers(self) -> Statements:
        """Data providers, by the right that DescribeDataProviders asks for; it lists all of them.

        (Service Authorization Reference, "API operations defined by AWS DMS".)
        """
        return (allow(["*"], "dms:ListDataProviders"),)

    def dms(self, *actions: str, on: Sequence[str]) -> Statements:
        """DMS actions on the kinds of resource in ``on``; DMS makes up the rest of their ARNs."""
        return (allow([self._dms(kind) for kind in on], *(f"dms:{a}" for a in actions)),)

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

    def make_endpoint(self) -> Statements:
        """An endpoint, which may trust any certificate."""
        return self.dms_make("CreateEndpoint", on=["endpoint", "cert"])

    def delete_canary(self) -> Statements:
        """An endpoint that was made to rehearse, known by its ARN and its tags."""
        made = [f"endpoint:{CANARY_RESOURCES}"]
        return self.dms_delete("DeleteEndpoint", on=made, tagged=[CANARY_TAG, SOURCE_TAG])

    def import_ca(self) -> Statements:
        """Without room for a CA, what nobody uses is named: endpoints and data providers may."""
        return (
            *self.dms_describe(QUOTAS, CERTIFICATES, ENDPOINTS),
            *self.dms_providers(),
            *self.dms_make("ImportCertificate", on=["cert"]),
        )

    def dms_test(self) -> Statements:
        """Have DMS connect, from any replication instance with any endpoint."""
        return self.dms("TestConnection", "DeleteConnection", on=["endpoint", "rep"])

    def rds(self) -> Statements:
        """Which cluster a DB instance belongs to; events name only the instance."""
        return (allow([self._arn("rds", "db", "*")], "rds:DescribeDBInstances"),)

    def rds_roots(self) -> Statements:
        """Which CAs RDS has, in the Region of any host; they belong to no account, hence ``*``."""
        return (allow(["*"], "rds:DescribeCertificates"),)

    def acm_read(self) -> Statements:
        """The public parts of a certificate that lives in ACM, and what tells it from others."""
        certificates = [self._arn("acm", "certificate", "*", ArnFormat.SLASH_RESOURCE_NAME)]
        return (allow(certificates, "acm:DescribeCertificate", "acm:GetCertificate"),)

    def acm(self) -> Statements:
        """Certificates in ACM. ListCertificates knows no resources, hence ``*``."""
        certificates = [self._arn("acm", "certificate", "*", ArnFormat.SLASH_RESOURCE_NAME)]
        make, tag, renew, delete = (
            allow(certificates, f"acm:{action}")
            for action in (
                "ImportCertificate",
                "AddTagsToCertificate",
                "ImportCertificate",
                "DeleteCertificate",
            )
        )
        return (
            allow(["*"], "acm:ListCertificates"),
            _made_here(make),
            _not_of_another(_made_here(tag)),
            # Over an earlier import, which takes no tags: over one of ours, or one that a person
            # has tagged with a source and with no installation.
            _not_of_another(_bears(renew, SOURCE_TAG)),
            _ours(_bears(delete, SOURCE_TAG)),
            allow(
                certificates,
                "acm:DescribeCertificate",
                "acm:GetCertificate",
                "acm:ListTagsForCertificate",
            ),
        )

    def pass_role(self, role: iam.IRole) -> Statements:
        """Hand the secret role to DMS: asked of the caller of CreateEndpoint and ModifyEndpoint."""
        hand_over = allow([role.role_arn], "iam:PassRole")
        hand_over.add_condition(
            "StringEquals", {"iam:PassedToService": dms_principals(self._stack)}
        )
        return (allow([role.role_arn], "iam:GetRole"), hand_over)

    def passwords(self) -> Statements:
        """Secrets, but none that its owner has marked as holding the key of a server."""
        return _never_marked(self.read_secrets(), SERVER_CERTIFICATE)

    def server_keys(self) -> Statements:
        """Secrets, but none that its owner has marked as holding what somebody logs in with."""
        return _never_marked(self.read_secrets(), CREDENTIALS)

    def put_events(self) -> Statements:
        """Put events of ours on the bus of the settings, and of nobody else's name."""
        bus = self._settings.event_bus
        named = self._arn("events", "event-bus", bus, ArnFormat.SLASH_RESOURCE_NAME)
        put = allow([bus if bus.startswith("arn:") else named], "events:PutEvents")
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


def allow(resources: Sequence[str], *actions: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))
