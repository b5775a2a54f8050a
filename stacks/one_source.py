"""The child execution: what is done for one source, who runs after whom, where every error leads.

What a later state reads is a variable that the first state assigns on each way out of it, so no
expression meets an undefined one.

::

    Claim → Read → Probe → Plan → Import CA → Rehearse ⟲ → Pause ⟲ → Configure ⟲
      → Test ⟲ [→ Pause ⟲ → Roll back ⟲ → Test ⟲] → Resume ⟲ → Read slots → Import certificate
      → Record

A child never ends in Fail. No exit reaches Record past a pause without Resume.
"""

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from certifier.errors import ClaimLost
from certifier.vocabulary import Action, Decision, Outcome, SettingsUnderTest
from stacks.machines import names_of
from stacks.states import COMMON, NULL, Pace, StateMaker, flags, no_answer, step_payload


class OneSource:
    """The child execution. A child never ends in Fail.

    Args:
        scope: where its states are made.
        states: makes them; the rounds of its loops are those of this child.
    """

    def __init__(self, scope: Construct, *, states: StateMaker, pace: Pace) -> None:
        self._scope = scope
        self._states = states
        self._pace = pace

    def first(self) -> sfn.IChainable:
        """The child execution, wired from its ends to its beginning."""
        deferred = self._end("Deferred", Outcome.DEFERRED)
        record = self._record(deferred)
        acm = self._import_certificate(record, deferred)
        resume = self._resume(record, acm, deferred)
        leave = (
            sfn.Choice.jsonata(self._scope, "Paused?")
            .when(sfn.Condition.jsonata("{% $paused %}"), resume)
            .otherwise(record)
        )
        rolled_back = self._roll_back(resume, leave, deferred)
        test = self._test(resume, acm, rolled_back, deferred)
        configure = self._configure(test, rolled_back, deferred)
        pause = self._pause(configure, leave, deferred)
        rehearse = self._rehearse(pause, leave, deferred)
        import_ca = self._states.step("Import CA", "import_ca", failed=leave, lost=deferred)
        import_ca.next(rehearse)
        plan = self._plan(import_ca, test, leave, deferred)
        probe = self._states.step("Probe TLS", "probe_tls", failed=leave, lost=deferred)
        probe.next(plan)
        read = self._states.step("Read material", "read_material", failed=leave, lost=deferred)
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
        claim = self._states.invoke(
            "Claim source",
            "claim_source",
            payload={key: given[key] for key in (*COMMON, "started")},
            always={
                **given,
                "problem": NULL,
                "decision": "none",
                **dict.fromkeys(
                    ("claimed", "tail", "paused", "done", "not_now", "proven", "was_rolled_back"),
                    False,
                ),
                **dict.fromkeys(self._states.counters, 0),
            },
            assign=flags(claimed="claimed", tail="tail", paused="paused"),
            catch=[(names_of(ClaimLost), deferred), (("States.ALL",), record)],
        )
        return claim.next(
            sfn.Choice.jsonata(self._scope, "Claimed?")
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
        plan = self._states.step(
            "Plan changes",
            "plan_changes",
            assign={"decision": "{% '' & $states.result.Payload.decision %}"},
            failed=leave,
            lost=deferred,
        )
        decided = sfn.Choice.jsonata(self._scope, "Decided?")
        undecided = sfn.Pass.jsonata(
            self._scope,
            "No decision",
            assign={"problem": no_answer("Plan changes", "no decision")},
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
        loop = self._states.loop(
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
        loop = self._states.loop(
            "Pause tasks",
            "pause_tasks",
            minutes=self._pace.pause,
            extras={"action": Action.APPLY.value},
            assign=flags(not_now="not_now"),
            failed=leave,
            lost=deferred,
        )
        loop.done.when(sfn.Condition.jsonata("{% $not_now %}"), leave).otherwise(configure)
        return loop.start

    def _configure(
        self, test: sfn.IChainable, rolled_back: sfn.IChainable, deferred: sfn.IChainable
    ) -> sfn.IChainable:
        loop = self._states.loop(
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
        loop = self._states.loop(
            "Test connection",
            "test_connection",
            minutes=self._pace.test,
            first=self._pace.usual_test,
            extras={"settings": SettingsUnderTest.NEW.value},
            assign=flags(proven="passed"),
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
        pause = self._states.loop(
            "Pause for rollback",
            "pause_tasks",
            minutes=self._pace.pause_back,
            extras={"action": Action.ROLL_BACK.value},
            assign={"paused": "{% $paused or $states.result.Payload.paused = true %}"},
            failed=resume,
            lost=deferred,
        )
        rolled_back = self._states.loop(
            "Roll back endpoint",
            "configure_endpoint",
            minutes=self._pace.configure,
            extras={"action": Action.ROLL_BACK.value},
            assign=flags(was_rolled_back="rolled_back"),
            failed=leave,
            lost=deferred,
        )
        test_old = self._states.loop(
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
            sfn.Choice.jsonata(self._scope, "Proven?")
            .when(sfn.Condition.jsonata("{% $proven and $not($problem) %}"), acm)
            .otherwise(record)
        )
        read_slots = self._states.invoke(
            "Read replication slots",
            "probe_tls",
            payload=step_payload(again=True),
            catch=[(names_of(ClaimLost), deferred)],
        )
        read_slots.add_catch(proven, errors=["States.ALL"], outputs={})
        read_slots.next(proven)
        loop = self._states.loop(
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
        step = self._states.invoke(
            "Import certificate",
            "import_certificate",
            payload=step_payload(),
            catch=[(names_of(ClaimLost), deferred)],
        )
        step.add_catch(record, errors=["States.ALL"], outputs={})
        return step.next(record)

    def _record(self, deferred: sfn.IChainable) -> sfn.TaskStateBase:
        """The one ordinary end of a child. When even this fails, the claim's own rescue is due."""
        not_recorded = self._end("Not recorded", Outcome.FAILED)
        return self._states.invoke(
            "Record certification",
            "record_certification",
            payload=step_payload(problem="{% $problem %}", sources="{% $sources %}"),
            outputs=child_output("$states.result.Payload.outcome"),
            catch=[(names_of(ClaimLost), deferred), (("States.ALL",), not_recorded)],
        )

    def _end(self, name: str, outcome: Outcome) -> sfn.Succeed:
        return sfn.Succeed.jsonata(self._scope, name, outputs=child_output(f"'{outcome.value}'"))


def child_output(outcome: str) -> dict[str, str]:
    return {"name": "{% $source.name %}", "outcome": f"{{% {outcome} %}}"}
