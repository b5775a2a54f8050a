"""The state machine: what validators find, and what they miss."""

import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonata.jsonata import Jsonata

from certifier.errors import ClaimLost, Retryable, concrete
from certifier.vocabulary import Action, Decision, Outcome, SettingsUnderTest
from tests.stacks.conftest import ROOT, flat, only

Definition = dict[str, Any]
States = Mapping[str, dict[str, Any]]

BUILT_IN = frozenset(Jsonata.static_frame.bindings) | {
    "partition",
    "range",
    "hash",
    "uuid",
    "parse",
}
RETRYABLE = [error.__name__ for error in concrete(Retryable)]
CLAIM_LOST = [error.__name__ for error in concrete(ClaimLost)]


# ---------------------------------------------------------------------- the lint


def problems(definition: Definition) -> list[str]:
    """What AWS would find only while running: variables, scopes, misplaced wildcards."""
    found = list(_problems_in(definition["States"], definition["StartAt"]))
    for state in definition["States"].values():
        if state["Type"] == "Map":
            # A Distributed Map's children see no variable of their parent.
            inner = state["ItemProcessor"]
            found += _problems_in(inner["States"], inner["StartAt"])
    return found


def _problems_in(states: States, start: str) -> Iterator[str]:
    assigned = _assigned_before(states, start)
    for name, state in states.items():
        if name not in assigned:
            yield f"{name}: never reached"
            continue
        for where, value in _fields(state):
            text = json.dumps(value)
            yield from (
                f"{name}.{where}: ${variable} may be unassigned"
                for variable in sorted(_variables(text) - assigned[name])
            )
            yield from (f"{name}.{where}: {fault}" for fault in _misused(where, text))
        yield from (f"{name}: {fault}" for fault in _wildcards(state))
        yield from (
            f"{name}: ${variable} hides JSONata's ${variable}()"
            for _, more in _edges(state)
            for variable in sorted(more & BUILT_IN)
        )


def _edges(state: Mapping[str, Any]) -> Iterator[tuple[str | None, frozenset[str]]]:
    """Each way out of a state, and the variables that are assigned on it."""
    mine = frozenset(state.get("Assign", {}))
    for choice in state.get("Choices", ()):
        yield choice["Next"], frozenset(choice.get("Assign", {}))
    for catch in state.get("Catch", ()):
        yield catch["Next"], frozenset(catch.get("Assign", {}))
    yield state.get("Next") or state.get("Default"), mine


def _assigned_before(states: States, start: str) -> dict[str, frozenset[str]]:
    """The variables that are assigned on every way to each state that can be reached."""
    before: dict[str, frozenset[str]] = {start: frozenset()}
    todo = [start]
    while todo:
        name = todo.pop()
        for target, more in _edges(states[name]):
            if target is not None:
                after = before[name] | more
                known = before.get(target)
                after = after if known is None else after & known
                if after != known:
                    before[target] = after
                    todo.append(target)
    return before


def _fields(state: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields that may hold expressions, each with its place."""
    for key, value in state.items():
        if key in ("Choices", "Catch"):
            for branch in value:
                yield from ((f"{key}.{inner}", branch[inner]) for inner in branch)
        elif key not in ("ItemProcessor", "Retry"):
            yield key, value


def _variables(text: str) -> set[str]:
    """The variables that the expressions in a JSON text read; functions are called."""
    code = re.sub(r"'[^']*'", "''", " ".join(re.findall(r"\{%(.*?)%\}", text)))
    return set(re.findall(r"\$([A-Za-z_]\w*)(?!\w*\s*\()", code)) - {"states"}


def _misused(where: str, text: str) -> Iterator[str]:
    if "$states.result" in text and where not in ("Assign", "Output"):
        yield "$states.result is not there yet"
    if "$states.errorOutput" in text and not where.startswith("Catch."):
        yield "$states.errorOutput is there in a Catch only"


def _wildcards(state: Mapping[str, Any]) -> Iterator[str]:
    for key in ("Retry", "Catch"):
        lists = [entry["ErrorEquals"] for entry in state.get(key, ())]
        for index, errors in enumerate(lists):
            if "States.ALL" in errors and (len(errors) > 1 or index < len(lists) - 1):
                yield f"States.ALL must stand alone and last in {key}"


# ---------------------------------------------------------------------- the definition


@pytest.fixture(scope="module")
def definition(template: dict[str, Any]) -> Definition:
    """The machine as deployed, with names in place of what CloudFormation fills in."""
    text = flat(only(template, "AWS::StepFunctions::StateMachine")["DefinitionString"])
    parsed: Definition = json.loads(text.replace("${AWS::Partition}", "aws"))
    return parsed


@pytest.fixture(scope="module")
def child(definition: Definition) -> dict[str, dict[str, Any]]:
    """The states of one source."""
    states: dict[str, dict[str, Any]] = _map(definition)["ItemProcessor"]["States"]
    return states


def _map(definition: Definition) -> dict[str, Any]:
    (state,) = (state for state in definition["States"].values() if state["Type"] == "Map")
    return dict(state)


def _every_state(definition: Definition) -> dict[str, dict[str, Any]]:
    return {**definition["States"], **_map(definition)["ItemProcessor"]["States"]}


def _validate(definition: Definition, folder: Path) -> str:
    """What asl-validator has to say; empty when it finds nothing."""
    path = folder / "machine.json"
    text = json.dumps(definition)
    path.write_text(re.sub(r"\$\{[^}]*\}", "arn:aws:lambda:eu-west-1:1:function:f:1", text))
    tool = ROOT / "node_modules/asl-validator/dist/bin/asl-validator.js"
    done = subprocess.run(
        ["node", tool, "--json-path", path], capture_output=True, text=True, check=False, timeout=60
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_validator_finds_nothing(definition: Definition, tmp_path: Path) -> None:
    """The definition fits the Amazon States Language, and every target is there."""
    assert _validate(definition, tmp_path) == ""


def test_the_lint_finds_nothing(definition: Definition) -> None:
    """Every variable is assigned on every way to where it is read."""
    assert problems(definition) == []


def _forget_problem(states: dict[str, Any], inner: dict[str, Any]) -> None:
    del inner["Claim source"]["Assign"]["problem"]


def _forget_on_one_way(states: dict[str, Any], inner: dict[str, Any]) -> None:
    for catch in states["Select sources"]["Catch"]:
        del catch["Assign"]["problem"]


def _read_the_parent(states: dict[str, Any], inner: dict[str, Any]) -> None:
    inner["Probe TLS"]["Arguments"]["Payload"]["key"] = "{% $key %}"


def _result_too_early(states: dict[str, Any], inner: dict[str, Any]) -> None:
    inner["Probe TLS"]["Arguments"]["Payload"]["last"] = "{% $states.result.Payload %}"


def _error_without_catch(states: dict[str, Any], inner: dict[str, Any]) -> None:
    inner["Probe TLS"]["Output"] = "{% $states.errorOutput %}"


def _wildcard_first(states: dict[str, Any], inner: dict[str, Any]) -> None:
    inner["Import CA"]["Catch"].reverse()


def _wildcard_in_company(states: dict[str, Any], inner: dict[str, Any]) -> None:
    inner["Import CA"]["Catch"][-1]["ErrorEquals"].append("Refused")


def _hide_a_function(states: dict[str, Any], inner: dict[str, Any]) -> None:
    inner["Claim source"]["Assign"]["round"] = 0


def _orphan(states: dict[str, Any], inner: dict[str, Any]) -> None:
    inner["Claimed?"]["Default"] = "Probe TLS"


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (_forget_problem, "$problem may be unassigned"),
        (_forget_on_one_way, "Report.Arguments: $problem may be unassigned"),
        (_read_the_parent, "Probe TLS.Arguments: $key may be unassigned"),
        (_result_too_early, "Probe TLS.Arguments: $states.result is not there yet"),
        (_error_without_catch, "Probe TLS.Output: $states.errorOutput is there in a Catch only"),
        (_wildcard_first, "Import CA: States.ALL must stand alone and last in Catch"),
        (_wildcard_in_company, "Import CA: States.ALL must stand alone and last in Catch"),
        (_hide_a_function, "Claim source: $round hides JSONata's $round()"),
        (_orphan, "Read material: never reached"),
    ],
)
def test_the_lint_finds_what_is_planted(
    definition: Definition, plant: Callable[[Any, Any], None], said: str
) -> None:
    """Each fault that a validator misses is found, where it is."""
    broken = copy.deepcopy(definition)
    plant(broken["States"], broken["States"]["Certify sources"]["ItemProcessor"]["States"])
    assert any(said in problem for problem in problems(broken))


def test_the_validator_finds_a_target_that_is_not_there(
    definition: Definition, tmp_path: Path
) -> None:
    """What the lint leaves to the validator, the validator does find."""
    broken = copy.deepcopy(definition)
    broken["States"]["Tidy"]["Next"] = "Nowhere"
    assert "Nowhere" in _validate(broken, tmp_path)


# ---------------------------------------------------------------------- the rules of the design


def test_a_child_never_fails(child: States) -> None:
    """A source that ends badly is an outcome, not a failed execution."""
    assert [name for name, state in child.items() if state["Type"] == "Fail"] == []
    uncaught = [
        name
        for name, state in child.items()
        if state["Type"] == "Task" and state["Catch"][-1]["ErrorEquals"] != ["States.ALL"]
    ]
    assert uncaught == []


def test_a_lost_claim_ends_a_child_from_everywhere(child: States) -> None:
    """The first Catch of every step is ClaimLost, and it leads to the end that touches nothing."""
    for state in child.values():
        if state["Type"] == "Task":
            assert state["Catch"][0]["ErrorEquals"] == CLAIM_LOST
            assert state["Catch"][0]["Next"] == "Deferred"
    assert child["Deferred"]["Output"]["outcome"] == f"{{% '{Outcome.DEFERRED.value}' %}}"


def test_every_task_has_a_time_limit_and_retries_what_passes(definition: Definition) -> None:
    """Retries name all of our passing errors and Lambda's, and never everything."""
    for state in _every_state(definition).values():
        if state["Type"] == "Task":
            assert 120 < state["TimeoutSeconds"] <= 180
            ours, lambdas = state["Retry"]
            assert ours["ErrorEquals"] == RETRYABLE
            assert {"Sandbox.Timedout", "Lambda.TooManyRequestsException"} < set(
                lambdas["ErrorEquals"]
            )
            for retry in state["Retry"]:
                assert retry["JitterStrategy"] == "FULL"
                assert "States.ALL" not in retry["ErrorEquals"]


def test_choices_are_total_and_waits_are_settings(definition: Definition) -> None:
    """Every Choice has a default, and every Wait a constant, or one for its first time."""
    for name, state in _every_state(definition).items():
        if state["Type"] == "Choice":
            assert "Default" in state, name
        if state["Type"] == "Wait":
            if name != "Test connection: wait":
                assert isinstance(state["Seconds"], int), name
            else:  # as long as a test usually takes, when no task is stopped meanwhile
                first = "$test_connection_round = 1 and $not($paused)"
                assert state["Seconds"] == f"{{% {first} ? 30 : 15 %}}"


def test_no_choice_assigns_but_in_its_rules(definition: Definition) -> None:
    """AWS's page says of a Choice's own Assign both that a matching rule keeps it and drops it.

    Its list of fields has it count whichever rule matched, its section on Assign only when none
    did. What only a rule assigns is the same in both readings.
    """
    choices = {n: s for n, s in _every_state(definition).items() if s["Type"] == "Choice"}
    assert len(choices) >= 10
    assert [name for name, state in choices.items() if "Assign" in state or "Output" in state] == []


def test_a_plan_without_a_decision_is_a_problem(child: States) -> None:
    """The default of the Choice goes through a Pass, which no decision that is known comes to."""
    decided = child["Decided?"]
    assert decided["Default"] not in {choice["Next"] for choice in decided["Choices"]}
    assert "no decision" in child[decided["Default"]]["Assign"]["problem"]
    assert child[decided["Default"]]["Next"] == "Paused?"


def test_every_loop_has_a_bound_and_tells_its_step(child: States) -> None:
    """Eight states poll; each passes its round and the bound that the machine itself holds."""
    polled = [name.removesuffix(": wait") for name in child if name.endswith(": wait")]
    assert sorted(polled) == [
        "Configure endpoint",
        "Pause for rollback",
        "Pause tasks",
        "Rehearse",
        "Resume tasks",
        "Roll back endpoint",
        "Test connection",
        "Test rolled-back settings",
    ]
    for name in polled:
        payload = child[name]["Arguments"]["Payload"]
        again = child[f"{name}: done?"]["Choices"][0]
        assert again["Next"] == f"{name}: wait"
        assert again["Condition"].endswith(f"+ 1 < {payload['rounds']} %}}")


def test_no_way_past_a_pause_avoids_resume(child: States) -> None:
    """From Pause tasks on, Record is reached only through Resume, or when nothing is paused."""
    past = {
        "Pause tasks",
        "Pause for rollback",
        "Configure endpoint",
        "Test connection",
        "Roll back endpoint",
    }
    past |= {"Test rolled-back settings"} | {
        f"{name}: done?" for name in past | {"Test rolled-back settings"}
    }
    for name in past:
        targets = {target for target, _ in _edges(child[name])}
        assert "Record certification" not in targets
    to_acm = [c for c in child["Test connection: done?"]["Choices"] if "Import" in c["Next"]]
    # The choice before it takes what is paused to Resume.
    resumed = child["Test connection: done?"]["Choices"]
    assert resumed[resumed.index(to_acm[0]) - 1] == {
        "Condition": "{% $proven and $paused %}",
        "Next": "Resume tasks",
    }
    assert child["Paused?"]["Choices"] == [{"Condition": "{% $paused %}", "Next": "Resume tasks"}]
    to_pause = [c for c in child["Rehearse: done?"]["Choices"] if c["Next"] == "Pause tasks"]
    assert to_pause == [
        {"Condition": "{% $done %}", "Assign": {"paused": True}, "Next": "Pause tasks"}
    ]


def test_the_second_look_follows_every_resume_and_nothing_else(child: States) -> None:
    """It is the probe's own function, with an input that says so; its errors do not count."""
    before = {
        name
        for name in child
        for target, _ in _edges(child[name])
        if target == "Read replication slots"
    }
    assert before == {"Resume tasks", "Resume tasks: done?"}
    look, probe = child["Read replication slots"], child["Probe TLS"]
    assert look["Arguments"]["FunctionName"] == probe["Arguments"]["FunctionName"]
    payload = {**look["Arguments"]["Payload"]}
    assert payload.pop("again") is True
    assert payload == probe["Arguments"]["Payload"]
    *_, anything = look["Catch"]
    assert (anything["Next"], "Assign" in anything) == (look["Next"], False)


def test_the_map_never_stops_its_children(definition: Definition) -> None:
    """A Map that fails aborts running children in the middle of a change: so it tolerates all."""
    state = _map(definition)
    assert state["ToleratedFailurePercentage"] == 100
    assert state["ItemProcessor"]["ProcessorConfig"] == {
        "Mode": "DISTRIBUTED",
        "ExecutionType": "STANDARD",
    }
    assert 1 <= state["MaxConcurrency"] <= 20


def test_results_of_the_map_never_pass_through_the_machine(definition: Definition) -> None:
    """Some thousand outputs are more than a state may hold, and that error cannot be caught."""
    state = _map(definition)
    assert state["ResultWriter"]["Resource"] == "arn:aws:states:::s3:putObject"
    assert state["ResultWriter"]["Arguments"]["Prefix"].startswith("{% 'runs/'")
    assert state["Output"] == {}


def test_states_pass_nothing_but_variables(definition: Definition) -> None:
    """No answer of a step becomes the next state's input, and so an entry of the history."""
    for name, state in _every_state(definition).items():
        if state["Type"] in ("Task", "Map") and name != "Record certification":
            assert state["Output"] == {}, name
        for catch in state.get("Catch", ()):
            assert catch["Output"] == {}, name


def test_the_vocabulary_is_the_domains(child: States) -> None:
    """What Choices compare with and payloads say are the words of certifier.vocabulary."""
    conditions = " ".join(choice["Condition"] for choice in child["Decided?"]["Choices"])
    assert set(re.findall(r"'(\w+)'", conditions)) == {word.value for word in Decision}
    assert {
        child[name]["Arguments"]["Payload"]["action"]
        for name in ("Configure endpoint", "Roll back endpoint")
    } == {word.value for word in Action}
    assert {
        child[name]["Arguments"]["Payload"]["settings"]
        for name in ("Test connection", "Test rolled-back settings")
    } == {word.value for word in SettingsUnderTest}


def test_every_step_is_a_published_version(definition: Definition) -> None:
    """A deployment does not change the code under an execution."""
    named = {
        state["Arguments"]["FunctionName"]
        for state in _every_state(definition).values()
        if state["Type"] == "Task"
    }
    assert len(named) == 15
    assert all("CurrentVersion" in name for name in named)
