"""The states that a machine is built from: a step, and a step that is asked until it is done.

What passes between states is variables; every output is empty. The steps' answers are read with
``= true`` and ``'' &``, which are total: an answer that lacks a key is a loop that runs out of
rounds or a decision nobody knows, never an error past all Catches.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from certifier.errors import ClaimLost
from stacks.machines import TASK_TIMEOUT, add_retries, names_of

# What every step of a child gets.
COMMON = ("run", "parent", "mode", "origin", "source")

NULL = "{% null %}"
_CAUSE = "$substring('' & $states.errorOutput.Cause, 0, 1000)"
# The first problem is the one that matters: what fails afterwards, while rolling back, is
# in the findings of that step.
_ERROR = "{'error': $states.errorOutput.Error, 'cause': " + _CAUSE + "}"
FIRST_PROBLEM = f"{{% {_ERROR} %}}"
PROBLEM = f"{{% $problem ? $problem : {_ERROR} %}}"


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
class Loop:
    """A polled step: ``start`` is where one enters; ``done`` lacks the branches after its end."""

    start: sfn.TaskStateBase
    done: sfn.Choice


class StateMaker:
    """Makes the states that repeat, in one scope: a step, and a step that is asked again.

    Args:
        functions: published versions by the name of their file in ``lambdas/``.

    Attributes:
        counters: the variables that hold the rounds of the loops made so far.
    """

    def __init__(
        self, scope: Construct, *, functions: Mapping[str, lambda_.IFunction], pace: Pace
    ) -> None:
        self._scope = scope
        self._functions = functions
        self._pace = pace
        self.counters: list[str] = []

    def loop(
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
    ) -> Loop:
        """Call a convergent step until it says ``done``, for at most ``minutes``.

        ``first``: seconds of the first wait while no task is stopped, if longer than the others.

        The caller adds to ``done`` where the machine goes then; running out of rounds is an error
        of the step.
        """
        rounds = self._pace.rounds(minutes)
        counter = _variable(name) + "_round"  # a child enters each loop once
        self.counters.append(counter)
        task = self.step(
            name,
            step,
            extras={**(extras or {}), "round": f"{{% ${counter} %}}", "rounds": rounds},
            assign={**flags(done="done"), **(assign or {})},
            failed=failed,
            lost=lost,
        )
        poll = self._pace.poll_seconds
        seconds = sfn.WaitTime.duration(Duration.seconds(poll))
        if first > poll:
            seconds = sfn.WaitTime.seconds(
                f"{{% ${counter} = 1 and $not($paused) ? {first} : {poll} %}}"
            )
        wait = sfn.Wait.jsonata(self._scope, f"{name}: wait", time=seconds)
        done = (
            sfn.Choice.jsonata(self._scope, f"{name}: done?")
            .when(
                sfn.Condition.jsonata(f"{{% $not($done) and ${counter} + 1 < {rounds} %}}"),
                wait,
                assign={counter: f"{{% ${counter} + 1 %}}"},
            )
            .when(
                sfn.Condition.jsonata("{% $not($done) %}"),
                failed,
                assign={"problem": no_answer(name, f"not done after {rounds} rounds")},
            )
        )
        task.next(done)
        wait.next(task)
        return Loop(task, done)

    def step(
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
        return self.invoke(
            name,
            step,
            payload=step_payload(**(extras or {})),
            assign=assign,
            catch=[(names_of(ClaimLost), lost), (("States.ALL",), failed)],
        )

    def invoke(
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
            self._scope,
            name,
            lambda_function=self._functions[step],
            payload=sfn.TaskInput.from_object(dict(payload)),
            assign={**(always or {}), **(assign or {})} or None,
            outputs=outputs or {},
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(TASK_TIMEOUT),
        )
        add_retries(task)
        # Whoever assigns the variables first has no earlier problem to keep.
        problem = PROBLEM if always is None else FIRST_PROBLEM
        for errors, target in catch:
            remember = {"problem": problem} if errors == ("States.ALL",) else {}
            assigned = {**(always or {}), **remember} or None
            task.add_catch(target, errors=list(errors), assign=assigned, outputs={})
        return task


def step_payload(**extras: Any) -> dict[str, Any]:
    """What every step of a child gets, and what this one gets on top."""
    return {**{key: f"{{% ${key} %}}" for key in COMMON}, **extras}


def flags(**keys: str) -> dict[str, str]:
    """Assign each variable whether the step answered true under that key."""
    return {name: f"{{% $states.result.Payload.{key} = true %}}" for name, key in keys.items()}


def no_answer(name: str, what: str) -> str:
    """A problem of the machine's own making, unless there is one already."""
    return f"{{% $problem ? $problem : {{'error': 'Unexpected', 'cause': '{name}: {what}'}} %}}"


def _variable(state: str) -> str:
    """Return a state's name as part of a JSONata variable, which takes no hyphen."""
    return re.sub(r"\W+", "_", state.lower())
