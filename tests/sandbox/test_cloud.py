"""The sandbox's AWS: deployment, the choke point and its faults, events, the clock."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from sandbox.aws import Call, Clock, Cloud, Execution, Kind, calls

SECRET = "dms/orders"


class Probe:
    """A stub for Select sources that does in AWS what a test wants, as that step."""

    def __init__(self) -> None:
        self.session = calls.Session("select_sources", "eu-west-1")
        self.act: Callable[[Any], Any] = lambda _: None
        self.seen: list[Any] = []
        self.attempts = 0

    def __call__(self, event: dict[str, Any], _: Any) -> dict[str, Any]:
        self.attempts += 1
        self.seen.append(event["event"])
        self.act(self.session)
        return {"count": 0, "bucket": "b", "key": None, "mode": "apply", "origin": "direct"}


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[Cloud, Probe]]:
    """The app, whose first step is ours."""
    probe = Probe()
    stubs: dict[str, Any] = {
        "select_sources": probe,
        "report": lambda event, _: {"failed": True, "cause": event["problem"]["cause"]},
    }
    with Cloud.start(handlers=stubs) as cloud:
        yield cloud, probe


@pytest.fixture
def cloud(opened: tuple[Cloud, Probe]) -> Cloud:
    """The account, without faults."""
    opened[0].faults.clear()
    return opened[0]


@pytest.fixture
def probe(opened: tuple[Cloud, Probe]) -> Probe:
    """The stub, doing nothing yet."""
    opened[1].act = lambda _: None
    opened[1].seen.clear()
    opened[1].attempts = 0
    return opened[1]


def writing(cloud: Cloud, key: str) -> Callable[[Any], None]:
    """What a step does that reads an item and writes an object, as its role allows."""

    def act(session: Any) -> None:
        item = {"pk": {"S": "SPEC#x"}, "sk": {"S": "SPEC"}}
        session.client("dynamodb").get_item(TableName=cloud.table, Key=item)
        session.client("s3").put_object(Bucket=cloud.bucket, Key=key, Body=b"x")

    return act


# ---------------------------------------------------------------------- what is deployed


def test_the_template_is_deployed(cloud: Cloud) -> None:
    """Table, bucket, topic and machine are there under the names that the outputs say."""
    table = cloud.client("dynamodb").describe_table(TableName=cloud.table)["Table"]
    assert {key["AttributeName"] for key in table["KeySchema"]} == {"pk", "sk"}
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["due"]
    assert cloud.objects() == {}
    assert cloud.items() == []
    assert cloud.notices == []
    machine = cloud.client("stepfunctions").describe_state_machine(
        stateMachineArn=cloud.machine_arn
    )
    assert "Certify sources" in json.loads(machine["definition"])["States"]


def test_an_open_account_is_not_opened_again(cloud: Cloud) -> None:
    """moto is one for the process: a second account inside the first would share its things."""
    with pytest.raises(RuntimeError, match="one at a time"), Cloud.start():
        pass


# ---------------------------------------------------------------------- the choke point


def test_every_call_bears_its_callers_name(cloud: Cloud, probe: Probe) -> None:
    """The step, the state and the execution on whose behalf; reads and writes are distinguished."""
    probe.act = writing(cloud, "runs/r/outcomes/a")
    since = len(cloud.calls)
    run = cloud.run({})
    made = cloud.calls.of(caller="select_sources", since=since)
    assert [(c.service, c.operation, c.writes) for c in made] == [
        ("dynamodb", "GetItem", False),
        ("s3", "PutObject", True),
    ]
    assert {(c.state, c.execution) for c in made} == {("Select sources", run.arn)}
    assert cloud.calls.of("lambda", since=since)[0].caller == "machine"
    assert cloud.calls.of("stepfunctions", since=since) == []  # from outside
    assert cloud.calls.of("s3", writes=True, since=since) == made[1:]


def test_equal_calls_have_equal_digests(cloud: Cloud, probe: Probe) -> None:
    """So that two runs can be compared call by call."""
    probe.act = writing(cloud, "runs/r/outcomes/b")
    since = len(cloud.calls)
    cloud.run({})
    cloud.run({})
    first, second = cloud.calls.of("s3", since=since)
    assert (first.digest, first.nth + 1) == (second.digest, second.nth)


def caught(cloud: Cloud, probe: Probe, key: str) -> list[BotoCoreError | ClientError]:
    """Run once with a step that writes; return what it met."""
    act = writing(cloud, key)
    errors: list[BotoCoreError | ClientError] = []

    def attempt(session: Any) -> None:
        try:
            act(session)
        except (BotoCoreError, ClientError) as error:
            errors.append(error)

    probe.act = attempt
    cloud.run({})
    return errors


def test_a_fault_before_the_effect(cloud: Cloud, probe: Probe) -> None:
    """The step sees a timeout after all of botocore's attempts, and nothing was written."""
    fault = cloud.faults.inject("s3", "PutObject", Kind.BEFORE)
    (error,) = caught(cloud, probe, "runs/r/outcomes/before")
    assert isinstance(error, ConnectTimeoutError)
    assert fault.met
    assert cloud.objects("runs/r/outcomes/before") == {}
    assert caught(cloud, probe, "runs/r/outcomes/before") == []
    assert list(cloud.objects("runs/r/outcomes/before")) == ["runs/r/outcomes/before"]


def test_a_fault_after_the_effect(cloud: Cloud, probe: Probe) -> None:
    """The answer is lost, but what was asked for was done."""
    cloud.faults.inject("s3", "PutObject", Kind.AFTER)
    (error,) = caught(cloud, probe, "runs/r/outcomes/after")
    assert isinstance(error, ReadTimeoutError)
    assert list(cloud.objects("runs/r/outcomes/after")) == ["runs/r/outcomes/after"]


def test_one_lost_attempt_is_made_good_by_botocore(cloud: Cloud, probe: Probe) -> None:
    """botocore's own retries stay real: the step sees nothing, and waits on our clock."""
    before = cloud.clock.now()
    cloud.faults.inject("s3", "PutObject", Kind.BEFORE, attempts=1)
    assert caught(cloud, probe, "runs/r/outcomes/attempt") == []
    assert list(cloud.objects("runs/r/outcomes/attempt")) == ["runs/r/outcomes/attempt"]
    assert cloud.clock.now() > before


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("dms", "DescribeEndpoints", "ThrottlingException"),
        ("s3", "PutObject", "SlowDown"),
        ("acm", "ListCertificates", "ThrottlingException"),
        ("dynamodb", "Scan", "ProvisionedThroughputExceededException"),
        ("secretsmanager", "ListSecrets", "ThrottlingException"),
        ("sns", "ListTopics", "Throttling"),
        ("stepfunctions", "ListStateMachines", "ThrottlingException"),
    ],
)
def test_a_throttle_speaks_the_services_protocol(
    cloud: Cloud, probe: Probe, service: str, operation: str, code: str
) -> None:
    """botocore understands it as what it is."""
    errors: list[ClientError] = []

    def act(session: Any) -> None:
        given: dict[str, dict[str, Any]] = {
            "s3": {"Bucket": cloud.bucket, "Key": "k", "Body": b""},
            "dynamodb": {"TableName": cloud.table},
        }
        client = session.client(service)
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")
        try:
            getattr(client, name)(**given.get(service, {}))
        except ClientError as error:
            errors.append(error)

    cloud.faults.inject(service, operation, Kind.THROTTLE, caller="select_sources")
    probe.act = act
    cloud.run({})
    assert [error.response["Error"]["Code"] for error in errors] == [code]


@pytest.mark.parametrize(("kind", "done"), [(Kind.KILL, False), (Kind.KILL_AFTER, True)])
def test_a_lambda_can_be_killed_at_a_call(
    cloud: Cloud, probe: Probe, kind: Kind, done: bool
) -> None:
    """It dies there, past every except; Step Functions tries once more, as after a crash."""
    key = f"runs/r/outcomes/{kind}"
    cloud.faults.inject("s3", "PutObject", kind)
    act, objects = writing(cloud, key), []

    def attempt(session: Any) -> None:
        objects.append(list(cloud.objects(key)))
        act(session)

    probe.act = attempt
    assert cloud.run({}).status == "SUCCEEDED"
    assert probe.attempts == 2
    assert objects == [[], [key] if done else []]


def test_a_fault_waits_for_its_caller_and_its_turn(cloud: Cloud, probe: Probe) -> None:
    """Another step's call, or an earlier one, does not meet it."""
    other = cloud.faults.inject("s3", "PutObject", Kind.BEFORE, caller="record_certification")
    second = cloud.faults.inject("s3", "PutObject", Kind.BEFORE, nth=2)
    assert caught(cloud, probe, "runs/r/outcomes/nth") == []
    assert len(caught(cloud, probe, "runs/r/outcomes/nth")) == 1
    assert (other.met, second.met) == (False, True)


def test_lambda_itself_can_be_throttled(cloud: Cloud, probe: Probe) -> None:
    """Step Functions knows the error by its name and tries again."""
    cloud.faults.inject("lambda", "Invoke", Kind.THROTTLE)
    assert cloud.run({}).status == "SUCCEEDED"
    assert probe.attempts == 1


def test_conditional_writes_are_atomic_across_threads(cloud: Cloud) -> None:
    """Of many who claim at once, one wins; moto alone lets several."""
    client, won = cloud.session.client("dynamodb"), []
    start = threading.Barrier(8)

    def claim(name: str) -> None:
        start.wait(10)
        try:
            client.put_item(
                TableName=cloud.table,
                Item={"pk": {"S": "CLAIM"}, "sk": {"S": "X"}, "owner": {"S": name}},
                ConditionExpression="attribute_not_exists(pk)",
            )
            won.append(name)
        except client.exceptions.ConditionalCheckFailedException:
            pass

    threads = [threading.Thread(target=claim, args=(str(index),)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    client.delete_item(TableName=cloud.table, Key={"pk": {"S": "CLAIM"}, "sk": {"S": "X"}})
    assert len(won) == 1


# ---------------------------------------------------------------------- starting things


def test_a_tick_is_what_the_schedule_sends(cloud: Cloud, probe: Probe) -> None:
    """Ten minutes pass, and the machine gets the schedule's own input."""
    before = cloud.clock.now()
    run = cloud.tick()
    assert (run.input, probe.seen) == ({}, [{}])
    assert 600 <= (cloud.clock.now() - before).total_seconds() < 610


def test_a_rotated_secret_starts_a_run(cloud: Cloud, probe: Probe) -> None:
    """The event is Secrets Manager's own, and passes the stack's rule raw."""
    arn = cloud.put_secret(SECRET, {"username": "u"})
    (run,) = cloud.rotate_secret(SECRET, {"username": "v"})
    (event,) = probe.seen
    assert run.status == "SUCCEEDED"
    assert (event["source"], event["detail-type"]) == (
        "aws.secretsmanager",
        "Secret Label Updated",
    )
    assert event["resources"] == [arn]
    assert event["detail"]["name"] == SECRET
    assert event["detail"]["labelUpdated"] == ["AWSCURRENT"]


def test_events_that_no_rule_matches_start_nothing(cloud: Cloud, probe: Probe) -> None:
    """A secret outside the prefixes, and what our own writes emit."""
    cloud.put_secret("other/secret", {"a": "b"})
    assert cloud.emit_secret_label("other/secret") == []
    detail = {"Action": "IMPORT"}
    assert cloud.emit("aws.acm", "ACM Certificate Available", detail) == []
    assert probe.seen == []


def test_an_expiring_certificate_starts_a_run(cloud: Cloud, probe: Probe) -> None:
    """The rule of ACM, with the certificate's ARN in the resources."""
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/x"
    detail = {"DaysToExpiry": 31}
    (run,) = cloud.emit("aws.acm", "ACM Certificate Approaching Expiration", detail, (arn,))
    assert run.status == "SUCCEEDED"
    assert probe.seen[0]["resources"] == [arn]


def test_an_execution_that_hangs_is_named(cloud: Cloud, probe: Probe) -> None:
    """Waiting has a bound, and says where the execution is."""
    go_on = threading.Event()
    probe.act = lambda _: go_on.wait(10)
    run = cloud.run({}, wait=False)
    try:
        with pytest.raises(TimeoutError, match="Select sources"):
            Execution(run.arn, cloud).wait(0.5)
    finally:
        go_on.set()
        run.wait()


# ---------------------------------------------------------------------- the clock


def test_the_clock_is_stopped_until_somebody_waits() -> None:
    """Waits side by side are one wait; advancing takes any unit."""
    start = datetime(2026, 11, 24, tzinfo=UTC)
    clock = Clock(start)
    assert clock.now() == clock.now() == start
    clock.wait(5)
    clock.advance(minutes=1)
    assert (clock.now() - start).total_seconds() == 65
    assert clock.time() == clock.now().timestamp()


def test_a_clock_with_a_speed_lets_people_watch() -> None:
    """At 60, a minute takes a second."""
    slept: list[float] = []
    clock = Clock(speed=60, sleep=slept.append)
    before = clock.now()
    clock.wait(120)
    assert slept == [2.0]
    assert (clock.now() - before).total_seconds() == 120


def test_calls_take_time_on_the_clock(cloud: Cloud, probe: Probe) -> None:
    """So that a step stays below the rates that DMS and ACM allow."""
    probe.act = writing(cloud, "runs/r/outcomes/time")
    since = len(cloud.calls)
    cloud.run({})
    first, second = (call.at for call in cloud.calls.of(caller="select_sources", since=since))
    assert (second - first).total_seconds() == pytest.approx(0.15)


def test_verbs_tell_reads_from_writes() -> None:
    """By botocore's operation names."""
    now = datetime.now(UTC)
    reads = ("DescribeEndpoints", "GetSecretValue", "ListTagsForResource", "Query", "HeadObject")
    for operation in reads:
        assert not Call("c", "s", operation, 1, "", now).writes
    for operation in ("TestConnection", "PutItem", "TransactWriteItems", "ImportCertificate"):
        assert Call("c", "s", operation, 1, "", now).writes
