"""Every event that starts the machine, and what it asks for."""

from typing import Any

import pytest

from certifier.errors import InvalidEvent
from certifier.source import Source, parse_source
from certifier.triggers import (
    AllDue,
    Everything,
    Named,
    NothingChanged,
    OfCertificate,
    OfHost,
    OfSecret,
    Onboarded,
    Registering,
    Request,
    affected_sources,
    parse_event,
    parse_registering,
)
from certifier.vocabulary import Mode, Origin

SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-AbCdEf"
OTHER = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:dms/orders-tls-GhIjKl"
ACM = "arn:aws:acm:eu-west-1:111122223333:certificate/1234"
SPEC: dict[str, Any] = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.abc.eu-west-1.rds.amazonaws.com",
    "ssl_mode": "require",
    "credentials": SECRET,
    "server_certificate": OTHER,
}


def label_updated(label: object = "AWSCURRENT", **more: Any) -> dict[str, Any]:
    return {
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "resources": [SECRET],
        "detail": {"name": "dms/orders", "labelUpdated": label, "versionId": "v"},
        **more,
    }


def cloudtrail(name: str, service_event: bool = False, **detail: Any) -> dict[str, Any]:
    kind = "Service Event" if service_event else "API Call"
    return {
        "source": "aws.secretsmanager",
        "detail-type": f"AWS {kind} via CloudTrail",
        "detail": {"eventSource": "secretsmanager.amazonaws.com", "eventName": name, **detail},
    }


DB = "arn:aws:rds:eu-west-1:111122223333:db:orders"


def rds(event_id: str = "RDS-EVENT-0501", **detail: Any) -> dict[str, Any]:
    return {
        "source": "aws.rds",
        "detail-type": "RDS DB Instance Event",
        "resources": [DB],
        "detail": {"EventID": event_id, "SourceIdentifier": "orders", **detail},
    }


ACM_EVENT = {
    "source": "aws.acm",
    "detail-type": "ACM Certificate Approaching Expiration",
    "resources": [ACM],
    "detail": {"DaysToExpiry": 31, "CommonName": "orders"},
}


@pytest.mark.parametrize(
    ("event", "request_"),
    [
        ({}, Request(AllDue(), origin=Origin.SCHEDULE)),
        (label_updated(), Request(OfSecret(SECRET))),
        (label_updated(["AWSCURRENT"]), Request(OfSecret(SECRET))),
        (
            cloudtrail("PutSecretValue", responseElements={"arn": SECRET}),
            Request(OfSecret(SECRET)),
        ),
        (cloudtrail("UpdateSecret", responseElements={"aRN": SECRET}), Request(OfSecret(SECRET))),
        (
            cloudtrail("PutSecretValue", requestParameters={"secretId": "dms/orders"}),
            Request(OfSecret("dms/orders")),
        ),
        (
            cloudtrail("RotationSucceeded", True, additionalEventData={"SecretId": SECRET}),
            Request(OfSecret(SECRET)),
        ),
        (
            cloudtrail(
                "UpdateSecretVersionStage",
                requestParameters={"secretId": "dms/orders"},
                responseElements={"arn": SECRET},
            ),
            Request(OfSecret(SECRET)),
        ),
        (ACM_EVENT, Request(OfCertificate(ACM))),
        (rds(), Request(OfHost("orders"))),
        (rds("RDS-EVENT-0502"), Request(OfHost("orders"))),
        (rds(SourceIdentifier=None), Request(OfHost("orders"))),
        (rds(SourceIdentifier=None, SourceArn=f"{DB}-1"), Request(OfHost("orders-1"))),
        ({"names": ["a", "b", "a"]}, Request(Named(("a", "b")), origin=Origin.DIRECT)),
        ({"all": True}, Request(Everything(), origin=Origin.DIRECT)),
        (
            {"all": True, "mode": "plan"},
            Request(Everything(), mode=Mode.PLAN, origin=Origin.DIRECT),
        ),
        ({"onboarded": "a-b.c"}, Request(Onboarded("a-b.c"), origin=Origin.DIRECT)),
    ],
)
def test_each_event_asks_for_something(event: object, request_: Request) -> None:
    """The schedule, every form of a secret's change, ACM, RDS, and the direct starts."""
    assert parse_event(event) == request_


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (None, "must be a JSON object"),
        ([], "must be a JSON object"),
        ("{}", "must be a JSON object"),
        ({"hello": "world"}, "hello: is not a known field"),
        ({"mode": "plan"}, "exactly one of names and all"),
        ({"names": ["a"], "all": True}, "exactly one of names and all"),
        ({"names": ["a"], "mode": "dry"}, "mode: must be 'apply' or 'plan'"),
        ({"names": ["a"], "mode": ["plan"]}, "mode: must be 'apply' or 'plan'"),
        ({"names": []}, "names: must be a list of names"),
        ({"names": "orders"}, "names: must be a list of names"),
        ({"names": [1]}, "names: must be a list of names"),
        ({"names": [f"n{i}" for i in range(1001)]}, "at most 1000"),
        ({"all": "yes"}, "all: must be true"),
        ({"sources": [SPEC]}, "sources: this state machine runs what is registered"),
        ({"sources": [SPEC], "mode": "plan"}, "the state machine Onboard registers"),
        ({"onboarded": "../orders"}, "onboarded: must be the name of an execution"),
        ({"onboarded": ["a"]}, "onboarded: must be the name of an execution"),
        ({"onboarded": "a", "mode": "apply"}, "onboarded: is not a known field"),
        (label_updated("AWSPENDING"), "only AWSCURRENT starts a run"),
        (label_updated(None), "only AWSCURRENT starts a run"),
        (label_updated(resources=[]), "resources: the Secret Label Updated event"),
        (cloudtrail("DeleteSecret"), "detail.eventName: must be one of"),
        (cloudtrail("PutSecretValue"), "detail: the AWS API Call via CloudTrail event"),
        ({**ACM_EVENT, "detail-type": "ACM Certificate Expired"}, "is not known"),
        ({**ACM_EVENT, "detail-type": "ACM Certificate Available"}, "detail.Action: must be one"),
        ({**ACM_EVENT, "resources": None}, "resources: the ACM"),
        (rds("RDS-EVENT-0001"), "detail.EventID: must be one of"),
        ({**rds(SourceIdentifier=None), "resources": []}, "detail.SourceIdentifier: the RDS"),
        ({**rds(SourceIdentifier=""), "resources": []}, "detail.SourceIdentifier: the RDS"),
        ({**rds(SourceIdentifier="a b"), "resources": []}, "detail.SourceIdentifier: the RDS"),
        ({**rds(), "detail-type": "RDS DB Cluster Event"}, "is not known"),
        ({"source": "aws.ec2", "detail-type": "x"}, "is not known"),
        ({"source": {}, "detail-type": []}, "is not known"),
        ({**label_updated(), "detail": "text"}, "only AWSCURRENT"),
        (cloudtrail("x", eventName=["PutSecretValue"]), "detail.eventName: must be one of"),
        ({**rds(), "detail": {"EventID": []}}, "detail.EventID: must be"),
        ({**rds(), "detail-type": 1}, "is not known"),
    ],
)
def test_everything_else_is_one_clear_error(event: object, problem: str) -> None:
    """It names the field and what is allowed."""
    with pytest.raises(InvalidEvent) as caught:
        parse_event(event)
    assert problem in str(caught.value)


@pytest.mark.parametrize("error", ["AccessDeniedException", "ResourceNotFoundException", ""])
def test_a_call_that_failed_runs_nothing(error: str) -> None:
    """Whoever may not write a secret can try, and CloudTrail delivers that too."""
    denied = cloudtrail(
        "PutSecretValue", errorCode=error, requestParameters={"secretId": "dms/orders-tls"}
    )
    assert parse_event(denied).choice == NothingChanged()
    good = cloudtrail("PutSecretValue", requestParameters={"secretId": "dms/orders-tls"})
    assert parse_event(good).choice == OfSecret("dms/orders-tls")


def test_every_mistake_of_every_source_is_reported_at_once() -> None:
    """Each sentence names the source by its place and the field, and echoes no value."""
    sources = [
        {**SPEC, "port": "hunter2"},
        {"name": "Orders", "password": "hunter2"},
        "hunter2",
        SPEC,
        {**SPEC, "endpoint": "ORDERS-source"},
    ]
    with pytest.raises(InvalidEvent) as caught:
        parse_registering({"sources": sources, "mode": "what"})
    reported = caught.value.problems
    for part in (
        "mode: ",
        "sources.0.port: ",
        "sources.1.name: ",
        "sources.1.host: is required",
        "sources.1.password: is not a known field",
        "sources.2.a source must be a JSON object",
        "sources: two of them have the name orders",
        "sources: two of them have the endpoint orders-source",
    ):
        assert any(problem.startswith(part) for problem in reported), part
    assert "hunter2" not in str(caught.value)


def test_sources_are_read_at_their_own_door() -> None:
    """Onboard takes sources and a mode, nothing else, and at least one source."""
    assert parse_registering({"sources": [SPEC]}) == Registering((parse_source(SPEC),))
    planned = parse_registering({"sources": [SPEC], "mode": "plan"})
    assert planned.mode is Mode.PLAN
    for event, problem in (
        ([], "must be a JSON object"),
        ({"sources": []}, "sources: must be a list of sources"),
        ({"sources": {}}, "sources: must be a list of sources"),
        ({"names": ["orders"]}, "names: is not a known field"),
        ({"sources": [SPEC], "onboarded": "a"}, "onboarded: is not a known field"),
    ):
        with pytest.raises(InvalidEvent) as caught:
            parse_registering(event)
        assert problem in str(caught.value)


def a_source(**fields: Any) -> Source:
    return parse_source({**SPEC, **fields})


FLEET = (
    a_source(),
    a_source(name="bundle", ca_bundle=SECRET, credentials=None, host="10.0.0.1"),
    a_source(name="other", credentials=OTHER, host="orders.example.com"),
    a_source(name="cluster", host="orders.cluster-x.eu-west-1.rds.amazonaws.com."),
    a_source(name="readers", host="orders.cluster-ro-x.eu-west-1.rds.amazonaws.com"),
    a_source(name="proxy", host="orders.proxy-x.eu-west-1.rds.amazonaws.com"),
)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (OfSecret(SECRET), ("bundle", "cluster", "orders", "proxy", "readers")),
        (OfSecret("dms/orders"), ("bundle", "cluster", "orders", "proxy", "readers")),
        (OfSecret("dms/orders-tls"), ("bundle", "cluster", "orders", "other", "proxy", "readers")),
        (OfSecret("dms/order"), ()),
        (OfSecret(SECRET[:-1]), ()),
        (OfCertificate(ACM), ("other",)),
        (OfHost("orders"), ("orders",)),
        (OfHost("Orders"), ("orders",)),
        (OfHost("order"), ()),
        (OfHost("orders-1", "Orders"), ("cluster", "readers")),
        (OfHost("orders", "orders"), ("cluster", "orders", "readers")),
        (OfHost("orders-1", "order"), ()),
    ],
)
def test_an_event_concerns_the_sources_that_use_the_thing(
    choice: OfSecret | OfCertificate | OfHost, names: tuple[str, ...]
) -> None:
    """A secret in any role, by ARN or name; an ACM certificate; an RDS host by its first label."""
    assert affected_sources(choice, FLEET, {"other": (ACM,), "orders": ()}) == names
