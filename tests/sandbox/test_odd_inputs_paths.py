"""What the machine hands to Select sources, and whose fault it is that it cannot."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from certifier.vocabulary import Metric
from sandbox.aws import Cloud, LambdaFault
from tests.scenarios.test_odd_inputs import LIMIT, start

Handler = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]


def answering(select: Handler) -> Any:
    """An account whose Select sources is that one."""
    return Cloud.start(hosts={}, handlers={"select_sources": select})


def test_what_select_sources_is_given_is_never_too_large() -> None:
    """What the names around it add would be States.DataLimitExceeded, which nobody can catch."""
    sizes = []

    def select(event: Mapping[str, Any], _context: Any) -> Mapping[str, Any]:
        sizes.append(len(json.dumps(event, ensure_ascii=False).encode()))
        return {"count": 0, "bucket": "b", "key": "k", "mode": "apply", "origin": "event"}

    with answering(select) as cloud:
        for character in ("x", "é", "漢", "\x00", '"'):
            wide = len(json.dumps(character, ensure_ascii=False).encode()) - 2
            for size in (250_000, 255_990, 256_100, 262_100):
                text = json.dumps({"n": character * (size // wide)}, ensure_ascii=False)
                assert start(cloud, text).status == "SUCCEEDED"
    assert len(sizes) == 20
    assert max(sizes) < LIMIT
    assert max(sizes) > 250_000


@pytest.mark.parametrize(
    ("error", "expected"),
    [("Runtime.UnmarshalError", "InvalidEvent"), ("Unexpected", "Unexpected")],
)
def test_what_the_runtime_cannot_read_is_the_callers_and_nothing_else_is(
    error: str, expected: str
) -> None:
    """JSON that is nested too deeply for Python; a bug of ours rings."""

    def select(_event: Mapping[str, Any], _context: Any) -> Mapping[str, Any]:
        raise LambdaFault(error, "Unable to unmarshal input: maximum recursion depth exceeded")

    with answering(select) as cloud:
        run = start(cloud, "{}")
        assert (run.status, run.error) == ("FAILED", expected)
        assert any(Metric.STARTS_REFUSED.value in line for line in cloud.log) == (
            expected == "InvalidEvent"
        )


def test_an_answer_of_ours_that_cannot_be_read_is_not_the_callers() -> None:
    """Step Functions names the field whose expression failed."""

    def select(_event: Mapping[str, Any], _context: Any) -> Mapping[str, Any]:
        return {"count": 0}

    with answering(select) as cloud:
        run = start(cloud, "{}")
        assert (run.status, run.error) == ("FAILED", "QueryEvaluationError")
        assert not any(Metric.STARTS_REFUSED.value in line for line in cloud.log)
