"""Many sources in the sandbox: what a fleet uses of DMS and of the account, unchanged and rotating.

``python -m bench.fleet [N ...]`` (default 10 and 40; 10, 100 and 1,000 take most of an hour)
makes a fleet of each size on one server, and certifies each unchanged. Then all are due at once,
one of them left by a run that died, and the schedule ticks until none is. In a second account, a
new CA is put into their secret, and each fleet follows it. Time is on the sandbox's clock, at the
deployed pace, with a connection test that takes ``TEST_SECONDS``. It fails when something grows
faster than the fleet, when DMS gets more than half of what it allows, or throttles, when a source
does not end certified, when what is unfinished does not come first, when an answer is too long, or
when a certification uses 5 % more than docs/operate/costs.md is computed from. What it has printed
is kept in ``fleet.txt``.

The clock adds up the calls of children that work at the same time, so that its minutes and the rate
of calls are those of a single caller; ``at most`` is what ``max_concurrency`` of them could make of
it.
"""

import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil
from multiprocessing import get_context
from statistics import mean
from typing import Any

from moto.s3.models import s3_backends
from rich.console import Console
from rich.table import Table

from certifier.vocabulary import Metric
from handbook import costs
from handbook.costs import FIGURES
from sandbox.aws import Execution
from sandbox.aws.cloud import CALL_SECONDS
from sandbox.copies import copy_source
from sandbox.dms.switches import Durations, Quotas
from sandbox.world import World
from stacks.settings import Settings

SIZES = (10, 40)
TICK_SECONDS = 600.0
PATIENCE = 7200.0
"""Real seconds for an execution."""
TEST_SECONDS = 25.0
"""How long DMS takes to test a connection; an assumption, until somebody has measured it."""
START_SECONDS = 0.3
"""Of an invocation, besides the calls that it makes; an assumption."""
DMS_BUDGET = 8.0
"""Calls a second that DMS allows an account; we stay inside half of it."""
ANSWER_LIMIT = 8 * 1024
OF_THE_RUN = 3
"""Invocations of an execution besides its children: Select, Tidy, Report."""
SMALL_ITEMS = 3
"""Of a transaction, at most, besides the state of a source: undo log, breaker and registration."""
READ_BYTES, WRITTEN_BYTES = 4096, 1024
"""What a unit of DynamoDB reads (the item as it is now) and writes; twice that in a transaction."""
GROWTH = 1.15
"""How much more one source of the largest fleet may use than one of the smallest."""
TURNS = 1.05
"""How much more than docs/operate/costs.md a fleet may use: which connection tests need a second
look depends on how its children take turns, and of few sources that is a few in a hundred."""


@dataclass(frozen=True)
class Measured:
    """One run over ``sources`` sources; ``used`` by the names of ``Figures``, for each source."""

    kind: str
    sources: int
    dms_calls: int
    transitions: int
    object_bytes: int
    processor: float
    virtual: float
    longest_answer: int
    used: Mapping[str, float]

    @property
    def per_source(self) -> Mapping[str, float]:
        """What must not grow with the fleet."""
        n = self.sources
        return {
            "DMS calls": self.dms_calls / n,
            "transitions": self.transitions / n,
            "Lambda seconds": self.used["lambda_seconds"],
            "DynamoDB read units": self.used["item_reads"],
            "DynamoDB write units": self.used["item_writes"],
            "S3 requests": self.used["object_writes"] + self.used["object_reads"],
            "KB kept in S3": self.object_bytes / n / 1024,
        }

    @property
    def rate(self) -> float:
        """DMS calls a second, if one child works at a time."""
        return self.dms_calls / self.virtual

    @property
    def side_by_side(self) -> float:
        """Seconds that the run takes when as many children as may work do so without a pause."""
        lambda_seconds = self.sources * self.used["lambda_seconds"]
        return max(self.virtual, lambda_seconds) / _setting("max_concurrency")

    @property
    def at_most(self) -> float:
        """DMS calls a second, in such a run."""
        return self.dms_calls / self.side_by_side


@dataclass(frozen=True)
class AllDue:
    """What became of a fleet that was due all at once.

    Attributes:
        ticks: until none was due any more.
        dms_calls: of the busiest of them.
        throttles: calls that DMS refused.
        outcomes: how many sources ended in which way.
        urgent_first: whether the one that a dead run had left was the first that a tick took.
    """

    sources: int
    ticks: int
    dms_calls: int
    throttles: int
    outcomes: Mapping[str | None, int]
    urgent_first: bool

    @property
    def rate(self) -> float:
        """DMS calls a second, when a tick's sources are done before the next tick."""
        return self.dms_calls / TICK_SECONDS


def _setting(name: str) -> int:
    return int(Settings.model_fields[name].default)


class Count:
    """Counts calls of one service in a part of the log."""

    def __init__(self, world: World, since: int) -> None:
        self._log, self._since = world.cloud.calls, since

    def __call__(self, service: str, *operations: str) -> int:
        """Return how many calls of these operations there were; without any, of all."""
        calls = self._log.of(service, since=self._since)
        return sum(not operations or call.operation in operations for call in calls)

    def of_steps(self) -> int:
        """Return how many calls functions made."""
        calls = self._log.of(since=self._since)
        return sum(call.caller not in ("machine", "events") for call in calls)


@dataclass(frozen=True)
class StateSize:
    """How long the state of a source is in the table, on average, and in units of DynamoDB."""

    bytes: float
    to_read: float
    to_write: float


def state_size(world: World, names: Sequence[str]) -> StateSize:
    """Return how long the states of these sources are."""
    keys = {f"SOURCE#{name}" for name in names}
    sizes = [
        _length({"M": item})
        for item in world.cloud.items()
        if item["sk"]["S"] == "STATE" and item["pk"]["S"] in keys
    ]
    return StateSize(
        mean(sizes),
        mean(ceil(size / READ_BYTES) for size in sizes),
        mean(ceil(size / WRITTEN_BYTES) for size in sizes),
    )


def _length(packed: Mapping[str, Any]) -> int:
    """Return how long DynamoDB takes a value for (developer guide, "Item sizes and formats")."""
    ((kind, value),) = packed.items()
    match kind:
        case "S" | "N":
            return len(value.encode())
        case "M":
            return 3 + sum(len(name) + _length(each) + 1 for name, each in value.items())
        case "L":
            return 3 + sum(_length(each) + 1 for each in value)
        case _:
            return 1


def used_per_source(
    count: Count, sources: int, transitions: int, state: StateSize
) -> dict[str, float]:
    """Return what one certification used, by the names of ``Figures``.

    Every single read and write of the table is taken for one of a source's state.
    """
    reads = count("dynamodb", "GetItem", "Query", "Scan", "BatchGetItem")
    transactions = count("dynamodb", "TransactWriteItems")
    writes = count("dynamodb", "PutItem", "UpdateItem", "DeleteItem")
    written = writes * state.to_write + transactions * 2 * (state.to_write + SMALL_ITEMS)
    seconds = count.of_steps() * CALL_SECONDS + count("lambda", "Invoke") * START_SECONDS
    totals = {
        "transitions": transitions,
        "invocations": count("lambda", "Invoke") - OF_THE_RUN,
        "lambda_seconds": seconds,
        "item_reads": reads * state.to_read,
        "item_writes": written,
        "object_writes": count("s3", "PutObject", "ListObjectsV2"),
        "object_reads": count("s3", "GetObject"),
        "secret_reads": count("secretsmanager"),
        "events": count("events", "PutEvents"),
    }
    return {name: total / sources for name, total in totals.items()}


def measure(world: World, kind: str, names: Sequence[str]) -> Measured:
    """Certify the named sources."""
    calls, clock, kept = len(world.cloud.calls), world.cloud.clock.now(), _bytes(world)
    began = time.process_time()
    run = world.cloud.run({"names": [*names]}, wait=False).wait(timeout=PATIENCE)
    took = time.process_time() - began
    children = run.children
    assert {child.outcome for child in children} == {"certified"}
    assert len(children) == len(names)
    count = Count(world, calls)
    transitions = sum(child.transitions for child in children)
    return Measured(
        kind=kind,
        sources=len(names),
        dms_calls=count("dms"),
        transitions=transitions,
        object_bytes=_bytes(world) - kept,
        processor=took,
        virtual=(world.cloud.clock.now() - clock).total_seconds(),
        longest_answer=longest_answer(run),
        used=used_per_source(count, len(names), transitions, state_size(world, names)),
    )


def all_due(world: World, names: Sequence[str]) -> AllDue:
    """Let all sources be due at once, one of them after a run that died; tick until none is."""
    urgent = names[-1]
    world.cloud.stop_child_at("Test connection")
    world.cloud.run({"names": [urgent]})
    logged, busiest, order = len(world.cloud.log), 0, list[str]()
    outcomes: Counter[str | None] = Counter()
    minutes, ticks = 25.0 * 60, 0
    while len(order) < len(names):
        since = len(world.cloud.calls)
        run = world.cloud.tick(minutes=minutes, wait=False).wait(timeout=PATIENCE)
        minutes, ticks = TICK_SECONDS / 60, ticks + 1
        children = run.children
        if not children:
            break
        busiest = max(busiest, Count(world, since)("dms"))
        outcomes.update(child.outcome for child in children)
        key = f"runs/{run.run_id}/manifest.json"
        order += [each["name"] for each in json.loads(world.cloud.objects(key)[key])]
    throttles = sum(Metric.DMS_THROTTLES in line for line in world.cloud.log[logged:])
    return AllDue(len(names), ticks, busiest, throttles, outcomes, order[0] == urgent)


def _bytes(world: World) -> int:
    """Return how many bytes are in the bucket; listing it takes longer than a fleet's work."""
    keys = s3_backends[world.cloud.account]["aws"].buckets[world.cloud.bucket].keys
    return sum(key.size for key in keys.values())


def longest_answer(execution: Execution) -> int:
    """Return how long the longest answer of a step was, in bytes; Report's is the machine's own."""
    details = "taskSucceededEventDetails"
    return max(
        len(event[details]["output"])
        for each in execution.children
        for event in each.history
        if details in event
    )


def monthly(measured: Measured) -> float:
    """Return what a fleet of that many costs in a month, from what was counted."""
    counted = {name: used for name, used in measured.used.items() if hasattr(FIGURES, name)}
    figures = replace(
        FIGURES,
        **{name: round(used, 1) for name, used in counted.items()},  # type: ignore[arg-type]
        record_bytes=round(measured.object_bytes / measured.sources),
    )
    return sum(costs.parts(measured.sources, figures).values())


def in_a_line(measured: Measured) -> str:
    """Return what was measured, for whoever waits for the rest."""
    figures = ", ".join(f"{used:.1f} {what}" for what, used in measured.per_source.items())
    return f"{measured.sources} {measured.kind}, for each: {figures}"


def broken(few: Measured, many: Measured) -> list[str]:
    """Return every bound that is not held."""
    found = []
    for what, used in many.per_source.items():
        if used > few.per_source[what] * GROWTH:
            found.append(f"{many.kind}: {what} grow: {few.per_source[what]:.1f} to {used:.1f}")
    if many.at_most > DMS_BUDGET / 2:
        found.append(f"{many.kind}: {many.at_most:.1f} DMS calls a second")
    if many.longest_answer > ANSWER_LIMIT:
        found.append(f"{many.kind}: an answer of {many.longest_answer} bytes")
    if many.kind == "unchanged":
        found += [
            f"{name}: {used:.1f}, and costs.md says {getattr(FIGURES, name)}"
            for name, used in many.used.items()
            if used > getattr(FIGURES, name) * TURNS
        ]
    return found


def broken_when_due(due: AllDue) -> list[str]:
    """Return every rule that a fleet which is due all at once has broken."""
    found = []
    if due.rate > DMS_BUDGET / 2:
        found.append(f"all due: {due.rate:.1f} DMS calls a second")
    if due.throttles:
        found.append(f"all due: DMS throttled {due.throttles} steps")
    if due.outcomes != {"certified": due.sources}:
        found.append(f"all due: {dict(due.outcomes)}")
    if not due.urgent_first:
        found.append("all due: what a dead run had left was not the first")
    return found


@dataclass(frozen=True)
class Part:
    """What one process measured of fleets of all sizes, and the peak of its memory, in MiB."""

    measured: Sequence[Measured]
    state: StateSize
    peak: float
    due: AllDue | None = None


class Fleets:
    """Fleets of these sizes in one account, the sources of each apart from those of the others."""

    def __init__(self, sizes: Sequence[int]) -> None:
        ends = [*accumulate(sizes)]
        self.names = [f"fleet-{number:04}" for number in range(ends[-1])]
        self.each = [self.names[end - size : end] for size, end in zip(sizes, ends, strict=True)]

    @contextmanager
    def world(self) -> Iterator[World]:
        """Start a world in which all of them are certified: one by Certifier, the rest copies."""
        quotas = Quotas(endpoints=len(self.names) + 10, endpoints_per_instance=len(self.names) + 10)
        durations = replace(Durations(), testing=TEST_SECONDS)
        with World.start(quotas=quotas, durations=durations) as world:
            progress(f"onboarding one source, of which {len(self.names) - 1} others are copies …")
            first, *others = self.names
            source = world.source(name=first, endpoint=f"{first}-source")
            onboarded = world.cloud.run({"sources": [source]})
            assert onboarded.status == "SUCCEEDED", onboarded.cause
            copy_source(world.cloud, first, others)
            world.cloud.run({"names": [first]})  # the page of the fleet learns of the copies
            yield world

    def measured(self, world: World, kind: str) -> Iterator[Measured]:
        """Certify one fleet after the other."""
        for fleet in self.each:
            progress(f"{len(fleet)} sources, {kind} …")
            one = measure(world, kind, fleet)
            progress(in_a_line(one))
            yield one


def progress(text: str) -> None:
    """Say how far it is, to whoever waits."""
    Console(highlight=False, stderr=True, style="dim").print(text)


def unchanged(sizes: Sequence[int]) -> Part:
    """Certify fleets of which nothing has changed, then let all be due at once."""
    fleets = Fleets(sizes)
    with fleets.world() as world:
        measured = [*fleets.measured(world, "unchanged")]
        progress(f"{len(fleets.names)} sources, all due at once …")
        due = all_due(world, fleets.names)
        return Part(measured, state_size(world, fleets.names), _peak(), due)


def rotating(sizes: Sequence[int]) -> Part:
    """Put a new CA into the secret of all fleets, and let each follow it."""
    fleets = Fleets(sizes)
    with fleets.world() as world:
        world.issue()
        world.serve()
        world.put_pair()
        measured = [*fleets.measured(world, "rotating")]
        return Part(measured, state_size(world, fleets.names), _peak())


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str]) -> int:
    """Print what was measured; exit status 1 when a bound is not held.

    Each kind has an account and a process of its own, so that two processors halve the wait.
    """
    sizes = sorted({int(each) for each in arguments}) or list(SIZES)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        kinds = [pool.submit(kind, sizes) for kind in (unchanged, rotating)]
        steady, rotated = (kind.result() for kind in kinds)
    due = steady.due
    assert due is not None
    console = Console(highlight=False, width=120)
    console.print(
        f"all {due.sources} due at once: {due.ticks} ticks of at most {_setting('batch')}"
        f" sources, {due.dms_calls} DMS calls in the busiest, {due.rate:.2f} a second of"
        f" {DMS_BUDGET:.0f}; {due.throttles} throttles; {dict(due.outcomes)}"
    )
    pairs = zip(steady.measured, rotated.measured, strict=True)
    measured = [one for pair in pairs for one in pair]
    table = Table("for each source", *(f"{m.sources} {m.kind}" for m in measured))
    for what in measured[0].per_source:
        table.add_row(what, *(f"{m.per_source[what]:.1f}" for m in measured))
    table.add_row(
        "processor ms (sandbox)", *(f"{1000 * m.processor / m.sources:.0f}" for m in measured)
    )
    table.add_section()
    at_once = _setting("max_concurrency")
    table.add_row("minutes, one at a time", *(f"{m.virtual / 60:.1f}" for m in measured))
    table.add_row(
        f"minutes, {at_once} at a time", *(f"{m.side_by_side / 60:.1f}" for m in measured)
    )
    table.add_row("DMS calls a second", *(f"{m.rate:.2f}" for m in measured))
    table.add_row(f"at most, of {DMS_BUDGET:.0f}", *(f"{m.at_most:.2f}" for m in measured))
    table.add_row("longest answer, bytes", *(str(m.longest_answer) for m in measured))
    table.add_row(
        f"$ a month ({costs.PRICED})",
        *(f"{monthly(m):.2f}" if m.kind == "unchanged" else "" for m in measured),
    )
    console.print(table)
    console.print(f"bytes of a state in the table: {rotated.state.bytes:.0f}")
    peak = max(steady.peak, rotated.peak)
    console.print(f"peak memory of a process, a whole account in it: {peak:.0f} MiB")
    found = [
        problem
        for each in (steady.measured, rotated.measured)
        for problem in broken(each[0], each[-1])
    ]
    found += broken_when_due(due)
    for name, used in steady.measured[-1].used.items():
        console.print(f"{name}: {used:.1f} per source")
    if not found:
        console.print(f"linear: no figure of a source grows by more than {GROWTH - 1:.0%}")
    for problem in found:
        console.print(f"[red]{problem}[/]")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
