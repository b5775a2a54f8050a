"""Patience adds up: retries, time limits and polls, counted from the definition and the models."""

import itertools
import json
from collections.abc import Iterable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.retries.standard
import botocore.session

from certifier.aws import clients
from stacks.machines import LAMBDA_TRANSIENT, TASK_TIMEOUT
from stacks.settings import Settings
from stacks.states import Pace
from tests.stacks.conftest import flat, functions, only, synthesize

States = Mapping[str, dict[str, Any]]

HISTORY = 25_000  # events of one execution (Step Functions guide, "Service quotas")

# What Invoke answers with 5xx and what does not pass by itself: somebody has to change something.
PERMANENT = {
    "EC2AccessDeniedException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
}


# ---------------------------------------------------------------------- what is retried


def test_whatever_passes_by_itself_is_retried() -> None:
    """Every 429 and 5xx of Invoke is either retried, or one of those that a person must end."""
    model = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
    faults = {
        shape.name
        for shape in model.error_shapes
        if (status := shape.metadata["error"]["httpStatusCode"]) == 429 or status >= 500
    }
    retried = {name.removeprefix("Lambda.") for name in LAMBDA_TRANSIENT} & faults
    assert retried | PERMANENT == faults
    assert retried & PERMANENT == set()
    assert {
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "ENILimitReachedException",
        "ENINotReadyException",
        "ResourceNotReadyException",
        "ServiceException",
        "SubnetIPAddressLimitReachedException",
        "TooManyRequestsException",
    } == retried


def worst_call(attempts: int, connect: float, read: float) -> float:
    """Seconds of a call whose every attempt runs into both limits, throttled in between.

    The back-off is botocore's own, its jitter at the longest, a server asking for more each time.
    """
    standard: Any = botocore.retries.standard
    backoff = standard.ExponentialBackoff(
        random=lambda: 1.0,
        throttling_detector=SimpleNamespace(is_throttling_error_from_context=lambda _: True),
    )
    asking = SimpleNamespace(headers={backoff._RETRY_AFTER_HEADER: "3600000"})
    waits = [
        backoff.delay_amount(standard.RetryContext(attempt_number=number, http_response=asking))
        for number in range(1, attempts)
    ]
    return attempts * (connect + read) + float(sum(waits))


def test_a_call_gives_up_before_its_function_is_cut_off(template: dict[str, Any]) -> None:
    """A service that does not answer is an error that the step names, with seconds to spare.

    And no attempt of a step is given up by the machine while its function may still be at work.
    """
    timeouts = [properties["Timeout"] for properties in functions(template).values()]
    made: Any = clients.config()
    assert made.retries["mode"] == "standard"
    attempts = made.retries["total_max_attempts"]
    worst = worst_call(attempts, made.connect_timeout, made.read_timeout)
    assert worst <= min(timeouts) - 5
    assert max(timeouts) < TASK_TIMEOUT.to_seconds()


def test_the_worst_call_is_counted_by_hand_once() -> None:
    """Three times both limits, then 1 + 5 and 2 + 5 seconds of waiting."""
    assert worst_call(3, 3, 10) == 39 + 6 + 7


# ---------------------------------------------------------------------- the longest history


def longest_history(states: States, start: str) -> int:
    """The most events of an execution of these states, every attempt of every retry counted.

    A loop is a Wait, which leads back; its Choice counts rounds, and the counter is never set back,
    so the states between are visited as often as the bound in the Choice's condition says. Without
    the Waits no way leads back, and the longest way is found from its end.
    """
    visits = dict.fromkeys(states, 1)
    for name, state in states.items():
        if state["Type"] == "Wait":
            for inside in _loop(states, name):
                visits[inside] = _rounds(states, name)
            visits[name] = _rounds(states, name) - 1

    @cache
    def longest(name: str) -> int:
        onward = [target for target in _targets(states[name]) if states[target]["Type"] != "Wait"]
        return visits[name] * _events(states[name]) + max(map(longest, onward), default=0)

    waits = sum(visits[n] * _events(s) for n, s in states.items() if s["Type"] == "Wait")
    return longest(start) + waits + 2  # ExecutionStarted, ExecutionSucceeded


def _events(state: Mapping[str, Any]) -> int:
    """Entered and exited; a Task is scheduled, started and failed, timed out or done each time."""
    attempts = 1 + sum(retry["MaxAttempts"] for retry in state.get("Retry", ()))
    return 2 + (3 * attempts if state["Type"] == "Task" else 0)


def _targets(state: Mapping[str, Any]) -> Iterable[str]:
    ways = (*state.get("Choices", ()), *state.get("Catch", ()))
    return {
        *(way["Next"] for way in ways),
        *(state[key] for key in ("Next", "Default") if key in state),
    }


def _loop(states: States, wait: str) -> set[str]:
    """The states of a loop but its Wait: the one it leads to, and the Choice that leads to it."""
    task = states[wait]["Next"]
    (choice,) = [name for name, state in states.items() if wait in _targets(state)]
    assert choice in _targets(states[task])
    return {task, choice}


def _rounds(states: States, wait: str) -> int:
    """The bound of a loop, out of the condition under which it goes on."""
    (rule,) = [
        rule
        for state in states.values()
        for rule in state.get("Choices", ())
        if rule["Next"] == wait
    ]
    (counter,) = rule["Assign"]
    head, _, bound = rule["Condition"].partition(f"${counter} + 1 < ")
    assert head == "{% $not($done) and "
    # The first state sets it to nought, and is entered once.
    (first,) = [name for name, state in states.items() if counter in state.get("Assign", {})]
    assert states[first]["Assign"][counter] == 0
    assert not any(first in _targets(state) for state in states.values())
    return int(bound.removesuffix(" %}"))


def child_of(template: Mapping[str, Any]) -> tuple[States, str]:
    """Return the states of one source, and where they begin."""
    text = flat(only(template, "AWS::StepFunctions::StateMachine")["DefinitionString"])
    definition = json.loads(text.replace("${AWS::Partition}", "aws"))
    (inner,) = [s["ItemProcessor"] for s in definition["States"].values() if "ItemProcessor" in s]
    return inner["States"], inner["StartAt"]


def test_the_longest_history_is_counted_by_hand_once() -> None:
    """Two rounds of a step that is retried once: 2 x (2 + 6), 2 x 2, one wait, and the ends."""
    states: States = {
        "Begin": {"Type": "Pass", "Assign": {"n": 0}, "Next": "Ask"},
        "Ask": {"Type": "Task", "Retry": [{"MaxAttempts": 1}], "Next": "Done?"},
        "Done?": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": "{% $not($done) and $n + 1 < 2 %}",
                    "Assign": {"n": "{% $n + 1 %}"},
                    "Next": "Wait",
                }
            ],
            "Default": "End",
        },
        "Wait": {"Type": "Wait", "Next": "Ask"},
        "End": {"Type": "Succeed"},
    }
    assert longest_history(states, "Begin") == 2 + 2 * 8 + 2 * 2 + 2 + 2 + 2


def test_the_longest_child_fits_into_its_history(template: dict[str, Any]) -> None:
    """Whatever the settings, no run dies of the number of its events, which nothing could catch.

    Rounds follow from the pace, so the fastest that the settings allow is the longest.
    """
    fastest = Settings.model_json_schema()["properties"]["poll_seconds"]["minimum"]
    usual = longest_history(*child_of(template))
    most = longest_history(*child_of(synthesize({"certifier:poll_seconds": fastest})))
    assert usual < most < HISTORY
    assert most > HISTORY / 2  # all the loops are in it


def test_a_slower_pace_makes_no_loop_longer() -> None:
    """So the fastest pace that the settings allow stands for all of them."""
    paces = [Pace(poll_seconds=seconds) for seconds in range(12, 61)]
    for faster, slower in itertools.pairwise(paces):
        for minutes in (faster.rehearse, faster.pause, faster.configure, faster.test, 1):
            assert slower.rounds(minutes) <= faster.rounds(minutes)
