"""The examples for CloudFormation, CDK and Terraform: synthesized, or parsed and linted."""

import importlib.util
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from cfnlint.api import lint_file
from jsonata.jsonata import Jsonata

from certifier.ownership import SOURCE_TAG
from certifier.run.announcement import OF_OUTCOME, DetailType
from certifier.run.answer import failed_cause
from certifier.run.summary import Line, Summary
from certifier.source import Source, parse_source
from certifier.vocabulary import Outcome
from tests.stacks.conftest import ROOT, of_type

EXAMPLES = ROOT / "examples"
TEMPLATES = sorted(EXAMPLES.rglob("*.yaml"))
LATER = ["W3002"]
"""A local file in a template: what `aws cloudformation package` is for."""
ONBOARD = "arn:aws:states:eu-west-1:111122223333:stateMachine:Onboard-AbC"


def loaded(path: Path) -> ModuleType:
    """A Python file of an example, as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda p: str(p.relative_to(EXAMPLES)))
def test_a_template_has_no_mistake_that_cfn_lint_knows(template: Path) -> None:
    """Against the schemas of CloudFormation itself."""
    found = lint_file(template, {"ignore_checks": LATER})
    assert [str(each) for each in found] == []


def test_there_are_templates() -> None:
    """Slack, a hub's bus, and a pipeline that waits."""
    assert {path.parent.name for path in TEMPLATES} >= {"slack", "hub-bus", "task-token"}


def heard(example: str) -> set[str]:
    """The detail-types that the rule of an example lets through."""
    text = (EXAMPLES / example / "template.yaml").read_text("utf-8")
    return set(re.findall(r"^ +- (Certification [A-Z][A-Za-z ]+)$", text, re.MULTILINE))


def test_a_pipeline_that_waits_hears_of_every_end() -> None:
    """Of an outcome that its rule leaves out, it would hear nothing until its time is up."""
    waits_on = {DetailType.PLANNED, DetailType.DEFERRED}
    assert heard("task-token") == set(OF_OUTCOME.values()) - waits_on


def test_a_channel_hears_of_what_does_not_run() -> None:
    """And of what begins to need a person."""
    assert heard("slack") >= {
        DetailType.NEEDS_ATTENTION,
        DetailType.TASK_STOPPED,
        DetailType.FAILED,
        DetailType.ROLLED_BACK,
    }


def test_every_event_is_in_the_reference() -> None:
    """With when it comes."""
    rows = (ROOT / "docs/reference/events.md").read_text("utf-8")
    assert [each for each in DetailType if f"| `{each}` |" not in rows] == []


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    """The template of the CDK app."""
    from aws_cdk import App
    from aws_cdk.assertions import Template

    module = loaded(EXAMPLES / "cdk-app/app.py")
    made = App(context={"aws:cdk:bundling-stacks": []})
    role = "arn:aws:iam::111122223333:role/DmsSecret"
    secrets = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders"
    stack = module.OrdersStack(
        made,
        "Orders",
        onboard=ONBOARD,
        role=role,
        credentials=f"{secrets}-AbCdEf",
        server_certificate=f"{secrets}-tls-GhIjKl",
    )
    template: dict[str, Any] = Template.from_stack(stack).to_json()
    return template


def test_the_cdk_app_certifies_the_endpoint_that_it_adds(app: dict[str, Any]) -> None:
    """The endpoint leaves mode and CA to Certifier, bears the consent, and is the source's."""
    ((endpoint_id, endpoint),) = of_type(app, "AWS::DMS::Endpoint").items()
    assert not {"SslMode", "CertificateArn"} & endpoint.keys()
    assert endpoint["Tags"] == [{"Key": SOURCE_TAG, "Value": "orders"}]
    (resource,) = of_type(app, "Custom::CertifiedSource").values()
    source = resource["Source"]
    assert source["endpoint"] == {"Ref": endpoint_id}
    assert parse_source({**source, "endpoint": "orders-source"}).ssl_mode == "verify-full"
    assert app["Outputs"]["EndpointArn"]["Value"]["Fn::GetAtt"][1] == "EndpointArn"


def test_the_cdk_app_may_start_onboard_and_look_and_no_more(app: dict[str, Any]) -> None:
    """Of Certifier: one machine, and its executions."""
    actions = {
        action: statement["Resource"]
        for policy in of_type(app, "AWS::IAM::Policy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        for action in [statement["Action"]]
        if isinstance(action, str) and "Certified" in json.dumps(policy["Roles"])
    }
    assert actions["states:StartExecution"] == ONBOARD or isinstance(
        actions["states:StartExecution"], dict
    )
    starts = [
        policy["Roles"][0]["Ref"]
        for policy in of_type(app, "AWS::IAM::Policy").values()
        if ONBOARD in json.dumps(policy["PolicyDocument"]) and "Certified" in str(policy["Roles"])
    ]
    assert {"Begin", "IsComplete"} <= {
        part for ref in starts for part in ("Begin", "IsComplete") if part in ref
    }
    assert ":execution:Onboard-AbC:*" in json.dumps(actions["states:DescribeExecution"])


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The top blocks of a Terraform file: header and body. Braces in texts count as pairs too."""
    plain = re.sub(r"#.*", "", text)
    at = 0
    while match := re.compile(r"\s*([\w \"-]+?)\s*\{").match(plain, at):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(plain[end], 0)
            end += 1
        yield match[1], plain[match.end() : end - 1]
        at = end
    assert plain[at:].strip() == ""


def test_the_terraform_example_leaves_the_two_attributes_to_certifier() -> None:
    """Its blocks are whole; the source has fields that there are, the endpoint its consent."""
    found = dict(blocks((EXAMPLES / "terraform/main.tf").read_text("utf-8")))
    endpoint = found['resource "aws_dms_endpoint" "orders"']
    assert "ignore_changes = [ssl_mode, certificate_arn]" in endpoint
    assert not re.search(r"^\s*(ssl_mode|certificate_arn)\s*=", endpoint, re.MULTILINE)
    assert f'"{SOURCE_TAG}" = "orders"' in endpoint
    fields = set(re.findall(r"^    (\w+)\s*=", found["locals"], re.MULTILINE))
    assert fields <= Source.model_fields.keys()
    assert {"name", "endpoint", "host", "ssl_mode"} <= fields
    certified = found['resource "terraform_data" "certified"']
    assert "certifier certify ${local_file.source.filename} --stack ${var.stack}" in certified
    for name in re.findall(r"\b((?:aws|local|terraform)_\w+\.\w+)", "".join(found.values())):
        kind, _, label = name.partition(".")
        assert f'"{kind}" "{label}"' in "".join(found), name


@pytest.mark.parametrize(
    "definition", sorted(EXAMPLES.rglob("*.asl.json")), ids=lambda p: str(p.relative_to(EXAMPLES))
)
def test_every_state_of_a_definition_is_reached(definition: Path) -> None:
    """And each of them leads to one that there is."""
    machine = json.loads(definition.read_text("utf-8"))
    states = machine["States"]
    led = {machine["StartAt"]}
    for state in states.values():
        led |= {state[key] for key in ("Next", "Default") if key in state}
        led |= {rule["Next"] for key in ("Choices", "Catch") for rule in state.get(key, ())}
    assert led == states.keys()
    assert machine["QueryLanguage"] == "JSONata"


def next_after(error: str, cause: str, attempt: int) -> str:
    """Return the state to which the example of onboarding goes on from a failed start."""
    machine = json.loads((EXAMPLES / "onboarding/definition.asl.json").read_text("utf-8"))
    choice = machine["States"]["What failed?"]
    known = {"failed": {"Error": error, "Cause": cause}, "attempt": attempt}
    for rule in choice["Choices"]:
        condition = Jsonata(rule["Condition"].removeprefix("{%").removesuffix("%}"))
        condition.register_lambda("parse", json.loads)
        true = condition.evaluate(None, known)
        assert isinstance(true, bool), rule  # Step Functions takes nothing else
        if true:
            return str(rule["Next"])
    return str(choice["Default"])


@pytest.mark.parametrize(
    ("error", "outcome", "attempt", "expected"),
    [
        ("NotCertified", Outcome.DEFERRED, 1, "Wait"),
        ("NotCertified", Outcome.DEFERRED, 3, "Not certified"),
        ("NotCertified", Outcome.REFUSED, 1, "Not certified"),
        ("InvalidEvent", Outcome.REFUSED, 1, "Not certified"),
        ("Busy", None, 1, "Wait"),
        ("Busy", None, 3, "Broken"),
        ("Unexpected", None, 1, "Broken"),
        ("States.Timeout", None, 1, "Broken"),
    ],
)
def test_a_pipeline_tries_again_what_passes_and_leaves_the_rest_to_people(
    error: str, outcome: Outcome | None, attempt: int, expected: str
) -> None:
    """Also a source that another run has, three times in all. What is not JSON is not read."""
    cause = "the service is busy"
    if outcome is not None:
        line = Line(name="orders", outcome=outcome)
        summary = Summary(execution="x", reported_at=datetime.now(UTC), lines=(line,))
        cause = failed_cause(summary, "reports/x")
    assert next_after(error, cause, attempt) == expected


REQUEST = "6f1c0d5e-0000-4000-8000-000000000001"
NEXT = f"{REQUEST}-"


def execution(how: str) -> dict[str, Any]:
    """What DescribeExecution says of an execution of Onboard that ended so, six minutes ago.

    Args:
        how: a status, an outcome, or an error; ``just`` before it: half a minute ago.
    """
    if how == "SUCCEEDED":
        source = {"endpoint_arn": "arn:e", "certificate_arn": None, "days_left": 80}
        return {"status": how, "output": json.dumps({"sources": [source]})}
    if how.isupper():
        return {"status": how}
    how, just = how.removeprefix("just "), how.startswith("just ")
    ended = datetime.now(UTC) - (timedelta(seconds=30) if just else timedelta(minutes=6))
    if how[0].isupper():
        return {"status": "FAILED", "error": how, "cause": "the service is busy", "stopDate": ended}
    line = Line(name="orders", outcome=Outcome(how))
    summary = Summary(
        execution="x", reported_at=datetime.now(UTC), lines=(line,), failed=f"orders: {how}"
    )
    cause = failed_cause(summary, "reports/x")
    return {"status": "FAILED", "error": "NotCertified", "cause": cause, "stopDate": ended}


def looked(
    monkeypatch: pytest.MonkeyPatch, executions: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """Look whether the resource is done; return the answer, and what was started meanwhile.

    Args:
        executions: how those of the request have ended so far.
    """
    machine = ONBOARD.replace(":stateMachine:", ":execution:")
    names = [REQUEST, *(f"{NEXT}{nth}" for nth in range(2, 20))]
    known = dict(zip(names, map(execution, executions), strict=False))
    started: list[str] = []

    def call(_: Any, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        if operation == "StartExecution":
            if asked["name"] in known:
                raise ClientError({"Error": {"Code": "ExecutionAlreadyExists"}}, operation)
            assert asked["stateMachineArn"] == ONBOARD
            assert json.loads(asked["input"]) == {"sources": [{"name": "orders", "port": 5432}]}
            started.append(asked["name"])
            return {}
        name = asked["executionArn"].removeprefix(f"{machine}:")
        if name not in known:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist"}}, operation)
        return known[name]

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setenv("ONBOARD", ONBOARD)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    handler = loaded(EXAMPLES / "cdk-app/provider/handler.py")
    properties = {"Source": {"name": "orders", "port": "5432"}}
    event = {"RequestType": "Create", "RequestId": REQUEST, "ResourceProperties": properties}
    return handler.is_complete(event, None), started


@pytest.mark.parametrize(
    ("executions", "started"),
    [
        ([], []),  # Step Functions does not know it yet
        (["RUNNING"], []),
        (["just deferred"], []),
        (["deferred"], [f"{NEXT}2"]),
        (["Busy"], [f"{NEXT}2"]),
        (["deferred", "RUNNING"], []),
        (["deferred", "Busy", "just deferred"], []),
        (["deferred", "Busy", "deferred", "deferred"], [f"{NEXT}5"]),
    ],
)
def test_the_custom_resource_waits_while_another_run_has_its_source(
    monkeypatch: pytest.MonkeyPatch, executions: list[str], started: list[str]
) -> None:
    """An event of the secret may have been quicker: it starts Onboard again, after five minutes."""
    assert looked(monkeypatch, executions) == ({"IsComplete": False}, started)


@pytest.mark.parametrize("before", [[], ["deferred"], ["deferred", "Busy"]])
def test_the_custom_resource_ends_with_the_attempt_that_succeeds(
    monkeypatch: pytest.MonkeyPatch, before: list[str]
) -> None:
    """Whichever that is."""
    answer, started = looked(monkeypatch, [*before, "SUCCEEDED"])
    assert answer["Data"] == {"EndpointArn": "arn:e", "CertificateArn": "", "DaysLeft": 80}
    assert started == []


@pytest.mark.parametrize(
    ("executions", "reason"),
    [
        (["refused"], "orders: refused"),
        (["deferred", "failed"], "orders: failed"),
        (["deferred"] * 5, "orders: deferred"),
        (["Busy"] * 5, "the service is busy"),
        (["InvalidEvent"], "the service is busy"),
        (["TIMED_OUT"], "TIMED_OUT"),
    ],
)
def test_the_custom_resource_leaves_the_rest_to_people(
    monkeypatch: pytest.MonkeyPatch, executions: list[str], reason: str
) -> None:
    """Also a source that another run has for all of five attempts: some twenty minutes."""
    with pytest.raises(RuntimeError, match=reason):
        looked(monkeypatch, executions)


def test_all_attempts_of_the_custom_resource_begin_within_half_its_time() -> None:
    """CloudFormation waits for an hour; the last one needs time to run."""
    handler = loaded(EXAMPLES / "cdk-app/provider/handler.py")
    assert timedelta(minutes=30) >= handler.ATTEMPTS * handler.PAUSE
