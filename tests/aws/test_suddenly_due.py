"""A fleet that is due all at once: a batch at each tick, and what is unfinished before all else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from certifier.aws.clients import Clients
from certifier.aws.s3 import Documents
from certifier.aws.store import Store
from certifier.run.state import Recording
from certifier.source import parse_source
from certifier.vocabulary import Outcome
from lambdas.select_sources import handler
from tests.aws.certifications import SPEC
from tests.aws.conftest import Inbox

NOW = datetime.now(UTC).replace(microsecond=0)
TICK = timedelta(minutes=10)
MANY = 40
BATCH = 5
RUN = "arn:aws:states:eu-west-1:123456789012:execution:machine/Source:child-{}"

Tick = Callable[[datetime], list[str]]


@pytest.fixture
def tick(aws: boto3.Session, table: str, bucket: str, inbox: Inbox, clients: Clients) -> Tick:
    """What the schedule does: the names in the manifest, in its order."""
    environ = {
        "TABLE": table,
        "BUCKET": bucket,
        "INSTALLATION": "Certifier",
        "BATCH": str(BATCH),
        "TOPIC": inbox.topic,
    }
    documents = Documents(clients.client("s3"), bucket)

    def names(now: datetime) -> list[str]:
        execution = f"arn:aws:states:eu-west-1:123456789012:execution:machine:{now:%d-%H%M}"
        event = {"event": {}, "execution": execution, "started": "x"}
        answer = handler.bind(environ, session=aws, now=lambda: now)(event, None)
        return [item["name"] for item in documents.read_manifest(answer["key"])]

    return names


def run_of(name: str) -> str:
    return RUN.format(name)


def recorded(store: Store, name: str, at: datetime, due: datetime, *, first: bool = False) -> None:
    """A run over the source has come to its end."""
    store.claim(name, run_of(name), at, lambda _: None)
    pending = {"pending_restarts": ("arn:aws:dms:eu-west-1:123456789012:task:A",)} if first else {}
    done = Recording(
        outcome=Outcome.TASK_STOPPED if first else Outcome.CERTIFIED,
        at=at,
        due_at=due,
        first=first,
        state=pending,
    )
    store.hold(name, run_of(name)).record(done, breaker_limit=3)


@pytest.fixture
def fleet(store: Store) -> list[str]:
    """Eight batches of sources that have been due for hours, the first one longest."""
    names = [f"s{number:03}" for number in range(MANY)]
    for number, name in enumerate(names):
        source = parse_source({**SPEC, "name": name, "endpoint": f"{name}-source"})
        store.register(source, NOW - timedelta(minutes=10 * MANY - number))
    return names


def test_rescues_and_pending_restarts_come_first_whatever_waits(
    fleet: list[str], store: Store, tick: Tick
) -> None:
    """Though they became due last; then the others, those that wait longest first."""
    restarts, rescues = ["s037", "s038"], ["s035", "s039"]
    for name in restarts:
        recorded(store, name, NOW - TICK, NOW - timedelta(minutes=1), first=True)
    for name in rescues:  # their runs died, and were to be over by now
        store.claim(name, run_of(name), NOW - TICK, lambda _: None)
    taken = tick(NOW)
    urgent = {*restarts, *rescues}
    assert set(taken[: len(urgent)]) == urgent
    # A rescue takes nobody's turn: the run that it is for may still be alive.
    others = BATCH - len(restarts)
    assert taken[len(urgent) :] == fleet[:others]


def test_all_have_their_turn_at_the_pace_of_a_batch(
    fleet: list[str], store: Store, tick: Tick
) -> None:
    """Each once, in order; what turns urgent on the way is next, though the others wait."""
    taken: list[str] = []
    now, urgent = NOW, ""
    for number in range(MANY // BATCH):
        batch = tick(now)
        assert len(batch) == BATCH
        if urgent:
            assert batch[0] == urgent
        urgent = batch[0] if number == 2 else ""
        for name in batch:
            due = now + TICK if name == urgent else now + timedelta(days=1)
            recorded(store, name, now, due, first=name == urgent)
        taken += batch
        now += TICK
    waiting = fleet[MANY - 1]  # one place went to the source that came twice
    assert list(dict.fromkeys(taken)) == fleet[:-1]
    assert tick(now) == [waiting]
