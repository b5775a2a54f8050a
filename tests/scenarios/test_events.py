"""What machines hear: the events on the bus, as a rule's target gets them."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.run.announcement import OF_OUTCOME, DetailType, event_schema
from certifier.run.state import BadEnd, Breaker
from sandbox.aws import Cloud
from sandbox.aws.calls import Kind
from sandbox.pki import Authority
from sandbox.world import ENDPOINT, NAME, PAIR, World
from tests.scenarios.live import Live, is_canary

OURS: Mapping[str, Any] = {"source": ["certifier"]}
SCHEMA = Draft202012Validator(event_schema())


class Heard:
    """A queue behind a rule, as a team would make one; by default, of all events of ours.

    Args:
        transformer: what the rule makes of an event for its target.
    """

    def __init__(
        self,
        cloud: Cloud,
        bus: str = "default",
        *,
        pattern: Mapping[str, Any] = OURS,
        transformer: Mapping[str, Any] | None = None,
    ) -> None:
        self._sqs = cloud.session.client("sqs")
        self._url = self._sqs.create_queue(QueueName="heard")["QueueUrl"]
        asked = {"QueueUrl": self._url, "AttributeNames": ["QueueArn"]}
        (arn,) = self._sqs.get_queue_attributes(**asked)["Attributes"].values()
        target = {"Id": "queue", "Arn": arn}
        if transformer is not None:
            target["InputTransformer"] = transformer
        events = cloud.session.client("events")
        events.put_rule(Name="heard", EventBusName=bus, EventPattern=json.dumps(pattern))
        events.put_targets(Rule="heard", EventBusName=bus, Targets=[target])

    def raw(self) -> list[dict[str, Any]]:
        """What the target got since the last look."""
        found = []
        asked = {"QueueUrl": self._url, "MaxNumberOfMessages": 10}
        while got := self._sqs.receive_message(**asked).get("Messages"):
            for message in got:
                found.append(json.loads(message["Body"]))
                handle = message["ReceiptHandle"]
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=handle)
        return found

    def events(self) -> list[dict[str, Any]]:
        """The same, each matched by the published schema."""
        found = self.raw()
        for event in found:
            SCHEMA.validate(event)
        return found

    def types(self) -> list[str]:
        """The detail-types of the events since the last look."""
        return [event["detail-type"].removeprefix("Certification ") for event in self.events()]


@pytest.fixture
def world() -> Iterator[World]:
    with World.start() as started:
        yield started


@pytest.fixture
def heard(world: World) -> Heard:
    return Heard(world.cloud)


def causes(event: Mapping[str, Any]) -> set[str]:
    return set(event["detail"]["causes"])


def test_a_certification_is_one_event_with_all_that_a_pipeline_needs(
    world: World, heard: Heard
) -> None:
    """Name, endpoint, mode, dates, execution, and the record that is really there."""
    run = world.onboard()
    (event,) = heard.events()
    detail = event["detail"]
    endpoint = world.endpoint()
    assert endpoint is not None
    assert event["detail-type"] == "Certification Succeeded"
    assert event["source"] == "certifier"
    assert event["resources"] == [endpoint["EndpointArn"]]
    assert (detail["name"], detail["outcome"], detail["cause"]) == (NAME, "certified", None)
    assert detail["endpoint_arn"] == endpoint["EndpointArn"]
    assert detail["certificate_arn"] == endpoint["CertificateArn"]
    assert detail["ssl_mode"] == "verify-full"
    assert detail["run"] == run.child(NAME).arn
    assert detail["days_left"] > 0
    assert 0 < detail["share_left"] <= 1
    bucket, key = detail["record"].removeprefix("s3://").split("/", 1)
    body = world.cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert json.loads(body)["run"] == detail["run"]


def test_every_certification_has_an_event_and_attention_one_beside_it(
    world: World, heard: Heard
) -> None:
    """Certified again: one. A new CA that nobody has trusted before: a second one says so."""
    world.onboard()
    assert heard.types() == ["Succeeded"]
    world.cloud.tick(minutes=24 * 60)
    assert heard.types() == ["Succeeded"]
    world.renew()
    first, second = heard.events()
    assert first["detail-type"] == "Certification Succeeded"
    assert second["detail-type"] == "Certification Needs Attention"
    assert first["detail"] == second["detail"]
    assert "new_trust_anchor" in causes(second)
    world.recertify()
    assert heard.types() == ["Succeeded"]


def test_a_refusal_names_its_causes_and_nothing_that_the_server_said(
    world: World, heard: Heard
) -> None:
    """The outcome, every cause, and one line in our own words."""
    pair = {**world.pair(), "ca": Authority.root("Another CA").certificate_pem.decode()}
    world.cloud.put_secret(PAIR, pair)
    world.onboard()
    refused, attention = heard.events()
    assert refused["detail-type"] == "Certification Refused"
    assert attention["detail-type"] == "Certification Needs Attention"
    detail = refused["detail"]
    assert detail["summary"] == f"orders refused: {detail['cause']}"
    assert detail["cause"] == detail["causes"][0]
    assert detail["endpoint_arn"] is None
    assert "Another CA" not in json.dumps({**detail, "expires": None})


def test_an_expiry_needs_attention_when_people_are_notified_of_it(
    world: World, heard: Heard
) -> None:
    """Not every day: in the rhythm of the notices."""
    world.issue(not_after=world.cloud.clock.now() + timedelta(days=40))
    world.serve()
    world.put_pair()
    world.onboard()
    assert heard.types() == ["Succeeded"]
    world.cloud.tick(minutes=24 * 60 * 31)
    _, second = heard.events()
    assert second["detail-type"] == "Certification Needs Attention"
    assert second["detail"]["cause"] == "certificate_expires_soon"
    assert second["detail"]["days_left"] < 10
    world.cloud.tick(minutes=24 * 60)
    assert heard.types() == ["Succeeded"]


def test_the_same_tick_twice_sends_one(world: World, heard: Heard) -> None:
    """Two deliveries of one tick: the second finds nothing due."""
    world.onboard()
    heard.events()
    world.cloud.clock.advance(minutes=24 * 60)
    first = world.cloud.tick(minutes=0, wait=False)
    second = world.cloud.tick(minutes=0, wait=False)
    first.wait()
    second.wait()
    assert heard.types() == ["Succeeded"]


@pytest.mark.parametrize("kind", [Kind.BEFORE, Kind.THROTTLE, Kind.AFTER])
def test_a_record_that_is_called_again_sends_nothing_twice(
    world: World, heard: Heard, kind: Kind
) -> None:
    """The step fails once its event is on the bus, and the machine calls it again."""
    world.cloud.faults.inject("dynamodb", "TransactWriteItems", kind, caller="record_certification")
    run = world.onboard()
    assert run.status == "SUCCEEDED"
    assert heard.types() == ["Succeeded"]
    sent = world.cloud.calls.of("events", operation="PutEvents")
    assert len(sent) == 1


def test_the_events_of_ours_start_nothing(world: World, heard: Heard) -> None:
    """After a certification no execution follows but the one that was asked for."""
    run = world.onboard()
    assert heard.types() == ["Succeeded"]
    started = {each.arn for each in world.cloud.executions}
    assert started == {run.arn, *(c.arn for c in run.children)} | {
        each for each in started if each.rsplit(":", 1)[-1] == run.run_id
    }


@pytest.mark.parametrize("kind", [Kind.BEFORE, Kind.THROTTLE])
def test_a_bus_that_does_not_answer_holds_up_nothing(
    world: World, heard: Heard, kind: Kind
) -> None:
    """Certified all the same, with a warning in the record; the next run has its event."""
    world.cloud.faults.inject("events", "PutEvents", kind)
    run = world.onboard()
    assert run.status == "SUCCEEDED"
    assert heard.types() == []
    (found,) = world.record()["findings"]
    assert (found["cause"], found["severity"]) == ("aws_unavailable", "warning")
    assert "not on the bus" in found["seen"]
    world.recertify()
    assert heard.types() == ["Succeeded"]


def test_a_bus_that_is_not_ours_to_write_to_is_a_warning_in_the_record() -> None:
    """Denied, not held up: the source is certified, the claim released."""
    denied = {"EVENT_BUS": "somebody-elses"}
    with World.start(environment=denied) as world:
        run = world.onboard()
        assert run.status == "SUCCEEDED"
        assert world.outcome() == "certified"
        (found,) = world.record()["findings"]
        assert (found["cause"], found["severity"]) == ("aws_denied", "warning")
        assert "event-bus/somebody-elses" in found["seen"]
        assert world.unfinished() == []


def test_what_nobody_could_be_notified_of_is_on_the_bus() -> None:
    """The topic is denied, the bus is not: machines hear of it at once."""
    denied = {"TOPIC": "arn:aws:sns:eu-west-1:123456789012:somebody-elses"}
    with World.start(environment=denied) as world:
        heard = Heard(world.cloud)
        world.onboard()
        assert heard.types() == ["Succeeded"]
        world.renew()
        assert heard.types() == ["Succeeded", "Needs Attention"]
        assert "aws_denied" in world.causes()


def test_another_bus_can_be_chosen() -> None:
    """By the setting; the default bus hears nothing then."""
    with World.start(settings={"event_bus": "platform"}) as world:
        world.cloud.session.client("events").create_event_bus(Name="platform")
        heard = Heard(world.cloud, "platform")
        world.onboard()
        assert heard.types() == ["Succeeded"]


def test_plan_mode_sends_nothing(world: World, heard: Heard) -> None:
    """Nothing was certified; a pipeline reads the answer of the machine."""
    world.cloud.run({"sources": [world.source()], "mode": "plan"})
    assert heard.events() == []


def test_every_outcome_has_its_detail_type(live: Live) -> None:
    """Succeeded, Planned, Rolled Back, Failed, Refused, Deferred: each of them on the bus.

    A stopped task has its own below.
    """
    heard = Heard(live.cloud)
    live.certified()
    live.change(restart_tasks=later(live))
    live.fails("timeout expired", lambda one: not is_canary(one) and changed(one))
    live.change()
    assert live.outcome == "rolled_back"
    rolled_back = heard.events()
    assert [one["detail"]["outcome"] for one in rolled_back if outcome(one)] == [
        "certified",
        "planned",
        "rolled_back",
    ]
    live.cloud.tick(minutes=24 * 60)
    live.fails("timeout expired", is_canary)
    live.change()
    assert live.outcome == "refused"
    live.fails("timeout expired", lambda one: one["EndpointIdentifier"] == ENDPOINT)
    live.change()
    assert live.outcome == "failed"
    opened_breaker(live)
    live.fails("", lambda _: False)
    live.change()
    assert live.outcome == "deferred"
    types = [one["detail-type"] for one in (*rolled_back, *heard.events()) if outcome(one)]
    known = {each.value for each in OF_OUTCOME.values()}
    assert known - {DetailType.TASK_STOPPED.value} == set(types)


def test_tasks_that_wait_for_a_restart_are_named(live: Live) -> None:
    """At once, with their ARNs; and once more nobody is bothered while nothing changes."""
    heard = Heard(live.cloud)
    live.certified()
    live.dms.set_task(live.task, start_failure="the slot is in use")
    live.change()
    *_, stopped, attention = heard.events()
    assert stopped["detail-type"] == DetailType.TASK_STOPPED
    assert attention["detail-type"] == "Certification Needs Attention"
    assert attention["detail"]["pending_restarts"] == 1
    assert attention["detail"]["pending_restart_arns"] == [live.task]
    live.tick()
    assert "Needs Attention" not in heard.types()


def outcome(event: Mapping[str, Any]) -> bool:
    return bool(event["detail-type"] != DetailType.NEEDS_ATTENTION)


def changed(endpoint: Mapping[str, Any]) -> bool:
    return bool(endpoint["SslMode"] == "verify-full")


def later(live: Live) -> str:
    """A window that opens in five hours."""
    opens = live.cloud.clock.now() + timedelta(hours=5)
    closes = opens + timedelta(hours=2)
    return f"{opens:%a} {opens:%H:%M}-{closes:%H:%M} UTC"


def opened_breaker(live: Live) -> None:
    store = Store(live.cloud.client("dynamodb"), live.cloud.table)
    now = live.cloud.clock.now()
    known = store.breaker().version
    opened = Breaker(open_since=now, ends=(BadEnd(at=now, source="x", run="y"),), version=known)
    store._table.write(put_breaker(store._table, opened))
