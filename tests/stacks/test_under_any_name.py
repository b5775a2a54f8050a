"""The settings need not know what the stack is called: CloudFormation does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from stacks.observability import NAMESPACE
from tests.stacks.conftest import flat, functions, of_type, synthesize

CALLED = "CertifierTeamB"
NAME = "${AWS::StackName}"


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """The construct in a stack of another team's, with settings that do not name that stack."""
    from aws_cdk import App, Stack
    from aws_cdk.assertions import Template

    from stacks.certifier import Certifier
    from stacks.settings import Settings

    stack = Stack(App(context={"aws:cdk:bundling-stacks": []}), "Platform")
    Certifier(stack, "Certifier", settings=Settings(secret_prefixes=("dms/",)))
    template: dict[str, Any] = Template.from_stack(stack).to_json()
    return template


def metrics(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each metric of ours that an alarm looks at: its name and dimensions."""
    for alarm in of_type(template, "AWS::CloudWatch::Alarm").values():
        if alarm.get("Namespace") == NAMESPACE:
            yield alarm
        for row in alarm.get("Metrics", ()):
            metric = row.get("MetricStat", {}).get("Metric", {})
            if metric.get("Namespace") == NAMESPACE:
                yield metric


def test_two_installations_of_the_construct_have_metrics_of_their_own(
    theirs: dict[str, Any],
) -> None:
    """What one writes would ring the alarms of the other, and hide that its schedule stopped."""
    for name, properties in functions(theirs).items():
        assert flat(properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]) == NAME, name
    found = [flat(one["Dimensions"][0]["Value"]) for one in metrics(theirs)]
    assert found == [NAME] * len(found)
    assert len(found) > 5
    for dashboard in of_type(theirs, "AWS::CloudWatch::Dashboard").values():
        assert '"service","Certifier"' not in flat(dashboard["DashboardBody"])
        assert f'"service","{NAME}"' in flat(dashboard["DashboardBody"])


def test_no_resource_holds_the_name_that_the_settings_give_the_stack() -> None:
    """A template is deployed under any name: `aws cloudformation deploy --stack-name`."""
    template = synthesize({"certifier:stack": CALLED})
    for name, resource in template["Resources"].items():
        text = json.dumps(resource.get("Properties", {}))
        # The CDK makes up the Sid of a statement, which nothing reads.
        assert CALLED not in re.sub(r'"Sid": "\w+"', "", text), name
    assert CALLED not in json.dumps(template["Outputs"])
