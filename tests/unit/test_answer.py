"""What the machines answer: bounded, those that need a person first, the same in a cause."""

import json
from datetime import UTC, datetime

import pytest

from certifier.run.answer import (
    CAUSE_ROOM,
    OUTPUT_ROOM,
    REASON_LIMIT,
    failed_cause,
    reason_of,
    run_answer,
)
from certifier.run.summary import Line, Summary
from certifier.vocabulary import Outcome
from lambdas.report import ANSWER_LIMIT

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
STATE_LIMIT = 256 * 1024
CAUSE_LIMIT = 32_768  # characters (Step Functions API, SensitiveCause)
ARN = "arn:aws-us-gov:dms:us-gov-west-1:123456789012:"


def line(name: str, outcome: Outcome = Outcome.CERTIFIED) -> Line:
    return Line(
        name=name,
        outcome=outcome,
        cause="certificate_expires_soon",
        endpoint_arn=f"{ARN}endpoint:{'E' * 26}",
        certificate_arn=f"{ARN}cert:{'C' * 26}",
        days_left=12,
        record=f"records/{name}/20261124T090000Z-{'r' * 73}",
    )


def summary(*lines: Line, failed: str = "") -> Summary:
    return Summary(execution="arn:x", reported_at=NOW, failed=failed, lines=lines)


def test_the_endpoint_of_each_source_can_be_gone_on_from() -> None:
    """ARNs, days, record: what the next step of a pipeline needs."""
    (one,) = run_answer(summary(line("orders")), "reports/x").model_dump(mode="json")["sources"]
    assert one == {
        "name": "orders",
        "outcome": "certified",
        "cause": "certificate_expires_soon",
        "endpoint_arn": f"{ARN}endpoint:{'E' * 26}",
        "certificate_arn": f"{ARN}cert:{'C' * 26}",
        "days_left": 12,
        "record": f"records/orders/20261124T090000Z-{'r' * 73}",
        "opens_at": None,
    }


def test_a_fleet_fits_and_those_that_need_a_person_come_first() -> None:
    """Of a thousand sources as many as there is room for; the counts are of all."""
    many = [line(f"{'s' * 36}{n:04}") for n in range(999)]
    whole = summary(*many, line("z", Outcome.REFUSED), failed="z: refused")
    answer = run_answer(whole, "reports/x")
    assert answer.sources[0].name == "z"
    assert 300 < len(answer.sources) < 1000
    assert answer.counts == {"certified": 999, "refused": 1}
    # The machine holds the answer, and the Lambda's answer around it.
    assert len(answer.model_dump_json()) <= OUTPUT_ROOM + 200 < ANSWER_LIMIT < STATE_LIMIT


def test_a_cause_has_the_same_and_stays_a_cause() -> None:
    """Nested in DescribeExecution's answer, where each quotation mark is two characters."""
    many = [line(f"{'s' * 36}{n:04}", Outcome.REFUSED) for n in range(1000)]
    cause = failed_cause(summary(*many, failed="é" * 50_000), "reports/x")
    assert len(cause) <= CAUSE_LIMIT
    assert len(json.dumps({"Cause": cause})) < STATE_LIMIT
    read = json.loads(cause)
    assert len(read["reason"]) <= REASON_LIMIT
    assert len(read["sources"]) > 20
    assert len(json.dumps(read["sources"])) <= CAUSE_ROOM * 1.1
    assert read["counts"] == {"refused": 1000}
    assert read["report"] == "reports/x"


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (failed_cause(summary(failed='a: "b"'), "r"), 'a: "b"'),
        ("plain words", "plain words"),
        ('{"errorMessage": "x"}', '{"errorMessage": "x"}'),
        ('{"reason": 1}', '{"reason": 1}'),
        ("[]", "[]"),
        ("", ""),
    ],
)
def test_people_read_the_reason_alone(cause: str, said: str) -> None:
    """Whatever is not an answer of ours is shown as it is."""
    assert reason_of(cause) == said
