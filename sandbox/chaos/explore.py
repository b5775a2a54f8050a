"""Play a story, and fork for every fault that can strike on the way."""

import gc
import json
import os
import random
import select
import signal
import socket
import stat
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

from sandbox.aws import Call, Execution, Kind, inline
from sandbox.aws.calls import EVENTS, MACHINE, NOT_STEPS, OUTSIDE
from sandbox.aws.machine import Where
from sandbox.chaos.ends import End, differences, end_of, settled
from sandbox.chaos.likeness import likeness
from sandbox.chaos.stories import Story
from sandbox.world import World

SECONDS = 300
"""Real seconds after which a case counts as hanging. It takes about one."""

TICKS = 12
DAYS = 2
TIDY_DAYS = 9
DAY = 24 * 60
_TRAIL = 8


class Strike(StrEnum):
    """What can happen at a place besides the faults of a single call."""

    STOP = "stop"  # the execution is stopped as it enters a state
    OUTAGE = "outage"  # from this call on, its service answers no step until the execution ended


class Repaired(StrEnum):
    """What it took until everything was as without the fault."""

    JOINED = "joined the story again"  # distinct from AT_ONCE only where that is looked for
    AT_ONCE = "at once"
    TICKS = "by the schedule"  # within two hours
    DAYS = "the next day"
    TIDY = "by Tidy"  # a week later


@dataclass(frozen=True)
class Case:
    """One fault at one place.

    ``place`` is ``caller service:operation#n`` for the n-th such call of the story, ``state#n`` for
    a state of a child, ``run:state#n`` for one of the execution over all sources.
    """

    place: str
    fault: str

    def __str__(self) -> str:
        return f"{self.place} {self.fault}"


@dataclass(frozen=True)
class Played:
    """What a copy has reported of its case.

    Attributes:
        wrong: what did not end as it should; empty when all did.
        trail: if so, the executions and their states.
    """

    case: Case
    repaired: Repaired = Repaired.AT_ONCE
    wrong: tuple[str, ...] = ()
    trail: tuple[str, ...] = ()


@dataclass
class Result:
    """What has come of a story: how many places there were, and what each case has reported."""

    story: str
    calls: int = 0
    states: int = 0
    played: list[Played] = field(default_factory=list)

    @property
    def failed(self) -> list[Played]:
        """The cases that did not end well."""
        return [each for each in self.played if each.wrong]


def everything(_: Case) -> bool:
    """Every case but the outages, which take longest."""
    return _.fault != Strike.OUTAGE


class Explorer:
    """Plays one story in one world that :func:`staged` has made for it.

    Args:
        chosen: which cases to play.
        share: ``(k, n)``: of those, every n-th, beginning with the k-th (from 0).
        join: end a case once its story is like the undisturbed one again (``likeness``).
        jobs: how many copies run at the same time.
        heard: called with what each case has reported, as soon as it has.
    """

    def __init__(
        self,
        world: World,
        story: Story,
        *,
        chosen: Callable[[Case], bool] = everything,
        share: tuple[int, int] = (0, 1),
        join: bool = False,
        jobs: int = 1,
        heard: Callable[[Played], object] = lambda _: None,
    ) -> None:
        self._world = world
        self._story = story
        self._chosen = chosen
        self._share = share
        self._join = join
        self._jobs = jobs
        self._heard = heard
        self._result = Result(story.name)
        self._seen: Counter[str] = Counter()
        self._cases = 0
        self._running: dict[int, tuple[int, Case]] = {}
        self._copy: _Copy | None = None
        self._expected: tuple[End, End] = {}, {}
        self._alike: frozenset[str] = frozenset()

    def play(self) -> Result:
        """Play the story once, and each of its cases in a copy of this process.

        Raises:
            RuntimeError: even undisturbed, it does not end as it should.
        """
        random.seed(0)  # the jitter of retries
        self._story.prepare(self._world)
        gc.collect()
        gc.disable()  # a collection touches everything, and what a copy touches is copied
        self._world.cloud.calls.on_call.append(self._at_call)
        self._world.cloud.on_state(self._at_state)
        self._expected, self._alike = self._undisturbed()
        runs = self._act()
        if self._copy is not None:
            self._copy.finish(runs, self._expected)
        while self._running:
            self._collect()
        return self._result

    def _act(self) -> list[Execution]:
        try:
            return self._story.act(self._world)
        except BaseException:
            if self._copy is None:
                raise
            self._copy.report(wrong=[traceback.format_exc()])

    def _undisturbed(self) -> tuple[tuple[End, End], frozenset[str]]:
        """Return how the story ends when nobody disturbs it, soon and after the days that are
        waited for Tidy, and what its states are like."""
        played: list[Played] = []
        if self._fork(Case("nowhere", "nothing")):
            assert self._copy is not None
            self._copy.finish(self._act(), None)
        self._collect(played.append)
        end, later, alike = map(json.loads, played[0].trail or ("{}", "{}", "[]"))
        outcomes = {source["outcome"] for source in end.get("sources", {}).values()}
        if outcomes != {self._story.outcome} or not settled(end):
            raise RuntimeError(f"undisturbed, {self._story.name} ends otherwise: {played[0]}")
        return (end, later), frozenset(alike)

    # -- where faults strike

    def _at_call(self, call: Call) -> None:
        if self._copy is not None:
            self._copy.at_call(call)
            return
        if call.caller in (OUTSIDE, EVENTS):
            return
        what = f"{call.caller} {call.service}:{call.operation}"
        self._seen[what] += 1
        self._result.calls += 1
        for fault in _faults(call):
            if self._strikes(Case(f"{what}#{self._seen[what]}", fault)):
                assert self._copy is not None
                self._copy.strike(call, fault)
                return

    def _at_state(self, where: Where) -> None:
        if self._copy is not None:
            if self._join:
                self._copy.at_state(where, self._alike)
            return
        what = where.state if where.child else f"run:{where.state}"
        self._seen[what] += 1
        self._result.states += 1
        if self._strikes(Case(f"{what}#{self._seen[what]}", Strike.STOP)):
            cloud = self._world.cloud
            (cloud.stop_child_at if where.child else cloud.stop_run_at)(where.state)

    def _strikes(self, case: Case) -> bool:
        """Play ``case`` in a copy, if it is one of ours; true in the copy."""
        if not self._chosen(case):
            return False
        self._cases += 1
        ours = (self._cases - 1) % self._share[1] == self._share[0]
        return ours and self._fork(case)

    # -- copies

    def _fork(self, case: Case) -> bool:
        """Make a copy of this process that plays ``case``; true in the copy."""
        while len(self._running) >= self._jobs:
            self._collect()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._copy = _Copy(self._world, self._story, case, write)
            return True
        os.close(write)
        self._running[read] = (pid, case)
        return False

    def _collect(self, take: Callable[[Played], object] | None = None) -> None:
        """Wait for the next copies that report something, and take it."""
        ready, _, _ = select.select(list(self._running), [], [])
        for read in ready:
            pid, case = self._running.pop(read)
            with os.fdopen(read) as pipe:
                answer = pipe.read()
            _, status = os.waitpid(pid, 0)
            played = Played(case, wrong=(f"the copy died with status {status}",))
            if answer:
                got = json.loads(answer)
                played = Played(
                    case, Repaired(got["repaired"]), tuple(got["wrong"]), tuple(got["trail"])
                )
            if take is not None:
                take(played)
                continue
            self._result.played.append(played)
            self._heard(played)


class _Copy:
    """This process, once it is the copy that plays a case. It ends by reporting what came of it."""

    def __init__(self, world: World, story: Story, case: Case, out: int) -> None:
        self._world = world
        self._story = story
        self._case = case
        self._out = out
        self._service_down: str | None = None
        self._ended = False
        self._states: list[str] = []
        let_go_of_connections()
        signal.signal(signal.SIGALRM, self._hangs)
        signal.alarm(SECONDS)

    def strike(self, call: Call, fault: str) -> None:
        """Let the fault of this case strike this call."""
        if fault == Strike.OUTAGE:
            self._service_down = call.service
            self.at_call(call)
            return
        faults = self._world.cloud.faults
        faults.inject(call.service, call.operation, Kind(fault), caller=call.caller)

    def at_call(self, call: Call) -> None:
        """Let a call of a step fail while its service is down."""
        if call.service == self._service_down and call.caller not in NOT_STEPS:
            faults = self._world.cloud.faults
            faults.inject(call.service, call.operation, Kind.BEFORE, caller=call.caller)

    def at_state(self, where: Where, alike: frozenset[str]) -> None:
        """End here if a state of the undisturbed story is like this one."""
        if self._ended or self._service_down:
            return
        self._states.append(likeness(self._world, where))
        if self._states[-1] in alike:
            self.report(repaired=Repaired.JOINED)

    def finish(self, runs: list[Execution], expected: tuple[End, End] | None) -> None:
        """Let the schedule finish the job, compare, report; with nothing expected, report all.

        Args:
            expected: soon, and after the days that are waited for Tidy: an old CA goes in these.
        """
        try:
            self._service_down = None
            self._ended = True
            self._start_again(runs)
            if expected is None:
                end, _ = self._let_the_schedule_work(settled)
                later = self._let_tidy_work(DAYS + TIDY_DAYS)
                self.report(trail=[json.dumps(each) for each in (end, later, self._states)])
            soon, later = expected
            end, repaired = self._let_the_schedule_work(lambda end: end == soon and settled(end))
            if end == soon or not settled(end):
                self.report(wrong=differences(end, soon), repaired=repaired)
            end = self._let_tidy_work(TIDY_DAYS)
            wrong = differences(end, soon) and differences(end, later)
            self.report(wrong=wrong, repaired=Repaired.TIDY)
        except BaseException:  # noqa: BLE001 - whatever it is, the original must hear of it
            self.report(wrong=[traceback.format_exc()])

    def _start_again(self, runs: list[Execution]) -> None:
        """A direct start that failed before it registered anything is for its starter to repeat."""
        for run in runs:
            direct = isinstance(run.input, dict) and "sources" in run.input
            if direct and run.status != "SUCCEEDED" and not self._world.state(self._story.names[0]):
                self._story.act(self._world)

    def _let_the_schedule_work(self, done: Callable[[End], bool]) -> tuple[End, Repaired]:
        """Tick until it is done: two hours at most, then two days."""
        end = end_of(self._world, self._story.names)
        repaired = Repaired.AT_ONCE
        for minutes in (*[10] * TICKS, *[DAY] * DAYS):
            if done(end):
                break
            repaired = Repaired.DAYS if minutes == DAY else Repaired.TICKS
            self._world.cloud.tick(minutes=minutes)
            end = end_of(self._world, self._story.names)
        return end, repaired

    def _let_tidy_work(self, days: int) -> End:
        for _ in range(days):
            self._world.cloud.tick(minutes=DAY)
        return end_of(self._world, self._story.names)

    def _hangs(self, *_: object) -> None:
        self.report(wrong=[f"hangs: no end after {SECONDS} s"])

    def report(
        self,
        *,
        wrong: list[str] | None = None,
        repaired: Repaired = Repaired.AT_ONCE,
        trail: list[str] | None = None,
    ) -> NoReturn:
        """Tell the original what has come of the case, and end."""
        if wrong:
            trail = [
                f"{each.name} {each.status} {each.outcome}: {', '.join(each.states)}"
                for each in self._world.cloud.executions
                if each.name is not None
            ][-_TRAIL:]
        played = {"wrong": wrong or [], "repaired": repaired, "trail": trail or []}
        with os.fdopen(self._out, "w") as out:
            out.write(json.dumps(played))
        os._exit(0)


def _faults(call: Call) -> tuple[str, ...]:
    """Return the faults that differ at a call: what only reads has no effect to come before."""
    if call.caller == MACHINE:  # which does not die
        return (Kind.BEFORE, *((Kind.AFTER,) if call.writes else ()), Kind.THROTTLE)
    kinds = tuple(Kind) if call.writes else (Kind.BEFORE, Kind.THROTTLE, Kind.KILL)
    return (*kinds, Strike.OUTAGE)


def let_go_of_connections() -> None:
    """Keep no hand on the original's connections to PostgreSQL: they go on, but not here."""
    ours, nobody = socket.socketpair()
    nobody.close()
    for entry in list(Path("/dev/fd").iterdir()):
        descriptor = int(entry.name)
        try:
            is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        except OSError:
            continue
        if is_socket and descriptor != ours.fileno():
            os.dup2(ours.fileno(), descriptor)


@contextmanager
def staged(story: Story) -> Iterator[World]:
    """Start a world for a story, all of it in one thread."""
    with inline.installed() as workers, World.start() as world:

        def overtake(where: Where) -> None:
            if where.child and where.state == story.overtakes_at:
                workers.run_next()

        world.cloud.on_state(overtake)
        yield world
