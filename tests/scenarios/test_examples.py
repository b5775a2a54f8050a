"""The examples meet the real events and answers, in the account of the sandbox."""

import importlib.util
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from sandbox.world import NAME, PAIR, World
from tests.docs.markdown import ROOT
from tests.scenarios.test_events import Heard

EXAMPLES = ROOT / "examples"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with the short forms of CloudFormation."""


def _function(loader: Any, suffix: str, node: Any) -> Any:
    value = (
        loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node)
    )
    if suffix == "GetAtt":
        return {"Fn::GetAtt": value.split(".")}
    return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


def template(path: str) -> dict[str, Any]:
    """A template of an example."""
    read: dict[str, Any] = yaml.load((EXAMPLES / path).read_text("utf-8"), _Loader)
    return read


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


def queue(world: World, rule: Mapping[str, Any], bus: str = "default") -> Heard:
    """A queue that gets what the example's target would get."""
    (target,) = rule["Targets"]
    return Heard(
        world.cloud,
        bus,
        pattern=rule["EventPattern"],
        transformer=target.get("InputTransformer"),
    )


def test_slack_gets_what_amazon_q_shows(world: World) -> None:
    """Of the real events, those that need a person, as a custom notification."""
    heard = queue(world, template("slack/template.yaml")["Resources"]["Rule"]["Properties"])
    world.onboard()
    assert heard.raw() == []
    world.renew()
    (shown,) = heard.raw()
    assert (shown["version"], shown["source"]) == ("1.0", "custom")
    assert shown["content"]["title"] == "Certification Needs Attention: orders"
    assert shown["content"]["description"] == "orders certified: overlap_pending"
    assert shown["content"]["nextSteps"][0] == "`certifier status orders`"
    assert shown["metadata"]["threadId"] == NAME


def test_the_bus_of_a_hub_hears_every_certification() -> None:
    """The setting is the ARN of its bus; the rule there matches."""
    hub = template("hub-bus/hub.yaml")["Resources"]
    arn = f"arn:aws:events:eu-west-1:123456789012:event-bus/{hub['Bus']['Properties']['Name']}"
    with World.start(settings={"event_bus": arn}) as world:
        world.cloud.session.client("events").create_event_bus(Name="certifier")
        heard = queue(world, hub["Rule"]["Properties"], "certifier")
        world.onboard()
        assert heard.types() == ["Succeeded"]


def test_a_pipeline_waits_for_the_certification_that_a_rotation_starts(world: World) -> None:
    """The token is left, the secret rotates, the event answers: with the endpoint and its days."""
    world.onboard()
    waits = _with_tokens(world, "task-token")
    run = world.cloud.start_machine(waits, {"name": NAME}, wait=False)
    _until_waiting(world)
    world.renew()
    run.wait(30)
    assert run.status == "SUCCEEDED", run.cause
    assert run.output["endpoint_arn"] == (world.endpoint() or {})["EndpointArn"]


def test_a_pipeline_that_waits_hears_of_a_refusal(world: World) -> None:
    """It fails with the line for people."""
    world.onboard()
    waits = _with_tokens(world, "task-token")
    run = world.cloud.start_machine(waits, {"name": NAME}, wait=False)
    _until_waiting(world)
    world.issue()
    world.announce(ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    run.wait(30)
    assert (run.status, run.error) == ("FAILED", "NotCertified")
    assert str(run.cause).startswith("orders refused: ")


def test_the_custom_resource_of_the_cdk_app_waits_and_has_the_endpoint(
    world: World, provider: ModuleType
) -> None:
    """Created: certified, with attributes; deleted: nothing is touched."""
    event: dict[str, Any] = {
        "RequestType": "Create",
        "RequestId": "6f1c0d5e-0000-4000-8000-000000000001",
        # CloudFormation hands over texts alone.
        "ResourceProperties": {"Source": {**world.source(), "port": str(world.server.port)}},
    }
    made = provider.begin(event, None)
    assert provider.begin(event, None) == made
    _ended(world, event["RequestId"])
    done = provider.is_complete(event, None)
    assert done["IsComplete"] is True
    endpoint = world.endpoint() or {}
    assert done["Data"]["EndpointArn"] == endpoint["EndpointArn"]
    assert done["Data"]["CertificateArn"] == endpoint["CertificateArn"]
    before = len(world.cloud.executions)
    gone = {**event, "RequestType": "Delete", "RequestId": "x"}
    assert provider.begin(gone, None) == made
    assert provider.is_complete(gone, None) == {"IsComplete": True}
    assert len(world.cloud.executions) == before


def test_the_custom_resource_fails_with_the_reason(world: World, provider: ModuleType) -> None:
    """What the deployment shows is the line for people."""
    world.cloud.put_secret(PAIR, {**world.pair(), "ca": "no CA"})
    event: dict[str, Any] = {
        "RequestType": "Update",
        "RequestId": "6f1c0d5e-0000-4000-8000-000000000002",
        "ResourceProperties": {"Source": world.source()},
    }
    provider.begin(event, None)
    _ended(world, event["RequestId"])
    with pytest.raises(RuntimeError, match=r"^orders: refused \(\w+\)$"):
        provider.is_complete(event, None)


@pytest.fixture
def provider(world: World, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The functions of the custom resource, in this account."""
    monkeypatch.setenv("ONBOARD", world.cloud.resources["OnboardStateMachine"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", world.cloud.region)
    path: Path = EXAMPLES / "cdk-app/provider/handler.py"
    spec = importlib.util.spec_from_file_location("handler", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ended(world: World, name: str) -> None:
    machine = world.cloud.resources["OnboardStateMachine"].replace(":stateMachine:", ":execution:")
    (run,) = (one for one in world.cloud.executions if one.arn == f"{machine}:{name}")
    run.wait()


def _until_waiting(world: World) -> None:
    client = world.cloud.session.client("dynamodb")
    for _ in range(500):
        if client.scan(TableName="tokens")["Items"]:
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def _with_tokens(world: World, example: str) -> str:
    """Make the table, the machines and the rule; return the machine that waits."""
    resources = template(f"{example}/template.yaml")["Resources"]
    world.cloud.session.client("dynamodb").create_table(
        TableName="tokens", **resources["Tokens"]["Properties"]
    )
    states = world.cloud.session.client("stepfunctions")
    arns = {}
    for name in ("Waits", "Answers"):
        properties = resources[name]["Properties"]
        text = (EXAMPLES / example / properties["DefinitionS3Location"]).read_text("utf-8")
        for key in properties["DefinitionSubstitutions"]:
            text = text.replace(f"${{{key}}}", "tokens")
        arns[name] = states.create_state_machine(
            name=name, definition=text, roleArn="arn:aws:iam::123456789012:role/any"
        )["stateMachineArn"]
    events = world.cloud.session.client("events")
    rule = resources["Rule"]["Properties"]
    events.put_rule(Name="answers", EventPattern=json.dumps(rule["EventPattern"]))
    events.put_targets(Rule="answers", Targets=[{"Id": "answers", "Arn": arns["Answers"]}])
    return str(arns["Waits"])
