"""What the events on the bus say, and their published schema."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from certifier.cli import main
from certifier.diagnosis import finding
from certifier.endpoint.facts import EndpointFields
from certifier.run.announcement import (
    NAMED_RESTARTS,
    OF_OUTCOME,
    DetailType,
    announcements,
    event_schema,
)
from certifier.run.record import Certification, EndpointRecord, TaskRecord
from certifier.vocabulary import Cause, Mode, Origin, Outcome, Severity, SslMode, Witness

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
RUN = "arn:aws:states:eu-west-1:123456789012:execution:machine/Source:child-1"
PARENT = "arn:aws:states:eu-west-1:123456789012:execution:machine:parent-1"
ARN = "arn:aws:dms:eu-west-1:123456789012:endpoint:ABCDEFGHIJ"


def record(outcome: Outcome = Outcome.CERTIFIED, **fields: Any) -> Certification:
    return Certification(
        source="orders",
        version=1,
        spec={},
        run=RUN,
        parent=PARENT,
        mode=Mode.APPLY,
        origin=Origin.SCHEDULE,
        outcome=outcome,
        recorded_at=NOW,
        **fields,
    )


def events(made: Certification, *, attention: bool = False) -> list[dict[str, Any]]:
    """As a target gets them, but for what EventBridge adds."""
    return [
        {
            "source": "certifier",
            "detail-type": each.detail_type.value,
            "resources": list(each.resources),
            "detail": json.loads(each.detail.model_dump_json()),
        }
        for each in announcements(
            made,
            where="s3://b/records/orders/x.json",
            installation="Certifier",
            attention=attention,
        )
    ]


def seen(cause: Cause, severity: Severity = Severity.WARNING) -> Any:
    return finding(cause, place=Witness.PROBE, seen="as seen", severity=severity)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_detail_type_that_the_schema_knows(outcome: Outcome) -> None:
    """One event each, valid, even when the run has seen nothing at all."""
    (event,) = events(record(outcome))
    Draft202012Validator(event_schema()).validate(event)
    assert event["detail-type"] == OF_OUTCOME[outcome]
    assert event["detail"]["outcome"] == outcome.value
    assert event["resources"] == []


def test_what_needs_a_person_is_a_second_event_with_the_same_detail() -> None:
    """The outcome comes first."""
    first, second = events(record(findings=(seen(Cause.NEW_TRUST_ANCHOR),)), attention=True)
    assert (first["detail-type"], second["detail-type"]) == (
        DetailType.SUCCEEDED,
        DetailType.NEEDS_ATTENTION,
    )
    assert first["detail"] == second["detail"]


def test_causes_are_errors_first_each_once_and_advice_is_left_out() -> None:
    """The first one is the cause, and in the summary."""
    found = (
        seen(Cause.NOTHING_VERIFIED, Severity.ADVICE),
        seen(Cause.KEY_TOO_SMALL),
        seen(Cause.HOSTNAME_MISMATCH, Severity.ERROR),
        seen(Cause.KEY_TOO_SMALL),
    )
    (event,) = events(record(Outcome.ROLLED_BACK, findings=found))
    assert event["detail"]["causes"] == ["hostname_mismatch", "key_too_small"]
    assert event["detail"]["cause"] == "hostname_mismatch"
    assert event["detail"]["summary"] == "orders rolled back: hostname_mismatch"


def test_an_event_is_bounded() -> None:
    """EventBridge takes 256 KB: every cause there is, and a thousand tasks, are far from it."""
    waiting = tuple(f"arn:aws:dms:eu-west-1:123456789012:task:{n:026}" for n in range(1000))
    every = tuple(seen(cause) for cause in Cause)
    (event,) = events(record(findings=every, tasks=TaskRecord(pending_restarts=waiting)))
    assert event["detail"]["pending_restarts"] == 1000
    assert len(event["detail"]["pending_restart_arns"]) == NAMED_RESTARTS
    assert len(json.dumps(event)) < 16 * 1024


def test_rules_can_match_an_event_by_the_endpoint() -> None:
    """Its ARN is among the resources, as AWS's own events have it."""
    endpoint = EndpointRecord(
        arn=ARN,
        identifier="orders-source",
        engine="postgres",
        fields=EndpointFields(ssl_mode=SslMode.VERIFY_FULL),
        settings_digest="d",
    )
    (event,) = events(record(endpoint=endpoint))
    assert event["resources"] == [ARN] == [event["detail"]["endpoint_arn"]]
    assert event["detail"]["ssl_mode"] == "verify-full"


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({"detail-type": "Certification Perhaps"}, False),
        ({"source": "aws.dms"}, False),
        ({"detail": {}}, False),
        ({"account": "123456789012", "region": "eu-west-1"}, True),
    ],
)
def test_the_schema_tells_an_event_of_ours(change: dict[str, Any], valid: bool) -> None:
    """By source, detail-type and format; what EventBridge adds is allowed."""
    (event,) = events(record())
    changed = {**event, **change}
    if valid:
        Draft202012Validator(event_schema()).validate(changed)
    else:
        with pytest.raises(ValidationError):
            Draft202012Validator(event_schema()).validate(changed)


def test_a_reader_of_this_format_accepts_what_a_later_version_adds() -> None:
    """New fields may come; another format may not."""
    (event,) = events(record())
    detail = event["detail"]
    validator = Draft202012Validator(event_schema())
    assert validator.is_valid({**event, "detail": {**detail, "new": 1}})
    assert not validator.is_valid({**event, "detail": {**detail, "format": "certifier.event/2"}})


def test_the_schema_is_printed_and_published(capsys: pytest.CaptureFixture[str]) -> None:
    """The command and the file in the reference say the same."""
    assert main(["schema", "event"]) == 0
    printed = json.loads(capsys.readouterr().out)
    published = json.loads((ROOT / "docs/reference/event.schema.json").read_text("utf-8"))
    assert printed == published == json.loads(json.dumps(event_schema()))
