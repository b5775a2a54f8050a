"""Whatever the settings allow can be deployed: sizes at the settings' own maxima."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from stacks.settings import InvalidSettings, Settings
from tests.stacks.conftest import of_type, synthesize

POLICIES = 10_240  # characters of all inline policies of a role, without whitespace (IAM quotas)
MANAGED = 6_144  # characters of a managed policy, likewise
PATTERN = 2_048  # characters of an event pattern (EventBridge quotas)
DESCRIPTION = 1_024  # characters of an alarm's (CloudWatch API, PutMetricAlarm)
ENVIRONMENT = 4_096  # bytes of a function's environment (Lambda quotas)

# The longest that CloudFormation fills in. A name that it makes up itself is as long as the service
# allows, at most; partition and Region are those of the longest ARNs there are.
PSEUDO = {
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-99",
    "AWS::URLSuffix": "amazonaws.com.cn",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "s" * 128,
    "AWS::StackId": "arn:aws-us-gov:cloudformation:ap-southeast-99:123456789012:stack/"
    + "s" * 128
    + "/11111111-2222-3333-4444-555555555555",
}
ARN = "arn:aws-us-gov:{}:ap-southeast-99:123456789012:"
NAMES = {
    "AWS::DynamoDB::Table": (ARN.format("dynamodb") + "table/", 255),
    "AWS::IAM::Role": ("arn:aws-us-gov:iam::123456789012:role/", 64),
    "AWS::Lambda::Function": (ARN.format("lambda") + "function:", 64),
    "AWS::Lambda::Version": (ARN.format("lambda") + "function:", 64 + len(":99999")),
    "AWS::Logs::LogGroup": (ARN.format("logs") + "log-group:", 512),
    "AWS::S3::Bucket": ("arn:aws-us-gov:s3:::", 63),
    "AWS::SNS::Topic": (ARN.format("sns"), 256),
    "AWS::SQS::Queue": (ARN.format("sqs"), 80),
    "AWS::StepFunctions::StateMachine": (ARN.format("states") + "stateMachine:", 80),
}
# Types whose Ref is the ARN, not the name.
REF_IS_ARN = {"AWS::Lambda::Version", "AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"}
# What each list may hold at most: so many values of this form, and no longer ones.
MOST = {
    "secret_prefixes": (20, "{:02}" + "p" * 65),
    "kms_keys": (8, "arn:aws" + "p" * 10 + ":kms:" + "r" * 20 + ":123456789012:key/mrk-{:032}"),
    "bundle_buckets": (10, "{:02}" + "b" * 61),
    "notify": (20, "{:02}@example.com"),
    "probe_subnets": (16, "subnet-{:017}"),
    "probe_security_groups": (5, "sg-{:017}"),
    "probe_hosts": (50, "{:02}" + "h" * 28),
    "probe_ports": (20, "600{:02}"),
}
# The longest text of each setting that is one.
LONGEST = {
    "stack": "s" * 128,
    "event_bus": "arn:aws"
    + "p" * 10
    + ":events:"
    + "r" * 20
    + ":123456789012:event-bus/"
    + "b" * 256,
    "docs_url": "https://" + "d" * 200,
    "group_tag": "g" * 128,
}


def values(key: str, *, more: int = 0) -> list[str]:
    """Return the longest list of a setting, or one that is longer by ``more`` values."""
    count, form = MOST[key]
    return [form.format(number) for number in range(count + more)]


FEWER = {"secret_prefixes": ["dms/"]}


def settings(**changes: Any) -> Settings:
    """Return the settings with these lists."""
    return Settings.from_context({f"certifier:{k}": v for k, v in {**FEWER, **changes}.items()})


@pytest.fixture(scope="module")
def largest() -> dict[str, Any]:
    """The template with every list and every text as long as it may be."""
    schema = Settings.model_json_schema()["properties"]
    given: dict[str, Any] = {
        **{key: values(key) for key in MOST},
        **LONGEST,
        "signature_hashes": schema["signature_hashes"]["items"]["enum"],
        "raise_to_error": [
            "certificate_expires_soon",
            "key_too_small",
            "signature_hash_weak",
            "validity_too_long",
            "ca_not_strict",
            "tls_version_old",
        ],
    }
    return synthesize({f"certifier:{key}": value for key, value in given.items()})


def filled(value: Any, template: Mapping[str, Any]) -> Any:
    """Return a value of the template with everything that CloudFormation fills in, at its longest.

    Raises:
        KeyError: for a type whose names and ARNs the table above does not know.
    """
    match value:
        case {"Ref": str(name)} if name in PSEUDO:
            return PSEUDO[name]
        case {"Ref": str(name)}:
            kind = template["Resources"][name]["Type"]
            prefix, length = NAMES[kind]
            return (prefix if kind in REF_IS_ARN else "") + "n" * length
        case {"Fn::GetAtt": [name, attribute]}:
            prefix, length = NAMES[template["Resources"][name]["Type"]]
            return (prefix if attribute.endswith("Arn") else "") + "n" * length
        case {"Fn::Join": [glue, parts]}:
            return str(glue).join(filled(part, template) for part in parts)
        case {"Fn::Select": [index, {"Fn::Split": [glue, text]}]}:
            return filled(text, template).split(glue)[index]
        case dict():
            return {key: filled(one, template) for key, one in value.items()}
        case list():
            return [filled(one, template) for one in value]
    return value


def size(value: Any, template: Mapping[str, Any]) -> int:
    """Return the characters of a value as JSON without whitespace."""
    return len(json.dumps(filled(value, template), separators=(",", ":")))


def test_no_role_has_more_policy_than_iam_takes(largest: dict[str, Any]) -> None:
    """All inline policies of a role count together; what the CDK moves out of them is managed."""
    roles: dict[str, int] = {}
    for policy in of_type(largest, "AWS::IAM::Policy").values():
        for role in policy["Roles"]:
            name = role["Ref"]
            roles[name] = roles.get(name, 0) + size(policy["PolicyDocument"], largest)
    assert len(roles) > 15
    assert {name: length for name, length in roles.items() if length > POLICIES} == {}
    for name, policy in of_type(largest, "AWS::IAM::ManagedPolicy").items():
        assert name.startswith("People") or "Overflow" in name
        assert ("Roles" in policy) is not name.startswith("People")
        assert size(policy["PolicyDocument"], largest) <= MANAGED
    assert not any("Policies" in role for role in of_type(largest, "AWS::IAM::Role").values())


def test_no_pattern_is_longer_than_eventbridge_takes(largest: dict[str, Any]) -> None:
    """The prefixes of the secrets are in one pattern."""
    rules = of_type(largest, "AWS::Events::Rule").values()
    lengths = [size(rule["EventPattern"], largest) for rule in rules]
    assert PATTERN * 0.8 < max(lengths) <= PATTERN


def test_no_environment_is_larger_than_lambda_takes(largest: dict[str, Any]) -> None:
    """Names and values together, as JSON, which is at least what Lambda counts."""
    for properties in of_type(largest, "AWS::Lambda::Function").values():
        variables = properties["Environment"]["Variables"]
        assert size(variables, largest) <= ENVIRONMENT, properties["Handler"]


@pytest.mark.parametrize("key", MOST)
def test_every_list_has_a_maximum(key: str) -> None:
    """One more than the largest that is measured is refused, in one sentence with its key."""
    network = {name: values(name) for name in ("probe_subnets", "probe_security_groups")}
    settings(**network, **{key: values(key)} if key not in network else {})
    with pytest.raises(InvalidSettings) as caught:
        settings(**{**network, key: values(key, more=1)})
    (sentence,) = caught.value.problems
    assert sentence.startswith(f"certifier:{key}: ")


def test_no_other_list_is_without_one() -> None:
    """A new setting that is a list is measured here too."""
    schema = Settings.model_json_schema()["properties"]
    lists = {key for key, one in schema.items() if one.get("type") == "array"}
    assert lists == {*MOST, "signature_hashes", "raise_to_error"}


@pytest.mark.parametrize("key", LONGEST)
def test_every_text_has_a_maximum(key: str) -> None:
    """One character more than what is measured is refused."""
    settings(**{key: LONGEST[key]})
    with pytest.raises(InvalidSettings) as caught:
        settings(**{key: LONGEST[key] + "x"})
    (sentence,) = caught.value.problems
    assert sentence.startswith(f"certifier:{key}: ")


def test_no_other_text_is_without_one() -> None:
    """A new setting that is a text is measured here too."""
    schema = Settings.model_json_schema()["properties"]
    assert {key for key, one in schema.items() if one.get("type") == "string"} == {*LONGEST}


def test_no_description_is_longer_than_its_service_takes(largest: dict[str, Any]) -> None:
    """Of an alarm, with the address of the runbook and the command to type first."""
    for name, alarm in of_type(largest, "AWS::CloudWatch::Alarm").items():
        assert len(filled(alarm["AlarmDescription"], largest)) <= DESCRIPTION, name


@pytest.mark.parametrize(("key", "most"), [("secret_prefixes", 1340), ("probe_hosts", 1500)])
def test_a_long_list_is_refused_with_the_reason(key: str, most: int) -> None:
    """Few values may be long, and many may be short."""
    settings(**{key: ["p" * 255] * 5})
    with pytest.raises(InvalidSettings) as caught:
        settings(**{key: ["pqrstu"[number] * 255 for number in range(6)]})
    assert caught.value.problems == (
        f"certifier:{key}: 1530 characters in all, at most {most}: AWS limits the policy, event "
        "pattern or environment that they are part of",
    )


def test_what_is_named_twice_counts_once() -> None:
    """A list that repeats itself does not grow what is deployed."""
    made = settings(bundle_buckets=["trust"] * 30, signature_hashes="sha256,sha256")
    assert made.bundle_buckets == ("trust",)
    assert made.signature_hashes == ("sha256",)


def test_the_probe_takes_as_many_subnets_and_groups_as_lambda() -> None:
    """The bounds are those of Lambda's own model."""
    import botocore.session

    model = botocore.session.get_session().get_service_model("lambda")
    schema = Settings.model_json_schema()["properties"]
    for ours, theirs in (
        ("probe_subnets", "SubnetIds"),
        ("probe_security_groups", "SecurityGroupIds"),
    ):
        assert schema[ours]["maxItems"] == model.shape_for(theirs).metadata["max"]
