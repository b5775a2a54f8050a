"""What a reader pastes or breaks in a served account, and what they see then."""

import re
import time

import pytest

from sandbox.aws.cloud import TICK_MINUTES
from tests.docs.markdown import ROOT, blocks, read
from tests.docs.shell import commands
from tests.served.conftest import SPEED, Served

RUNBOOK = read(ROOT / "docs/operate/runbook.md")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_rotation_succeeds_and_then_one_is_rolled_back(served: Served) -> None:
    """As the README says above the block; what a person would be sent says so too."""
    (block,) = (b for b in blocks(read(ROOT / "README.md"), "sh") if "break-after-change" in b)
    served.shell(f"certifier certify {served.folder}/orders.json")
    pasted = re.sub(r"-m sandbox (\w+)", rf"-m sandbox \1 --folder {served.folder}", block)
    pasted = pasted.replace(".venv/bin/python", "$PYTHON")
    served.variables["PYTHON"] = str(ROOT / ".venv/bin/python")
    done = served.run(pasted)
    assert done.returncode == 0, done.stderr
    runs = [run for run in served.json("certifier history orders --json") if not run["plan"]]
    outcomes = [run["outcome"] for run in reversed(runs)]
    assert outcomes[0] == "certified"
    assert "rolled_back" in outcomes, done.stdout
    assert "failed" not in outcomes
    assert "orders rolled back" in done.stdout


def test_a_schedule_that_somebody_disabled_starts_nothing(served: Served) -> None:
    """The runbook's command shows it, and so does the doctor: what NoTicks is about."""
    (line,) = (one for one in commands(RUNBOOK) if "list-schedules" in one)
    name, state = served.shell(line).split("\t")
    assert state == "ENABLED"
    target = served.shell(f"aws scheduler get-schedule --name {name} --query Target")
    served.shell(
        f"aws scheduler update-schedule --name {name} --state DISABLED --flexible-time-window"
        f" Mode=OFF --schedule-expression 'rate(10 minutes)' --target '{target}'"
    )
    assert served.shell(line) == f"{name}\tDISABLED"
    seen = served.run("certifier doctor").stdout
    assert re.search(r"^schedule\tnot ok\tdisabled", seen, re.MULTILINE), seen
    machine = served.shell(
        "aws cloudformation describe-stacks --stack-name Certifier --output text"
        " --query \"Stacks[0].Outputs[?OutputKey=='StateMachine'].OutputValue\""
    )
    count = f"aws stepfunctions list-executions --state-machine-arn {machine}"
    before = len(served.json(count)["executions"])
    time.sleep(3 * TICK_MINUTES * 60 / SPEED)
    assert len(served.json(count)["executions"]) == before
