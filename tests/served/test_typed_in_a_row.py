"""The acts of the README, pasted as they stand: each run ends before the next act begins."""

import re

import pytest

from tests.docs.markdown import ROOT, blocks, read
from tests.served.conftest import Served

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
