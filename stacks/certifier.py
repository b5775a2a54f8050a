"""Everything that one installation of Certifier consists of: the table of contents.

Place it into a stack of your own, one in each stack::

    Certifier(self, "Certifier", settings=Settings(secret_prefixes=("dms/",)))
"""

import json
from collections.abc import Mapping

from aws_cdk import CfnOutput
from constructs import Construct

from certifier.version import VERSION
from stacks import access
from stacks.dashboard import Dashboard
from stacks.functions import Functions
from stacks.observability import Alarms, Notices, retention
from stacks.onboarding import Onboarding
from stacks.people import People
from stacks.settings import Settings
from stacks.states import Pace
from stacks.storage import Storage
from stacks.triggers import Triggers
from stacks.workflow import Workflow


class Certifier(Construct):
    """One installation. No name in it is fixed, so an account can hold several.

    Attributes:
        run, onboard: the state machines that run what is registered, and that register.
        topic: what notices and alarms are published to.
        undelivered: the queue of starts that failed after all retries.
        reader, runner, registrar: managed policies for people and pipelines.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        storage = Storage(self, "Storage", settings=settings)
        notices = Notices(self, "Notices", settings=settings)
        dms = access.DmsSecretRole(self, "DmsSecret", settings=settings)
        functions = Functions(
            self,
            "Steps",
            settings=settings,
            environment=_environment(settings, storage, notices, dms),
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
        self.run, self.onboard = workflow.machine, onboarding.machine
        self.topic, self.undelivered = notices.topic, triggers.undelivered
        self.reader, self.runner, self.registrar = people.reader, people.runner, people.registrar
        self._outputs(settings, storage, dms)

    def _outputs(self, settings: Settings, storage: Storage, dms: access.DmsSecretRole) -> None:
        """What the command line needs to find this installation, by the name of the stack."""
        for name, value in {
            "StateMachine": self.run.state_machine_arn,
            "OnboardStateMachine": self.onboard.state_machine_arn,
            "TableName": storage.table.table_name,
            "BucketName": storage.bucket.bucket_name,
            "DmsSecretRole": dms.role.role_arn,
            "Topic": self.topic.topic_arn,
            "UndeliveredQueue": self.undelivered.queue_url,
            # What `certifier doctor` shows.
            "Version": VERSION,
            "SecretPrefixes": " ".join(settings.secret_prefixes),
            "BundleBuckets": " ".join(settings.bundle_buckets) or "none",
            "ProbePlace": settings.probe_place(),
            "ReaderPolicy": self.reader.managed_policy_arn,
            "RunnerPolicy": self.runner.managed_policy_arn,
            "RegistrarPolicy": self.registrar.managed_policy_arn,
        }.items():
            CfnOutput(self, name, value=value).override_logical_id(name)


def _environment(
    settings: Settings, storage: Storage, notices: Notices, dms: access.DmsSecretRole
) -> Mapping[str, str]:
    """The variables of the steps; ``functions.py`` says which of them each one gets."""
    return {
        "TABLE": storage.table.table_name,
        "BUCKET": storage.bucket.bucket_name,
        "TOPIC": notices.topic.topic_arn,
        "DOCS_URL": settings.docs_url,
        "EVENT_BUS": settings.event_bus,
        "GROUP_TAG": settings.group_tag,
        "DMS_SECRET_ROLE": dms.role.role_arn,
        "POLICY": json.dumps(settings.policy()),
        "PROBE_ADDRESSES": json.dumps(settings.probe_addresses()),
        "ALLOWED_BUNDLE_BUCKETS": json.dumps(settings.bundle_buckets),
        "SHRINK_AFTER_HOURS": str(settings.shrink_after_hours),
        "NEW_ANCHOR_NEEDS_CONSENT": json.dumps(settings.new_anchor_needs_consent),
        "BATCH": str(settings.batch),
        "BREAKER_LIMIT": str(settings.breaker_limit),
    }
