"""CloudFormation: where one installation of Certifier keeps its machine, table and bucket."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from certifier.aws.clients import code_of, translate
from certifier.errors import Refused, Unexpected
from certifier.models import Fact
from certifier.vocabulary import Cause

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


class Deployment(Fact):
    """The outputs of the stack that the command line needs.

    What has ``None`` for a default is only shown: a stack of an older version does not have it.
    """

    machine: str
    onboard: str
    table: str
    bucket: str
    topic: str | None = None
    version: str | None = None
    secret_prefixes: str | None = None
    bundle_buckets: str | None = None
    probe_place: str | None = None


_OUTPUTS = {
    "machine": "StateMachine",
    "onboard": "OnboardStateMachine",
    "table": "TableName",
    "bucket": "BucketName",
}
_SHOWN = {
    "topic": "Topic",
    "version": "Version",
    "secret_prefixes": "SecretPrefixes",
    "bundle_buckets": "BundleBuckets",
    "probe_place": "ProbePlace",
}


def find_deployment(client: "CloudFormationClient", stack: str) -> Deployment:
    """Return where the installation of that stack keeps its things.

    Raises:
        Refused: there is no such stack, or it is not one of ours; ``seen`` says so.
    """
    try:
        (described,) = client.describe_stacks(StackName=stack)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        if code_of(error) == "ValidationError":
            where = "in this account and Region (--stack, --profile, --region)"
            seen = f"there is no stack {stack} {where}"
            raise Refused(Cause.AWS_DENIED, seen=seen) from None
        raise translate(error) from None
    except ValueError:
        raise Unexpected("DescribeStacks") from None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", ())}
    if missing := [name for name in _OUTPUTS.values() if name not in outputs]:
        lacks = f"it lacks the outputs {', '.join(missing)}"
        seen = f"the stack {stack} is not a Certifier of this version: {lacks}"
        raise Refused(Cause.AWS_DENIED, seen=seen)
    known = {field: outputs.get(name) for field, name in (_OUTPUTS | _SHOWN).items()}
    return Deployment.model_validate(known)
