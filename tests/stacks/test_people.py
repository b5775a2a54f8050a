"""docs/operate/permissions.md against the policies of the stack: each allows what it is said to."""

import json
from typing import Any

import pytest

from tests.aws.test_permissions import TEXT, documented
from tests.docs.markdown import blocks
from tests.stacks.conftest import of_type

WHO = {
    **dict.fromkeys(("status", "watch", "show", "history", "open", "doctor"), "ReaderPolicy"),
    "report": "ReaderPolicy",
    "certify": "RegistrarPolicy",
    "notify-test": "RunnerPolicy",
    **dict.fromkeys(("approve", "pause", "unpause", "release"), "RegistrarPolicy"),
    "forget": "RegistrarPolicy",
    "reset-breaker": "RegistrarPolicy",
}
"""Who may run a command. ``discover`` looks at what is not Certifier's: with one's own rights."""

REPAIRS = {"approve", "pause", "unpause", "release", "forget", "reset-breaker"}
"""Besides their policy these need what the page has under "Repairs"."""

GRANTED_AS = {"dynamodb:TransactWriteItems": {"dynamodb:ConditionCheckItem", "dynamodb:DeleteItem"}}


def actions_of(statements: list[dict[str, Any]]) -> set[str]:
    """All actions that the statements allow."""
    lists = [statement["Action"] for statement in statements]
    return {one for each in lists for one in ([each] if isinstance(each, str) else each)}


def policies(template: dict[str, Any]) -> dict[str, set[str]]:
    """The actions of each managed policy, by the output that names it."""
    found = {}
    for output, value in template["Outputs"].items():
        logical = value["Value"].get("Ref") if isinstance(value["Value"], dict) else None
        policy = of_type(template, "AWS::IAM::ManagedPolicy").get(str(logical))
        if policy is not None:
            found[output] = actions_of(policy["PolicyDocument"]["Statement"])
    return found


def repairs() -> set[str]:
    """The actions that the page gives to whoever repairs."""
    (block,) = blocks(TEXT, "json")
    return actions_of(json.loads(block)["Statement"])


@pytest.mark.parametrize("command", sorted(set(documented()) - {"discover"}))
def test_who_has_the_policy_may_run_the_command(command: str, template: dict[str, Any]) -> None:
    """Every action in the command's row is allowed."""
    needs = {one for each in documented()[command] for one in GRANTED_AS.get(each, {each})}
    needs -= {"sts:GetCallerIdentity"}  # no policy can take it away
    has = policies(template)[WHO[command]] | (repairs() if command in REPAIRS else set())
    assert needs - has == set()


def test_each_policy_allows_what_the_one_before_it_does(template: dict[str, Any]) -> None:
    """A reader starts nothing, a runner registers nothing."""
    found = policies(template)
    assert found["ReaderPolicy"] < found["RunnerPolicy"] <= found["RegistrarPolicy"]
    assert not {each for each in found["ReaderPolicy"] if "Start" in each or "Stop" in each}


def test_no_policy_allows_what_no_command_needs(template: dict[str, Any]) -> None:
    """Stopping and listing executions is what a person does by hand, as the page says."""
    used = {one for row in documented().values() for one in row}
    by_hand = {"states:StopExecution", "states:ListExecutions"}
    for granted in policies(template).values():
        assert granted - used - by_hand == set()
