"""Whatever somebody gives the machine who may start it: a refused start, which rings no alarm."""

import json
import uuid
from collections.abc import Iterator, Mapping

import pytest

from certifier.vocabulary import Metric
from sandbox.aws import Cloud, Execution

LIMIT = 262_144
"""Bytes of an input, and of what a task is given (Step Functions guide, "Quotas")."""


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud.start(hosts={}) as one:
        yield one


def start(cloud: Cloud, text: str) -> Execution:
    """Start Run with an input as it is typed."""
    arn = cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.machine_arn, name=str(uuid.uuid4()), input=text
    )["executionArn"]
    return Execution(arn, cloud).wait()


INPUTS: Mapping[str, str] = {
    "as large as an input may be": json.dumps({"names": ["x" * (LIMIT - 20)]}),
    "large, not ASCII": json.dumps({"names": ["é" * 131_000]}, ensure_ascii=False),
    "large, of escapes": json.dumps({"names": ["\x00" * 43_600]}),
    "nested": f'{{"names": {"[" * 900}{"]" * 900}}}',
    "null": "null",
    "a number": "1e400",
    "not a number": "NaN",
    "a list": '[{"names": ["orders"]}]',
    "infinite": '{"names": [1e400]}',
    "an infinite mode": '{"all": true, "mode": 1e400}',
    "a long name": json.dumps({"names": ["x" * 60_000]}),
    "no name": '{"names": [""]}',
    "half a character": '{"names": ["\\ud800"]}',
    "an execution of half a character": '{"onboarded": "\\ud800"}',
    "an execution with a control": '{"onboarded": "a\\u0000"}',
    "an execution that is a pattern": '{"onboarded": "*"}',
    "an error": '{"Error": "States.ALL", "Cause": "x"}',
    "an answer": '{"errorType": "Unexpected", "errorMessage": "x"}',
    "a long field": json.dumps({"k" * 60_000: 1}),
    "many fields": json.dumps({f"k{n}": n for n in range(15_000)}),
    "a field of half a character": '{"\\ud800": 1}',
    "a mode that is a list": '{"all": true, "mode": ["plan"]}',
    "names that are not a list": '{"names": {"orders": 1}}',
}


@pytest.mark.parametrize("text", INPUTS.values(), ids=INPUTS)
def test_an_odd_input_is_a_refused_start(cloud: Cloud, text: str) -> None:
    """It has the error of a typing mistake, and is counted as its caller's."""
    since = len(cloud.log)
    run = start(cloud, text)
    assert (run.status, run.error) == ("FAILED", "InvalidEvent"), run.cause
    assert any(Metric.STARTS_REFUSED.value in line for line in cloud.log[since:])
