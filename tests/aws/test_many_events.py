"""Many secrets that are rotated within a minute: their events together run as many as a tick does.

What has no room is due, and the ticks take it: a batch at a time, each source once.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from certifier.aws.store import Store
from certifier.run.state import Recording
from certifier.source import parse_source
from certifier.vocabulary import Outcome
from lambdas.select_sources import handler
from tests.aws.conftest import Inbox

NOW = datetime.now(UTC).replace(microsecond=0)  # by the clock that moto goes by
PARENT = "arn:aws:states:eu-west-1:123456789012:execution:machine"
MANY, BATCH = 60, 10
NAMES = [f"s{number}" for number in range(MANY)]


def secret(name: str) -> str:
    return f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:dms/{name}-AbCdEf"


@pytest.fixture
def registered(store: Store) -> Store:
    """Sources with a secret each, certified yesterday, and due tomorrow."""
    sources = [
        parse_source(
            {
                "name": name,
                "endpoint": f"{name}-source",
                "host": f"{name}.example.com",
                "ssl_mode": "require",
                "credentials": secret(name),
            }
        )
        for name in NAMES
    ]
    before = NOW - timedelta(days=1)
    for source in sources:
        store.register(source, before)
        store.claim(source.name, f"{PARENT}:before", before, lambda _: None)
        done = Recording(outcome=Outcome.CERTIFIED, at=before, due_at=NOW + timedelta(days=1))
        store.hold(source.name, f"{PARENT}:before").record(done, breaker_limit=3)
    return store


class Machine:
    """Select sources at some moment, and the claims of those that it has chosen."""

    def __init__(self, aws: boto3.Session, store: Store, environ: dict[str, str]) -> None:
        self.aws, self.store, self.environ = aws, store, environ
        self.starts = 0

    def select(self, event: dict[str, Any], now: datetime) -> list[str]:
        self.starts += 1
        bound = handler.bind(self.environ, session=self.aws, now=lambda: now)
        given = {"event": event, "execution": f"{PARENT}:p{self.starts}", "started": "x"}
        answer = bound(given, None)
        body = self.aws.client("s3").get_object(Bucket=answer["bucket"], Key=answer["key"])
        return [item["name"] for item in json.loads(body["Body"].read())]

    def rotated(self, name: str, now: datetime) -> list[str]:
        return self.select(
            {
                "source": "aws.secretsmanager",
                "detail-type": "Secret Label Updated",
                "resources": [secret(name)],
                "detail": {"labelUpdated": "AWSCURRENT"},
            },
            now,
        )

    def certify(self, name: str, now: datetime) -> None:
        run = f"{PARENT}:{name}-{self.starts}"
        self.store.claim(name, run, now, lambda _: None)
        done = Recording(outcome=Outcome.CERTIFIED, at=now, due_at=now + timedelta(days=1))
        self.store.hold(name, run).record(done, breaker_limit=3)


@pytest.fixture
def machine(
    aws: boto3.Session, registered: Store, table: str, bucket: str, inbox: Inbox
) -> Machine:
    environ = {
        "TABLE": table,
        "BUCKET": bucket,
        "INSTALLATION": "Certifier",
        "BATCH": str(BATCH),
        "TOPIC": inbox.topic,
    }
    return Machine(aws, registered, environ)


@pytest.mark.parametrize("claims", [True, False])
def test_their_events_together_run_a_batch(machine: Machine, *, claims: bool) -> None:
    """Whether those that were started have claimed their source yet or not."""
    ran: list[str] = []
    for number, name in enumerate(NAMES):
        now = NOW + timedelta(seconds=number // 2)
        chosen = machine.rotated(name, now)
        ran += chosen
        for each in chosen if claims else ():
            machine.store.claim(each, f"{PARENT}:{each}", now, lambda _: None)
    assert ran == NAMES[:BATCH]


def test_what_had_no_room_is_taken_by_the_ticks(machine: Machine) -> None:
    """All of them, each once, and the next event finds room again."""
    ran: list[str] = []
    for name in NAMES:
        ran += machine.rotated(name, NOW)
    for name in ran:
        machine.certify(name, NOW)
    for tick in range(1, MANY // BATCH):
        now = NOW + timedelta(minutes=10 * tick)
        taken = machine.select({}, now)
        assert len(taken) == BATCH
        for name in taken:
            machine.certify(name, now)
        ran += taken
    assert sorted(ran) == sorted(NAMES)
    later = NOW + timedelta(hours=2)
    assert machine.select({}, later) == []
    assert machine.rotated("s7", later) == ["s7"]


def test_a_start_of_all_keeps_no_event_waiting_for_long(machine: Machine) -> None:
    """It makes every source due, and runs five at a time for hours."""
    machine.select({"all": True}, NOW)
    for name in NAMES[:5]:
        machine.store.claim(name, f"{PARENT}:{name}", NOW, lambda _: None)
    later = NOW + timedelta(minutes=2)
    assert machine.rotated("s40", later) == ["s40"]
