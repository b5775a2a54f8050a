"""Answers of the real DMS, as public documents and reports show them, with other names and numbers.

Our adapters read them, and the stand-in answers the same operations in their shape, over the wire:
the same members of the same types, words in the same case, ARNs and dates of the same form. Each
recording says where it comes from. No answer with a task that runs, or whose move has failed, is
public: of those there is the status alone.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse

from certifier.aws.dms import Dms
from certifier.diagnosis import explain
from certifier.endpoint.facts import ReplicationTask
from certifier.vocabulary import Cause, SslMode
from sandbox.aws import fast, shapes
from sandbox.dms import INSTANT, DmsStandIn, Durations

RECORDED: Mapping[str, Mapping[str, Any]] = {
    file.stem: json.loads(file.read_text("utf-8"))
    for file in sorted(Path(__file__).with_name("recorded").glob("*.json"))
}
REGION = "eu-west-1"
STATUSES = (
    "creating",
    "ready",
    "starting",
    "running",
    "stopping",
    "stopped",
    "failed",
    "deleting",
    "modifying",
    "testing",
    "moving",
    "failed-move",
)


# ---- our adapters read them


@pytest.fixture
def reading() -> Callable[[Mapping[str, Any]], Dms]:
    """Return an adapter whose client gets this answer, whatever it asks, and parses it."""

    def adapter(answer: Mapping[str, Any]) -> Dms:
        client: Any = fast.session(REGION).client("dms")

        def reply(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
            body: Any = MockRawResponse(json.dumps(answer))
            headers: Any = HeadersDict()
            return AWSResponse(request.url, 200, headers, body)

        client.meta.events.register("before-send.database-migration-service", reply)
        return Dms(client)

    return adapter


def recorded_task(name: str) -> Mapping[str, Any]:
    """A recorded task, as DescribeReplicationTasks would list it."""
    answer = RECORDED[name]["answer"]
    listed = answer.get("ReplicationTasks") or [answer["ReplicationTask"]]
    return {"ReplicationTasks": listed}


def read_task(reading: Callable[[Mapping[str, Any]], Dms], name: str) -> ReplicationTask:
    """What the adapter makes of a recorded task."""
    (task,) = reading(recorded_task(name)).all_tasks()
    return task


Reading = Callable[[Mapping[str, Any]], Dms]


def test_an_endpoint_by_password_is_read(reading: Reading) -> None:
    """By password: type in capitals, the login at both levels, no certificate."""
    (endpoint,) = reading(RECORDED["endpoint-by-password"]["answer"]).all_endpoints()
    assert (endpoint.endpoint_type, endpoint.engine, endpoint.status) == (
        "source",
        "postgres",
        "active",
    )
    assert endpoint.fields.ssl_mode is SslMode.REQUIRE
    assert endpoint.fields.certificate_arn is None
    assert (endpoint.fields.port, endpoint.fields.database_name) == (5432, "orders")
    assert (endpoint.authentication, endpoint.read_only) == ("password", False)
    assert endpoint.fields.secret_id is None


def test_an_endpoint_by_secret_is_read(reading: Reading) -> None:
    """By secret: its name and role as they were given, and no login beside them."""
    (endpoint,) = reading(RECORDED["endpoint-by-secret"]["answer"]).all_endpoints()
    assert (endpoint.fields.secret_id or "").endswith(":secret:dms/ledger-AbCdEf")
    assert (endpoint.fields.secret_role_arn or "").endswith(":role/dms-reads-secrets")
    assert (endpoint.fields.server_name, endpoint.fields.port, endpoint.fields.username) == (
        None,
        None,
        None,
    )
    assert endpoint.fields.database_name == "ledger"


def test_a_setting_that_is_not_ours_counts_as_a_difference(reading: Reading) -> None:
    """A target with a setting of its own: it is not read, and not forgotten either."""
    answer = RECORDED["endpoint-target"]["answer"]
    (endpoint,) = reading(answer).all_endpoints()
    (plain,) = (dict(each) for each in answer["Endpoints"])
    plain["PostgreSQLSettings"] = {
        name: value
        for name, value in plain["PostgreSQLSettings"].items()
        if name != "DdlArtifactsSchema"
    }
    (without,) = reading({"Endpoints": [plain]}).all_endpoints()
    assert endpoint.endpoint_type == "target"
    assert endpoint.fields == without.fields
    assert endpoint.rest_digest != without.rest_digest


def test_connections_are_read(reading: Reading) -> None:
    """A success without a message, and failures in all the forms that were reported."""
    passed, *failed = reading(RECORDED["connections"]["answer"]).all_connections()
    assert (passed.status, passed.message) == ("successful", None)
    assert {each.status for each in failed} == {"failed"}
    assert [explain(each.message or "").cause for each in failed] == [
        Cause.HBA_REJECTED_PLAINTEXT,
        Cause.HBA_REJECTED_PLAINTEXT,
        Cause.CONNECTION_TIMEOUT,
        Cause.CONNECTION_TIMEOUT,
        Cause.DMS_CANNOT_READ_SECRET,
        Cause.UNKNOWN,
    ]


def test_a_serverless_failure_is_explained() -> None:
    """Inside of what a serverless replication says stands the text of a connection test."""
    (replication,) = RECORDED["replication-failed"]["answer"]["Replications"]
    (message,) = replication["FailureMessages"]
    assert explain(message).cause is Cause.HBA_REJECTED_PLAINTEXT


@pytest.mark.parametrize("status", STATUSES)
def test_a_task_in_each_status_is_read(reading: Reading, status: str) -> None:
    """The status is what DMS says; only one that runs can be in its full load."""
    name = f"task-{status}"
    (seen,) = recorded_task(name if name in RECORDED else "task-stopped")["ReplicationTasks"]
    (task,) = reading({"ReplicationTasks": [{**seen, "Status": status}]}).all_tasks()
    assert (task.status, task.full_load) == (status, False)
    (loading,) = reading(
        {
            "ReplicationTasks": [
                {
                    **seen,
                    "Status": status,
                    "MigrationType": "full-load",
                    "ReplicationTaskStats": {"FullLoadProgressPercent": 40},
                }
            ]
        }
    ).all_tasks()
    assert loading.full_load is (status == "running")


def test_a_task_that_was_stopped_is_read(reading: Reading) -> None:
    """By somebody, or because its load is over; the dates are those of the run, not of the call."""
    stopped, finished = (read_task(reading, f"task-{how}") for how in ("stopped", "finished"))
    assert stopped.stop_reason == "Stop Reason NORMAL"
    assert finished.stop_reason == "Stop Reason FULL_LOAD_ONLY_FINISHED"
    assert stopped.stop_date is not None
    assert stopped.start_date is not None
    assert stopped.stop_date.timestamp() == 1590619842.068
    assert stopped.start_date.timestamp() == 1590619811.528
    assert (stopped.message, finished.message) == (None, None)


def test_a_task_that_has_never_run_is_read(reading: Reading) -> None:
    """It has a reason to have stopped all the same, and no dates."""
    task = read_task(reading, "task-ready")
    assert (task.stop_reason, task.start_date, task.stop_date) == ("Stop Reason NORMAL", None, None)


def test_a_failed_task_is_read(reading: Reading) -> None:
    """The words inside of what DMS says are shown; the reason keeps them all."""
    task = read_task(reading, "task-failed")
    assert task.message is not None
    assert task.message.startswith("No tables were found at task initialization. Either")
    assert task.message.endswith("to false and restart task.")
    assert task.stop_reason is not None
    assert task.stop_reason.endswith("Stop Reason FATAL_ERROR Error Level FATAL")


def test_a_password_in_a_stop_reason_is_not_kept(reading: Reading) -> None:
    """DMS says the same text twice: a connection string in it is not read from either place."""
    said = (
        "Last Error  RetCode: SQL_ERROR Message: bad option in 'host=db;password=hunter2;x=1'"
        " Stop Reason FATAL_ERROR Error Level FATAL"
    )
    (seen,) = recorded_task("task-failed")["ReplicationTasks"]
    answer = {"ReplicationTasks": [{**seen, "LastFailureMessage": said, "StopReason": said}]}
    (task,) = reading(answer).all_tasks()
    assert "bad option" in (task.message or "")
    assert "hunter2" not in f"{task.message} {task.stop_reason}"


# ---- the stand-in answers in their shape


class Account:
    """A stand-in in an account like the recorded one, and the last answer as it went over HTTP."""

    def __init__(self, standin: DmsStandIn) -> None:
        self.standin = standin
        self.raw: Any = None
        self.client: Any = fast.session(REGION).client("dms")
        self.client.meta.events.register(
            "before-parse.database-migration-service",
            lambda response_dict, **_: setattr(self, "raw", json.loads(response_dict["body"])),
        )
        self.instance = standin.add_instance("replication-1")
        self.source = self.endpoint("orders-source")
        self.target = self.endpoint("orders-target", "target")

    def endpoint(self, name: str, kind: str = "source", **more: Any) -> str:
        """Make an endpoint by password, unless other fields are given; return its ARN."""
        fields = more or {
            "Username": "postgres",
            "Password": "x",
            "ServerName": "localhost",
            "Port": 5432,
        }
        made = self.client.create_endpoint(
            EndpointIdentifier=name,
            EndpointType=kind,
            EngineName="postgres",
            DatabaseName="orders",
            SslMode="require",
            **fields,
        )
        return str(made["Endpoint"]["EndpointArn"])

    def described(self, arn: str) -> None:
        """Ask for one endpoint."""
        chosen = [{"Name": "endpoint-arn", "Values": [arn]}]
        self.client.describe_endpoints(Filters=chosen)

    def connect(self) -> None:
        """Let both ends of a task have been tested, the second without success."""
        for arn in (self.source, self.target):
            self.client.test_connection(EndpointArn=arn, ReplicationInstanceArn=self.instance)
        self.standin.settle()

    def task(self, status: str = "stopped") -> str:
        """Make a task in this status."""
        return self.standin.add_task(
            "orders-to-warehouse",
            source=self.source,
            target=self.target,
            instance=self.instance,
            status=status,
        )

    def finished(self) -> str:
        """Make a task whose load is over."""
        arn = self.task()
        self.standin.set_task(arn, stop_reason="Stop Reason FULL_LOAD_ONLY_FINISHED")
        return arn

    def serverless(self, status: str, failure: str | None = None) -> None:
        """Make a serverless replication."""
        self.standin.add_serverless(
            "clicks-to-warehouse",
            source=self.source,
            target=self.target,
            status=status,
            failure=failure,
        )


@pytest.fixture
def account() -> Iterator[Account]:
    """An account whose endpoints connect, but for the target's, and whose tasks take their time."""
    standin = DmsStandIn(durations=INSTANT, resolve={}, patience=5.0)
    standin.judge = lambda seen: "timeout expired" if seen["EndpointType"] == "TARGET" else ""
    with fast.installed(), mock_aws(), standin.installed():
        yield Account(standin)


def _endpoint_by_secret(account: Account) -> None:
    role, secret = (RECORDED_SETTINGS[name] for name in SECRET)
    settings = {SECRET[0]: role, SECRET[1]: secret}
    account.described(account.endpoint("ledger-source", PostgreSQLSettings=settings))


def _endpoint_target(account: Account) -> None:
    account.client.modify_endpoint(
        EndpointArn=account.target, PostgreSQLSettings={"DdlArtifactsSchema": "dbo"}
    )
    account.described(account.target)


def _connections(account: Account) -> None:
    account.connect()
    account.client.describe_connections()


def _starting(account: Account) -> None:
    account.standin.judge = lambda _: ""
    account.connect()
    account.standin.durations = Durations()
    task = account.task()
    account.client.start_replication_task(
        ReplicationTaskArn=task, StartReplicationTaskType="resume-processing"
    )


def _creating(account: Account) -> None:
    account.client.create_replication_task(
        ReplicationTaskIdentifier="orders-to-warehouse",
        SourceEndpointArn=account.source,
        TargetEndpointArn=account.target,
        ReplicationInstanceArn=account.instance,
        MigrationType="full-load",
        TableMappings="{}",
    )


def _ready(account: Account) -> None:
    _creating(account)
    account.client.describe_replication_tasks()


def _of_task(status: str, operation: str, **more: str) -> Callable[[Account], None]:
    """Call an operation on a task that was in some status before; ``finished`` has loaded all."""

    def act(account: Account) -> None:
        arn = account.finished() if status == "finished" else account.task(status)
        account.standin.durations = Durations()
        getattr(account.client, operation)(ReplicationTaskArn=arn, **more)

    return act


def _listed(status: str) -> Callable[[Account], None]:
    def act(account: Account) -> None:
        account.finished() if status == "finished" else account.task(status)
        account.client.describe_replication_tasks()

    return act


def _moving(account: Account) -> None:
    task = account.task("ready")
    account.standin.durations = Durations()
    account.client.move_replication_task(
        ReplicationTaskArn=task,
        TargetReplicationInstanceArn=account.standin.add_instance("replication-2"),
    )


def _events(account: Account) -> None:
    _of_task("stopped", "modify_replication_task", TableMappings="{}")(account)
    account.client.describe_events(EventCategories=["configuration change"])


def _replications(status: str, failure: str | None = None) -> Callable[[Account], None]:
    def act(account: Account) -> None:
        account.serverless(status, failure)
        account.client.describe_replications()

    return act


SECRET = ("SecretsManagerAccessRoleArn", "SecretsManagerSecretId")
RECORDED_SETTINGS = RECORDED["endpoint-by-secret"]["answer"]["Endpoints"][0]["PostgreSQLSettings"]
SCENES: Mapping[str, Callable[[Account], None]] = {
    "connection-testing": lambda account: account.client.test_connection(
        EndpointArn=account.source, ReplicationInstanceArn=account.instance
    ),
    "connections": _connections,
    "endpoint-by-password": lambda account: account.described(account.source),
    "endpoint-by-secret": _endpoint_by_secret,
    "endpoint-target": _endpoint_target,
    "events": _events,
    "replication-created": _replications("created"),
    "replication-failed": _replications("failed", "timeout expired"),
    "task-creating": _creating,
    "task-deleting": _of_task("finished", "delete_replication_task"),
    "task-failed": _listed("failed"),
    "task-finished": _listed("finished"),
    "task-modifying": _of_task("finished", "modify_replication_task", TableMappings="{}"),
    "task-moving": _moving,
    "task-ready": _ready,
    "task-starting": _starting,
    "task-stopped": _listed("stopped"),
    "task-stopping": _of_task("running", "stop_replication_task"),
    "task-testing": _of_task("finished", "start_replication_task_assessment"),
}
"""What is done in the stand-in to get each recorded answer, by the name of the recording."""

# What today's API shows and the recordings, some years old, do not; and what belongs to a task
# because somebody asked for it when it was made or changed.
NEWER = frozenset({"IsReadOnly", "RecoveryCheckpoint"})
ASKED_FOR = frozenset({"CdcStartPosition"})
# A task that has never run: of 2020 without a reason to have stopped, of 2024 with one.
UNSETTLED = {"task-moving": "StopReason"}
CASED = frozenset(
    {
        "EndpointType",
        "EngineName",
        "MigrationType",
        "ReplicationType",
        "SourceType",
        "SslMode",
        "Status",
        "StopReason",
    }
)
_ARN = re.compile(
    r"arn:aws:(\w+):eu-west-1:\d{12}:([\w-]+)[:/][\w/-]+|arn:aws:(iam)::\d{12}:(role)/.+"
)


def form(name: str, value: Any) -> str:
    """Of what form a value is: its type, and for texts the kind of ARN, or the case of a word."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a time in seconds" if name.endswith(("Date", "Time")) else "a number"
    if found := _ARN.fullmatch(value):
        return f"the ARN of {' '.join(filter(None, found.groups()))}"
    if name in CASED:
        letters = re.sub(r"[^a-zA-Z ]", "", value).split()[0]
        case = "capitals" if letters.isupper() else "small" if letters.islower() else "mixed"
        return f"a word in {case} letters"
    return "a text"


def forms(value: Any, at: str = "", name: str = "") -> Iterator[tuple[str, str]]:
    """Every member of an answer: its path, and the form of its value."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in NEWER | ASKED_FOR:
                yield from forms(item, f"{at}.{key}".removeprefix("."), key)
    elif isinstance(value, list):
        yield at, "a list"
        for item in value:
            yield from forms(item, f"{at}[]", name)
    else:
        yield at, form(name, value)


def test_every_recording_has_its_scene() -> None:
    """None is left out of the comparison, and each says its origin."""
    assert set(SCENES) == set(RECORDED)
    assert all(each["origin"] for each in RECORDED.values())
    recorded = {f"task-{status}" for status in STATUSES} & set(RECORDED)
    assert len(recorded) == len(STATUSES) - len(("running", "failed-move"))


@pytest.mark.parametrize("name", RECORDED)
def test_the_stand_in_answers_in_the_recorded_shape(account: Account, name: str) -> None:
    """The same members on every level, in the same form: none more, none less."""
    SCENES[name](account)
    ours = {each for each in forms(account.raw) if not each[0].endswith(f".{UNSETTLED.get(name)}")}
    assert ours == set(forms(RECORDED[name]["answer"]))


@pytest.mark.parametrize("name", [name for name in RECORDED if name.startswith("task-")])
def test_the_stand_in_is_in_the_recorded_status(account: Account, name: str) -> None:
    """The scene reaches the status that the recording has, for the same reason."""
    SCENES[name](account)
    ours, theirs = (
        (each.get("ReplicationTasks") or [each["ReplicationTask"]])[0]
        for each in (account.raw, RECORDED[name]["answer"])
    )
    assert ours["Status"] == theirs["Status"]
    ours.pop(UNSETTLED.get(name), None)
    reasons = (str(each.get("StopReason", "")) for each in (ours, theirs))
    words = [re.search(r"Stop Reason \w+( Error Level \w+)?", reason) for reason in reasons]
    assert len({found and found[0] for found in words}) == 1


@pytest.mark.parametrize("name", RECORDED)
def test_the_recordings_fit_the_model(name: str) -> None:
    """They were copied right; DMS alone differs from its model, in words of two enums."""
    model = fast.session(REGION).client("dms").meta.service_model
    shape = model.operation_model(RECORDED[name]["operation"]).output_shape
    assert shape is not None
    found = set(shapes.problems(shape, RECORDED[name]["answer"]))
    known = (".EndpointType: not one of", ".SourceType: not one of")
    assert {each for each in found if not any(word in each for word in known)} == set()
