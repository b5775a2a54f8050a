"""What a host of repositories reads: the workflow, the updates, the forms."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.markdown import ROOT, read

GITHUB = ROOT / ".github"
FORMS = [p for p in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) if p.stem != "config"]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_workflow_runs_what_a_laptop_runs() -> None:
    """`make test` on changes and on main, with no rights but to read, and within a time."""
    workflow = load(GITHUB / "workflows/test.yml")
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make test"]
    assert workflow["permissions"] == {"contents": "read"}
    assert job["timeout-minutes"] <= 60
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML reads `on` as true


def test_the_workflow_has_the_interpreters_that_make_test_asks_for() -> None:
    """PYTHONS of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (line,) = [line for line in makefile.splitlines() if line.startswith("PYTHONS ?= ")]
    steps = load(GITHUB / "workflows/test.yml")["jobs"]["test"]["steps"]
    (python,) = [step for step in steps if "setup-python" in step.get("uses", "")]
    versions = python["with"]["python-version"]
    assert set(versions.split()) == set(line.removeprefix("PYTHONS ?= ").split())


def test_every_lock_is_watched_for_updates() -> None:
    """Each folder with requirements, npm, and the actions themselves."""
    updates = load(GITHUB / "dependabot.yml")["updates"]
    folders = {
        (each["package-ecosystem"], folder)
        for each in updates
        for folder in each.get("directories", [each.get("directory")])
    }
    for file in (*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements.txt")):
        where = file.parent.relative_to(ROOT).as_posix()
        assert ("pip", "/" if where == "." else f"/{where}") in folders, file
    assert {("npm", "/"), ("github-actions", "/")} <= folders


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_is_complete(form: Path) -> None:
    """Name, description, and fields with an id, a label and at least one that is required."""
    read_form = load(form)
    assert read_form["name"]
    assert read_form["description"]
    fields = [each for each in read_form["body"] if each["type"] != "markdown"]
    ids = [each["id"] for each in fields]
    assert len(ids) == len(set(ids))
    assert all(each["attributes"]["label"] for each in fields)
    assert any(each.get("validations", {}).get("required") for each in fields)


def test_the_changelog_has_a_place_for_what_comes() -> None:
    """And the version of the package is not announced before it is released."""
    assert "\n## Unreleased\n" in read(ROOT / "CHANGELOG.md")
