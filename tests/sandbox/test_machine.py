"""The seams in moto's Step Functions: where the sandbox says what AWS says."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from moto import mock_aws

from sandbox.aws import calls, machine
from sandbox.aws.clock import Clock
from sandbox.aws.machine import Machines

REGION = "eu-west-1"
Definition = Mapping[str, Any]
Run = Callable[..., dict[str, Any]]


class Account:
    """Step Functions alone."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.session = calls.Session(calls.OUTSIDE, REGION)
        self.client = self.session.client("stepfunctions")
        self._made = 0

    def start(self, definition: Definition, given: Any = None) -> str:
        """Start a machine of its own for this definition; return the execution's ARN."""
        self._made += 1
        made = self.client.create_state_machine(
            name=f"m{self._made}",
            definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
            roleArn="arn:aws:iam::123456789012:role/machine",
        )
        arn: str = self.client.start_execution(
            stateMachineArn=made["stateMachineArn"], name="run", input=json.dumps(given)
        )["executionArn"]
        return arn

    def run(self, definition: Definition, given: Any = None) -> dict[str, Any]:
        """Run to the end; return what DescribeExecution says."""
        arn = self.start(definition, given)
        assert self.machines.ended(arn).wait(20)
        return dict(self.client.describe_execution(executionArn=arn))

    def children(self, arn: str) -> list[dict[str, Any]]:
        """Describe the children of the one Map run of an execution."""
        (run,) = self.client.list_map_runs(executionArn=arn)["mapRuns"]
        found = self.client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
        return [
            dict(self.client.describe_execution(executionArn=one["executionArn"])) for one in found
        ]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """moto with the seams in, and nothing deployed."""
    machines = Machines(Clock())
    config: Any = {"stepfunctions": {"execute_state_machine": True}}
    with mock_aws(config=config), machine.installed(machines):
        yield Account(machines)


def passing(**fields: Any) -> Definition:
    """A machine of one Pass state."""
    return {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True, **fields}}}


def mapping(
    states: Mapping[str, Any], *, items: list[Any], before: Mapping[str, Any], **more: Any
) -> Definition:
    """A machine of a Pass that assigns, and a Distributed Map over items."""
    return {
        "StartAt": "Assign",
        "States": {
            "Assign": {"Type": "Pass", "Assign": before, "Next": "Map"},
            "Map": {
                "Type": "Map",
                "Label": "Item",
                "Items": items,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": next(iter(states)),
                    "States": states,
                },
                "End": True,
                **more,
            },
        },
    }


@pytest.mark.parametrize(
    "value",
    [
        "it's",
        'say "so"',
        "C:\\new\\table",
        "{% 1 %}",
        "$x",
        "a\nb",
        [1],
        [],
        [[1]],
        {},
        None,
        0,
        "",
    ],
)
def test_values_of_variables_are_values(account: Account, value: Any) -> None:
    """Whatever a variable holds, an expression gets exactly that."""
    definition: Definition = {
        "StartAt": "Assign",
        "States": {
            "Assign": {"Type": "Pass", "Assign": {"x": "{% $states.input.x %}"}, "Next": "Read"},
            "Read": {"Type": "Pass", "Output": {"got": "{% $x %}"}, "End": True},
        },
    }
    ended = account.run(definition, {"x": value})
    assert json.loads(ended["output"]) == {"got": value}


def test_undefined_is_an_error_and_null_is_not(account: Account) -> None:
    """An expression without a value is States.QueryEvaluationError, as in AWS."""
    ended = account.run(passing(Output="{% $states.input.nothing %}"), {})
    assert ended["error"] == "States.QueryEvaluationError"
    assert "returned nothing (undefined)" in ended["cause"]
    assert account.run(passing(Output="{% null %}"))["status"] == "SUCCEEDED"


@pytest.mark.parametrize("function", ["$uuid()", "$hash('x', 'MD5')", "$eval('1')"])
def test_functions_that_would_differ_are_refused(account: Account, function: str) -> None:
    """What the sandbox cannot reproduce, or AWS does not have, is an error, not a wrong value."""
    ended = account.run(passing(Output=f"{{% {function} %}}"))
    assert ended["error"] == "States.QueryEvaluationError"


def test_functions_of_step_functions(account: Account) -> None:
    """The ones that JSONata itself lacks."""
    text = (
        "{% {'parse': $parse('[1]'), 'range': $range(1, 5, 2), 'part': $partition([1,2,3], 2)} %}"
    )
    ended = account.run(passing(Output=text))
    assert json.loads(ended["output"]) == {
        "parse": [1],
        "range": [1, 3, 5],
        "part": [[1, 2], [3]],
    }


def test_children_do_not_see_their_parents_variables(account: Account) -> None:
    """In AWS a Distributed Map has no outer scope; moto would show it."""
    child = {"Child": {"Type": "Pass", "Output": "{% $secret %}", "End": True}}
    definition = mapping(child, items=[1], before={"secret": "x"}, ToleratedFailurePercentage=100)
    arn = account.start(definition)
    assert account.machines.ended(arn).wait(20)
    (seen,) = account.children(arn)
    assert (seen["status"], seen["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_children_may_use_the_same_names(account: Account) -> None:
    """A variable of the parent does not forbid one of that name in the child."""
    child = {
        "Child": {"Type": "Pass", "Assign": {"x": "{% $states.input %}"}, "Next": "Read"},
        "Read": {"Type": "Pass", "Output": "{% $x %}", "End": True},
    }
    ended = account.run(mapping(child, items=[1, 2], before={"x": "mine"}))
    assert json.loads(ended["output"]) == [1, 2]


def test_a_child_is_an_execution_of_its_own(account: Account) -> None:
    """Its ARN lies under Machine/Label; it is described, listed by its run, and has a history."""
    output = {"id": "{% $states.context.Execution.Id %}"}
    child = {"Child": {"Type": "Pass", "Output": output, "End": True}}
    arn = account.start(mapping(child, items=[1], before={"x": 1}))
    assert account.machines.ended(arn).wait(20)
    (seen,) = account.children(arn)
    machine_arn = account.client.describe_execution(executionArn=arn)["stateMachineArn"]
    name = machine_arn.rsplit(":", 1)[-1]
    assert f":execution:{name}/Item:" in seen["executionArn"]
    assert json.loads(seen["output"]) == {"id": seen["executionArn"]}
    listed = account.client.list_executions(stateMachineArn=machine_arn)["executions"]
    assert [one["executionArn"] for one in listed] == [arn]
    history = account.client.get_execution_history(executionArn=seen["executionArn"])["events"]
    assert [event["type"] for event in history] == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]


FAILS_FOR_2 = {
    "Child": {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "Bad"}],
        "Default": "Good",
    },
    "Good": {"Type": "Succeed"},
    "Bad": {"Type": "Fail", "Error": "Bad"},
}


@pytest.mark.parametrize(
    ("tolerance", "error"),
    [
        ({}, "States.ExceedToleratedFailureThreshold"),
        ({"ToleratedFailurePercentage": 10}, "States.ExceedToleratedFailureThreshold"),
        ({"ToleratedFailurePercentage": 34}, None),
        ({"ToleratedFailurePercentage": 100}, None),
        ({"ToleratedFailureCount": 1}, None),
    ],
)
def test_the_maps_tolerance_holds(
    account: Account, tolerance: Mapping[str, int], error: str | None
) -> None:
    """One child in three fails; moto would let any number."""
    ended = account.run(mapping(FAILS_FOR_2, items=[1, 2, 3], before={"x": 1}, **tolerance))
    assert ended.get("error") == error


def test_a_wildcard_does_not_catch_what_aws_never_catches(account: Account) -> None:
    """Data over 256 KiB ends an execution, whatever its Catch says."""
    huge = "{% $join($map([1..30000], function($v) { 'ten letters' })) %}"
    child = {"Child": {"Type": "Pass", "Output": huge, "End": True}}
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    definition = mapping(child, items=[1], before={"x": 1}, Catch=catch)
    states = {**definition["States"], "Caught": {"Type": "Succeed"}}
    # A failed child is caught, so the wildcard works ...
    assert account.run({**definition, "States": states})["status"] == "SUCCEEDED"
    # ... but not for the same data in the parent.
    states["Map"] = {**states["Map"], "Output": huge}
    states["Map"]["ItemProcessor"] = {
        **states["Map"]["ItemProcessor"],
        "States": {"Child": {"Type": "Pass", "End": True}},
    }
    assert account.run({**definition, "States": states})["error"] == "States.DataLimitExceeded"


def test_waits_and_retries_move_the_clock_and_take_no_time(account: Account) -> None:
    """An hour of waiting is over at once, and Describe shows it."""
    definition: Definition = {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}},
    }
    ended = account.run(definition)
    assert (ended["stopDate"] - ended["startDate"]).total_seconds() == 3600
    history = account.client.get_execution_history(executionArn=ended["executionArn"])["events"]
    # moto keeps whole milliseconds there.
    took = history[-1]["timestamp"] - history[0]["timestamp"]
    assert took.total_seconds() == pytest.approx(3600, abs=0.01)


def test_a_child_that_waits_can_be_stopped(account: Account) -> None:
    """StopExecution works on a child as on its parent; the Map counts it as failed."""
    child = {
        "Wait": {"Type": "Wait", "Seconds": 5, "Next": "End"},
        "End": {"Type": "Succeed"},
    }
    stopped: list[str] = []

    def stop(where: machine.Where) -> None:
        if where.state == "Wait":
            account.client.stop_execution(executionArn=where.execution)
            stopped.append(where.execution)

    account.machines.on_state.append(stop)
    try:
        tolerance = {"ToleratedFailurePercentage": 100}
        arn = account.start(mapping(child, items=[1], before={"x": 1}, **tolerance))
        assert account.machines.ended(arn).wait(20)
    finally:
        account.machines.on_state.remove(stop)
    (seen,) = account.children(arn)
    assert (seen["executionArn"], seen["status"]) == (stopped[0], "ABORTED")
    assert account.client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"


def test_stopping_a_parent_stops_its_children(account: Account) -> None:
    """Nothing goes on when a person stops the whole run."""
    child = {
        "Wait": {"Type": "Wait", "Seconds": 5, "Next": "End"},
        "End": {"Type": "Succeed"},
    }
    entered, go_on = threading.Event(), threading.Event()

    def hold(where: machine.Where) -> None:
        if where.state == "Wait":
            entered.set()
            go_on.wait(10)

    account.machines.on_state.append(hold)
    try:
        arn = account.start(mapping(child, items=[1, 2, 3], before={"x": 1}, MaxConcurrency=1))
        assert entered.wait(10)
        account.client.stop_execution(executionArn=arn)
        go_on.set()
        assert account.machines.ended(arn).wait(20)
    finally:
        account.machines.on_state.remove(hold)
    assert account.client.describe_execution(executionArn=arn)["status"] == "ABORTED"
    assert [child["status"] for child in account.children(arn)] == ["ABORTED"]
