"""Who may assume which role, and what each role may write: read from the template."""

import json
from typing import Any

import pytest

from certifier.run.documents import LEFT_BY
from tests.stacks.conftest import flat, functions, listed, of_type, statements


def role_of(template: dict[str, Any], step: str) -> str:
    return str(functions(template)[step]["Role"]["Fn::GetAtt"][0])


def writes(template: dict[str, Any], step: str, prefix: str) -> list[dict[str, Any]]:
    """The statements of a step that write to the service with this prefix."""
    verbs = ("Put", "Update", "Delete", "ConditionCheck")
    return [
        each
        for each in statements(template, role_of(template, step))
        if any(
            action.startswith(f"{prefix}:{v}") for action in listed(each["Action"]) for v in verbs
        )
    ]


def test_every_role_is_for_this_account_alone(full_template: dict[str, Any]) -> None:
    """Each trust policy of a service names the account that it comes for."""
    for name, role in of_type(full_template, "AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            assert "aws:SourceAccount" in json.dumps(statement.get("Condition", {})), name


def test_a_role_is_passed_to_dms_alone_and_a_key_used_through_secrets_manager(
    full_template: dict[str, Any],
) -> None:
    """iam:PassedToService and kms:ViaService, wherever these are granted."""
    seen = set()
    for statement in statements(full_template):
        actions = listed(statement["Action"])
        condition = json.dumps(statement.get("Condition", {}))
        for action, key in (
            ("iam:PassRole", "iam:PassedToService"),
            ("kms:Decrypt", "kms:ViaService"),
        ):
            if action in actions:
                seen.add(action)
                assert key in condition
    assert seen == {"iam:PassRole", "kms:Decrypt"}


def test_every_write_to_the_table_is_to_partitions_of_the_step(template: dict[str, Any]) -> None:
    """No write without dynamodb:LeadingKeys, none of them all."""
    for step in functions(template):
        for statement in writes(template, step, "dynamodb"):
            ((operator, test),) = statement["Condition"].items()
            assert operator == "ForAllValues:StringLike"
            keys = listed(test["dynamodb:LeadingKeys"])
            assert keys
            assert "*" not in [key[0] for key in keys]


def test_notices_are_left_by_record_alone_and_noted_by_report(template: dict[str, Any]) -> None:
    """Report believes them: no other step may write there, and it updates states alone."""
    left = {
        step
        for step in functions(template)
        for statement in writes(template, step, "s3")
        if any("notices" in flat(resource) for resource in listed(statement["Resource"]))
    }
    assert left == {"record_certification"}
    (noted,) = writes(template, "report", "dynamodb")
    assert noted["Action"] == "dynamodb:UpdateItem"
    assert noted["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"] == ["SOURCE#*"]


@pytest.mark.parametrize("step", ["probe_tls", "plan_changes"])
def test_a_step_that_only_reads_writes_nothing_to_the_table(
    template: dict[str, Any], step: str
) -> None:
    """Its role has no write at all."""
    assert writes(template, step, "dynamodb") == []


@pytest.mark.parametrize("step", sorted(LEFT_BY))
def test_a_step_writes_its_own_documents(template: dict[str, Any], step: str) -> None:
    """Under runs/, what bears its name; the word that a lost claim leaves; what is named here."""
    more = {
        "pause_tasks": {"/runs/*/plan_changes.json"},
        "record_certification": {"/records/*", "/runs/*/notices/*"},
    }
    keys = {
        flat(resource).rpartition("Arn}")[2] or flat(resource)
        for statement in writes(template, step, "s3")
        for resource in listed(statement["Resource"])
    }
    allowed = {f"/runs/*/{step}*", "/runs/*/outcomes/*", *more.get(step, set())}
    assert {key[key.index("/") :] if "/" in key else key for key in keys} <= allowed
    if step == "probe_tls":
        assert not any("outcomes" in key for key in keys)


def test_whoever_lists_the_bucket_lists_what_it_reads(template: dict[str, Any]) -> None:
    """Every ListBucket names prefixes."""
    found = [s for s in statements(template) if "s3:ListBucket" in listed(s["Action"])]
    assert found
    for statement in found:
        assert listed(statement["Condition"]["StringLike"]["s3:prefix"])


def test_the_machines_read_and_write_runs_alone(template: dict[str, Any]) -> None:
    """The manifest and the results of the Map; records and registrations are not theirs."""
    for name in of_type(template, "AWS::IAM::Role"):
        if "Machine" not in name:
            continue
        for statement in statements(template, name):
            if any(action.startswith("s3:") for action in listed(statement["Action"])):
                for resource in listed(statement["Resource"]):
                    assert flat(resource).endswith("/runs/*"), name
