"""docs/reference/events.md and docs/operate/runbook.md know everything that the template has."""

import re
from typing import Any

from certifier.triggers import RDS_EVENTS, SECRET_CALLS
from certifier.vocabulary import Metric, Outcome
from handbook.costs import FIGURES
from tests.docs.markdown import ROOT, anchors, read

EVENTS = read(ROOT / "docs/reference/events.md")


def ids(template: dict[str, Any], kind: str) -> set[str]:
    """The construct ids of the resources of a type: logical ids without construct and hash."""
    return {
        re.sub(r"^(?:Alarms|Triggers)|[0-9A-F]{8}$", "", name)
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def test_every_alarm_is_explained_and_has_a_first_look(template: dict[str, Any]) -> None:
    """A row in the reference, a section in the runbook."""
    runbook = anchors(read(ROOT / "docs/operate/runbook.md"))
    alarms = ids(template, "AWS::CloudWatch::Alarm")
    assert len(alarms) == FIGURES.alarms, "docs/operate/costs.md"
    for alarm in alarms:
        assert f"| `{alarm}` |" in EVENTS
        assert alarm.lower() in runbook, alarm


def test_every_rule_and_what_it_matches_is_explained(template: dict[str, Any]) -> None:
    """Schedule and rules, and the names of the events in their patterns."""
    kind = "AWS::Events::Rule"
    rules = [each for each in template["Resources"].values() if each["Type"] == kind]
    assert rules
    for rule in rules:
        pattern = rule["Properties"]["EventPattern"]
        for detail in pattern["detail-type"]:
            assert detail in EVENTS or detail.startswith("RDS DB ")
    for name in ids(template, "AWS::Events::Rule") | ids(template, "AWS::Scheduler::Schedule"):
        assert f"`{name}`" in EVENTS, name
    for name in (*RDS_EVENTS, *SECRET_CALLS):
        assert f"`{name}`" in EVENTS, name


def test_every_metric_is_explained() -> None:
    """All that the functions write, one for each outcome among them."""
    for metric in Metric:
        assert f"`{metric.value}`" in EVENTS, metric
    assert {outcome.value.capitalize() for outcome in Outcome} <= {*Metric}


def test_every_output_is_explained(template: dict[str, Any]) -> None:
    """What the command line, a pipeline or a person reads from the stack."""
    outputs = {name for name in template["Outputs"] if "ExportsOutput" not in name}
    section = EVENTS.partition("## Outputs of the stack")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == outputs
