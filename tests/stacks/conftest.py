"""The synthesized template, once per worker: without the layer, which a test of its own builds."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

# jsii starts Node on import.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "1")

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET_KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c"
# Everything that changes the template when it is given.
EVERY_SETTING = {
    "certifier:kms_keys": [SECRET_KEY],
    "certifier:bundle_buckets": ["platform-trust"],
    "certifier:notify": ["dba@example.com"],
    "certifier:event_bus": "arn:aws:events:eu-west-1:444455556666:event-bus/hub",
    "certifier:group_tag": "owner",
    "certifier:probe_subnets": ["subnet-0a1b2c3d"],
    "certifier:probe_security_groups": ["sg-0a1b2c3d"],
    "certifier:probe_hosts": ["*.db.example.com"],
    "certifier:probe_ports": [5432, 6432],
}


def context(**settings: Any) -> dict[str, Any]:
    """Return the context of cdk.json, some settings changed, and no layer."""
    committed = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return {**committed, **settings, "aws:cdk:bundling-stacks": []}


def synthesize(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template of the stack under these settings."""
    from aws_cdk import App
    from aws_cdk.assertions import Template

    from stacks.certifier_stack import CertifierStack
    from stacks.settings import Settings

    app = App(context=context(**settings))
    chosen = Settings.from_context(app.node.get_all_context())
    stack = CertifierStack(app, chosen.stack, settings=chosen)
    template: dict[str, Any] = Template.from_stack(stack).to_json()
    return template


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """The template with the settings of cdk.json."""
    return synthesize({})


@pytest.fixture(scope="session")
def full_template() -> dict[str, Any]:
    """The template with every optional setting given."""
    return synthesize(EVERY_SETTING)


@pytest.fixture(scope="session")
def trial() -> dict[str, Any]:
    """The template of an installation that is tried out."""
    return synthesize({"certifier:retain_data": "false", "certifier:log_days": "30"})


def of_type(template: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of one type: logical id to properties."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def only(template: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of the one resource of this type; of the two machines, Run's."""
    (properties,) = (
        properties
        for name, properties in of_type(template, kind).items()
        if not name.startswith("Onboard")
    )
    return properties


def functions(template: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the functions' properties by the name of their file."""
    return {
        properties["Handler"].split(".")[1]: properties
        for properties in of_type(template, "AWS::Lambda::Function").values()
    }


def listed(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]


def statements(template: Mapping[str, Any], role: str | None = None) -> list[dict[str, Any]]:
    """Return all identity policy statements, or those attached to the role with this logical id."""
    found = []
    for policy in of_type(template, "AWS::IAM::Policy").values():
        roles = [one["Ref"] for one in policy["Roles"]]
        if role is None or role in roles:
            found += policy["PolicyDocument"]["Statement"]
    for name, properties in of_type(template, "AWS::IAM::Role").items():
        if role in (None, name):
            for inline in properties.get("Policies", []):
                found += inline["PolicyDocument"]["Statement"]
    return found


def flat(value: Any) -> str:
    """Return the template value as one string, with ``${Name}`` where CloudFormation fills in."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Join": [glue, parts]}:
            return str(glue).join(flat(part) for part in parts)
        case {"Fn::Select": [index, {"Fn::Split": [glue, text]}]}:
            return f"${{{flat(text)} split at {glue!r}, {index}}}"
    raise AssertionError(f"not a string: {value}")
