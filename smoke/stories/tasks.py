"""A task: what it forbids while it runs, and what it needs to start."""

import json

from certifier.aws.dms import Rejected, Started
from certifier.endpoint.facts import Endpoint, EndpointFields
from certifier.errors import Busy, Refused
from certifier.vocabulary import Cause, SslMode
from smoke.account import FAST_POLL, TASK_SECONDS, Account, Broken, Fault
from smoke.book import Book
from smoke.stories.story import Story

_NOTHING = {
    "rules": [
        {
            "rule-type": "selection",
            "rule-id": "1",
            "rule-name": "1",
            "object-locator": {"schema-name": "certifier_smoke", "table-name": "nothing"},
            "rule-action": "include",
        }
    ]
}


def _play(account: Account, book: Book) -> None:
    source, target = _ends(account)
    for end in (source, target):
        if not account.test(end.arn).passed:
            raise Broken(f"{end.identifier} does not connect")
    task = _running(account, source, target)
    _while_it_runs(account, book, source, task)
    _stopped(account, book, task)
    _old_pass(account, book, source, task)
    _resumed(account, book, source, task)


def _ends(account: Account) -> tuple[Endpoint, Endpoint]:
    """Both ends at one server; CaptureDdls would leave a trigger behind in the database."""
    identifier = account.will_make("endpoint", "task-source")
    plain = account.plain(SslMode.REQUIRE, PostgreSQLSettings={"CaptureDdls": False})
    account.fault("create_endpoint", EndpointIdentifier=identifier, **plain)
    source = account.active(identifier)
    target = account.endpoint(
        "task-target", account.fields(SslMode.REQUIRE), endpoint_type="target"
    )
    return source, target


def _running(account: Account, source: Endpoint, target: Endpoint) -> str:
    identifier = account.will_make("task", "task")
    fault = account.fault(
        "create_replication_task",
        ReplicationTaskIdentifier=identifier,
        SourceEndpointArn=source.arn,
        TargetEndpointArn=target.arn,
        ReplicationInstanceArn=account.instance,
        MigrationType="cdc",
        TableMappings=json.dumps(_NOTHING),
        Tags=[{"Key": key, "Value": value} for key, value in account.tags.items()],
    )
    if fault is not None:
        raise Broken(f"the task was not created: {account.hide(fault.text)}")
    arn = next(one.arn for one in account.dms.tasks(source.arn))
    _until(account, arn, "ready")
    fault = account.fault(
        "start_replication_task",
        ReplicationTaskArn=arn,
        StartReplicationTaskType="start-replication",
    )
    if fault is not None:
        raise Broken(f"the task was not started: {account.hide(fault.text)}")
    _until(account, arn, "running")
    return arn


def _until(account: Account, arn: str, status: str) -> None:
    def look() -> bool | None:
        task = account.dms.task(arn)
        if task is not None and task.status == "failed":
            raise Broken(f"the task failed: {account.hide(task.message or 'no message')}")
        return True if task is not None and task.status == status else None

    account.wait(TASK_SECONDS, f"the task to be {status}", look)


def _same(account: Account) -> EndpointFields:
    """What the endpoint has already: a change for DMS, and none for its connections."""
    return EndpointFields(ssl_mode=SslMode.REQUIRE, database_name=account.login.database)


def _modify_once(account: Account, source: Endpoint) -> Fault | None:
    """Modify it now or not at all."""
    return account.fault(
        "modify_endpoint",
        EndpointArn=source.arn,
        EngineName="postgres",
        SslMode=SslMode.REQUIRE.value,
        DatabaseName=account.login.database,
    )


def _while_it_runs(account: Account, book: Book, source: Endpoint, task: str) -> None:
    fault = _modify_once(account, source)
    book.check("an endpoint of a running task is not modified", fault is not None)
    if fault is not None:
        book.said("an endpoint of a running task is modified", f"{fault.code}: {fault.text}")
    try:
        account.dms.modify_endpoint(source, _same(account))
        refused = "taken"
    except Refused as no:
        refused = no.cause.value
    except Busy:
        refused = "busy"
    book.check("the adapter names the running task", refused == Cause.TASKS_RUNNING.value, refused)
    fault = account.fault("delete_endpoint", EndpointArn=source.arn)
    if fault is None:
        raise Broken("DMS deleted an endpoint of a running task")
    book.said("an endpoint of a task is deleted", f"{fault.code}: {fault.text}")
    found = {one.arn for one in account.dms.tasks(source.arn)}
    book.check("the task is found by its endpoint", found == {task}, found)


def _stopped(account: Account, book: Book, task: str) -> None:
    book.check("a running task is stopped", account.dms.stop_task(task) is True)
    _until(account, task, "stopped")
    now = account.dms.task(task)
    book.check("a stopped task has a StopDate", now is not None and now.stop_date is not None)
    book.check("a task that is not running cannot be stopped", not account.dms.stop_task(task))


def _old_pass(account: Account, book: Book, source: Endpoint, task: str) -> None:
    """Start the task on a pass that was won with the settings before the last change.

    A hidden test would win a new pass at once, so the change is made in the middle of a test of
    our own, which keeps the hidden one away and still judges the settings before the change.
    """
    account.quiet(source.arn)
    account.start_test(source.arn)
    if _modify_once(account, source) is not None:
        hidden = book.seen.get("hidden_test_after_modify")
        if hidden is None or hidden.value:
            book.said("a pass from before a modify", "not seen: a hidden test may win a new one")
            return
        account.quiet(source.arn)
        account.patiently("a change", lambda: account.dms.modify_endpoint(source, _same(account)))

    def settled() -> str | None:
        status = getattr(account.connection(source.arn), "status", "none")
        active = account.described(source.arn)["Status"] == "active"
        return status if active and status != "testing" else None

    shown = account.wait(TASK_SECONDS, "the test to end", settled, FAST_POLL)
    if shown != "successful":
        book.said("a pass from before a modify", f"not seen: the connection is {shown}")
        return
    match account.dms.start_task(task):
        case Started():
            book.answer("modify_invalidates_pass", False, "the task started")
        case Rejected(text=text, needs_test=True):
            book.answer("modify_invalidates_pass", True, text)
        case Rejected(text=text):
            book.check("a start that needs a test says so", False, text)


def _resumed(account: Account, book: Book, source: Endpoint, task: str) -> None:
    now = account.dms.task(task)
    if now is not None and now.status == "stopped":
        book.check("the endpoint connects after the change", account.test(source.arn).passed)
        started = account.dms.start_task(task)
        book.check("a passing test lets the task go on", isinstance(started, Started), started)
    _until(account, task, "running")


STORY = Story(
    name="task",
    does="run a CDC task that replicates nothing; modify its endpoint; stop it, resume it",
    makes="2 endpoints, 1 task; in the database a replication slot, and control tables that DMS "
    "leaves behind: use a database that may be dropped",
    costs="nothing on the instance that is there; about 15 minutes",
    answers=("modify_invalidates_pass",),
    play=_play,
    needs="--with-task",
    wanted=lambda request: request.with_task,
)
