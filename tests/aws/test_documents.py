"""Documents, manifests, outcomes and CA bundles in S3; executions; messages."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.s3 import JSON, Bucket, BundleObject, Documents
from certifier.aws.sns import Topic
from certifier.aws.states import States
from certifier.errors import Unexpected
from certifier.models import Finding
from certifier.run.documents import MATERIAL, PROBED, Material
from certifier.run.state import Claim
from certifier.run.summary import ChildOutcome
from certifier.vocabulary import Cause, Outcome


@pytest.fixture
def documents(clients: Clients, bucket: str) -> Documents:
    return Documents(clients.client("s3"), bucket)


def test_what_a_step_found_is_read_back(documents: Documents) -> None:
    """A document is the very value that was written; one that is missing is none."""
    found = Material(leaf_sha256="ab" * 32, username="dms")
    documents.write("run-1", MATERIAL, found)
    assert documents.read("run-1", MATERIAL) == found
    assert documents.read("run-1", PROBED) is None
    assert documents.read("run-2", MATERIAL) is None


def test_a_document_of_another_kind_is_not_read(documents: Documents) -> None:
    """A document that does not fit is an error that names it, not a half-read value."""
    documents.put("runs/run-1/read_material.json", b'{"passed": true}', JSON)
    with pytest.raises(Unexpected, match=r"read_material\.json"):
        documents.read("run-1", MATERIAL)


def test_the_manifest_is_a_list(documents: Documents) -> None:
    """The Map reads a JSON list; an execution that chose nothing has none."""
    items = [{"name": "orders", "spec": {"port": 5432}, "version": 3}]
    key = documents.write_manifest("run-1", items)
    assert json.loads(documents.get(key) or b"") == items
    assert documents.read_manifest(key) == items
    assert documents.read_manifest("runs/none/manifest.json") == []


def test_outcomes_of_children_are_collected(documents: Documents) -> None:
    """Each child leaves a word under its parent; of several, the gravest counts."""
    for parent, name, outcome in (
        ("parent", "orders", Outcome.DEFERRED),
        ("parent", "orders", Outcome.CERTIFIED),
        ("parent", "sales", Outcome.REFUSED),
        ("other", "audit", Outcome.FAILED),
    ):
        documents.write_child_outcome(parent, ChildOutcome(name=name, outcome=outcome, run="run"))
    assert documents.child_outcomes("parent") == {
        "orders": ChildOutcome(name="orders", outcome=Outcome.CERTIFIED, run="run"),
        "sales": ChildOutcome(name="sales", outcome=Outcome.REFUSED, run="run"),
    }


def test_a_bundle_is_read_at_its_version(clients: Clients, bucket: str) -> None:
    """The version is pinned, and an older one can still be read."""
    s3 = clients.client("s3")
    old = s3.put_object(Bucket=bucket, Key="ca/bundle.pem", Body=b"old")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="ca/bundle.pem", Body=b"new")["VersionId"]
    uri = f"s3://{bucket}/ca/bundle.pem"
    assert Bucket(s3).read_bundle(uri) == BundleObject(uri=uri, version=new, body=b"new")
    assert Bucket(s3).read_bundle(uri, old) == BundleObject(uri=uri, version=old, body=b"old")


def test_a_bundle_that_cannot_be_read_is_a_finding(clients: Clients, bucket: str) -> None:
    """A missing object, a missing bucket and an object too large each say which one."""
    s3 = clients.client("s3")
    s3.put_object(Bucket=bucket, Key="big", Body=b"x" * 11)
    reader = Bucket(s3)
    missing = reader.read_bundle(f"s3://{bucket}/none.pem")
    nowhere = reader.read_bundle("s3://no-such-bucket/none.pem")
    large = reader.read_bundle(f"s3://{bucket}/big", limit=10)
    assert isinstance(missing, Finding)
    assert missing.cause is Cause.BUNDLE_UNREADABLE
    assert f"s3://{bucket}/none.pem" in missing.seen
    assert isinstance(nowhere, Finding)
    assert nowhere.cause is Cause.BUNDLE_UNREADABLE
    assert isinstance(large, Finding)
    assert large.cause is Cause.MATERIAL_TOO_LARGE


def test_an_execution_that_runs_has_not_ended(clients: Clients, aws: boto3.Session) -> None:
    """A running owner, a stopped one and an unknown one are distinguished."""
    sfn = clients.client("stepfunctions")
    machine = sfn.create_state_machine(
        name="machine",
        definition="{}",
        roleArn="arn:aws:iam::123456789012:role/machine",
    )["stateMachineArn"]
    states = States(sfn)
    arn = states.start(machine, "one", "{}")
    since = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    claim = Claim(execution=arn, since=since, due_at=since)
    assert states.ended_at(claim) is None
    sfn.stop_execution(executionArn=arn)
    stopped = states.ended_at(claim)
    assert stopped is not None
    assert abs((datetime.now(UTC) - stopped).total_seconds()) < 60
    unknown = claim.model_copy(update={"execution": arn.replace(":one", ":two")})
    assert states.ended_at(unknown) == since + timedelta(hours=1)


def test_a_message_is_cut_to_what_people_read(clients: Clients, aws: boto3.Session) -> None:
    """A subject is one ASCII line of at most 100 characters, a message at most 8 KiB."""
    sns, sqs = clients.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="people")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    Topic(sns, topic).publish("orders: refusé\n\x1b[31m" + "x" * 200, "ü" * 10_000)
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(message["Body"])
    assert len(body["Subject"]) == 100
    assert body["Subject"].startswith("orders: refus?\\n\\x1b[31m")
    assert len(body["Message"].encode()) == 8 * 1024


def test_no_message_moves_a_terminal_or_fails_to_be_sent(
    clients: Clients, aws: boto3.Session
) -> None:
    """Half of a surrogate pair, which JSON can hold, has no bytes: it is escaped as well."""
    sns, sqs = clients.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="people")["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    Topic(sns, topic).publish("orders", "one\ntwo\x1b[2J\u202e\ud800")
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == "one\ntwo\\x1b[2J\\u202e\\ud800"
