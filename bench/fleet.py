"""Many sources in the sandbox: calls, transitions and time for each; do they grow linearly?

``python -m bench.fleet [N]`` onboards N sources (default 40) on one server, recertifies half of
them, then all, and compares the two. Time is processor time of this process; calls per second are
on the sandbox's clock, where the wait between two looks at DMS is the deployed one. What a
certification uses is held against the figures that docs/operate/costs.md is computed from.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from handbook.costs import FIGURES
from sandbox.aws import Execution
from sandbox.dms.switches import Quotas
from sandbox.world import World

SOURCES = 40
DMS_BUDGET = 8.0
"""Calls a second that DMS allows an account; we stay inside half of it."""
ANSWER_LIMIT = 8 * 1024
OF_THE_RUN = 3
"""Invocations of an execution besides its children: Select, Tidy, Report."""
ITEMS_IN_A_TRANSACTION = 4
"""State, undo log, breaker and registration, at most."""


@dataclass(frozen=True)
class Measured:
    """One run over ``sources`` sources."""

    sources: int
    dms_calls: int
    transitions: int
    processor: float
    virtual: float
    used: Mapping[str, float]

    @property
    def rows(self) -> list[tuple[str, float]]:
        """What is compared, per source; the last one is a rate of the whole run."""
        return [
            ("DMS calls per source", self.dms_calls / self.sources),
            ("transitions per source", self.transitions / self.sources),
            ("processor time per source, ms", 1000 * self.processor / self.sources),
            ("DMS calls per second", self.dms_calls / self.virtual),
        ]

    @property
    def above(self) -> list[str]:
        """What a certification uses more of than docs/operate/costs.md says."""
        return [
            f"{name}: {used:.1f}, not {getattr(FIGURES, name)}"
            for name, used in self.used.items()
            if used > getattr(FIGURES, name)
        ]


class Count:
    """Counts calls of one service in a part of the log."""

    def __init__(self, world: World, since: int) -> None:
        self._log, self._since = world.cloud.calls, since

    def __call__(self, service: str, *operations: str) -> int:
        """Return how many calls of these operations there were; without any, of all."""
        calls = self._log.of(service, since=self._since)
        return sum(not operations or call.operation in operations for call in calls)


def used_per_source(count: Count, sources: int, transitions: int) -> dict[str, float]:
    """Return what one certification used, by the names of ``Figures``."""
    reads = count("dynamodb", "GetItem", "Query", "Scan", "BatchGetItem")
    transactions = count("dynamodb", "TransactWriteItems")
    writes = count("dynamodb", "PutItem", "UpdateItem", "DeleteItem")
    totals = {
        "transitions": transitions,
        "invocations": count("lambda", "Invoke") - OF_THE_RUN,
        "item_reads": reads,
        "item_writes": writes + transactions * ITEMS_IN_A_TRANSACTION * 2,
        "object_writes": count("s3", "PutObject", "ListObjectsV2"),
        "object_reads": count("s3", "GetObject"),
        "secret_reads": count("secretsmanager"),
    }
    return {name: total / sources for name, total in totals.items()}


def measure(world: World, names: list[str]) -> Measured:
    """Recertify the named sources, which have not changed."""
    calls, clock = len(world.cloud.calls), world.cloud.clock.now()
    began = time.process_time()
    run = world.cloud.run({"names": names}).wait(timeout=3600)
    took = time.process_time() - began
    children = run.children
    assert {child.outcome for child in children} == {"certified"}
    assert len(children) == len(names)
    return Measured(
        sources=len(names),
        dms_calls=len(world.cloud.calls.of("dms", since=calls)),
        transitions=sum(child.transitions for child in children),
        processor=took,
        virtual=(world.cloud.clock.now() - clock).total_seconds(),
        used=used_per_source(
            Count(world, calls), len(names), sum(child.transitions for child in children)
        ),
    )


def longest_answer(execution: Execution) -> int:
    """Return how long the longest answer of a step was, in bytes, children included."""
    details = "taskSucceededEventDetails"
    return max(
        len(event[details]["output"])
        for each in (execution, *execution.children)
        for event in each.history
        if details in event
    )


def main(arguments: list[str]) -> int:
    """Print the comparison; exit status 1 when a bound is not held."""
    sources = int(arguments[0]) if arguments else SOURCES
    names = [f"fleet-{number}" for number in range(sources)]
    console = Console(highlight=False)
    with World.start(quotas=Quotas(endpoints_per_instance=sources + 10)) as world:
        specs = [world.source(name=name, endpoint=f"{name}-source") for name in names]
        console.print(f"[dim]onboarding {sources} sources …[/]")
        onboarded = world.cloud.run({"sources": specs}).wait(timeout=7200)
        assert onboarded.status == "SUCCEEDED", onboarded.cause
        half = measure(world, names[: sources // 2])
        whole = measure(world, names)
        answer = longest_answer(onboarded)
    table = Table("", f"{half.sources} sources", f"{whole.sources} sources", "ratio")
    for (what, few), (_, many) in zip(half.rows, whole.rows, strict=True):
        table.add_row(what, f"{few:.2f}", f"{many:.2f}", f"{many / few:.2f}")
    console.print(table)
    rate = whole.dms_calls / whole.virtual
    console.print(f"longest answer of a step: {answer} bytes of {ANSWER_LIMIT}")
    console.print(f"DMS budget used: {rate:.2f} of {DMS_BUDGET} calls a second")
    for name, used in whole.used.items():
        console.print(f"{name}: {used:.1f} per source; costs.md says {getattr(FIGURES, name)}")
    held = rate <= DMS_BUDGET / 2 and answer <= ANSWER_LIMIT and not whole.above
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
