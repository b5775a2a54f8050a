"""The stack of those who deploy the app as it is: the construct, and nothing else."""

from aws_cdk import Stack
from constructs import Construct

from stacks.certifier import Certifier
from stacks.settings import Settings


class CertifierStack(Stack):
    """One installation in a stack of its own."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id, description="Certifier: DMS on TLS that verifies")
        # CDK leaves an id "Default" out of the names of what is below it.
        Certifier(self, "Default", settings=settings)
