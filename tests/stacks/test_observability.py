"""Metrics, alarms and the dashboard: of the installation, and each alarm with what to do first."""

import json
import re
from typing import Any

from certifier.vocabulary import Metric
from tests.docs.markdown import anchors, read
from tests.stacks.conftest import ROOT, flat, of_type, synthesize

STACK = "${AWS::StackName}"
OF_THIS_STACK = f" --stack {STACK}"
RUNBOOK = read(ROOT / "docs/operate/runbook.md")


def alarms(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The alarms by the name that the documents give them."""
    return {
        re.sub(r"^Alarms|[0-9A-F]{8}$", "", name): properties
        for name, properties in of_type(template, "AWS::CloudWatch::Alarm").items()
    }


def test_every_alarm_links_into_the_runbook_and_says_the_first_command(
    template: dict[str, Any],
) -> None:
    """The link leads somewhere, and the command is one of that section's."""
    found = alarms(template)
    assert len(found) == 9
    for name, properties in found.items():
        says = flat(properties["AlarmDescription"])
        assert len(says) < 1024
        command, link = re.findall(r"First: (.+)\. Then: (\S+)$", says)[0]
        if command.startswith("certifier "):  # the runbook leaves it out
            assert OF_THIS_STACK in command
            command = command.replace(OF_THIS_STACK, "")
        path, _, anchor = link.partition("#")
        assert path == "docs/operate/runbook.md"
        assert anchor in anchors(RUNBOOK), name
        section = RUNBOOK.partition(f"### {name}\n")[2].partition("\n### ")[0]
        begins, ends = re.split(r"\$\{[^}]+\}", command)[0], re.split(r"\$\{[^}]+\}", command)[-1]
        block = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))
        assert begins in block, name
        assert ends in block, name


def test_the_runbook_of_a_team_is_linked_instead() -> None:
    """In every alarm and on the dashboard."""
    one = synthesize({"certifier:docs_url": "https://wiki.example.com/certifier"})
    for properties in alarms(one).values():
        assert "Then: https://wiki.example.com/certifier" in flat(properties["AlarmDescription"])
    (dashboard,) = of_type(one, "AWS::CloudWatch::Dashboard").values()
    assert "(https://wiki.example.com/certifier" in flat(dashboard["DashboardBody"])


def body(template: dict[str, Any]) -> list[dict[str, Any]]:
    """The widgets of the dashboard."""
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    widgets: list[dict[str, Any]] = json.loads(flat(dashboard["DashboardBody"]))["widgets"]
    return widgets


def test_the_first_row_answers_whether_the_fleet_is_safe(template: dict[str, Any]) -> None:
    """Alarms on certificates and tasks, least days and share, what is late, what waits."""
    first = [widget for widget in body(template) if widget["y"] == 0]
    assert first[0]["properties"]["title"] == "Is the fleet safe?"
    named = "".join(first[0]["properties"]["alarms"])
    for alarm in ("CertificatesLate", "TasksWait"):
        assert alarm in named
    shown = {m[1] for w in first for m in w["properties"].get("metrics", ())}
    assert shown == {
        Metric.DAYS_LEFT,
        Metric.SHARE_LEFT,
        Metric.LATE_CERTIFICATES,
        Metric.PENDING_RESTARTS,
    }
    assert sum(widget["width"] for widget in first) <= 24


def test_every_metric_of_ours_is_on_the_dashboard_and_of_the_installation(
    template: dict[str, Any],
) -> None:
    """Each with the one dimension, so that the cost does not grow with the fleet."""
    metrics = [m for w in body(template) for m in w["properties"].get("metrics", ())]
    ours = [m for m in metrics if m[0] == "Certifier"]
    assert {m[1] for m in ours} == {*Metric}
    assert {tuple(m[2:4]) for m in ours} == {("service", STACK)}
    of_alarms = [p for p in alarms(template).values() if p.get("Namespace") == "Certifier"]
    assert {p["MetricName"] for p in of_alarms} <= {*Metric}
    dimensions = [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]
    assert all(p["Dimensions"] == dimensions for p in of_alarms)


def test_what_a_caller_has_asked_for_is_not_a_failure_of_the_machinery(
    template: dict[str, Any],
) -> None:
    """AWS's own count of failed executions, less those that Report has counted as the caller's.

    Without a word of Report's it stands as it is, so that a broken Report rings too.
    """
    alarm = alarms(template)["ExecutionsFailed"]
    assert alarm["Threshold"] == 0
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    rows = {row["Id"]: row for row in alarm["Metrics"]}
    (judged,) = (row for row in rows.values() if row.get("ReturnData", True))
    assert judged["Expression"] == "failed - FILL(refused, 0)"
    named = {key: rows[key]["MetricStat"] for key in ("failed", "refused")}
    assert {key: stat["Stat"] for key, stat in named.items()} == {"failed": "Sum", "refused": "Sum"}
    assert named["failed"]["Period"] == named["refused"]["Period"]
    assert named["failed"]["Metric"]["Namespace"] == "AWS/States"
    assert named["failed"]["Metric"]["MetricName"] == "ExecutionsFailed"
    assert named["refused"]["Metric"] == {
        "Namespace": "Certifier",
        "MetricName": "StartsRefused",
        "Dimensions": [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}],
    }


def test_a_stopped_schedule_is_an_alarm_and_silence_elsewhere_is_none(
    template: dict[str, Any],
) -> None:
    """Only for ticks does no data mean that something is wrong."""
    missing = {name: p["TreatMissingData"] for name, p in alarms(template).items()}
    assert missing.pop("NoTicks") == "breaching"
    assert set(missing.values()) == {"notBreaching"}


def test_the_dashboard_can_be_left_out() -> None:
    """It costs $3 a month."""
    one = synthesize({"certifier:dashboard": "false"})
    assert of_type(one, "AWS::CloudWatch::Dashboard") == {}
