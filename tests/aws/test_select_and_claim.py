"""Select sources and Claim source, through their handlers, against moto."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.s3 import Documents
from certifier.aws.store import NotClaimed, Store
from certifier.endpoint.facts import EndpointFields
from certifier.errors import InvalidEvent
from certifier.run.documents import UndoLog
from certifier.run.state import Recording
from certifier.vocabulary import Outcome
from lambdas.claim_source import handler as claim_handler
from lambdas.register_sources import handler as register_handler
from lambdas.select_sources import handler as select_handler
from tests.aws.conftest import Inbox

NOW = datetime.now(UTC).replace(microsecond=0)  # by the clock that moto goes by
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:machine:parent-1"
CHILD = "arn:aws:states:eu-west-1:123456789012:execution:machine/Source:child-1"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/orders-AbCdEf"
Handler = Callable[[Any, Any], dict[str, Any]]


def spec(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "endpoint": f"{name}-source",
        "host": f"{name}.example.com",
        "ssl_mode": "require",
        **fields,
    }


@pytest.fixture
def documents(clients: Clients, bucket: str) -> Documents:
    return Documents(clients.client("s3"), bucket)


@pytest.fixture
def environ(table: str, bucket: str, inbox: Inbox) -> dict[str, str]:
    return {
        "TABLE": table,
        "BUCKET": bucket,
        "INSTALLATION": "Certifier",
        "BATCH": "2",
        "TOPIC": inbox.topic,
    }


@pytest.fixture
def select(aws: boto3.Session, environ: dict[str, str]) -> Callable[..., dict[str, Any]]:
    """Select sources; what brings sources goes through Register sources first, as in Onboard."""

    def call(event: Any, now: datetime = NOW) -> dict[str, Any]:
        if "sources" in event:
            door = register_handler.bind(environ, session=aws, now=lambda: now)
            registered = door({"event": event, "execution": EXECUTION}, None)
            if not registered["accepted"]:
                raise InvalidEvent(registered["problems"])
            event = {"onboarded": registered["onboarded"]}
        bound = select_handler.bind(environ, session=aws, now=lambda: now)
        return bound({"event": event, "execution": EXECUTION, "started": "x"}, None)

    return call


@pytest.fixture
def claim(aws: boto3.Session, environ: dict[str, str]) -> Callable[..., dict[str, Any]]:
    def call(run: str = CHILD, mode: str = "apply", now: datetime = NOW) -> dict[str, Any]:
        bound = claim_handler.bind(environ, session=aws, now=lambda: now)
        source = {"name": "orders", "spec": spec("orders"), "version": 1}
        event = {
            "run": run,
            "parent": EXECUTION,
            "mode": mode,
            "origin": "direct",
            "started": NOW.isoformat(),
            "source": source,
        }
        return bound(event, None)

    return call


def manifest(documents: Documents, answer: dict[str, Any]) -> list[str]:
    assert answer["bucket"] == documents.bucket
    items = documents.read_manifest(answer["key"])
    assert len(items) == answer["count"]
    return [item["name"] for item in items]


def test_a_direct_start_registers_its_sources_and_runs_them(
    select: Callable[..., dict[str, Any]], documents: Documents, store: Store
) -> None:
    """The manifest holds the validated specs with their versions, and the sources are due."""
    answer = select({"sources": [spec("orders"), spec("sales", port=5433)]})
    assert answer == {
        "count": 2,
        "bucket": documents.bucket,
        "key": "runs/parent-1/manifest.json",
        "mode": "apply",
        "origin": "direct",
    }
    assert documents.read_manifest(answer["key"])[1] == {
        "name": "sales",
        "spec": spec("sales", port=5433),
        "version": 1,
    }
    assert store.due(NOW, 10) == ["orders", "sales"]


def test_plan_mode_registers_nothing(
    select: Callable[..., dict[str, Any]], documents: Documents, store: Store
) -> None:
    """Only the manifest is written: no spec, no hold on the endpoint, nothing due."""
    answer = select({"sources": [spec("orders")], "mode": "plan"})
    assert manifest(documents, answer) == ["orders"]
    assert answer["mode"] == "plan"
    assert store.specs_all() == {}
    assert store.endpoint_owner("orders-source") is None
    select({"sources": [spec("orders")]})
    before = store.state("orders")
    select({"names": ["orders"], "mode": "plan"}, now=NOW + timedelta(hours=1))
    select({"all": True, "mode": "plan"}, now=NOW + timedelta(hours=1))
    assert store.state("orders") == before


def test_one_bad_source_keeps_all_from_being_stored(
    select: Callable[..., dict[str, Any]], documents: Documents, store: Store
) -> None:
    """All mistakes are reported at once, also that an endpoint is taken, and nothing is written."""
    select({"sources": [spec("orders")]})
    with pytest.raises(InvalidEvent) as caught:
        select({"sources": [spec("sales"), spec("audit", port=0)]})
    assert "sources.1.port" in str(caught.value)
    with pytest.raises(InvalidEvent) as caught:
        select(
            {
                "sources": [
                    spec("sales"),
                    spec("audit", endpoint="orders-source"),
                    spec("stock", endpoint="ORDERS-SOURCE-2"),
                ]
            }
        )
    assert "sources.1.endpoint: endpoint_taken" in str(caught.value)
    assert set(store.specs_all()) == {"orders"}


def test_a_tick_takes_what_is_due_and_writes_nothing_but_the_manifest(
    select: Callable[..., dict[str, Any]], documents: Documents, store: Store
) -> None:
    """At most a batch, those due longest first; a tick changes no due time."""
    for i, name in enumerate(("orders", "sales", "audit")):
        select({"sources": [spec(name)]}, now=NOW + timedelta(minutes=i))
    before = store.states_all()
    answer = select({}, now=NOW + timedelta(minutes=5))
    assert manifest(documents, answer) == ["orders", "sales"]
    assert answer["origin"] == "schedule"
    assert store.states_all() == before
    assert select({}, now=NOW - timedelta(minutes=5))["count"] == 0


def test_a_rotated_secret_makes_its_sources_due(
    select: Callable[..., dict[str, Any]], documents: Documents, store: Store
) -> None:
    """Only the sources that use the secret run; an event for a foreign secret runs none."""
    select({"sources": [spec("orders", credentials=SECRET), spec("sales")]})
    later = NOW + timedelta(hours=1)
    event = {
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "resources": [SECRET],
        "detail": {"labelUpdated": "AWSCURRENT"},
    }
    answer = select(event, now=later)
    assert manifest(documents, answer) == ["orders"]
    assert answer["origin"] == "event"
    state = store.state("orders")
    assert state is not None
    assert state.due_at == later
    assert select({**event, "resources": [SECRET[:-6] + "ZzZzZz"]}, now=later)["count"] == 0


def test_an_expiring_certificate_is_traced_to_its_source(
    select: Callable[..., dict[str, Any]], documents: Documents, store: Store
) -> None:
    """ACM's event names the certificate; the table knows whose it is."""
    select({"sources": [spec("orders"), spec("sales")]})
    store.claim("sales", CHILD, NOW, lambda _: None)
    store.hold("sales", CHILD).remember(acm_arn="arn:acm:1")
    event = {
        "source": "aws.acm",
        "detail-type": "ACM Certificate Approaching Expiration",
        "resources": ["arn:acm:1"],
    }
    assert manifest(documents, select(event)) == ["sales"]


def rds_event(instance: str) -> dict[str, Any]:
    """The event as EventBridge delivers it: of an instance, whether it is Aurora's or not."""
    arn = f"arn:aws:rds:eu-west-1:123456789012:db:{instance}"
    return {
        "version": "0",
        "source": "aws.rds",
        "detail-type": "RDS DB Instance Event",
        "resources": [arn],
        "detail": {
            "EventCategories": ["maintenance"],
            "SourceType": "DB_INSTANCE",
            "SourceArn": arn,
            "SourceIdentifier": instance,
            "EventID": "RDS-EVENT-0502",
        },
    }


def test_a_rotation_of_an_instance_concerns_its_cluster(
    select: Callable[..., dict[str, Any]], documents: Documents, aws: boto3.Session
) -> None:
    """Aurora's instances rotate, its sources use the cluster's host; alone, the instance's own."""
    rds: Any = aws.client("rds")
    common = {"Engine": "aurora-postgresql", "DBInstanceClass": "db.r6g.large"}
    rds.create_db_cluster(
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="correct-horse",
    )
    rds.create_db_instance(DBInstanceIdentifier="orders-1", DBClusterIdentifier="orders", **common)
    tail = "abc123.eu-west-1.rds.amazonaws.com"
    select(
        {
            "sources": [
                spec("orders", host=f"orders.cluster-{tail}"),
                spec("first", host=f"orders-1.{tail}"),
                spec("alone", host=f"alone.{tail}"),
            ]
        }
    )
    later = NOW + timedelta(hours=1)
    assert manifest(documents, select(rds_event("orders-1"), now=later)) == ["first", "orders"]
    assert manifest(documents, select(rds_event("alone"))) == ["alone"]


def test_unknown_names_are_reported_together(select: Callable[..., dict[str, Any]]) -> None:
    """Each unknown name is named; nothing runs."""
    select({"sources": [spec("orders")]})
    with pytest.raises(InvalidEvent) as caught:
        select({"names": ["orders", "nope", "x" * 100]})
    assert "'nope' is not a registered source" in str(caught.value)
    assert "x" * 61 not in str(caught.value)


def test_a_spec_that_is_no_longer_valid_stops_nobody_else(
    select: Callable[..., dict[str, Any]], documents: Documents, store: Store, clients: Clients
) -> None:
    """The source is reported as failed, with what to do; all others run."""
    select({"sources": [spec("orders"), spec("sales")]})
    clients.client("dynamodb").update_item(
        TableName="certifier",
        Key={"pk": {"S": "SPEC#orders"}, "sk": {"S": "SPEC"}},
        UpdateExpression="SET spec = :s",
        ExpressionAttributeValues={":s": {"S": json.dumps({"name": "orders", "old": 1})}},
    )
    for event in ({}, {"all": True}, {"names": ["sales", "orders"]}):
        assert manifest(documents, select(event)) == ["sales"]
        word = documents.child_outcomes("parent-1")["orders"]
        assert word.outcome is Outcome.FAILED
        assert word.seen is not None
        assert "register the source again" in word.seen
    select({"sources": [spec("orders")]})
    assert manifest(documents, select({"names": ["orders"]})) == ["orders"]


def test_a_claim_tells_what_was_left_behind(
    select: Callable[..., dict[str, Any]], claim: Callable[..., dict[str, Any]], store: Store
) -> None:
    """An undo log leads to the tail, a pause to Resume."""
    select({"sources": [spec("orders")]})
    assert claim() == {"claimed": True, "tail": False, "paused": False}
    log = UndoLog(
        endpoint_arn=None,
        endpoint_identifier="orders-source",
        fields=(),
        old=EndpointFields(),
        new=EndpointFields(),
    )
    store.hold("orders", CHILD).write_undo(log)
    store.hold("orders", CHILD).pause("arn:task", NOW)
    assert claim() == {"claimed": True, "tail": True, "paused": True}


def test_a_run_with_an_older_spec_ends_and_the_source_is_due(
    select: Callable[..., dict[str, Any]],
    claim: Callable[..., dict[str, Any]],
    store: Store,
    documents: Documents,
) -> None:
    """What an edit forbids must not happen because a run was queued before it."""
    select({"sources": [spec("orders")]})
    select({"sources": [spec("orders", restart_tasks=True)]})
    later = NOW + timedelta(minutes=3)
    assert claim(now=later)["claimed"] is False
    state = store.state("orders")
    assert state is not None
    assert (state.claim, state.due_at) == (None, later)
    word = documents.child_outcomes("parent-1")["orders"]
    assert word.outcome is Outcome.DEFERRED
    assert "registered anew" in str(word.seen)


def test_an_edit_between_the_look_and_the_claim_wins(
    select: Callable[..., dict[str, Any]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is written only together with the version that was looked at."""
    select({"sources": [spec("orders")]})
    edits = iter([lambda: select({"sources": [spec("orders", restart_tasks=True)]})])
    plain = store._table.transacted

    def late(writes: Any) -> bool:
        next(edits, lambda: None)()
        return plain(writes)

    monkeypatch.setattr(store._table, "transacted", late)
    got = store.claim("orders", CHILD, NOW, lambda _: None, version=1)
    assert got == NotClaimed(owner=None, edited=True)
    assert store.due(NOW, 10) == ["orders"]


def test_plan_mode_claims_nothing(
    select: Callable[..., dict[str, Any]], claim: Callable[..., dict[str, Any]], store: Store
) -> None:
    """It goes on as if it had, and the table stays as it is."""
    select({"sources": [spec("orders")]})
    before = store.state("orders")
    assert claim(mode="plan") == {"claimed": True, "tail": False, "paused": False}
    assert store.state("orders") == before


def test_the_loser_of_a_claim_only_writes_its_outcome(
    select: Callable[..., dict[str, Any]],
    claim: Callable[..., dict[str, Any]],
    store: Store,
    documents: Documents,
    clients: Clients,
) -> None:
    """While the owner runs, nobody else gets the source; two minutes after its end, they do."""
    sfn = clients.client("stepfunctions")
    machine = sfn.create_state_machine(
        name="machine", definition="{}", roleArn="arn:aws:iam::123456789012:role/machine"
    )["stateMachineArn"]
    owner = sfn.start_execution(stateMachineArn=machine, name="owner", input="{}")["executionArn"]
    select({"sources": [spec("orders")]})
    assert claim(run=owner)["claimed"]
    before = store.state("orders")
    assert claim() == {"claimed": False, "tail": False, "paused": False}
    assert store.state("orders") == before
    assert documents.child_outcomes("parent-1")["orders"].outcome is Outcome.DEFERRED
    sfn.stop_execution(executionArn=owner)
    ended = datetime.now(UTC)
    assert not claim(now=ended + timedelta(minutes=1))["claimed"]
    assert claim(now=ended + timedelta(minutes=3))["claimed"]


@pytest.mark.parametrize(
    ("minutes", "taken"), [(0, False), (15, False), (60, False), (62, False), (63, True)]
)
def test_an_owner_that_is_not_visible_is_not_dead_for_an_hour(
    select: Callable[..., dict[str, Any]],
    claim: Callable[..., dict[str, Any]],
    clients: Clients,
    minutes: int,
    taken: bool,
) -> None:
    """DescribeExecution is eventually consistent: it may not know an execution that works."""
    machine = clients.client("stepfunctions").create_state_machine(
        name="machine", definition="{}", roleArn="arn:aws:iam::123456789012:role/machine"
    )["stateMachineArn"]
    unseen = machine.replace(":stateMachine:", ":execution:") + ":unseen"
    select({"sources": [spec("orders")]})
    assert claim(run=unseen, now=NOW)["claimed"]
    assert claim(now=NOW + timedelta(minutes=minutes))["claimed"] is taken


def test_a_source_that_was_forgotten_is_not_claimed(
    select: Callable[..., dict[str, Any]], claim: Callable[..., dict[str, Any]], store: Store
) -> None:
    """A child whose source is gone ends as deferred and brings nothing back."""
    select({"sources": [spec("orders")]})
    store.claim("orders", CHILD, NOW, lambda _: None)
    done = Recording(outcome=Outcome.CERTIFIED, at=NOW, due_at=None)
    store.hold("orders", CHILD).record(done, breaker_limit=3)
    assert store.forget("orders") is True
    assert not claim()["claimed"]
    assert store.state("orders") is None


def test_what_is_due_and_registered_by_nobody_takes_no_turn_twice(
    aws: boto3.Session, table: str, store: Store, select: Callable[..., dict[str, Any]]
) -> None:
    """An item of a source without a spec, which nobody of ours leaves, is due later."""
    item = {
        "pk": {"S": "SOURCE#ghost"},
        "sk": {"S": "STATE"},
        "name": {"S": "ghost"},
        "due_at": {"S": "2026-01-01T00:00:00Z"},
        "due_partition": {"S": "due"},
    }
    aws.client("dynamodb").put_item(TableName=table, Item=item)
    assert store.due(NOW, 5) == ["ghost"]
    assert select({})["count"] == 0
    assert store.due(NOW, 5) == []
