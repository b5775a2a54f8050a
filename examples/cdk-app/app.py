r"""A CDK app that adds a DMS endpoint and has it certified before anything may depend on it.

::

    npx cdk deploy -a "python examples/cdk-app/app.py" -c onboard=ARN -c role=ARN \
        -c credentials=ARN -c server_certificate=ARN
"""

from pathlib import Path
from typing import Any

from aws_cdk import App, ArnFormat, CfnOutput, CustomResource, Duration, Fn, Stack
from aws_cdk import aws_dms as dms
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import custom_resources as custom
from constructs import Construct

PROVIDER = Path(__file__).parent / "provider"


class CertifiedSource(Construct):
    """A source that Certifier has certified; depend on it, or on its ``endpoint_arn``.

    Args:
        onboard: ARN of the state machine Onboard.
        source: the source, as in docs/reference/source.md.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, onboard: str, source: dict[str, Any]
    ) -> None:
        super().__init__(scope, construct_id)
        begin, look = (
            self._function("Begin", "begin", onboard),
            self._function("IsComplete", "is_complete", onboard),
        )
        for starts in (begin, look):  # the second one after a run that another one kept out
            starts.add_to_role_policy(
                iam.PolicyStatement(actions=["states:StartExecution"], resources=[onboard])
            )
        executions = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{Fn.select(6, Fn.split(':', onboard))}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        look.add_to_role_policy(
            iam.PolicyStatement(actions=["states:DescribeExecution"], resources=[executions])
        )
        provider = custom.Provider(
            self,
            "Provider",
            on_event_handler=begin,
            is_complete_handler=look,
            query_interval=Duration.seconds(15),
            # An hour, the most that CloudFormation waits: every loop of a run has ended by then,
            # also of the last attempt of handler.py.
            total_timeout=Duration.hours(1),
        )
        self.resource = CustomResource(
            self,
            "Source",
            service_token=provider.service_token,
            resource_type="Custom::CertifiedSource",
            properties={"Source": source},
        )
        self.endpoint_arn = self.resource.get_att_string("EndpointArn")

    def _function(self, construct_id: str, name: str, onboard: str) -> lambda_.Function:
        return lambda_.Function(
            self,
            construct_id,
            runtime=lambda_.Runtime.PYTHON_3_13,
            code=lambda_.Code.from_asset(str(PROVIDER)),
            handler=f"handler.{name}",
            environment={"ONBOARD": onboard},
            timeout=Duration.minutes(1),
        )


class OrdersStack(Stack):
    """The endpoint of one database, and its certification.

    Args:
        onboard, role: ARNs, outputs of the stack of Certifier.
        credentials, server_certificate: ARNs of the secrets, whose owners have consented.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        onboard: str,
        role: str,
        credentials: str,
        server_certificate: str,
    ) -> None:
        super().__init__(scope, construct_id)
        # Without SslMode and CertificateArn: Certifier sets them, and CloudFormation leaves alone
        # what is not in its template.
        endpoint = dms.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_identifier="orders-source",
            endpoint_type="source",
            engine_name="postgres",
            database_name="orders",
            postgre_sql_settings=dms.CfnEndpoint.PostgreSqlSettingsProperty(
                secrets_manager_secret_id=credentials,
                secrets_manager_access_role_arn=role,
            ),
            # The owner's consent.
            tags=[{"key": "certifier:source", "value": "orders"}],
        )
        certified = CertifiedSource(
            self,
            "Certified",
            onboard=onboard,
            source={
                "name": "orders",
                "endpoint": endpoint.ref,
                "host": "orders.db.example.com",
                "database": "orders",
                "ssl_mode": "verify-full",
                "credentials": credentials,
                "server_certificate": server_certificate,
                "restart_tasks": "sun 02:00-04:00 Europe/Berlin",
            },
        )
        # A task that begins here runs on an endpoint that is proven.
        CfnOutput(self, "EndpointArn", value=certified.endpoint_arn)


def main() -> App:
    """Return the app; its ARNs come from the context."""
    app = App()
    names = ("onboard", "role", "credentials", "server_certificate")
    OrdersStack(app, "Orders", **{name: app.node.get_context(name) for name in names})
    return app


if __name__ == "__main__":
    main().synth()
