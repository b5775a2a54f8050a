"""In somebody's own stack, in somebody's own app, and without the CDK at all."""

import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stacks.template import NAME, main, write
from tests.stacks.conftest import ROOT, context, flat, of_type, statements


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """A stack of another team's, with a queue of theirs, in an app without our cdk.json."""
    from aws_cdk import App, Stack
    from aws_cdk import aws_sqs as sqs
    from aws_cdk.assertions import Template

    from stacks.certifier import Certifier
    from stacks.settings import Settings

    app = App(context={"aws:cdk:bundling-stacks": []})
    stack = Stack(app, "Platform")
    sqs.Queue(stack, "Theirs")
    made = Certifier(stack, "Certifier", settings=Settings(secret_prefixes=("dms/",)))
    assert made.run.state_machine_arn != made.onboard.state_machine_arn
    template: dict[str, Any] = Template.from_stack(stack).to_json()
    return template


def kinds(template: dict[str, Any]) -> Counter[str]:
    return Counter(resource["Type"] for resource in template["Resources"].values())


def test_the_construct_brings_the_same_resources(
    theirs: dict[str, Any], template: dict[str, Any]
) -> None:
    """All that the stack has, and their queue beside it."""
    more = kinds(theirs) - kinds(template)
    assert more == {"AWS::SQS::Queue": 1}
    assert kinds(template) - kinds(theirs) == {}
    assert theirs["Outputs"].keys() == template["Outputs"].keys()


def plain(value: Any) -> str:
    """A value without the names that depend on where it stands."""
    text = json.dumps(value, sort_keys=True)
    return re.sub(r"(Certifier|Platform)?[A-Za-z]+[0-9A-F]{8}\w*", "ID", text)


def test_its_grants_and_machines_do_not_depend_on_the_flags_of_our_app(
    theirs: dict[str, Any], template: dict[str, Any]
) -> None:
    """Whatever flags an app has, the rights are the same, and the definition has its writer."""
    actions = [
        {
            str(action)
            for statement in statements(one)
            for action in (
                statement["Action"]
                if isinstance(statement["Action"], list)
                else [statement["Action"]]
            )
        }
        for one in (theirs, template)
    ]
    assert actions[0] == actions[1]
    for one in (theirs, template):
        machines = of_type(one, "AWS::StepFunctions::StateMachine").values()
        assert any("ResultWriter" in flat(m["DefinitionString"]) for m in machines)


def test_two_in_one_stack_are_refused() -> None:
    """Tags and metrics are by the name of the stack: one stack is one installation."""
    from aws_cdk import App, Stack
    from aws_cdk.assertions import Template

    from stacks.certifier import Certifier
    from stacks.settings import Settings

    stack = Stack(App(context={"aws:cdk:bundling-stacks": []}), "Platform")
    for name in ("One", "Two"):
        Certifier(stack, name, settings=Settings(secret_prefixes=("dms/",)))
    with pytest.raises(Exception, match="StateMachine"):
        Template.from_stack(stack)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template and its archives, without the layer's own content."""
    return write(tmp_path_factory.mktemp("template"), context())


def test_a_template_for_who_has_no_cdk(written: Path, template: dict[str, Any]) -> None:
    """The same resources, no bootstrapped account, and its archives beside it."""
    read = json.loads(written.read_text("utf-8"))
    assert kinds(read) == kinds(template)
    assert "cdk-" not in json.dumps(read["Resources"])
    assert "Parameters" not in read
    assert "Rules" not in read
    functions = of_type(read, "AWS::Lambda::Function").values()
    (code,) = {properties["Code"] for properties in functions}
    with zipfile.ZipFile(written.parent / code) as archive:
        names = set(archive.namelist())
    assert {"lambdas/_step.py", "certifier/steps/report.py"} <= names
    assert not any(name.startswith(("stacks", "certifier/cli")) for name in names)
    for layer in of_type(read, "AWS::Lambda::LayerVersion").values():
        assert zipfile.is_zipfile(written.parent / layer["Content"])


def test_another_deletion_policy_alone_is_an_update(
    template: dict[str, Any], trial: dict[str, Any], written: Path
) -> None:
    """`retain_data` on its own reaches the table: CloudFormation may take no policy by itself."""
    without_cdk = json.loads(written.read_text("utf-8"))
    said = []
    for one in (template, without_cdk, trial):
        (table,) = [r for r in one["Resources"].values() if r["Type"] == "AWS::DynamoDB::Table"]
        said.append({k: v for k, v in table["Metadata"].items() if not k.startswith("aws:")})
    assert said[0] == said[1] == {"certifier:retain_data": "true"}
    assert said[2] == {"certifier:retain_data": "false"}


def test_the_same_content_is_the_same_archive(written: Path, tmp_path: Path) -> None:
    """Who packages again uploads nothing new."""
    again = write(tmp_path, context())
    assert again.name == NAME
    for path in written.parent.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_the_command_says_what_is_wrong_with_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it, and nothing is written."""
    given = [str(tmp_path / "out"), "certifier:batch=0", "certifier:nothing=1"]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "certifier:batch" in said
    assert "certifier:nothing" in said
    assert not (tmp_path / "out").exists()


def test_the_makefile_writes_it() -> None:
    """By the name that the documents give."""
    text = (ROOT / "Makefile").read_text("utf-8")
    assert "$(PYTHON) -m stacks.template" in text
