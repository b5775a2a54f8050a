"""What other people's rules say about the template, and the CDK command line in an empty room."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import EVERY_SETTING, ROOT, context

# What cdk-nag's AwsSolutions pack finds here, by rule and (after the colons) by what it names, and
# why it is meant. A finding that no row explains fails, and so does a row that explains none.
MEANT = {
    r"AwsSolutions-IAM5\[Resource::\*\]": (
        "The Describe actions of DMS, ListCertificates of ACM, X-Ray, log delivery and a "
        "function's network interfaces know no resources; a test holds that no other action does "
        "without."
    ),
    r"AwsSolutions-IAM5\[Resource::.*:secret:dms/\*\]": (
        "Secrets are many and come and go: the settings bound them by prefix."
    ),
    r"AwsSolutions-IAM5\[Resource::.*:(cert|endpoint|rep|task):(certifier-(canary|made)-)?\*\]": (
        "DMS chooses the last part of its ARNs, and any endpoint may be registered as a source."
    ),
    r"AwsSolutions-IAM5\[Resource::.*:rds:.*:db:\*\]": (
        "Any DB instance may be the host of a source, and events name it; it is only read."
    ),
    r"AwsSolutions-IAM5\[Resource::.*:certificate/\*\]": (
        "ACM chooses the last part of its ARNs; the adapter deletes only what bears our tag."
    ),
    r"AwsSolutions-IAM5\[Resource::.*/(runs|records|reports|onboarding)/.*\*.*\]": (
        "The objects of our own bucket, by folder."
    ),
    r"AwsSolutions-IAM5\[Resource::.*:s3:::platform-trust/\*\]": (
        "CA bundles are read from the buckets that the settings allow, under any key."
    ),
    r"AwsSolutions-IAM5\[Resource::<Steps\w+\.Arn>:\*\]": (
        "An execution under way goes on with the function versions it began with."
    ),
    r"AwsSolutions-IAM5\[Resource::.*:execution:.*[:/}]\*\]": (
        "Executions of this machine, whose names are made when they start."
    ),
    "AwsSolutions-L1": "Python 3.13 is what the layer is built for; a newer one is chosen by hand.",
    "AwsSolutions-S1": (
        "One private bucket that only our functions use: data events in CloudTrail say who read it."
    ),
    "AwsSolutions-SF1": "Only errors are logged: events at every level would repeat the history.",
    "AwsSolutions-SQS3": "This queue is the dead-letter queue.",
}


# jsii's cache wants a home directory whose every parent is the user's or root's.
NO_CACHE = {"JSII_RUNTIME_PACKAGE_CACHE": "disabled"}


# W3005: the CDK's explicit DependsOn. The others compare the machine's date with the end of a
# runtime: they turn red on a day on which nothing of ours has changed.
NOT_CHECKED = ("W3005", "W2531", "E2531", "E2533")


def test_cfn_lint_finds_nothing(full_template: dict[str, Any], tmp_path: Path) -> None:
    """The template fits the CloudFormation schemas."""
    path = tmp_path / "template.json"
    path.write_text(json.dumps(full_template), encoding="utf-8")
    lint = Path(sys.executable).parent / "cfn-lint"
    options = ("--regions", "eu-west-1", "--format", "parseable", "--ignore-checks", *NOT_CHECKED)
    done = subprocess.run(
        [lint, *options, "--", path], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_finding_of_cdk_nag_is_meant(tmp_path: Path) -> None:
    """AWS's own solution rules find nothing but what we chose, each with its reason."""
    from aws_cdk import App, Validations
    from cdk_nag import AwsSolutionsChecks

    from stacks.certifier_stack import CertifierStack
    from stacks.settings import Settings

    app = App(context=context(**EVERY_SETTING), outdir=str(tmp_path))
    settings = Settings.from_context(app.node.get_all_context())
    CertifierStack(app, settings.stack, settings=settings)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text(encoding="utf-8"))
    (nag,) = [r for r in report["pluginReports"] if r["pluginName"] == "AwsSolutions"]
    found = {violation["ruleName"] for violation in nag["violations"]}
    explained = {rule: {f for f in found if re.fullmatch(rule, f)} for rule in MEANT}
    assert found - set().union(*explained.values()) == set()
    assert [rule for rule, findings in explained.items() if not findings] == []


@pytest.mark.slow
def test_synth_works_in_an_empty_room(tmp_path: Path) -> None:
    """No credentials, no git, no Docker and, where the system lets us take it away, no network."""
    node = shutil.which("node")
    assert node is not None
    path = tmp_path / "bin"
    path.mkdir()
    (path / "node").symlink_to(Path(node).resolve())
    out = tmp_path / "out"
    command = [str(ROOT / "node_modules/.bin/cdk"), "synth", "--quiet", "--output", str(out)]
    done = subprocess.run(
        [*_without_network(), *command],
        cwd=ROOT,
        env={"PATH": str(path), "HOME": str(tmp_path), **NO_CACHE},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    template = json.loads((out / "Certifier.template.json").read_text(encoding="utf-8"))
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert kinds >= {
        "AWS::DynamoDB::Table",
        "AWS::Events::Rule",
        "AWS::Lambda::Function",
        "AWS::Lambda::LayerVersion",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::Scheduler::Schedule",
        "AWS::StepFunctions::StateMachine",
    }


def test_wrong_settings_are_one_message_and_no_traceback() -> None:
    """Who deploys with a typing mistake reads what to do, not where Python was."""
    wrong = json.dumps({"certifier:bacth": 1, "certifier:log_days": 8})
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "CDK_CONTEXT_JSON": wrong},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "did you mean certifier:batch?" in done.stderr
    assert "certifier:log_days: must be one of" in done.stderr
    assert "Traceback" not in done.stderr


def _without_network() -> list[str]:
    """Return what to put before a command to run it without a network, where that is allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    prefix = [unshare, "--map-root-user", "--net"]
    works = subprocess.run([*prefix, "true"], capture_output=True, check=False, timeout=10)
    return prefix if works.returncode == 0 else []
