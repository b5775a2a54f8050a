"""Everything that one installation of Certifier consists of: the table of contents."""

import json

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from certifier.version import VERSION
from stacks import access
from stacks.dashboard import Dashboard
from stacks.functions import Functions
from stacks.observability import Alarms, Notices, retention
from stacks.onboarding import Onboarding
from stacks.people import People
from stacks.settings import Settings
from stacks.storage import Storage
from stacks.triggers import Triggers
from stacks.workflow import Pace, Workflow


class CertifierStack(Stack):
    """One installation. No name in it is fixed, so an account can hold several."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id, description="Certifier: DMS on TLS that verifies")
        storage = Storage(self, "Storage", settings=settings)
        notices = Notices(self, "Notices", settings=settings)
        dms = access.DmsSecretRole(self, "DmsSecret", settings=settings)
        functions = Functions(
            self,
            "Steps",
            settings=settings,
            environment={
                "TABLE": storage.table.table_name,
                "BUCKET": storage.bucket.bucket_name,
                "TOPIC": notices.topic.topic_arn,
                "RUNBOOK": settings.runbook,
                "EVENT_BUS": settings.event_bus,
                "DMS_SECRET_ROLE": dms.role.role_arn,
                "POLICY": json.dumps(settings.policy()),
                "PROBE_ADDRESSES": json.dumps(settings.probe_addresses()),
                "ALLOWED_BUNDLE_BUCKETS": json.dumps(settings.bundle_buckets),
                "NEW_ANCHOR_NEEDS_CONSENT": json.dumps(settings.new_anchor_needs_consent),
                "BATCH": str(settings.batch),
                "BREAKER_LIMIT": str(settings.breaker_limit),
            },
        )
        workflow = Workflow(
            self,
            "Workflow",
            functions=functions.versions,
            bucket=storage.bucket,
            pace=Pace(poll_seconds=settings.poll_seconds, max_concurrency=settings.max_concurrency),
            log_retention=retention(settings),
        )
        onboarding = Onboarding(
            self,
            "Onboard",
            register=functions.versions["register_sources"],
            run=workflow.machine,
            log_retention=retention(settings),
        )
        triggers = Triggers(self, "Triggers", settings=settings, machine=workflow.machine)
        alarms = Alarms(
            self,
            "Alarms",
            settings=settings,
            machine=workflow.machine,
            undelivered=triggers.undelivered,
            topic=notices.topic,
        )
        if settings.dashboard:
            Dashboard(
                self,
                "Dashboard",
                settings=settings,
                alarms=alarms,
                machine=workflow.machine,
                undelivered=triggers.undelivered,
            )
        access.grant(
            self,
            settings=settings,
            functions=functions.by_name,
            storage=storage,
            topic=notices.topic,
            dms_role=dms.role,
        )
        access.grant_execution_look_up(
            self, machine=workflow.machine, claim=functions.by_name["claim_source"]
        )
        people = People(
            self,
            "People",
            storage=storage,
            run=workflow.machine,
            onboard=onboarding.machine,
            topic=notices.topic,
        )
        # What the command line needs to find this installation.
        CfnOutput(self, "StateMachine", value=workflow.machine.state_machine_arn)
        CfnOutput(self, "OnboardStateMachine", value=onboarding.machine.state_machine_arn)
        CfnOutput(self, "TableName", value=storage.table.table_name)
        CfnOutput(self, "BucketName", value=storage.bucket.bucket_name)
        CfnOutput(self, "DmsSecretRole", value=dms.role.role_arn)
        CfnOutput(self, "Topic", value=notices.topic.topic_arn)
        # What `certifier doctor` shows.
        CfnOutput(self, "Version", value=VERSION)
        CfnOutput(self, "SecretPrefixes", value=" ".join(settings.secret_prefixes))
        CfnOutput(self, "BundleBuckets", value=" ".join(settings.bundle_buckets) or "none")
        CfnOutput(self, "ProbePlace", value=settings.probe_place())
        CfnOutput(self, "ReaderPolicy", value=people.reader.managed_policy_arn)
        CfnOutput(self, "RunnerPolicy", value=people.runner.managed_policy_arn)
        CfnOutput(self, "RegistrarPolicy", value=people.registrar.managed_policy_arn)
