"""``certifier watch NAME`` right after a start: an execution is not always visible at once."""

import argparse
import threading
from collections.abc import Callable, Iterator

import pytest

from certifier.cli import watch
from certifier.cli.following import UNSEEN_POLLS
from sandbox.aws.deploy import STACK
from sandbox.world import NAME, World

Watch = Callable[..., tuple[int, int]]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World.start() as started:
        started.onboard()
        yield started
        started.cloud.hide_executions(0)


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Return the exit status, and how often the command has waited."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")

    def call(execution: str) -> tuple[int, int]:
        waited: list[float] = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            threading.Event().wait(0.05)  # the machine's threads work meanwhile

        parser = argparse.ArgumentParser()
        watch.register(parser.add_subparsers())
        where = ("--region", world.cloud.region, "--stack", STACK)
        args = parser.parse_args(["watch", *where, execution])
        return watch.run(args, sleep=wait), len(waited)

    return call


def test_an_execution_that_is_not_visible_yet_is_watched(
    world: World, command: Watch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that certify prints when it gives up must not say that there is none."""
    world.cloud.hide_executions(8)
    status, waited = command(world.cloud.run({"all": True}, wait=False).arn.rpartition(":")[2])
    said = capsys.readouterr()
    assert (status, waited > 0) == (0, True)
    assert f"{NAME}  certified" in said.out
    assert said.err.count("not known to Step Functions yet") == 1


@pytest.mark.parametrize("form", ["{name}", "arn:aws:states:eu-west-1:1:execution:Other:{name}"])
def test_an_execution_that_is_never_visible_is_looked_for_in_vain(
    world: World, command: Watch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """For a minute, when it could be one of ours; an ARN of another machine cannot."""
    world.cloud.hide_executions(0)
    status, waited = command(form.format(name="nosuch"))
    assert (status, waited) == (1, UNSEEN_POLLS if form == "{name}" else 0)
    assert "Step Functions knows no execution of that name" in capsys.readouterr().err
