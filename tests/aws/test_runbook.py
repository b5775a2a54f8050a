"""The commands of docs/operate/runbook.md do what it says that they do."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.store import Store
from certifier.cli import main
from certifier.endpoint.facts import EndpointFields
from certifier.run.documents import UndoLog
from certifier.source import parse_source
from certifier.vocabulary import SslMode
from sandbox.dms import INSTANT, DmsStandIn
from sandbox.pki import Authority
from tests.docs.markdown import ROOT, read
from tests.docs.shell import Aws, capture, commands, words

TEXT = read(ROOT / "docs/operate/runbook.md")
TASK = "arn:aws:dms:eu-west-1:111122223333:task:ABC"
RUN = "arn:aws:states:eu-west-1:111122223333:execution:M/Source:run-1"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LOG = UndoLog(
    endpoint_arn="arn:aws:dms:eu-west-1:111122223333:endpoint:ABC",
    endpoint_identifier="orders-source",
    fields=("ssl_mode",),
    old=EndpointFields(ssl_mode=SslMode.VERIFY_CA),
    new=EndpointFields(ssl_mode=SslMode.VERIFY_FULL),
)


def of(program: str) -> list[str]:
    """Every command of the runbook that this program runs."""
    lines = [capture(line)[1] for line in commands(TEXT)]
    return [line for line in lines if line.split()[0] == program]


def command(operation: str, word: str = "") -> str:
    """The one command of this operation with that word in it."""
    (found,) = {line for line in of("aws") if line.split()[2] == operation and word in line}
    return found


EXECUTIONS = ("FAILED", "TIMED_OUT", "RUNNING", '"$MACHINE" --max-results')
"""A word of each command that lists executions."""


def called(clients: Clients, text: str, **variables: str) -> Any:
    """What a command answers."""
    return Aws(clients.client)(text, variables)


SOURCE = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": "orders.db.example.com",
    "ssl_mode": "require",
}


@pytest.fixture
def orders(store: Store) -> Store:
    """A source in the middle of a change that a dead run has left: claim, undo log, paused task."""
    store.register(parse_source(SOURCE), NOW)
    store.claim("orders", RUN, NOW, lambda _: None)
    store.hold("orders", RUN).write_undo(LOG)
    store.hold("orders", RUN).pause(TASK, NOW)
    return store


def release(clients: Clients, table: str) -> None:
    """End the claim, as Record does."""
    clients.client("dynamodb").update_item(
        TableName=table,
        Key={"pk": {"S": "SOURCE#orders"}, "sk": {"S": "STATE"}},
        UpdateExpression="REMOVE claim",
    )


def test_the_queries_show_what_is_unfinished(orders: Store, clients: Clients, table: str) -> None:
    """State with its claim, undo log, and what is stopped."""
    found = called(clients, command("query", "SOURCE#orders"), TABLE=table)["Items"]
    (state,) = found
    assert state["claim"]["M"]["execution"]["S"] == RUN
    item = called(clients, command("get-item", "UNDO"), TABLE=table)["Item"]
    log = json.loads(item["log"]["S"])
    assert log["old"]["ssl_mode"] == "verify-ca"
    assert {"fields", "old", "new"} <= log.keys()
    assert item["run"]["S"] == RUN
    (pause,) = called(clients, command("query", "PAUSE"), TABLE=table)["Items"]
    assert (pause["sk"]["S"], pause["sources"]["SS"]) == (TASK, ["orders"])


def test_a_pending_restart_is_dropped_only_if_nobody_else_waits(
    orders: Store, clients: Clients, table: str
) -> None:
    """The condition holds that no other source needs the task."""
    text = command("delete-item", "PAUSE")
    orders.register(parse_source({**SOURCE, "name": "other", "endpoint": "other"}), NOW)
    orders.claim("other", RUN, NOW, lambda _: None)
    orders.hold("other", RUN).pause(TASK, NOW)
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        called(clients, text, TABLE=table)
    orders.hold("other", RUN).leave(TASK)
    called(clients, text, TABLE=table)
    assert orders.pauses_all() == ()


def test_an_undo_log_is_taken_away_only_without_a_claim(
    orders: Store, clients: Clients, table: str
) -> None:
    """A run that has the source still needs its log."""
    text = command("transact-write-items", "UNDO")
    with pytest.raises(Exception, match="TransactionCanceled"):
        called(clients, text, TABLE=table)
    assert orders.undo("orders") == LOG
    release(clients, table)
    called(clients, text, TABLE=table)
    assert orders.undo("orders") is None


def test_a_source_off_the_index_waits_until_it_is_asked_for(
    orders: Store, clients: Clients, table: str
) -> None:
    """No tick takes it; a direct start or an event makes it due again."""
    text = command("update-item", "due_partition")
    with pytest.raises(Exception, match="ConditionalCheckFailed"):
        called(clients, text, TABLE=table)
    release(clients, table)
    called(clients, text, TABLE=table)
    later = NOW.replace(year=2030)
    assert orders.due(later, 10) == []
    orders.set_due(["orders"], NOW)
    assert orders.due(later, 10) == ["orders"]


@pytest.fixture
def installed(
    aws: boto3.Session, orders: Store, bucket: str, inbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack named Certifier, as the commands of Certifier and the runbook look for it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    machine = aws.client("stepfunctions").create_state_machine(
        name="m",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/x",
    )["stateMachineArn"]
    outputs = {
        "StateMachine": machine,
        "OnboardStateMachine": machine,
        "TableName": "certifier",
        "BucketName": bucket,
        "Topic": inbox.topic,
        "UndeliveredQueue": aws.client("sqs").create_queue(QueueName="starts")["QueueUrl"],
    }
    template = {
        "Resources": {"Other": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "other"}}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    aws.client("cloudformation").create_stack(
        StackName="Certifier", TemplateBody=json.dumps(template)
    )


def test_what_is_unfinished_is_shown_with_what_the_commands_take(
    installed: None, orders: Store, clients: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    """Claim, undo log and pause, also before any run has left a record; ARNs are not cut."""
    assert main(["show", "orders"]) == 0
    said = capsys.readouterr().out
    assert f"  cut off   {RUN}, since Tue 24 Nov 03:00 UTC\n" in said
    assert f"  stopped   {TASK}, since Tue 24 Nov 03:00 UTC (" in said
    assert "for a change that is not finished\n" in said
    assert "  undo log  ssl_mode of orders-source: neither proven nor rolled back\n" in said
    clients.client("dynamodb").update_item(
        TableName="certifier",
        Key={"pk": {"S": "UNDO#orders"}, "sk": {"S": "UNDO"}},
        UpdateExpression="SET #log = :log",
        ExpressionAttributeNames={"#log": "log"},
        ExpressionAttributeValues={":log": {"S": "{}"}},
    )
    assert main(["show", "orders"]) == 0
    assert "undo log  another version of Certifier wrote it" in capsys.readouterr().out


@pytest.fixture
def names(installed: None, clients: Clients) -> dict[str, str]:
    """The variables that the runbook sets at its beginning."""
    found: dict[str, str] = {}
    for line in commands(TEXT):
        name, text = capture(line)
        if name is not None:
            found[name] = called(clients, text, **found)
    return found


def test_the_names_are_those_of_the_installation(names: dict[str, str]) -> None:
    """Each variable of the first block holds what its name says."""
    assert names["TABLE"] == "certifier"
    assert ":stateMachine:m" in names["MACHINE"]
    assert names["TOPIC"].endswith(":people")
    assert names["QUEUE"].endswith("/starts")


def test_a_failed_execution_says_why(names: dict[str, str], clients: Clients) -> None:
    """The last failures are listed, and one is described by its cause."""
    started = clients.client("stepfunctions").start_execution(stateMachineArn=names["MACHINE"])
    arn = started["executionArn"]
    for word in EXECUTIONS[:2]:
        line = command("list-executions", word)
        assert called(clients, line, **names) == {"executions": []}
    for word in EXECUTIONS[2:]:
        (one,) = called(clients, command("list-executions", word), **names)["executions"]
        assert one["executionArn"] == arn
    assert called(clients, command("describe-execution"), EXECUTION=arn) in ("", "None")


def test_a_hanging_run_is_stopped(names: dict[str, str], clients: Clients) -> None:
    """The execution of the claim ends as aborted."""
    states = clients.client("stepfunctions")
    arn = states.start_execution(stateMachineArn=names["MACHINE"])["executionArn"]
    called(clients, command("stop-execution"), CLAIM_EXECUTION=arn)
    assert states.describe_execution(executionArn=arn)["status"] != "RUNNING"


def test_the_queue_is_read_and_emptied(names: dict[str, str], clients: Clients, aws: Any) -> None:
    """The attributes of a lost start are shown; afterwards nothing is left."""
    sqs = aws.client("sqs")
    attribute = {"DataType": "String", "StringValue": "AccessDenied"}
    sqs.send_message(
        QueueUrl=names["QUEUE"], MessageBody="{}", MessageAttributes={"ERROR_CODE": attribute}
    )
    shown = Aws(aws.client)(command("receive-message"), names)
    (message,) = shown["Messages"]
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "AccessDenied"
    Aws(aws.client)(command("purge-queue"), names)
    assert "Messages" not in sqs.receive_message(QueueUrl=names["QUEUE"])


def test_unconfirmed_subscriptions_are_shown(names: dict[str, str], aws: Any) -> None:
    """Each reader of the topic, with its subscription."""
    shown = Aws(aws.client)(command("list-subscriptions-by-topic"), names)
    assert ":inbox" in shown


def test_the_schedule_is_shown_with_its_state(aws: boto3.Session) -> None:
    """By the names that CloudFormation gives: those of the stack."""
    for name in ("Certifier-TriggersTick", "SomebodyElses"):
        aws.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="rate(10 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State="DISABLED",
            Target={"Arn": "arn:aws:states:eu-west-1:1:stateMachine:m", "RoleArn": "arn:aws:r"},
        )
    shown = Aws(aws.client)(command("list-schedules"), {})
    assert shown == "Certifier-TriggersTick\tDISABLED"


@pytest.fixture
def standin(aws: boto3.Session) -> Iterator[DmsStandIn]:
    """DMS with one endpoint on a PostgreSQL that is not there."""
    with DmsStandIn(durations=INSTANT, resolve={}, clock=NOW.timestamp).installed() as standin:
        yield standin


def test_the_commands_for_dms_are_those_that_dms_takes(
    standin: DmsStandIn, clients: Clients
) -> None:
    """An endpoint is given its old values, a canary is deleted; no task of that name is there."""
    dms = clients.client("dms")
    pem = Authority.root("CA", not_before=NOW).certificate_pem.decode()
    certificate = dms.import_certificate(CertificateIdentifier="ca", CertificatePem=pem)
    endpoint = dms.create_endpoint(
        EndpointIdentifier="orders-source",
        EndpointType="source",
        EngineName="postgres",
        Username="u",
        Password="p",
        ServerName="localhost",
        Port=5432,
        DatabaseName="d",
        SslMode="require",
    )["Endpoint"]["EndpointArn"]
    arn = certificate["Certificate"]["CertificateArn"]
    changed = called(clients, command("modify-endpoint"), ENDPOINT=endpoint, CERTIFICATE=arn)
    assert changed["Endpoint"]["SslMode"] == "verify-ca"
    assert changed["Endpoint"]["CertificateArn"] == arn
    called(clients, command("delete-endpoint"), CANARY=endpoint)
    for operation in ("describe-replication-tasks", "start-replication-task"):
        with pytest.raises(Exception, match="ResourceNotFoundFault"):
            called(clients, command(operation), TASK=TASK)


UNREACHABLE = 1
CERTIFIER = {
    "certifier status": 0,
    "certifier status --failing": 0,
    "certifier status --expiring 14": 0,
    "certifier show orders": 0,
    "certifier history orders": 0,
    "certifier discover --probe": 0,
    "certifier watch": 1,  # nothing runs
    "certifier doctor": 1,  # nobody is notified
    "certifier approve orders": 0,  # nothing waits
    "certifier pause orders --why 'the database is being moved'": 1,  # the source has a claim
    "certifier unpause orders": 0,
    "certifier release orders orders-to-warehouse": 1,  # no task of that name waits
    "certifier probe orders.db.example.com:5432": UNREACHABLE,
    "certifier probe orders.db.example.com --ca-bundle certificates/root.crt": 2,  # not here
    "certifier inspect --certificate certificates/server.crt --private-key"
    " certificates/server.key --ca-bundle certificates/root.crt --host orders.db.example.com": 2,
    "certifier explain 'SSL error: certificate verify failed'": 0,
    "certifier reset-breaker": 0,
    "certifier forget orders": 1,  # the source of this test has a claim
    "certifier certify orders --plan": 0,
}


def test_every_command_of_certifier_is_one(installed: None, standin: DmsStandIn) -> None:
    """Each runs against the installation, and ends as expected of a source in mid-change."""
    shown = set(of("certifier"))
    assert shown == set(CERTIFIER)
    for line, status in CERTIFIER.items():  # in this order: a start is seen by what comes after it
        argv = words(line)[1:]
        if argv[0] == "certify":
            argv.append("--detach")  # moto's machine would not end
        assert main(argv) == status, line


def test_every_command_of_aws_is_tried_here() -> None:
    """A new command in the runbook needs a test."""
    tried = [
        command("query", "SOURCE#orders"),
        command("get-item", "UNDO"),
        command("query", "PAUSE"),
        command("delete-item", "PAUSE"),
        command("transact-write-items", "UNDO"),
        command("update-item", "due_partition"),
        command("describe-stacks", "StateMachine"),
        command("describe-stacks", "TableName"),
        command("describe-stacks", "Topic"),
        command("describe-stacks", "UndeliveredQueue"),
        *(command("list-executions", word) for word in EXECUTIONS),
        *map(
            command,
            (
                "describe-execution",
                "stop-execution",
                "receive-message",
                "purge-queue",
                "list-subscriptions-by-topic",
                "list-schedules",
                "describe-replication-tasks",
                "start-replication-task",
                "modify-endpoint",
                "delete-endpoint",
            ),
        ),
    ]
    assert sorted(tried) == sorted(of("aws"))
    assert {capture(line)[1].split()[0] for line in commands(TEXT)} == {"aws", "certifier"}
