"""An AWS account on this machine, with Certifier deployed into it.

::

    with Cloud.start(hosts={"db.example.com": "127.0.0.1"}) as cloud:
        secret = cloud.put_secret("dms/orders", {"username": "u", "password": "p"})
        instance = cloud.dms.add_instance("ri")
        run = cloud.run({"sources": [{"name": "orders", ...}]})
        assert run.status == "SUCCEEDED"
        (child,) = run.children
        assert child.outcome == "certified"
        cloud.tick()                         # ten minutes later, the schedule
        cloud.calls.of("dms", writes=True)   # what was called, by whom
        cloud.faults.inject("dms", "ModifyEndpoint", Kind.AFTER)
        cloud.stop_child_at("Test connection")
"""

import copy
import io
import json
import logging
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID, MockAWS
from moto.moto_api._internal import mock_random
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from certifier.ownership import SOURCE_TAG
from certifier.roots import Roots
from sandbox import audit
from sandbox.acm import AcmStandIn, AcmSwitches
from sandbox.aws import calls as choke
from sandbox.aws import deploy, fast, machine, template
from sandbox.aws.calls import Calls, Faults
from sandbox.aws.clock import Clock
from sandbox.aws.deploy import Handler
from sandbox.aws.machine import Machines, Where
from sandbox.aws.maps import ChildExecution
from sandbox.aws.rights import Rights
from sandbox.dms.standin import DmsStandIn
from sandbox.dms.switches import Durations, Quotas, Switches
from sandbox.rds import RdsStandIn, unreachable

REGION = "eu-west-1"
TICK_MINUTES = 10
CONSENT: Mapping[str, str] = {SOURCE_TAG: "+"}
"""The tag with which an owner lets every source use what bears it."""

# A call takes that long on the sandbox's clock: below DMS's 8 a second, as one caller is in AWS.
CALL_SECONDS = 0.15


@dataclass(frozen=True)
class Execution:
    """One execution: of the machine, or a child of its Map. Reads moto's own record, live."""

    arn: str
    _cloud: "Cloud"

    @property
    def run_id(self) -> str:
        """The part of the ARN that names the run in the bucket."""
        return self.arn.rsplit(":", 1)[-1]

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED or ABORTED."""
        return str(self._record.status)

    @property
    def input(self) -> Any:
        """What it was started with."""
        return self._record.input_data

    @property
    def output(self) -> Any:
        """What it answered; None unless it succeeded."""
        return self._record.output

    @property
    def error(self) -> str | None:
        """The error name of a failed execution."""
        return _text(self._record.error)

    @property
    def cause(self) -> str | None:
        """The words of a failed execution."""
        return _text(self._record.cause)

    @property
    def outcome(self) -> str | None:
        """How a child ended, in the words of ``certifier.vocabulary``; None when it was cut off."""
        return self.output.get("outcome") if isinstance(self.output, dict) else None

    @property
    def name(self) -> str | None:
        """The source of a child."""
        source = self.input.get("source") if isinstance(self.input, dict) else None
        return source["name"] if isinstance(source, dict) else None

    @property
    def history(self) -> list[dict[str, Any]]:
        """All events so far, as GetExecutionHistory gives them."""
        return list(self._record.to_history_output()["events"])

    @property
    def states(self) -> list[str]:
        """The states entered so far, in order. Attempts after the first do not enter again."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.history
            if "stateEnteredEventDetails" in event
        ]

    @property
    def transitions(self) -> int:
        """What AWS would bill: every state entered, and every further attempt of a task."""
        types = [str(event["type"]) for event in self.history]
        scheduled, tasks = types.count("TaskScheduled"), types.count("TaskStateEntered")
        return len(self.states) + scheduled - tasks

    @property
    def children(self) -> list["Execution"]:
        """The child executions so far, in the order of their start.

        Those of Onboard are the children of its run, which bears the same name.
        """
        return [
            Execution(other.exec_arn, self._cloud)
            for other in self._cloud._executions()
            if isinstance(other, ChildExecution)
            and other.parent_arn.rsplit(":", 1)[-1] == self.run_id
        ]

    def child(self, name: str) -> "Execution":
        """Return the child of that source.

        Raises:
            KeyError: there is none, or more than one.
        """
        found = [child for child in self.children if child.name == name]
        if len(found) != 1:
            raise KeyError(f"{len(found)} children for {name!r}")
        return found[0]

    def wait(self, timeout: float = 120) -> "Execution":
        """Return when it has ended.

        Raises:
            TimeoutError: it goes on after that many real seconds; names its last state.
        """
        if not self._cloud._machines.ended(self.arn).wait(timeout):
            raise TimeoutError(f"{self.run_id} is still at {self.states[-1:]} after {timeout} s")
        return self

    @property
    def _record(self) -> Any:
        for execution in self._cloud._executions():
            if execution.exec_arn == self.arn:
                return execution
        raise KeyError(self.arn)


class Cloud:
    """The sandbox's AWS. Made by :meth:`start`.

    Attributes:
        session: makes clients for whoever stands outside; their calls are not the product's.
        clock: the time; waits of the machine and ``advance`` move it.
        dms, acm, rds: the stand-ins, with their switches.
        roots: what stands behind the words of ``ca_bundle``; without AWS's trust store, unless a
            test brings one.
        hosts, dms_hosts: host name to address, as the probe and as DMS resolve it. Change them at
            any time. A name that is not there does not resolve.
        calls, faults: every AWS call, and how to make it fail.
        resources: physical ids by logical id, and the stack's outputs.
        log: the lines that the Lambdas logged, metrics among them.
    """

    def __init__(
        self,
        *,
        machines: Machines,
        dms: DmsStandIn,
        acm: AcmStandIn,
        hosts: dict[str, str],
        dms_hosts: dict[str, str],
        roots: Roots,
    ) -> None:
        self.region = REGION
        self.account = DEFAULT_ACCOUNT_ID
        self.session = choke.Session(choke.OUTSIDE, REGION)
        self.clock = machines.clock
        self.dms = dms
        self.acm = acm
        self.hosts = hosts
        self.dms_hosts = dms_hosts
        self.roots = roots
        self.rds = RdsStandIn(roots)
        self.calls = Calls()
        self.faults = Faults()
        self.resources: dict[str, str] = {}
        self.template: Mapping[str, Any] = {}
        self._machines = machines
        self._rights = Rights(self.account, REGION, self._tags_of)
        self._log = io.StringIO()
        self._clients: dict[str, Any] = {}

    # ------------------------------------------------------------------ beginning and end

    @classmethod
    @contextmanager
    def start(
        cls,
        *,
        handlers: Mapping[str, Handler] | None = None,
        hosts: Mapping[str, str] | None = None,
        dms_hosts: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        switches: Switches | None = None,
        durations: Durations | None = None,
        quotas: Quotas | None = None,
        acm_switches: AcmSwitches | None = None,
        clock: Clock | None = None,
        roots: Roots | None = None,
        call_seconds: float = CALL_SECONDS,
        stack_name: str = deploy.STACK,
    ) -> Iterator["Cloud"]:
        """Deploy the app into an empty account and hand it over.

        Args:
            handlers: stubs by step, ``(event, context) -> answer``; the other steps are real.
            hosts: host name to address for the probe; ``dms_hosts`` for DMS, default the same.
            settings: of the CDK app, without their prefix, on top of the sandbox's.
            environment: variables that replace those of the template, in every function.
            switches, durations, quotas, acm_switches: how the stand-ins behave.
            clock: default one that is stopped until somebody waits.
            roots: of the words of ``ca_bundle``; default the product's.
            call_seconds: how long an AWS call takes on that clock.
            stack_name: of the CloudFormation stack.
        """
        if MockAWS._nested_count:
            raise RuntimeError("one at a time: moto's account is open already in this process")
        clock = clock or Clock()
        seen = dict(hosts or {})
        theirs = seen if dms_hosts is None else dict(dms_hosts)
        machines = Machines(clock)
        dms = DmsStandIn(
            switches=switches,
            durations=durations,
            quotas=quotas,
            resolve=theirs,
            clock=clock.time,
            account=DEFAULT_ACCOUNT_ID,
            region=REGION,
            patience=10.0,
        )
        acm = AcmStandIn(switches=acm_switches, clock=clock.time, region=REGION)
        cloud = cls(
            machines=machines,
            dms=dms,
            acm=acm,
            hosts=seen,
            dms_hosts=theirs,
            roots=roots or Roots(fetch=unreachable),
        )
        dms.may = cloud._rights.role_may
        bind = _binder(cloud, dict(handlers or {}), dict(environment or {}))
        with ExitStack() as stack:
            stack.enter_context(fast.installed())
            stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
            # Every account gets the same names, so that the machine's definition is parsed once.
            mock_random.seed(0)
            stack.enter_context(dms.installed())
            stack.enter_context(acm.installed())
            stack.enter_context(cloud.rds.installed())
            stack.enter_context(machine.installed(machines))
            stack.enter_context(deploy.installed(deploy.Functions(bind), cloud._log))
            stack.enter_context(
                choke.installed(
                    clock,
                    machines,
                    cloud.calls,
                    cloud.faults,
                    rights=cloud._rights,
                    call_seconds=call_seconds,
                )
            )
            cloud.template = template.synthesized(settings)
            cloud.resources = deploy.deploy(cloud.session, cloud.template, stack_name)
            try:
                yield cloud
            finally:
                cloud._end()

    def install(self, stack: str, settings: Mapping[str, Any] | None = None) -> "Cloud":
        """Deploy the app once more, as another stack of this account; return it as seen from there.

        It shares everything with this one but the stack's own: machine, table, bucket, topic.
        """
        other = copy.copy(self)
        other.template = template.synthesized(settings)
        other.resources = deploy.deploy(self.session, other.template, stack)
        return other

    def _end(self) -> None:
        """Stop what still runs, so that no thread outlives the account."""
        audit.write(self._rights.used)
        running = [e for e in self._executions() if e.status == "RUNNING"]
        for execution in running:
            self.stop(Execution(execution.exec_arn, self))
        for execution in running:
            self._machines.ended(execution.exec_arn).wait(10)

    def _tags_of(self, arn: str) -> Mapping[str, str]:
        """The tags of a resource of DMS, ACM or Secrets Manager, without a call."""
        if arn in (certificates := self.acm.certificates()):
            return {key: value or "" for key, value in certificates[arn].tags.items()}
        if ":secret:" in arn:
            secrets = secretsmanager_backends[self.account][self.region].secrets
            found = next((one for one in secrets.values() if one.arn == arn), None)
            return {t["Key"]: t.get("Value", "") for t in getattr(found, "tags", None) or ()}
        return self.dms.state.tags.get(arn, {})

    # ------------------------------------------------------------------ starting things

    def run(self, given: Mapping[str, Any], *, wait: bool = True) -> Execution:
        """Start a machine directly, as a person or a pipeline does: sources go to Onboard."""
        machine = self.resources["OnboardStateMachine"] if "sources" in given else self.machine_arn
        return self.start_machine(machine, given, wait=wait)

    def start_machine(
        self, machine: str, given: Mapping[str, Any], *, wait: bool = True
    ) -> Execution:
        """Start that state machine."""
        arn = self.client("stepfunctions").start_execution(
            stateMachineArn=machine, name=str(uuid.uuid4()), input=json.dumps(given)
        )["executionArn"]
        execution = Execution(arn, self)
        return execution.wait() if wait else execution

    def tick(self, *, minutes: float = TICK_MINUTES, wait: bool = True) -> Execution:
        """Let that much time pass, then start the machine as the schedule in the template does."""
        self.clock.advance(minutes=minutes)
        (schedule,) = (
            resource["Properties"]
            for resource in self.template["Resources"].values()
            if resource["Type"] == "AWS::Scheduler::Schedule"
        )
        return self.run(json.loads(schedule["Target"]["Input"]), wait=wait)

    def emit(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: tuple[str, ...] = (),
        *,
        wait: bool = True,
    ) -> list[Execution]:
        """Put an event on the bus and return the executions that the stack's rules started."""
        before = {execution.exec_arn for execution in self._executions()}
        self.client("events").put_events(
            Entries=[
                {
                    "Source": source,
                    "DetailType": detail_type,
                    "Detail": json.dumps(detail),
                    "Resources": list(resources),
                    "Time": self.clock.now(),
                }
            ]
        )
        started = [
            Execution(execution.exec_arn, self)
            for execution in self._executions()
            if execution.exec_arn not in before and not isinstance(execution, ChildExecution)
        ]
        return [execution.wait() for execution in started] if wait else started

    def put_secret(
        self, name: str, value: Mapping[str, Any] | str, *, tags: Mapping[str, str] = CONSENT
    ) -> str:
        """Create the secret, or give it a new current version, without a word; return its ARN.

        Args:
            tags: of a secret that is created; by default its owner consents to every source.
        """
        client = self.client("secretsmanager")
        text = value if isinstance(value, str) else json.dumps(value)
        pairs = [{"Key": key, "Value": tag} for key, tag in tags.items()]
        try:
            return str(client.create_secret(Name=name, SecretString=text, Tags=pairs)["ARN"])
        except client.exceptions.ResourceExistsException:
            return str(client.put_secret_value(SecretId=name, SecretString=text)["ARN"])

    def emit_secret_label(self, name: str, *, wait: bool = True) -> list[Execution]:
        """Say that the secret has a new current version, as Secrets Manager does."""
        secret = self.client("secretsmanager").describe_secret(SecretId=name)
        (current,) = (
            version
            for version, stages in secret["VersionIdsToStages"].items()
            if "AWSCURRENT" in stages
        )
        detail = {
            "name": secret["Name"],
            "labelUpdated": ["AWSCURRENT"],
            "versionId": current,
        }
        return self.emit(
            "aws.secretsmanager", "Secret Label Updated", detail, (secret["ARN"],), wait=wait
        )

    def rotate_secret(
        self, name: str, value: Mapping[str, Any] | str, *, wait: bool = True
    ) -> list[Execution]:
        """Give the secret a new current version, and say so."""
        self.put_secret(name, value)
        return self.emit_secret_label(name, wait=wait)

    # ------------------------------------------------------------------ cutting things off

    def stop(self, execution: Execution) -> None:
        """Abort an execution, and the children that it waits for."""
        self.client("stepfunctions").stop_execution(executionArn=execution.arn)

    def stop_child_at(self, state: str, nth: int = 1) -> None:
        """Abort the child that enters ``state`` as the ``nth`` from now on, before it acts."""
        assert state in self.child_states(), f"no child enters a state {state!r}"
        self._machines.stop_at(state, child=True, nth=nth)

    def child_states(self) -> frozenset[str]:
        """The names of the states that an execution over one source can enter."""
        described = self.client("stepfunctions").describe_state_machine(
            stateMachineArn=self.machine_arn
        )
        states = json.loads(described["definition"])["States"].values()
        return frozenset(
            name for state in states for name in state.get("ItemProcessor", {}).get("States", ())
        )

    def stop_run_at(self, state: str, nth: int = 1) -> None:
        """Abort the execution over all sources that enters ``state``, before it acts."""
        self._machines.stop_at(state, child=False, nth=nth)

    def hide_executions(self, seconds: float) -> None:
        """From now on, let DescribeExecution not know an execution for so long after its start."""
        self._machines.unseen_for = seconds

    def on_state(self, listener: Callable[[Where], None]) -> None:
        """Call ``listener`` in the thread of every execution that enters a state."""
        self._machines.on_state.append(listener)

    # ------------------------------------------------------------------ looking at things

    def client(self, service: str) -> Any:
        """Return a client of :attr:`session`, the same one every time."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service)
        return self._clients[service]

    @property
    def machine_arn(self) -> str:
        """The state machine that runs what is registered."""
        return self.resources["StateMachine"]

    @property
    def table(self) -> str:
        """The table's name."""
        return self.resources["TableName"]

    @property
    def bucket(self) -> str:
        """The name of the bucket with manifests, records and reports."""
        return self.resources["BucketName"]

    @property
    def executions(self) -> list[Execution]:
        """Every execution so far, children included."""
        return [Execution(execution.exec_arn, self) for execution in self._executions()]

    @property
    def log(self) -> list[str]:
        """The lines that the Lambdas have logged."""
        return self._log.getvalue().splitlines()

    @property
    def notices(self) -> list[tuple[str, str]]:
        """What was published to the stack's topic: subject and message, oldest first."""
        topic = sns_backends[self.account][self.region].topics[self.resources["Topic"]]
        return [(str(sent[2]), str(sent[1])) for sent in topic.sent_notifications]

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return what is in the bucket under a prefix."""
        s3 = self.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {k: s3.get_object(Bucket=self.bucket, Key=k)["Body"].read() for k in keys}

    def items(self) -> list[dict[str, Any]]:
        """Return every item of the table, in DynamoDB's own form."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"]]

    def _executions(self) -> list[Any]:
        backend = stepfunctions_parser_backends[self.account][self.region]
        return [execution for made in backend.state_machines for execution in list(made.executions)]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _binder(
    cloud: Cloud, stubs: Mapping[str, Handler], environment: Mapping[str, str]
) -> Callable[[str, Mapping[str, str]], Handler]:
    """Bind stubs as they are, and real steps to their environment, session, clock and hosts."""

    def bind(step: str, environ: Mapping[str, str]) -> Handler:
        if step in stubs:
            return stubs[step]
        environ = {**environ, **environment}
        handler = deploy.real_handler(step).bind(
            environ,
            session=choke.Session(step, REGION, environ[deploy.FUNCTION_NAME]),
            now=cloud.clock.now,
            resolve=_resolver(cloud.hosts),
            roots=cloud.roots,
        )
        # The logger is one for the process; its lines belong to the account that is open now.
        for log in logging.getLogger(environ.get("POWERTOOLS_SERVICE_NAME", "certifier")).handlers:
            if isinstance(log, logging.StreamHandler):
                log.setStream(cloud._log)
        bound: Handler = handler
        return bound

    return bind


def _resolver(hosts: Mapping[str, str]) -> Callable[..., list[Any]]:
    """Return ``socket.getaddrinfo`` for those names, and for addresses; others do not resolve."""

    def resolve(host: str | bytes | None, *args: Any, **keywords: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host)
        address = hosts.get(name)
        if address is None:
            # An address needs no lookup; with this flag nothing else gets one.
            flags = {**keywords, "flags": keywords.get("flags", 0) | socket.AI_NUMERICHOST}
            return list(socket.getaddrinfo(name, *args, **flags))
        return list(socket.getaddrinfo(address, *args, **keywords))

    return resolve
