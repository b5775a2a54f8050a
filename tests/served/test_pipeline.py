"""Whoever writes a pipeline tries it here: the commands of the guide, by the real ``aws`` command.

The definition of examples/onboarding is deployed into the served account, started, seen to succeed
and seen to be refused.
"""

import json
import re

import pytest

from tests.docs.markdown import ROOT, blocks, read
from tests.served.conftest import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GUIDE = read(ROOT / "docs/guide.md").partition("### 5. In your own pipeline")[2]
GUIDE = GUIDE.partition("\n## ")[0]
ENDS = "aws stepfunctions describe-execution --execution-arn"


def play(served: Served, block: str) -> str:
    """Run a block of the guide up to where it looks; the account is that of this test."""
    text = block.replace("build/sandbox/orders.json", f"{served.folder}/orders.json")
    text = text.replace("build/pipeline", f"{served.folder}/pipeline")
    text = re.sub(r"\.venv/bin/python -m sandbox", "SANDBOX", text)
    lines = [line for line in text.splitlines() if not line.startswith(ENDS)]
    before = [line for line in lines if line.startswith("SANDBOX")]
    for line in before:
        served.sandbox(*line.split()[1:])
    script = "\n".join(line for line in lines if line not in before)
    names = re.findall(r"^(\w+)=", script, re.MULTILINE)
    said = served.shell(
        "set -eo pipefail\n" + script + "".join(f'\necho "{n}=${n}"' for n in names)
    )
    for name in names:
        served.variables[name] = re.findall(rf"^{name}=(.+)$", said, re.MULTILINE)[-1]
    (look,) = [line for line in block.splitlines() if line.startswith(ENDS)] or [""]
    return look


def ended(served: Served) -> dict[str, str]:
    """What DescribeExecution says once the execution of the guide has ended."""

    def status() -> dict[str, str]:
        described: dict[str, str] = served.json(f'{ENDS} "$RUN"')
        return described

    served.until(lambda: status()["status"] != "RUNNING")
    return status()


def test_a_pipeline_of_ones_own_succeeds_and_is_refused(served: Served) -> None:
    """Deployed with the aws command, started: the endpoint's ARN; with a wrong CA: the reason."""
    deploy, first, second = blocks(GUIDE, "bash")
    play(served, deploy)

    look = play(served, first)
    run = ended(served)
    assert run["status"] == "SUCCEEDED", run
    shown = served.shell(look).split("\t")
    assert shown[0] == "SUCCEEDED"
    answer = json.loads(run["output"])
    endpoint = served.shell(
        "aws dms describe-endpoints --filters Name=endpoint-id,Values=orders-source"
        " --query 'Endpoints[0].[EndpointArn,CertificateArn,SslMode]' --output text"
    ).split("\t")
    assert [answer["endpoint_arn"], answer["certificate_arn"], "verify-full"] == endpoint
    assert answer["name"] == "orders"
    assert answer["days_left"] > 0

    look = play(served, second)
    run = ended(served)
    assert (run["status"], run["error"]) == ("FAILED", "NotCertified"), run
    assert run["cause"] == "orders: refused (chain_incomplete)"
    assert served.shell(look).split("\t") == ["FAILED", "NotCertified", run["cause"]]
    reasons = re.findall(r"`(orders: refused \(\w+\))`", GUIDE)
    assert reasons == [run["cause"]]
    assert served.status()["ssl_mode"] == "verify-full"
