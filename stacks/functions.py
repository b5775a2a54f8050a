"""The Lambda functions: one row for each step of the workflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks import packaging
from stacks.observability import retention
from stacks.settings import Settings
from stacks.statements import for_this_account


@dataclass(frozen=True)
class StepFunction:
    """One function.

    Attributes:
        name: the file in ``lambdas/``, without ``.py``; construct id and handler follow from it.
        environment: the variables it reads besides those that all have (``SHARED``).
        seconds: its timeout. A claim is taken over this long after its owner ended, so no step may
            run longer than two minutes.
        memory: in MiB; Lambda gives processor time in proportion.
        in_network: whether it runs in the subnets that the settings name, if they name any.
    """

    name: str
    environment: tuple[str, ...] = ()
    seconds: int = 60
    memory: int = 512
    in_network: bool = False

    @property
    def id(self) -> str:
        """``probe_tls`` is ``ProbeTls``."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def handler(self) -> str:
        """What Lambda imports."""
        return f"lambdas.{self.name}.handler"


STEPS = (
    StepFunction("register_sources", seconds=120),
    StepFunction("select_sources", ("BATCH", "TOPIC", "DOCS_URL"), seconds=120),
    StepFunction("claim_source"),
    StepFunction(
        "read_material", ("POLICY", "ALLOWED_BUNDLE_BUCKETS", "PROBE_ADDRESSES", "GROUP_TAG")
    ),
    StepFunction(
        "probe_tls", ("POLICY", "PROBE_ADDRESSES", "NEW_ANCHOR_NEEDS_CONSENT"), in_network=True
    ),
    StepFunction(
        "plan_changes", ("DMS_SECRET_ROLE", "NEW_ANCHOR_NEEDS_CONSENT", "SHRINK_AFTER_HOURS")
    ),
    StepFunction("import_ca"),
    StepFunction("rehearse_changes", ("DMS_SECRET_ROLE",)),
    StepFunction("pause_tasks", ("BREAKER_LIMIT",)),
    StepFunction("configure_endpoint", ("DMS_SECRET_ROLE",)),
    StepFunction("test_connection"),
    StepFunction("resume_tasks"),
    StepFunction("import_certificate"),
    StepFunction(
        "record_certification", ("TOPIC", "EVENT_BUS", "DOCS_URL", "BREAKER_LIMIT", "POLICY")
    ),
    StepFunction("tidy", ("TOPIC", "DOCS_URL"), seconds=120),
    StepFunction("report", ("TOPIC", "DOCS_URL"), seconds=120),
)


# What every function reads.
SHARED = (
    "TABLE",
    "BUCKET",
    "INSTALLATION",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
)


class Functions(Construct):
    """Every step as a function of its own, with its own role and log group.

    Attributes:
        by_name: the functions, keyed by the name of their file.
        versions: what this deployment publishes of each. They are retained, so that an execution
            under way keeps the code that it began with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._environment = {
            "INSTALLATION": Aws.STACK_NAME,
            "POWERTOOLS_SERVICE_NAME": Aws.STACK_NAME,
            "POWERTOOLS_METRICS_NAMESPACE": "Certifier",
            **environment,
        }
        self._code = packaging.code()
        self._layer = lambda_.LayerVersion(
            self,
            "Libraries",
            code=packaging.libraries(),
            compatible_runtimes=[packaging.RUNTIME],
            compatible_architectures=[packaging.ARCHITECTURE],
            description="The locked libraries of lambdas/requirements.lock",
        )
        self.by_name = MappingProxyType({step.name: self._function(step) for step in STEPS})
        self.versions = MappingProxyType(
            {name: function.current_version for name, function in self.by_name.items()}
        )

    def _function(self, step: StepFunction) -> lambda_.Function:
        group = logs.LogGroup(
            self,
            f"{step.id}Log",
            retention=retention(self._settings),
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            f"{step.id}Role",
            assumed_by=for_this_account(self, iam.ServicePrincipal("lambda.amazonaws.com")),
        )
        group.grant_write(role)
        function = lambda_.Function(
            self,
            step.id,
            description=f"Certifier: {step.name.replace('_', ' ')}",
            runtime=packaging.RUNTIME,
            architecture=packaging.ARCHITECTURE,
            code=self._code,
            layers=[self._layer],
            handler=step.handler,
            role=role,
            environment={key: self._environment[key] for key in (*SHARED, *step.environment)},
            timeout=Duration.seconds(step.seconds),
            memory_size=step.memory,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Kept, but not what a deployment publishes and then rolls back: a version that is left
            # behind equals what the next deployment would publish, and Lambda refuses that.
            current_version_options=lambda_.VersionOptions(
                removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            ),
        )
        if step.in_network and self._settings.probe_subnets:
            self._attach(function, role)
        return function

    def _attach(self, function: lambda_.Function, role: iam.Role) -> None:
        """Put the function into the subnets, which are named by id: nothing is looked up."""
        resource = function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)
        resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=list(self._settings.probe_subnets),
            security_group_ids=list(self._settings.probe_security_groups),
        )
        interfaces = [
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ]
        # Lambda itself makes the interfaces, under any resource; the code may not.
        role.add_to_policy(iam.PolicyStatement(actions=interfaces, resources=["*"]))
        code = Stack.of(self).format_arn(
            service="lambda",
            resource="function",
            resource_name="*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        role.add_to_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=interfaces,
                resources=["*"],
                conditions={"ArnLike": {"lambda:SourceFunctionArn": code}},
            )
        )
