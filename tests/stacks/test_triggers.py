"""Which events start the machine, and which must not."""

import json
from typing import Any, cast

import pytest
from moto.events.models import EventPattern

from tests.stacks.conftest import EVERY_SETTING, flat, of_type, only, synthesize

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-tls-GhIjKl"
CERTIFICATE = "arn:aws:acm:eu-west-1:111122223333:certificate/0f1e2d3c"


def event(source: str, detail_type: str, resource: str = "", **detail: Any) -> dict[str, Any]:
    """Return an event as EventBridge hands it to rules."""
    return {
        "version": "0",
        "source": source,
        "detail-type": detail_type,
        "account": "111122223333",
        "region": "eu-west-1",
        "resources": [resource] if resource else [],
        "detail": detail,
    }


def label(*labels: str, name: str = "dms/orders-tls") -> dict[str, Any]:
    """Return the event of a secret's labels having moved."""
    return event(
        "aws.secretsmanager", "Secret Label Updated", SECRET, name=name, labelUpdated=[*labels]
    )


def matching(template: dict[str, Any], happened: dict[str, Any]) -> list[str]:
    """Return the rules that match the event."""
    return [
        name
        for name, rule in of_type(template, "AWS::Events::Rule").items()
        if EventPattern.load(_resolved(rule["EventPattern"])).matches_event(cast(Any, happened))
    ]


def _resolved(pattern: dict[str, Any]) -> str:
    """Return a pattern as CloudFormation makes it in the account of these events."""
    return json.dumps(pattern).replace('{"Ref": "AWS::AccountId"}', '"111122223333"')


@pytest.mark.parametrize(
    "happened",
    [
        label("AWSCURRENT"),
        event("aws.acm", "ACM Certificate Approaching Expiration", CERTIFICATE, DaysToExpiry=44),
        event("aws.acm", "ACM Certificate Available", CERTIFICATE, Action="RENEWAL"),
        event("aws.acm", "ACM Certificate Available", CERTIFICATE, Action="REIMPORT"),
        event("aws.rds", "RDS DB Instance Event", EventID="RDS-EVENT-0501"),
        event("aws.rds", "RDS DB Instance Event", EventID="RDS-EVENT-0502"),
    ],
)
def test_what_concerns_a_certificate_starts_one_run(
    template: dict[str, Any], happened: dict[str, Any]
) -> None:
    """A changed secret, an expiry, a renewal and a rotation by RDS are each matched by one rule.

    A renewal by an import over an old certificate may be our own: then Select sources runs nothing
    (``tests/scenarios/test_intended_in_acm.py``).
    """
    assert len(matching(template, happened)) == 1


@pytest.mark.parametrize(
    "happened",
    [
        event("aws.acm", "ACM Certificate Available", CERTIFICATE, Action="IMPORT"),
        event("aws.acm", "ACM Certificate Available", CERTIFICATE, Action="ISSUANCE"),
        event("aws.dms", "DMS Replication Endpoint State Change"),
        event("aws.dms", "DMS Replication Task State Change"),
        event("aws.states", "Step Functions Execution Status Change", status="SUCCEEDED"),
        event("aws.s3", "Object Created"),
        event(
            "aws.dms",
            "AWS API Call via CloudTrail",
            eventSource="dms.amazonaws.com",
            eventName="ModifyEndpoint",
        ),
    ],
)
def test_our_own_writes_start_nothing(template: dict[str, Any], happened: dict[str, Any]) -> None:
    """No rule matches what an import, a change of an endpoint or a run itself emits."""
    assert matching(template, happened) == []


@pytest.mark.parametrize(
    "happened",
    [
        label("AWSPENDING"),
        label("AWSCURRENT", name="billing/stripe"),
        label("AWSCURRENT", name="my-dms/orders"),
        event("aws.rds", "RDS DB Instance Event", EventID="RDS-EVENT-0006"),
        event("aws.rds", "RDS DB Cluster Event", EventID="RDS-EVENT-0501"),
        event("aws.acm", "ACM Certificate Expired", CERTIFICATE),
    ],
)
def test_what_is_none_of_our_business_starts_nothing(
    template: dict[str, Any], happened: dict[str, Any]
) -> None:
    """Another team's secret, a pending version or another RDS event is matched by no rule."""
    assert matching(template, happened) == []


def test_every_prefix_of_the_settings_is_listened_to() -> None:
    """Several prefixes are alternatives."""
    one = synthesize({"certifier:secret_prefixes": "dms/,pg-"})
    assert matching(one, label("AWSCURRENT", name="pg-orders"))
    assert matching(one, label("AWSCURRENT", name="dms/orders"))
    assert not matching(one, label("AWSCURRENT", name="orders"))


def test_events_are_passed_on_raw_with_retry_and_a_queue(template: dict[str, Any]) -> None:
    """Select sources gets the event itself; what cannot be delivered within a day is kept."""
    machine = next(iter(of_type(template, "AWS::StepFunctions::StateMachine")))
    queue = next(iter(of_type(template, "AWS::SQS::Queue")))
    for rule in of_type(template, "AWS::Events::Rule").values():
        (target,) = rule["Targets"]
        assert target["Arn"] == {"Ref": machine}
        assert not {"Input", "InputPath", "InputTransformer"} & target.keys()
        assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
        assert target["RetryPolicy"] == {
            "MaximumEventAgeInSeconds": 86400,
            "MaximumRetryAttempts": 10,
        }


def test_the_schedule_ticks_every_ten_minutes_with_an_empty_input(template: dict[str, Any]) -> None:
    """A tick says only "take what is due"; it is retried until the next one, then kept."""
    tick = only(template, "AWS::Scheduler::Schedule")
    queue = next(iter(of_type(template, "AWS::SQS::Queue")))
    assert tick["ScheduleExpression"] == "rate(10 minutes)"
    assert tick["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert tick["State"] == "ENABLED"
    assert json.loads(tick["Target"]["Input"]) == {}
    assert tick["Target"]["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 600,
        "MaximumRetryAttempts": 3,
    }
    assert tick["Target"]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}


def test_rules_may_write_to_the_queue_and_plain_text_may_not(template: dict[str, Any]) -> None:
    """Each rule is let in by its ARN; the scheduler's role has its own right."""
    policy = only(template, "AWS::SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    allowed = [s for s in policy if s["Effect"] == "Allow"]
    rules = of_type(template, "AWS::Events::Rule")
    assert {flat(s["Condition"]["ArnEquals"]["aws:SourceArn"]) for s in allowed} == {
        f"${{{name}.Arn}}" for name in rules
    }
    assert all(s["Principal"] == {"Service": "events.amazonaws.com"} for s in allowed)
    (denied,) = [s for s in policy if s["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_queue_keeps_its_messages_for_two_weeks_encrypted() -> None:
    """There is time to look, also after a holiday."""
    queue = only(synthesize(EVERY_SETTING), "AWS::SQS::Queue")
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True


def test_an_event_of_another_account_starts_nothing(template: dict[str, Any]) -> None:
    """A bus may take them: an instance of RDS is known by its name, which others have too."""
    ours = event("aws.rds", "RDS DB Instance Event", EventID="RDS-EVENT-0501")
    assert len(matching(template, ours)) == 1
    assert matching(template, {**ours, "account": "999988887777"}) == []
    for rule in of_type(template, "AWS::Events::Rule").values():
        assert rule["EventPattern"]["account"] == [{"Ref": "AWS::AccountId"}]
