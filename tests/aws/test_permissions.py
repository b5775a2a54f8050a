"""docs/operate/permissions.md: each command makes no other calls than it says there."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from certifier.aws.store import Store
from certifier.cli import COMMANDS, main
from certifier.source import parse_source
from sandbox.dms import INSTANT, DmsStandIn
from tests.aws.certifications import SPEC
from tests.days import some
from tests.docs.markdown import ROOT, blocks, read

TEXT = read(ROOT / "docs/operate/permissions.md")
LOCAL = {"completion", "probe", "inspect", "explain", "make-certificates", "schema"}
PREFIXES = {"stepfunctions": "states"}


def documented() -> dict[str, set[str]]:
    """The actions in each command's row of the table."""
    found = {}
    for line in TEXT.splitlines():
        cells = line.strip("| ").split(" | ")
        if line.startswith("| `") and len(cells) == 2 and ":" in cells[1] and "`" in cells[1]:
            command, actions = cells
            found[command.strip("`")] = {part for part in actions.split("`") if ":" in part}
    return found


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The actions of all calls that are made from now on."""
    actions: set[str] = set()
    base: Any = BaseClient
    make = base._make_api_call

    def noted(client: Any, operation: str, params: Any) -> Any:
        service = client.meta.service_model.service_name
        name = "ListBucket" if operation.startswith("ListObject") else operation
        name = "ListDataProviders" if operation == "DescribeDataProviders" else name
        actions.add(f"{PREFIXES.get(service, service)}:{name}")
        return make(client, operation, params)

    monkeypatch.setattr(base, "_make_api_call", noted)
    return actions


@pytest.fixture
def installed(aws: boto3.Session, store: Store, bucket: str, monkeypatch: Any) -> Iterator[None]:
    """An installation with one registered source, and an empty DMS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    machine = aws.client("stepfunctions").create_state_machine(
        name="m",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/x",
    )["stateMachineArn"]
    outputs = {
        "StateMachine": machine,
        "OnboardStateMachine": machine,
        "TableName": "certifier",
        "BucketName": bucket,
    }
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    formation = aws.client("cloudformation")
    formation.create_stack(StackName="Certifier", TemplateBody=json.dumps(template))
    store.register(parse_source(SPEC), datetime.now(UTC))
    with DmsStandIn(durations=INSTANT, resolve={}).installed():
        yield


RUNS = {
    "discover": ["discover"],
    "status": ["status"],
    "watch": ["watch"],
    "show": ["show", "orders"],
    "history": ["history", "orders"],
    "open": ["open", "orders", "--no-browser"],
    "doctor": ["doctor"],
    "notify-test": ["notify-test", "--timeout", "0.001"],
    "pause": ["pause", "orders", "--why", "a move"],
    "unpause": ["unpause", "orders"],
    "release": ["release", "orders", "nothing"],
    "report": ["report", "--output", "/dev/null"],
    "certify": ["certify", "orders", "--timeout", "0.001"],
    "approve": ["approve", "orders"],
    "forget": ["forget", "orders"],
    "reset-breaker": ["reset-breaker"],
}


@pytest.mark.parametrize("command", some(sorted(RUNS)))
def test_a_command_needs_what_is_written(
    command: str, installed: None, called: set[str], tmp_path: Path
) -> None:
    """Every call of it is in its row."""
    main(RUNS[command])
    assert called
    assert called - documented()[command] == set()


def test_every_command_is_in_the_table() -> None:
    """But for those that call nothing."""
    assert set(documented()) == set(COMMANDS) - LOCAL


def test_the_policies_in_the_text_are_policies() -> None:
    """What the managed policies of the stack do not hold; those are tested with the template."""
    for block in blocks(TEXT, "json"):
        for statement in json.loads(block)["Statement"]:
            assert statement["Effect"] == "Allow"
            assert statement["Action"]
            assert statement["Resource"]
