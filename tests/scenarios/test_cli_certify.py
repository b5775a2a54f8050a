"""``certifier certify`` against the whole workflow: start, follow, and how it ended."""

import argparse
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from certifier.cli import certify
from certifier.cli.following import UNSEEN_POLLS
from certifier.triggers import NAMES_AT_ONCE, SOURCES_AT_ONCE
from sandbox.aws.deploy import STACK
from sandbox.world import NAME, World

Certify = Callable[..., int]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch) -> Certify:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*argv: str) -> int:
        parser = argparse.ArgumentParser()
        certify.register(parser.add_subparsers())
        where = ("--region", world.cloud.region, "--stack", STACK)
        args = parser.parse_args(["certify", *where, *argv])
        return certify.run(args, sleep=lambda _: _moment())

    return call


def _moment() -> None:
    """Let the machine's threads work, for less than the command would wait."""
    threading.Event().wait(0.05)


def written(folder: Path, *sources: dict[str, Any]) -> str:
    file = folder / "orders.json"
    file.write_text(json.dumps(sources[0] if len(sources) == 1 else sources))
    return str(file)


def test_a_file_is_planned_certified_and_then_known_by_name(
    world: World, command: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan changes nothing; the run shows outcome and evidence; then the name suffices."""
    file = written(tmp_path, world.source())
    assert command("--plan", file) == 0
    out = capsys.readouterr().out
    assert f"{NAME}  would be created" in out
    assert world.cloud.dms.endpoints() == []
    assert command(file) == 0
    out = capsys.readouterr().out
    assert f"{NAME}: certified" in out
    assert f"{NAME}  certified  verify-full" in out
    assert "days left" in out
    assert f"certifier open {NAME} --stack" in out
    assert "report: certifier open certify-" in out
    assert command("--json", NAME) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["status"] == "SUCCEEDED"
    assert payload["summary"]["lines"][0]["outcome"] == "certified"


def test_a_refusal_exits_with_one_and_says_why(
    world: World, command: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cause, what was seen, and what to do."""
    nowhere = world.source(name="nowhere", endpoint="nowhere-source", host="nowhere.invalid")
    assert command(written(tmp_path, nowhere)) == 1
    out = capsys.readouterr().out
    assert "nowhere  refused" in out
    assert "error: secret_disagrees" in out
    assert "    do    " in out


def test_detach_only_starts(
    world: World, command: Certify, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints the execution, whoever wants to can follow it."""
    assert command("--detach", "--plan", "--all") == 0
    arn = capsys.readouterr().out.strip()
    (execution,) = (each for each in world.cloud.executions if each.arn == arn)
    execution.wait()  # what goes on in the background would be counted by another test


def test_an_execution_that_is_not_visible_yet_is_followed(
    world: World, command: Certify, capsys: pytest.CaptureFixture[str]
) -> None:
    """Step Functions may not know for some seconds what it has started."""
    world.onboard()
    world.cloud.hide_executions(8)
    try:
        assert command(NAME) == 0
    finally:
        world.cloud.hide_executions(0)
    assert f"{NAME}  certified" in capsys.readouterr().out


def test_an_execution_that_never_becomes_visible_is_given_up(
    world: World, command: Certify, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a minute, with its name, so that it can be looked for."""
    world.cloud.hide_executions(10**9)
    try:
        assert command("--plan", "--all") == 1
    finally:
        world.cloud.hide_executions(0)
    said = capsys.readouterr().err
    assert "not known to Step Functions yet, and no longer followed; go on with\n" in said
    assert "  certifier watch certify-" in said
    asked = [call for call in world.cloud.calls if call.operation == "DescribeExecution"]
    assert len(asked) >= UNSEEN_POLLS
    for execution in world.cloud.executions:
        execution.wait()


def test_more_sources_than_an_execution_takes_are_refused_before_anything_starts(
    world: World, command: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, with what there is, what fits, and what to do."""
    many = [world.source(name=f"s-{n}", endpoint=f"e-{n}") for n in range(700)]
    before = len(world.cloud.executions)
    assert command(written(tmp_path, *many)) == 2
    err = capsys.readouterr().err
    assert err.startswith("certifier certify: 700 sources at once are too many")
    assert "portions" in err
    assert err.count("\n") == 1
    assert len(world.cloud.executions) == before


def test_more_sources_than_the_machines_take_are_refused_before_anything_starts(
    world: World, command: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However few characters they have: an execution would start, and refuse them."""
    small = {"host": "h", "ssl_mode": "require"}
    many = [{"name": f"s{n}", "endpoint": f"e{n}", **small} for n in range(SOURCES_AT_ONCE + 1)]
    before = len(world.cloud.executions)
    assert command(written(tmp_path, *many)) == 2
    assert command(*(f"s{n}" for n in range(NAMES_AT_ONCE + 1))) == 2
    assert capsys.readouterr().err.splitlines() == [
        "certifier certify: 501 sources at once are too many: the request may name 500;"
        " certify them in about 2 portions",
        "certifier certify: 1,001 sources at once are too many: the request may name 1,000;"
        " certify them in about 2 portions",
    ]
    assert len(world.cloud.executions) == before


def test_mistakes_of_all_files_are_reported_before_anything_starts(
    world: World, command: Certify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with its file and field, and no value of it."""
    (tmp_path / "bad.json").write_text('{"name": "Bad Name", "password": "hunter2"}')
    (tmp_path / "torn.json").write_text("{")
    before = len(world.cloud.executions)
    many = written(tmp_path, world.source(), world.source(port="hunter2"))
    files = [str(tmp_path / "bad.json"), str(tmp_path / "torn.json"), many]
    assert command(*files) == 1
    err = capsys.readouterr().err
    assert "bad.json: name: must match" in err
    assert "bad.json: password: is not a known field" in err
    assert "torn.json: is not JSON: it cannot be read at line 1, column " in err
    assert "orders.json[1]: port:" in err
    assert "hunter2" not in err
    assert len(world.cloud.executions) == before


@pytest.mark.parametrize(
    "argv", [(), ("orders", "--all"), ("orders", "x.json"), ("none.json",), ("/nowhere/x",)]
)
def test_wrong_usage_is_one_line(
    command: Certify, capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    """Exit status 2, and what to do."""
    assert command(*argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("certifier certify: ")
    assert err.count("\n") == 1
