"""A command whose write AWS does not answer: what may be true now, and what the next one finds.

Every attempt of the write is lost, although it was made. The command says that it may have been
done, and what shows it; the same command again says what is true, and ends well.
"""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from moto.core.models import botocore_stubber

from certifier.aws.clients import Clients
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.aws.store.breaker import put_breaker
from certifier.aws.store.items import source_key
from certifier.cli import IN_AWS, main
from certifier.run.documents import StoppedTask
from certifier.run.kept import written
from certifier.run.record import TaskRecord
from certifier.run.state import BadEnd, Breaker, OnHold
from tests.aws.test_cli_fleet import NOW, RUN, installed, register  # noqa: F401 - a fixture
from tests.aws.test_lost_answers import EVERY_TRY, Trouble, trouble  # noqa: F401 - a fixture
from tests.aws.test_permissions import installed as machine  # noqa: F401 - a fixture
from tests.unit.test_report import a_record

REGION = ("--region", "eu-west-1")
TASK = "arn:aws:dms:eu-west-1:123456789012:task:ORDERS"
NEW_CA = "5e" * 32

Prepare = Callable[[Store], None]


def registered(store: Store) -> None:
    register(store, "orders")


def paused(store: Store) -> None:
    register(store, "orders")
    store.put_on_hold("orders", OnHold(by="me", why="a move", since=NOW))


def a_new_ca(store: Store) -> None:
    """As a run leaves it that has seen the CA, and does not trust it yet."""
    register(store, "orders")
    known = {"pending_anchors": [NEW_CA], "anchors": ["0" * 64, NEW_CA]}
    store._table.write(store._table.update_op(source_key("orders", "STATE"), set_=known))


def stopped(*tasks: str) -> Prepare:
    def prepare(store: Store) -> None:
        register(store, "orders")
        store.claim("orders", RUN, NOW, lambda _: None)
        for task in tasks:
            store.hold("orders", RUN).pause(task, NOW)
        state = source_key("orders", "STATE")
        store._table.write(store._table.update_op(state, remove=("claim",)))

    return prepare


def opened(store: Store) -> None:
    register(store, "orders")
    ends = (BadEnd(at=NOW, source="orders", run=RUN),)
    store._table.write(put_breaker(store._table, Breaker(open_since=NOW, ends=ends)))


CASES: dict[str, tuple[Prepare, tuple[str, ...], str, str]] = {
    "approve": (
        a_new_ca,
        ("orders",),
        "they are approved. See what is true now: certifier status --json orders",
        "no CA of orders waits for approval; due ",
    ),
    "approve one": (
        a_new_ca,
        ("orders", NEW_CA[:16]),
        "they are approved",
        f"does not wait any more: SHA-256 {NEW_CA}\ndue ",
    ),
    "pause": (
        registered,
        ("orders", "--why", "a move", "--who", "me"),
        "orders is paused. See what is true now: certifier status orders",
        "orders is paused by me",
    ),
    "unpause": (
        paused,
        ("orders",),
        "orders is not paused any more, and due. See what is true now: certifier status orders",
        "orders is not paused; due ",
    ),
    "release": (
        stopped(TASK),
        ("orders", "ORDERS"),
        "ORDERS does not wait for orders any more. See what is true now: certifier show orders",
        "ORDERS does not wait for orders; ",
    ),
    "forget": (
        registered,
        ("orders",),
        "orders is forgotten. See what is true now: certifier status orders",
        "orders is not registered any more; its records stay: certifier history orders",
    ),
    "reset-breaker": (
        opened,
        (),
        "changes may begin again. See what is true now: certifier status",
        "changes were not stopped",
    ),
}


@pytest.fixture
def prepared(store: Store, clients: Clients, bucket: str, installed: None) -> Store:  # noqa: F811
    """An installation whose source has run before."""
    Documents(clients.client("s3"), bucket).put("records/orders/1.json", b"{}", "application/json")
    return store


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_command_whose_write_was_lost_can_be_given_again(
    case: str,
    prepared: Store,
    trouble: Trouble,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """First what may be true, with status 2; then what is true, with status 0."""
    prepare, words, perhaps, is_true = CASES[case]
    prepare(prepared)
    command = [case.partition(" ")[0], *words, *REGION]
    trouble.coming = [None] * EVERY_TRY
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "AWS does not answer (ReadTimeoutError)" in said
    assert perhaps in said
    trouble.coming.clear()
    assert main(command) == 0
    assert capsys.readouterr().out.startswith(is_true)


def test_of_two_stopped_tasks_the_one_that_was_released_is_known(
    prepared: Store,
    clients: Clients,
    trouble: Trouble,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the record of the run that has stopped it; another word may be a slip of the pen."""
    other = "arn:aws:dms:eu-west-1:123456789012:task:OTHER"
    stopped(TASK, other)(prepared)
    record = a_record(
        tasks=TaskRecord(
            stopped=(
                StoppedTask(identifier="orders-task", arn=TASK, since=NOW),
                StoppedTask(identifier="other-task", arn=other, since=NOW),
            )
        )
    )
    documents = Documents(clients.client("s3"), "certifier-bucket")
    documents.put("records/orders/2.json", written(record).encode(), "application/json")
    at = {"record": "records/orders/2"}
    prepared._table.write(prepared._table.update_op(source_key("orders", "STATE"), set_=at))
    trouble.coming = [None] * EVERY_TRY
    assert main(["release", "orders", "orders-task", *REGION]) == 2
    trouble.coming.clear()
    capsys.readouterr()
    assert main(["release", "orders", "orders-task", *REGION]) == 0
    said = "orders-task does not wait for orders; what waits: other-task; "
    assert capsys.readouterr().out.startswith(said)
    assert main(["release", "orders", "orders-tsak", *REGION]) == 1
    assert prepared.paused(other) is not None


def test_a_task_that_a_run_may_be_about_to_stop_is_not_released(
    prepared: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing waits yet, but the run would start the task again: nobody takes that for done."""
    register(prepared, "orders")
    prepared.claim("orders", RUN, NOW, lambda _: None)
    assert main(["release", "orders", "orders-task", *REGION]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("certifier release: orders-task does not wait for orders; a run has")


@pytest.mark.parametrize("words", [("orders",), ("orders", NEW_CA[:16], "f" * 16)])
def test_what_was_never_in_a_bundle_is_not_taken_for_approved(
    words: tuple[str, ...], prepared: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only all that was named counts, and a CA that waits is not approved by its name alone."""
    registered(prepared)
    known = {"anchors": ["0" * 64, NEW_CA]}
    prepared._table.write(prepared._table.update_op(source_key("orders", "STATE"), set_=known))
    assert main(["approve", *words, *REGION]) == (0 if words == ("orders",) else 1)
    said = capsys.readouterr()
    assert "no CA of orders waits for approval" in said.out + said.err


def test_what_was_never_registered_is_not_taken_for_forgotten(
    prepared: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another Region or stack may be meant."""
    assert main(["forget", "sales", *REGION]) == 1
    assert capsys.readouterr().err == "certifier forget: 'sales' is not a registered source\n"


STARTS = {
    "certify": (("orders", "--detach"), "the run goes on in AWS"),
    "notify-test": (("--timeout", "0.001"), "a test notice is on its way"),
}


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each of the next attempts to start an execution, whether its answer is lost."""
    lost: list[bool] = []
    before = botocore_stubber.process_request

    def process(request: Any) -> Any:
        answer = before(request)
        starts = "StartExecution" in str(request.headers.get("X-Amz-Target", ""))
        if starts and lost and lost.pop(0):
            raise ReadTimeoutError(endpoint_url=request.url)
        return answer

    monkeypatch.setattr("time.sleep", lambda _: None)  # botocore's back-off
    monkeypatch.setattr(botocore_stubber, "process_request", process)
    return lost


@pytest.mark.parametrize("command", sorted(STARTS))
def test_a_start_whose_answer_was_lost_names_what_it_may_have_started(
    command: str,
    store: Store,
    machine: None,  # noqa: F811
    silence: list[bool],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Under a name of its own, by which it can be watched."""
    words, perhaps = STARTS[command]
    silence += [True] * EVERY_TRY
    assert main([command, *words]) == 2
    said = capsys.readouterr().err
    assert f"{perhaps}. See what is true now: certifier watch {command}-" in said


def test_a_start_that_botocore_tries_again_is_the_same_one(
    store: Store,
    machine: None,  # noqa: F811
    silence: list[bool],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody else has its name; Step Functions may say that it is taken."""
    silence += [True, False]
    assert main(["certify", "orders", "--detach"]) == 0
    assert ":execution:m:certify-" in capsys.readouterr().out


READ_ONLY = {"discover", "watch", "status", "report", "show", "history", "open", "doctor"}


def test_every_command_that_writes_is_tried() -> None:
    """Or begins something; the others only read."""
    tried = {case.partition(" ")[0] for case in CASES} | STARTS.keys()
    assert tried == IN_AWS.keys() - READ_ONLY
