"""``status --group`` and ``report --group``: a team sees its own sources alone."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from certifier.aws.store import Store
from certifier.cli import report, status
from certifier.run.state import Recording
from certifier.source import parse_source
from certifier.vocabulary import Outcome
from tests.aws.certifications import SPEC
from tests.aws.test_cli_fleet import RUN, STACK

NOW = datetime.now(UTC)


@pytest.fixture
def fleet(
    aws: boto3.Session, table: str, bucket: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sources of payments by their tag, one of orders by its name."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("COLUMNS", "200")
    aws.client("cloudformation").create_stack(StackName="Certifier", TemplateBody=json.dumps(STACK))
    for name, group in (("orders-1", "payments"), ("bills-1", "payments"), ("orders-2", None)):
        store.register(parse_source({**SPEC, "name": name, "endpoint": f"{name}-source"}), NOW)
        store.claim(name, RUN, NOW, lambda _: None)
        done = Recording(
            outcome=Outcome.CERTIFIED,
            at=NOW,
            due_at=NOW + timedelta(days=1),
            state={"group": group},
        )
        store.hold(name, RUN).record(done, breaker_limit=3)


def run(module: ModuleType, *words: str) -> int:
    parser = argparse.ArgumentParser()
    module.register(parser.add_subparsers())
    name = module.__name__.rpartition(".")[2]
    args: Any = parser.parse_args([name, "--region", "eu-west-1", *words])
    code: int = module.run(args)
    return code


@pytest.mark.parametrize(
    ("group", "names"),
    [("payments", ["bills-1", "orders-1"]), ("orders", ["orders-2"]), ("nobody", [])],
)
def test_status_of_a_group(
    fleet: None, capsys: pytest.CaptureFixture[str], group: str, names: list[str]
) -> None:
    """Its sources alone, and each says which group it is in."""
    assert run(status, "--json", "--group", group) == 0
    sources = json.loads(capsys.readouterr().out)["sources"]
    assert sorted(each["name"] for each in sources) == names
    assert {each["group"] for each in sources} <= {group}


def test_a_page_of_a_group(fleet: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """To be sent to a team; a group that nobody is in is a mistake."""
    page = tmp_path / "page.html"
    assert run(report, "--output", str(page), "--group", "payments") == 0
    html = page.read_text()
    assert 'id="s-orders-1"' in html
    assert 'id="s-bills-1"' in html
    assert "orders-2" not in html
    capsys.readouterr()
    assert run(report, "--output", str(page), "--group", "payment") == 2
    assert capsys.readouterr().err == "certifier report: no source is in the group payment\n"
