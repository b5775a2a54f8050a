"""The state machine: who runs after whom, what is retried, and where every error leads.

State names are written here and nowhere else. Everything is JSONata; what a later state reads is
a variable that the first state of its scope assigns on each way out of it, so no expression meets
an undefined one. The steps' answers are read with ``= true`` and ``'' &``, which are total: an
answer that lacks a key is a loop that runs out of rounds or a decision nobody knows, never an error
past all Catches.

No Choice has an Assign of its own, only its rules have: AWS's page on Choice says in one place that
it counts whichever rule matched, in another that it counts only when none did.

::

    Select sources → Certify sources (one child execution per source) → Tidy → Report
    child: Claim → Read → Probe → Plan → Import CA → Rehearse ⟲ → Pause ⟲ → Configure ⟲
           → Test ⟲ [→ Pause ⟲ → Roll back ⟲ → Test ⟲] → Resume ⟲ → Read slots → Import certificate
           → Record

A child never ends in Fail. No exit reaches Record past a pause without Resume.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import ArnFormat, Aws, Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from certifier.errors import (
    LAMBDA_CUT_OFF,
    LAMBDA_UNAVAILABLE,
    CertifierError,
    ClaimLost,
    Retryable,
    concrete,
)
from certifier.vocabulary import Action, Decision, Outcome, SettingsUnderTest
from stacks.access import on_behalf_of

# A task is given up a little after the longest function timeout (2 minutes), so that the next
# attempt never meets the last one still at work.
TASK_TIMEOUT = Duration.seconds(150)

# What Lambda itself, not our code, may answer (Step Functions guide, "Handling errors"): every step
# is safe to call once more, so all of these are worth another attempt.
LAMBDA_TRANSIENT = (*LAMBDA_UNAVAILABLE, *LAMBDA_CUT_OFF)

# What a machine answers when no source is concerned; see certifier/steps/report.py.
NO_SOURCES = {"counts": {}, "sources": [], "report": "{% null %}"}

_LOGS_AND_TRACES = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)

# What every step of a child gets.
_COMMON = ("run", "parent", "mode", "origin", "source")

_NULL = "{% null %}"
_CAUSE = "$substring('' & $states.errorOutput.Cause, 0, 1000)"
# The first problem is the one that matters: what fails afterwards, while rolling back, is
# in the findings of that step.
_ERROR = "{'error': $states.errorOutput.Error, 'cause': " + _CAUSE + "}"
_FIRST_PROBLEM = f"{{% {_ERROR} %}}"
_PROBLEM = f"{{% $problem ? $problem : {_ERROR} %}}"


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often the machine asks, how long it goes on asking, and how many sources at once.

    Attributes:
        poll_seconds: the wait between two rounds of any loop.
        max_concurrency: children of one run that work at the same time. DMS allows the account
            8 calls a second, so single digits.
        usual_test: seconds before the first look at a test of DMS, which usually ends by then; a
            look that comes too early is three states and an invocation for nothing.
        rehearse, pause, pause_back, configure, test, resume: minutes that each loop goes on. A step
            decides for itself in its last round; the machine's own bound is the net below it.
    """

    poll_seconds: int = 15
    usual_test: int = 30
    max_concurrency: int = 5
    rehearse: int = 15
    pause: int = 25
    pause_back: int = 10
    configure: int = 10
    test: int = 10
    resume: int = 15

    def rounds(self, minutes: int) -> int:
        """How often a loop of that many minutes calls its step: at least twice."""
        return max(2, minutes * 60 // self.poll_seconds)


@dataclass(frozen=True)
class _Loop:
    """A polled step: ``start`` is where one enters; ``done`` lacks the branches after its end."""

    start: sfn.TaskStateBase
    done: sfn.Choice


class Workflow(Construct):
    """The machine that certifies sources.

    Args:
        functions: published versions (or functions, whose current version is taken) by the name of
            their file in ``lambdas/``.
        bucket: where Select sources puts the manifest, and the Map its results.
        log_retention: of the machine's own log.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Mapping[str, lambda_.IFunction],
        bucket: s3.IBucket,
        pace: Pace = Pace(),
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        self._versions = {name: _version(function) for name, function in functions.items()}
        self._bucket = bucket
        self._pace = pace
        self._counters: list[str] = []
        # Without it CDK leaves the Map's result writer out.
        self.node.set_context("@aws-cdk/aws-stepfunctions:useDistributedMapResultWriterV2", True)
        role = iam.Role(self, "Role", assumed_by=states_of_this_account(self))
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_chainable(self._run()),
            query_language=sfn.QueryLanguage.JSONATA,
            comment="Certifies the TLS of DMS endpoints for PostgreSQL",
            # What CDK would grant for the Map is the whole bucket; the statements are ours.
            role=role.without_policy_updates(),
            logs=sfn.LogOptions(
                destination=machine_log(self, log_retention),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
            tracing_enabled=True,
        )
        self.machine.node.add_dependency(self._grant(role))
        self._grant_children(role)

    def _grant(self, role: iam.Role) -> iam.Policy:
        """What the machine needs before it is made."""
        return iam.Policy(
            self,
            "Policy",
            roles=[role],
            statements=[
                # An execution in flight goes on with the versions it began with, so every version
                # that a deployment left behind must stay callable.
                iam.PolicyStatement(
                    actions=["lambda:InvokeFunction"],
                    resources=[
                        f"{_function_arn(version)}:*" for version in self._versions.values()
                    ],
                ),
                # The manifest, and the Map's results.
                iam.PolicyStatement(
                    actions=[
                        "s3:AbortMultipartUpload",
                        "s3:GetObject",
                        "s3:ListMultipartUploadParts",
                        "s3:PutObject",
                    ],
                    resources=[self._bucket.arn_for_objects("runs/*")],
                ),
                # Log delivery and X-Ray know no resources.
                iam.PolicyStatement(actions=list(_LOGS_AND_TRACES), resources=["*"]),
            ],
        )

    def _grant_children(self, role: iam.Role) -> None:
        """The executions of the Map: what they are called is known once the machine is made."""
        stack, name = Stack.of(self), self.machine.state_machine_name

        def executions(rest: str) -> str:
            return stack.format_arn(
                service="states",
                resource="execution",
                resource_name=f"{name}{rest}",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )

        iam.Policy(
            self,
            "MapPolicy",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["states:StartExecution"], resources=[self.machine.state_machine_arn]
                ),
                iam.PolicyStatement(
                    actions=["states:DescribeExecution", "states:StopExecution"],
                    resources=[executions(":*")],
                ),
                iam.PolicyStatement(
                    actions=["states:RedriveExecution"], resources=[executions("/Source:*")]
                ),
            ],
        )

    # ------------------------------------------------------------------ the run over all sources

    def _run(self) -> sfn.IChainable:
        """Select, certify each, tidy, report. Every error leads to the report."""
        report = self._report()
        chosen = ("bucket", "key", "mode", "origin")
        select = self._invoke(
            "Select sources",
            "select_sources",
            payload={
                "event": "{% $states.input %}",
                "execution": "{% $states.context.Execution.Id %}",
                "started": "{% $states.context.Execution.StartTime %}",
            },
            always={**dict.fromkeys((*chosen, "problem"), _NULL), "selected": 0},
            assign={
                "selected": "{% $states.result.Payload.count %}",
                **{key: f"{{% $states.result.Payload.{key} %}}" for key in chosen},
            },
            catch=[(("States.ALL",), report)],
        )
        tidy = self._invoke(
            "Tidy",
            "tidy",
            payload={
                "execution": "{% $states.context.Execution.Id %}",
                "mode": "{% $mode %}",
            },
            catch=[(("States.ALL",), report)],
        )
        certify = self._certify_sources()
        certify.add_catch(report, errors=["States.ALL"], assign={"problem": _PROBLEM}, outputs={})
        select.next(
            sfn.Choice.jsonata(self, "Any sources?")
            .when(sfn.Condition.jsonata("{% $selected > 0 %}"), certify)
            .otherwise(sfn.Succeed.jsonata(self, "Nothing to do", outputs=NO_SOURCES))
        )
        certify.next(tidy)
        tidy.next(report)
        return select

    def _certify_sources(self) -> sfn.DistributedMap:
        """One child execution for each source of the manifest; a failed one never stops the others.

        Results go to the bucket: the outputs of some thousand children are more than a state may
        hold, and that error cannot be caught.
        """
        certify = sfn.DistributedMap.jsonata(
            self,
            "Certify sources",
            label="Source",
            map_execution_type=sfn.StateMachineType.STANDARD,
            item_reader=sfn.S3JsonItemReader(bucket=self._bucket, key="{% $key %}"),
            item_selector={
                "parent": "{% $states.context.Execution.Id %}",
                "mode": "{% $mode %}",
                "origin": "{% $origin %}",
                "started": "{% $states.context.Execution.StartTime %}",
                "sources": "{% $selected %}",
                "source": "{% $states.context.Map.Item.Value %}",
            },
            result_writer_v2=sfn.ResultWriterV2(
                bucket=self._bucket,
                prefix="{% 'runs/' & $states.context.Execution.Name & '/map' %}",
            ),
            max_concurrency=self._pace.max_concurrency,
            tolerated_failure_percentage=100,
            outputs={},
        )
        return certify.item_processor(self._source())

    def _report(self) -> sfn.TaskStateBase:
        """The only way to an end of a run that had something to do."""
        report = self._invoke(
            "Report",
            "report",
            payload={
                "execution": "{% $states.context.Execution.Id %}",
                **{
                    key: f"{{% ${key} %}}" for key in ("bucket", "key", "mode", "origin", "problem")
                },
            },
            assign={
                "failed": "{% $states.result.Payload.failed = true %}",
                "cause": "{% '' & $states.result.Payload.cause %}",
                "answer": "{% $exists($states.result.Payload.answer)"
                " ? $states.result.Payload.answer : null %}",
            },
        )
        report.next(
            sfn.Choice.jsonata(self, "Run failed?")
            .when(
                sfn.Condition.jsonata("{% $failed %}"),
                sfn.Fail.jsonata(
                    self,
                    "Not certified",
                    # Names that begin with "States." are reserved: a machine may not fail with one.
                    error="{% $problem ? $replace($problem.error, /^States[.]/, '')"
                    " : 'NotCertified' %}",
                    cause="{% $cause %}",
                ),
            )
            .otherwise(sfn.Succeed.jsonata(self, "Reported", outputs="{% $answer %}"))
        )
        return report

    # ------------------------------------------------------------------ one source

    def _source(self) -> sfn.IChainable:
        """The child execution, wired from its ends to its beginning."""
        deferred = self._end("Deferred", Outcome.DEFERRED)
        record = self._record(deferred)
        acm = self._import_certificate(record, deferred)
        resume = self._resume(record, acm, deferred)
        leave = (
            sfn.Choice.jsonata(self, "Paused?")
            .when(sfn.Condition.jsonata("{% $paused %}"), resume)
            .otherwise(record)
        )
        rolled_back = self._roll_back(resume, leave, deferred)
        test = self._test(resume, acm, rolled_back, deferred)
        configure = self._configure(test, rolled_back, deferred)
        pause = self._pause(configure, leave, deferred)
        rehearse = self._rehearse(pause, leave, deferred)
        import_ca = self._step("Import CA", "import_ca", failed=leave, lost=deferred)
        import_ca.next(rehearse)
        plan = self._plan(import_ca, test, leave, deferred)
        probe = self._step("Probe TLS", "probe_tls", failed=leave, lost=deferred)
        probe.next(plan)
        read = self._step("Read material", "read_material", failed=leave, lost=deferred)
        read.next(probe)
        return self._claim(read, test, record, deferred)

    def _claim(
        self,
        read: sfn.IChainable,
        test: sfn.IChainable,
        record: sfn.IChainable,
        deferred: sfn.IChainable,
    ) -> sfn.IChainable:
        """Own the source, or end. What an earlier run left half done goes straight to the tail.

        It is the first state of a child, so it assigns every variable that a later one reads,
        however it ends. Built after all loops, whose rounds are among them.
        """
        given = {
            "run": "{% $states.context.Execution.Id %}",
            **{
                key: f"{{% $states.input.{key} %}}"
                for key in ("parent", "mode", "origin", "source", "started", "sources")
            },
        }
        claim = self._invoke(
            "Claim source",
            "claim_source",
            payload={key: given[key] for key in (*_COMMON, "started")},
            always={
                **given,
                "problem": _NULL,
                "decision": "none",
                **dict.fromkeys(
                    ("claimed", "tail", "paused", "done", "not_now", "proven", "was_rolled_back"),
                    False,
                ),
                **dict.fromkeys(self._counters, 0),
            },
            assign=_flags(claimed="claimed", tail="tail", paused="paused"),
            catch=[(_names(ClaimLost), deferred), (("States.ALL",), record)],
        )
        return claim.next(
            sfn.Choice.jsonata(self, "Claimed?")
            .when(sfn.Condition.jsonata("{% $not($claimed) %}"), deferred)
            .when(sfn.Condition.jsonata("{% $tail %}"), test)
            .otherwise(read)
        )

    def _plan(
        self,
        change: sfn.IChainable,
        unchanged: sfn.IChainable,
        leave: sfn.IChainable,
        deferred: sfn.IChainable,
    ) -> sfn.IChainable:
        plan = self._step(
            "Plan changes",
            "plan_changes",
            assign={"decision": "{% '' & $states.result.Payload.decision %}"},
            failed=leave,
            lost=deferred,
        )
        decided = sfn.Choice.jsonata(self, "Decided?")
        undecided = sfn.Pass.jsonata(
            self,
            "No decision",
            assign={"problem": _no_answer("Plan changes", "no decision")},
            outputs={},
        )
        undecided.next(leave)
        for decision, target in (
            (Decision.UNCHANGED, unchanged),
            (Decision.CHANGE, change),
            (Decision.PLANNED, leave),
        ):
            decided.when(sfn.Condition.jsonata(f"{{% $decision = '{decision.value}' %}}"), target)
        return plan.next(decided.otherwise(undecided))

    def _rehearse(
        self, pause: sfn.IChainable, leave: sfn.IChainable, deferred: sfn.IChainable
    ) -> sfn.IChainable:
        loop = self._loop(
            "Rehearse",
            "rehearse_changes",
            minutes=self._pace.rehearse,
            failed=leave,
            lost=deferred,
        )
        # The default is left to nothing: what is not done has gone elsewhere before.
        loop.done.when(
            sfn.Condition.jsonata("{% $done %}"), pause, assign={"paused": True}
        ).otherwise(leave)
        return loop.start

    def _pause(
        self, configure: sfn.IChainable, leave: sfn.IChainable, deferred: sfn.IChainable
    ) -> sfn.IChainable:
        loop = self._loop(
            "Pause tasks",
            "pause_tasks",
            minutes=self._pace.pause,
            extras={"action": Action.APPLY.value},
            assign=_flags(not_now="not_now"),
            failed=leave,
            lost=deferred,
        )
        loop.done.when(sfn.Condition.jsonata("{% $not_now %}"), leave).otherwise(configure)
        return loop.start

    def _configure(
        self, test: sfn.IChainable, rolled_back: sfn.IChainable, deferred: sfn.IChainable
    ) -> sfn.IChainable:
        loop = self._loop(
            "Configure endpoint",
            "configure_endpoint",
            minutes=self._pace.configure,
            extras={"action": Action.APPLY.value},
            failed=rolled_back,
            lost=deferred,
        )
        loop.done.otherwise(test)
        return loop.start

    def _test(
        self,
        resume: sfn.IChainable,
        acm: sfn.IChainable,
        rolled_back: sfn.IChainable,
        deferred: sfn.IChainable,
    ) -> sfn.IChainable:
        loop = self._loop(
            "Test connection",
            "test_connection",
            minutes=self._pace.test,
            first=self._pace.usual_test,
            extras={"settings": SettingsUnderTest.NEW.value},
            assign=_flags(proven="passed"),
            failed=rolled_back,
            lost=deferred,
        )
        loop.done.when(sfn.Condition.jsonata("{% $proven and $paused %}"), resume).when(
            sfn.Condition.jsonata("{% $proven %}"), acm
        ).otherwise(rolled_back)
        return loop.start

    def _roll_back(
        self, resume: sfn.IChainable, leave: sfn.IChainable, deferred: sfn.IChainable
    ) -> sfn.IChainable:
        """Undo, then prove that the old settings connect. Without an undo log, done at once.

        Tasks stop for it as they do for a change: a run that finishes another's may find them
        running again.
        """
        pause = self._loop(
            "Pause for rollback",
            "pause_tasks",
            minutes=self._pace.pause_back,
            extras={"action": Action.ROLL_BACK.value},
            assign={"paused": "{% $paused or $states.result.Payload.paused = true %}"},
            failed=resume,
            lost=deferred,
        )
        rolled_back = self._loop(
            "Roll back endpoint",
            "configure_endpoint",
            minutes=self._pace.configure,
            extras={"action": Action.ROLL_BACK.value},
            assign=_flags(was_rolled_back="rolled_back"),
            failed=leave,
            lost=deferred,
        )
        test_old = self._loop(
            "Test rolled-back settings",
            "test_connection",
            minutes=self._pace.test,
            extras={"settings": SettingsUnderTest.OLD.value},
            failed=leave,
            lost=deferred,
        )
        rolled_back.done.when(
            sfn.Condition.jsonata("{% $was_rolled_back %}"), test_old.start
        ).otherwise(leave)
        test_old.done.otherwise(leave)
        pause.done.otherwise(rolled_back.start)
        return pause.start

    def _resume(
        self, record: sfn.IChainable, acm: sfn.IChainable, deferred: sfn.IChainable
    ) -> sfn.IChainable:
        """Whatever has come of the tasks, the login looks once more at the replication slots.

        That look is advisory: what goes wrong with it is not a problem of the run.
        """
        proven = (
            sfn.Choice.jsonata(self, "Proven?")
            .when(sfn.Condition.jsonata("{% $proven and $not($problem) %}"), acm)
            .otherwise(record)
        )
        read_slots = self._invoke(
            "Read replication slots",
            "probe_tls",
            payload=_step_payload(again=True),
            catch=[(_names(ClaimLost), deferred)],
        )
        read_slots.add_catch(proven, errors=["States.ALL"], outputs={})
        read_slots.next(proven)
        loop = self._loop(
            "Resume tasks",
            "resume_tasks",
            minutes=self._pace.resume,
            failed=read_slots,
            lost=deferred,
        )
        loop.done.otherwise(read_slots)
        return loop.start

    def _import_certificate(
        self, record: sfn.IChainable, deferred: sfn.IChainable
    ) -> sfn.IChainable:
        """ACM is a side record: whatever happens here, the endpoint is proven."""
        step = self._invoke(
            "Import certificate",
            "import_certificate",
            payload=_step_payload(),
            catch=[(_names(ClaimLost), deferred)],
        )
        step.add_catch(record, errors=["States.ALL"], outputs={})
        return step.next(record)

    def _record(self, deferred: sfn.IChainable) -> sfn.TaskStateBase:
        """The one ordinary end of a child. When even this fails, the claim's own rescue is due."""
        not_recorded = self._end("Not recorded", Outcome.FAILED)
        return self._invoke(
            "Record certification",
            "record_certification",
            payload=_step_payload(problem="{% $problem %}", sources="{% $sources %}"),
            outputs=_child_output("$states.result.Payload.outcome"),
            catch=[(_names(ClaimLost), deferred), (("States.ALL",), not_recorded)],
        )

    def _end(self, name: str, outcome: Outcome) -> sfn.Succeed:
        return sfn.Succeed.jsonata(self, name, outputs=_child_output(f"'{outcome.value}'"))

    # ------------------------------------------------------------------ the parts that repeat

    def _loop(
        self,
        name: str,
        step: str,
        *,
        minutes: int,
        first: int = 0,
        failed: sfn.IChainable,
        lost: sfn.IChainable,
        extras: Mapping[str, Any] | None = None,
        assign: Mapping[str, Any] | None = None,
    ) -> _Loop:
        """Call a convergent step until it says ``done``, for at most ``minutes``.

        ``first``: seconds of the first wait while no task is stopped, if longer than the others.

        The caller adds to ``done`` where the machine goes then; running out of rounds is an error
        of the step.
        """
        rounds = self._pace.rounds(minutes)
        counter = _variable(name) + "_round"  # a child enters each loop once
        self._counters.append(counter)
        task = self._step(
            name,
            step,
            extras={**(extras or {}), "round": f"{{% ${counter} %}}", "rounds": rounds},
            assign={**_flags(done="done"), **(assign or {})},
            failed=failed,
            lost=lost,
        )
        poll = self._pace.poll_seconds
        seconds = sfn.WaitTime.duration(Duration.seconds(poll))
        if first > poll:
            seconds = sfn.WaitTime.seconds(
                f"{{% ${counter} = 1 and $not($paused) ? {first} : {poll} %}}"
            )
        wait = sfn.Wait.jsonata(self, f"{name}: wait", time=seconds)
        done = (
            sfn.Choice.jsonata(self, f"{name}: done?")
            .when(
                sfn.Condition.jsonata(f"{{% $not($done) and ${counter} + 1 < {rounds} %}}"),
                wait,
                assign={counter: f"{{% ${counter} + 1 %}}"},
            )
            .when(
                sfn.Condition.jsonata("{% $not($done) %}"),
                failed,
                assign={"problem": _no_answer(name, f"not done after {rounds} rounds")},
            )
        )
        task.next(done)
        wait.next(task)
        return _Loop(task, done)

    def _step(
        self,
        name: str,
        step: str,
        *,
        failed: sfn.IChainable,
        lost: sfn.IChainable,
        extras: Mapping[str, Any] | None = None,
        assign: Mapping[str, Any] | None = None,
    ) -> sfn.TaskStateBase:
        """A step of a child: a lost claim ends it, any other error is remembered and leads on."""
        return self._invoke(
            name,
            step,
            payload=_step_payload(**(extras or {})),
            assign=assign,
            catch=[(_names(ClaimLost), lost), (("States.ALL",), failed)],
        )

    def _invoke(
        self,
        name: str,
        step: str,
        *,
        payload: Mapping[str, Any],
        always: Mapping[str, Any] | None = None,
        assign: Mapping[str, Any] | None = None,
        outputs: Any = None,
        catch: Sequence[tuple[tuple[str, ...], sfn.IChainable]] = (),
    ) -> sfn.TaskStateBase:
        """Invoke one Lambda. What passes between states is variables; every output is empty.

        ``always`` is assigned on each way out, unless that way assigns the variable otherwise.
        """
        task = tasks.LambdaInvoke.jsonata(
            self,
            name,
            lambda_function=self._versions[step],
            payload=sfn.TaskInput.from_object(dict(payload)),
            assign={**(always or {}), **(assign or {})} or None,
            outputs=outputs or {},
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(TASK_TIMEOUT),
        )
        add_retries(task)
        # Whoever assigns the variables first has no earlier problem to keep.
        problem = _PROBLEM if always is None else _FIRST_PROBLEM
        for errors, target in catch:
            remember = {"problem": problem} if errors == ("States.ALL",) else {}
            assigned = {**(always or {}), **remember} or None
            task.add_catch(target, errors=list(errors), assign=assigned, outputs={})
        return task


def machine_log(scope: Construct, retention: logs.RetentionDays, suffix: str = "") -> logs.LogGroup:
    """The log group of a machine, under the only prefix that needs no policy of its own.

    Elsewhere Step Functions adds the group to a CloudWatch Logs resource policy, of which a
    Region has ten with 5,120 characters: in a crowded account the stack could not be made (Step
    Functions guide, "Logging in CloudWatch Logs"). The name is the installation's own, and
    another one each time that the stack is made anew.
    """
    stack_id = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    first = Fn.select(0, Fn.split("-", stack_id))
    return logs.LogGroup(
        scope,
        "Log",
        log_group_name=f"/aws/vendedlogs/states/{Aws.STACK_NAME}-{first}{suffix}",
        retention=retention,
        removal_policy=RemovalPolicy.DESTROY,
    )


def states_of_this_account(scope: Construct) -> iam.IPrincipal:
    """Step Functions, on behalf of a machine of this account and Region."""
    return on_behalf_of(scope, "states", "stateMachine", ArnFormat.COLON_RESOURCE_NAME)


def add_retries(task: sfn.TaskStateBase) -> None:
    """Have a step called again after what passes by itself."""
    task.add_retry(
        errors=list(_names(Retryable)),
        interval=Duration.seconds(2),
        backoff_rate=2,
        max_attempts=6,
        max_delay=Duration.seconds(60),
        jitter_strategy=sfn.JitterType.FULL,
    )
    task.add_retry(
        errors=list(LAMBDA_TRANSIENT),
        # An interface takes up to a minute and a half.
        interval=Duration.seconds(3),
        backoff_rate=2,
        max_attempts=5,
        jitter_strategy=sfn.JitterType.FULL,
    )


def _step_payload(**extras: Any) -> dict[str, Any]:
    """What every step of a child gets, and what this one gets on top."""
    return {**{key: f"{{% ${key} %}}" for key in _COMMON}, **extras}


def _flags(**keys: str) -> dict[str, str]:
    """Assign each variable whether the step answered true under that key."""
    return {name: f"{{% $states.result.Payload.{key} = true %}}" for name, key in keys.items()}


def _no_answer(name: str, what: str) -> str:
    """A problem of the machine's own making, unless there is one already."""
    return f"{{% $problem ? $problem : {{'error': 'Unexpected', 'cause': '{name}: {what}'}} %}}"


def _child_output(outcome: str) -> dict[str, str]:
    return {"name": "{% $source.name %}", "outcome": f"{{% {outcome} %}}"}


def _names(branch: type[CertifierError]) -> tuple[str, ...]:
    """What Lambda calls an error and everything below it: ASL knows no inheritance."""
    return tuple(error.__name__ for error in concrete(branch))


def _version(function: lambda_.IFunction) -> lambda_.IFunction:
    return function.current_version if isinstance(function, lambda_.Function) else function


def _function_arn(version: lambda_.IFunction) -> str:
    return (
        version.lambda_.function_arn
        if isinstance(version, lambda_.Version)
        else version.function_arn
    )


def _variable(state: str) -> str:
    """Return a state's name as part of a JSONata variable, which takes no hyphen."""
    return re.sub(r"\W+", "_", state.lower())
