"""Record certification, through its handler: evidence, memory, notices, and the end of a claim."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.certificate import bundle_digest
from certifier.diagnosis import finding
from certifier.endpoint.facts import EndpointFields
from certifier.errors import ClaimLost
from certifier.models import Fact
from certifier.ownership import CANARY_TAG, STACK_TAG, canary_resource, new_canary
from certifier.run.documents import Configured, Document, Plan, Refusal, UndoLog
from certifier.run.dossier import facts_in
from certifier.run.state import BadEnd, SourceState
from certifier.source import parse_source
from certifier.vocabulary import Cause, Decision, Outcome, SslMode, Witness
from certifier.window import AHEAD
from lambdas.record_certification import handler
from sandbox.dms import INSTANT, DmsStandIn, Switches
from sandbox.pki import Authority
from tests.aws.certifications import (
    ARN,
    BUNDLE,
    NEW_CA,
    NOW,
    OLD_CA,
    OLD_ROOT,
    SPEC,
    changed,
    dms_says,
    material,
    plan,
    probed,
    unchanged,
)

RUN = "arn:aws:states:eu-west-1:123456789012:execution:machine/Source:child-1"
OTHER = "arn:aws:states:eu-west-1:123456789012:execution:machine/Source:child-2"
PARENT = "arn:aws:states:eu-west-1:123456789012:execution:machine:parent-1"
TASK = "arn:aws:dms:eu-west-1:123456789012:task:TASK1"
LOG = UndoLog(
    endpoint_arn=ARN,
    endpoint_identifier="orders-source",
    fields=("ssl_mode", "certificate_arn"),
    old=EndpointFields(ssl_mode=SslMode.VERIFY_CA, certificate_arn=OLD_CA),
    new=EndpointFields(ssl_mode=SslMode.VERIFY_FULL, certificate_arn=NEW_CA),
    old_password_version="old-version",
    new_password_version="new-version",
    accepted=True,
)
SOURCE = parse_source(SPEC)
SALES = {**SPEC, "name": "sales", "endpoint": "sales-source"}


class World:
    """A registered and claimed source, and what people are notified of and metrics count."""

    def __init__(self, aws: boto3.Session, store: Store, documents: Documents, inbox: Any) -> None:
        self.store = store
        self.documents = documents
        self.now = NOW
        self.output = io.StringIO()
        self.inbox = inbox
        environ = {
            "TABLE": "certifier",
            "BUCKET": documents.bucket,
            "INSTALLATION": "Certifier",
            "TOPIC": inbox.topic,
            "BREAKER_LIMIT": "3",
            "POLICY": "{}",
        }
        self._handler = handler.bind(environ, session=aws, now=lambda: self.now)
        store.register(SOURCE, NOW)

    def claim(self, run: str = RUN) -> None:
        self.store.claim("orders", run, self.now, lambda _: None)

    def leave(self, run: str = RUN, **documents: Fact) -> None:
        for step, fact in documents.items():
            name = step.replace("__", "-")
            self.documents.write(run.rsplit(":", 1)[-1], Document(name, type(fact)), fact)

    def record(
        self,
        problem: dict[str, str] | None = None,
        run: str = RUN,
        mode: str = "apply",
        spec: dict[str, Any] = SPEC,
    ) -> str:
        source = {"name": spec["name"], "spec": spec, "version": 1}
        event = {
            "run": run,
            "parent": PARENT,
            "mode": mode,
            "origin": "direct",
            "source": source,
            "problem": problem,
        }
        with redirect_stdout(self.output):
            outcome: str = self._handler(event, None)["outcome"]
        return outcome

    def state(self) -> SourceState:
        state = self.store.state("orders")
        assert state is not None
        return state

    def notices(self) -> list[str]:
        return [subject for subject, _ in self.inbox.received()]

    def kept(self, key: str) -> dict[str, Any]:
        body = self.documents.get(f"{key}.json")
        assert body is not None
        record: dict[str, Any] = json.loads(body)
        return record


@pytest.fixture
def world(aws: boto3.Session, clients: Clients, store: Store, bucket: str, inbox: Any) -> World:
    made = World(aws, store, Documents(clients.client("s3"), bucket), inbox)
    made.claim()
    return made


@pytest.fixture
def standin(aws: boto3.Session) -> Iterator[DmsStandIn]:
    standin = DmsStandIn(clock=NOW.timestamp, durations=INSTANT, resolve={})
    with standin.installed():
        yield standin


def test_a_certified_change_is_kept_as_evidence(world: World) -> None:
    """The record says what was verified, by whom, with which CA, and over which TLS."""
    world.store.hold("orders", RUN).write_undo(LOG)
    world.leave(**changed())
    assert world.record() == "certified"
    record = world.kept("records/orders/20261124T090000Z-child-1")
    assert record["format"] == "certifier.certification/2"
    assert record["outcome"] == "certified"
    whole = {"connected": True, "encrypted": True, "chain": True, "host_name": True}
    assert record["verified"] == {"probe": whole, "rehearsal": whole, "dms_test": whole}
    assert record["changed"]
    assert record["endpoint"]["fields"]["ssl_mode"] == "verify-full"
    assert record["trust"]["digest"] == bundle_digest(BUNDLE)
    assert record["trust"]["anchors"][0]["subject"].startswith("CN=Example root 2026")
    assert record["probe"]["evidence"]["tls"]["version"] == "TLSv1.3"
    assert record["probe"]["evidence"]["login"]["session_ssl"] is True
    assert [test["subject"] for test in record["tests"]] == [
        "endpoint before the change",
        "canary with the new settings",
        "endpoint with its target settings",
    ]
    assert record["tasks"]["stopped_seconds"] == 41.0
    assert record["next_due"] == "2026-11-25T09:00:00Z"
    page = world.documents.get("records/orders/20261124T090000Z-child-1.html") or b""
    assert b"certified" in page
    assert b"orders.db.example.com" in page


def test_what_a_certified_run_remembers(world: World) -> None:
    """The next run finds endpoint, CA, password version and expiry without asking anybody."""
    world.store.hold("orders", RUN).write_undo(LOG)
    world.leave(**changed())
    world.record()
    state = world.state()
    assert state.claim is None
    assert state.outcome is Outcome.CERTIFIED
    assert state.certified_at == NOW
    assert state.endpoint_arn == ARN
    assert state.certificate_arn == NEW_CA
    assert state.certificate_digest == bundle_digest(BUNDLE)
    assert state.applied is not None
    assert state.applied.ssl_mode is SslMode.VERIFY_FULL
    assert state.applied_version == "new-version"
    assert state.ssl_mode == "verify-full"
    assert state.expires is not None
    assert state.expires.startswith("served certificate")
    assert state.due_at == NOW + timedelta(days=1)
    assert state.record == "records/orders/20261124T090000Z-child-1"
    assert world.store.undo("orders") is None
    assert world.notices() == []


def test_the_report_gets_the_outcome(world: World) -> None:
    """The parent's report learns the outcome, the worst finding and where the record lies."""
    soon = finding(Cause.CERTIFICATE_EXPIRES_SOON, place=Witness.PROBE, seen="in 12 days")
    world.leave(**unchanged(probe_tls=probed(findings=(soon,))))
    world.record()
    word = world.documents.child_outcomes("parent-1")["orders"]
    assert word.outcome is Outcome.CERTIFIED
    assert (word.cause, word.seen) == (Cause.CERTIFICATE_EXPIRES_SOON, "in 12 days")
    assert word.record == "records/orders/20261124T090000Z-child-1"
    assert word.days_left is not None


def metrics_in(text: str) -> list[tuple[str, dict[str, str], list[float]]]:
    """Return what CloudWatch makes of a log: each metric's name, dimensions and values.

    The form is that of "CloudWatch embedded metric format specification".
    """
    found = []
    for line in map(json.loads, (line for line in text.splitlines() if "_aws" in line)):
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for keys in directive["Dimensions"]:
                dimensions = {key: line[key] for key in keys}
                found += [(m["Name"], dimensions, line[m["Name"]]) for m in directive["Metrics"]]
    return found


def test_more_sources_are_no_more_metrics(world: World) -> None:
    """Each metric with its dimensions is paid for by the month: all are of the installation."""
    world.store.register(parse_source(SALES), NOW)
    world.store.claim("sales", OTHER, NOW, lambda _: None)
    world.leave(**unchanged())
    world.leave(OTHER, **unchanged())
    world.record()
    world.record(run=OTHER, spec=SALES)
    metrics = metrics_in(world.output.getvalue())
    assert len(metrics) == 10
    assert {(name, *dimensions.items()) for name, dimensions, _ in metrics} == {
        (name, ("service", "certifier"))
        for name in ("Certified", "PendingRestarts", "LateCertificates", "DaysLeft", "ShareLeft")
    }
    record = world.kept("records/orders/20261124T090000Z-child-1")
    (values,) = {tuple(values) for name, _, values in metrics if name == "DaysLeft"}
    assert values == (record["days_left"],)


def test_a_second_call_answers_the_same(world: World) -> None:
    """After a lost answer nobody is notified twice, and the outcome is written."""
    refusal = Refusal(
        findings=(finding(Cause.HOSTNAME_MISMATCH, place=Witness.PROBE, seen="wrong name"),)
    )
    world.leave(read_material=material(), probe_tls__refused=refusal)
    problem = {"error": "Refused", "cause": "hostname_mismatch"}
    assert world.record(problem) == "refused"
    before = world.state()
    assert len(world.notices()) == 1
    world.now += timedelta(minutes=1)
    assert world.record(problem) == "refused"
    assert world.state() == before
    assert world.notices() == []
    word = world.documents.child_outcomes("parent-1")["orders"]
    assert word.cause is Cause.HOSTNAME_MISMATCH


def test_a_refusal_notifies_once_and_its_end_too(world: World) -> None:
    """People hear of it on change: when it begins, and when the source is certified again."""
    problem = {"error": "Refused", "cause": "no_private_key"}
    refusal = Refusal(
        findings=(finding(Cause.NO_PRIVATE_KEY, place=Witness.INTAKE, seen="no key"),)
    )
    for run in (RUN, OTHER):
        world.claim(run)
        world.leave(run, read_material__refused=refusal)
        assert world.record(problem, run=run) == "refused"
    assert world.notices() == ["Certifier eu-west-1: orders refused: no_private_key"]
    assert world.state().due_at == NOW + timedelta(days=1)
    world.claim(f"{RUN}-3")
    world.leave(f"{RUN}-3", **unchanged())
    assert world.record(run=f"{RUN}-3") == "certified"
    assert world.notices() == ["Certifier eu-west-1: orders is certified again"]


def test_an_endpoint_that_was_rolled_back_keeps_its_old_password_version(world: World) -> None:
    """What was rolled back is what is remembered, and the undo log is gone."""
    world.store.hold("orders", RUN).write_undo(LOG)
    back = Configured(endpoint=material().endpoint, rolled_back=True, settled=True)
    documents = changed(
        **{
            "test_connection-new": dms_says(False, "FATAL:  no pg_hba.conf entry\x1b[31m"),
            "configure_endpoint-roll_back": back,
            "test_connection-old": dms_says(),
        }
    )
    world.leave(**documents)
    assert world.record() == "rolled_back"
    state = world.state()
    assert state.applied_version == "old-version"
    assert state.certified_at is None
    assert world.store.undo("orders") is None
    assert [end.source for end in world.store.breaker().ends] == ["orders"]
    record = world.kept(state.record or "")
    assert (record["changed"], record["rolled_back"]) == (False, True)
    assert "\x1b" not in json.dumps(record["tests"], ensure_ascii=False)
    (subject,) = world.notices()
    assert subject.startswith("Certifier eu-west-1: orders rolled back")


def test_the_third_bad_end_opens_the_breaker_and_notifies(world: World) -> None:
    """Whose end opens the breaker says so, once."""
    for i in range(2):
        end = {"at": NOW.isoformat(), "source": f"s{i}", "run": f"r{i}"}
        after = world.store.breaker().after(BadEnd.model_validate(end), 3)
        world.store._table.write(put_breaker(world.store._table, after))
    world.store.hold("orders", RUN).write_undo(LOG)
    world.leave(**changed(**{"test_connection-new": dms_says(False)}))
    assert world.record({"error": "Unexpected", "cause": "KeyError"}) == "failed"
    assert "Certifier eu-west-1: changes are stopped" in world.notices()
    assert world.store.breaker().opened_by == RUN
    assert world.store.undo("orders") == LOG


def test_a_task_that_waits_for_a_restart_notifies_at_once_and_is_due_in_ten_minutes(
    world: World,
) -> None:
    """A source with a task that does not run again is not certified, and needs a person now."""
    world.store.hold("orders", RUN).pause(TASK, NOW)
    world.leave(**unchanged())
    assert world.record() == "task_stopped"
    state = world.state()
    assert state.due_at == NOW + timedelta(minutes=10)
    assert state.pending_restarts == (TASK,)
    (subject,) = world.notices()
    assert subject == "Certifier eu-west-1: orders: task TASK1 IS STOPPED"


def test_who_asks_while_a_run_is_under_way_gets_another(world: World) -> None:
    """Record leaves a due time alone that somebody wrote since the claim."""
    world.store.set_due(["orders"], NOW + timedelta(minutes=1))
    world.leave(**unchanged())
    world.record()
    assert world.state().due_at == NOW + timedelta(minutes=1)


def test_plan_mode_keeps_its_record_and_touches_nothing_else(world: World) -> None:
    """No claim, no memory, no notice; the record says what a run would do."""
    before = world.state()
    world.leave(
        OTHER,
        read_material=material(),
        probe_tls=probed(),
        plan_changes=plan(Decision.PLANNED),
    )
    assert world.record(run=OTHER, mode="plan") == "planned"
    assert world.state() == before
    assert world.notices() == []
    word = world.documents.child_outcomes("parent-1")["orders"]
    record = world.kept(word.record or "")
    assert record["mode"] == "plan"
    assert [change["field"] for change in record["changes"]] == ["ssl_mode", "certificate"]
    assert record["next_due"] is None


def test_a_run_that_lost_its_claim_writes_its_outcome_only(world: World) -> None:
    """Another execution owns the source: nothing is kept, remembered or sent."""
    world.leave(OTHER, **unchanged())
    with pytest.raises(ClaimLost):
        world.record(run=OTHER)
    assert world.documents.child_outcomes("parent-1")["orders"].outcome is Outcome.DEFERRED
    assert world.documents.keys("records/") == []
    assert world.state().claim is not None


def test_a_run_that_finishes_another_is_due_at_once(world: World) -> None:
    """The tail proves the endpoint; the full run, which reads material, follows at once."""
    world.store.hold("orders", RUN).write_undo(LOG)
    world.store.claim(
        "orders", OTHER, NOW + timedelta(minutes=5), lambda _: NOW + timedelta(minutes=1)
    )
    world.leave(OTHER, test_connection__new=dms_says())
    world.now = NOW + timedelta(minutes=6)
    assert world.record(run=OTHER) == "certified"
    state = world.state()
    assert state.due_at == world.now
    assert state.applied_version == "new-version"
    assert state.certified_at is None
    assert [f.cause for f in state.findings] == [Cause.INTERRUPTED_RUN_FINISHED]


def test_an_endpoint_of_another_source_is_not_remembered(world: World) -> None:
    """Who was refused because the endpoint is taken does not adopt it by the way."""
    taken = finding(Cause.ENDPOINT_TAKEN, place=Witness.INTAKE, seen="it belongs to sales")
    world.leave(read_material=material(findings=(taken,)))
    assert world.record({"error": "Refused", "cause": "endpoint_taken"}) == "refused"
    assert world.state().endpoint_arn is None


def test_a_closed_window_is_waited_for(world: World) -> None:
    """The source is due ahead of the opening of its window, if that is before tomorrow."""
    opens = NOW + timedelta(hours=3)
    waits = Plan(decision=Decision.PLANNED, opens_at=opens)
    world.leave(read_material=material(), probe_tls=probed(), plan_changes=waits)
    assert world.record() == "planned"
    assert world.state().due_at == opens - AHEAD
    assert world.state().opens_at == opens


CANARY = new_canary("Certifier", "orders")
TAGS = {CANARY_TAG: "orders", STACK_TAG: "Certifier"}


def a_canary(aws: boto3.Session, resource: str = canary_resource(CANARY), **changes: str) -> Any:
    tags = {**TAGS, **changes}
    client: Any = aws.client("dms")
    client.create_endpoint(
        EndpointIdentifier=CANARY,
        ResourceIdentifier=resource,
        EndpointType="source",
        EngineName="postgres",
        ServerName="orders.db.example.com",
        Port=5432,
        Username="dms",
        Password="x",
        DatabaseName="orders",
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    return client


def test_a_canary_left_behind_is_deleted(
    world: World, standin: DmsStandIn, aws: boto3.Session
) -> None:
    """What the rehearsal could not delete goes now, and is forgotten only then."""
    world.store.hold("orders", RUN).note_canary(CANARY)
    client = a_canary(aws)
    world.leave(**unchanged())
    assert world.record() == "certified"
    assert world.state().canary is None
    answer = client.describe_endpoints()["Endpoints"]
    assert [e for e in answer if e["Status"] != "deleting"] == []


@pytest.mark.parametrize(
    "other", [{STACK_TAG: "Other"}, {CANARY_TAG: "sales"}, {"resource": "THEIRS"}]
)
def test_what_only_has_the_canarys_identifier_stays(
    world: World, standin: DmsStandIn, aws: boto3.Session, other: dict[str, str]
) -> None:
    """It is of another installation or source, or has an ARN that we do not make: not ours."""
    world.store.hold("orders", RUN).note_canary(CANARY)
    client = a_canary(aws, **other)
    world.leave(**unchanged())
    assert world.record() == "certified"
    assert world.state().canary is None
    (left,) = client.describe_endpoints()["Endpoints"]
    assert left["Status"] != "deleting"


def test_a_canary_that_is_being_tested_stays_and_is_said(world: World, aws: boto3.Session) -> None:
    """DMS deletes no endpoint under test: the record says so, and the source is due again soon."""
    world.store.hold("orders", RUN).note_canary(CANARY)
    strict = Switches(delete_while_testing_accepted=False)
    late = replace(INSTANT, testing=3600.0)
    standin = DmsStandIn(clock=NOW.timestamp, switches=strict, durations=late, resolve={})
    with standin.installed():
        client = a_canary(aws)
        standin.judge = lambda _: ""
        instance = standin.add_instance("ri")
        arn = client.describe_endpoints()["Endpoints"][0]["EndpointArn"]
        client.test_connection(EndpointArn=arn, ReplicationInstanceArn=instance)
        world.leave(**unchanged())
        assert world.record() == "certified"
    state = world.state()
    assert state.canary == CANARY
    assert [found.cause for found in state.findings] == [Cause.CANARY_LEFT]
    assert state.due_at == NOW


def test_a_ca_that_was_never_there_before_notifies(world: World) -> None:
    """Whoever can write the bundle can make DMS trust anybody, so a person hears of it, once."""
    world.leave(**unchanged())
    world.record()
    assert world.notices() == []
    both = BUNDLE + OLD_ROOT.certificate_pem.decode()
    for run in (OTHER, f"{RUN}-3"):
        world.claim(run)
        world.leave(run, **unchanged(read_material=material(bundle_pem=both)))
        world.record(run=run)
    assert world.notices() == ["Certifier eu-west-1: orders certified: new_trust_anchor"]
    assert len(world.state().anchors) == 2


def test_every_new_ca_is_notified_once_however_many_came_before(world: World) -> None:
    """By its fingerprint: the second one is not taken for the first, which has the same cause."""
    world.leave(**unchanged())
    world.record()
    bundle = BUNDLE
    fingerprints = []
    for number in range(3):
        root = Authority.root(f"Somebody {number}", not_before=NOW)
        bundle += root.certificate_pem.decode()
        fingerprints += [facts.sha256 for facts in facts_in(root.certificate_pem.decode())]
        run = f"{RUN}-{number + 2}"
        world.claim(run)
        world.leave(run, **unchanged(read_material=material(bundle_pem=bundle)))
        world.record(run=run)
        assert world.notices() == ["Certifier eu-west-1: orders certified: new_trust_anchor"]
    assert set(fingerprints) < set(world.state().anchors)
    assert world.state().notified == {}


def test_a_ca_of_which_nobody_could_be_notified_stays_new(world: World, clients: Clients) -> None:
    """As long as the topic is gone, every run finds it again."""
    world.leave(**unchanged())
    world.record()
    known = world.state().anchors
    clients.client("sns").delete_topic(TopicArn=world.inbox.topic)
    both = BUNDLE + OLD_ROOT.certificate_pem.decode()
    for run in (OTHER, f"{RUN}-3"):
        world.claim(run)
        world.leave(run, **unchanged(read_material=material(bundle_pem=both)))
        world.record(run=run)
        assert Cause.NEW_TRUST_ANCHOR in [f.cause for f in world.state().findings]
    assert world.state().anchors == known


def test_a_topic_that_is_gone_does_not_hold_up_the_recording(
    world: World, clients: Clients
) -> None:
    """The source is recorded and released; the record says that nobody was notified, and a metric
    does, on which there is an alarm.
    """
    clients.client("sns").delete_topic(TopicArn=world.inbox.topic)
    refusal = Refusal(
        findings=(finding(Cause.NO_PRIVATE_KEY, place=Witness.INTAKE, seen="no key"),)
    )
    world.leave(read_material__refused=refusal)
    assert world.record({"error": "Refused", "cause": "no_private_key"}) == "refused"
    state = world.state()
    assert state.claim is None
    assert state.notified == {}
    assert state.findings[-1].cause is Cause.AWS_DENIED
    assert "could not be notified" in state.findings[-1].seen
    counted = {name: values for name, _, values in metrics_in(world.output.getvalue())}
    assert counted["NoticesUnsent"] == [1]
