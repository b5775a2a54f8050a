"""What happens in one case besides its story, all of it drawn from the case's name."""

import json
import random
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from unittest.mock import patch

from sandbox.aws import Call, Execution, Kind, deploy, inline
from sandbox.aws.calls import EVENTS, MACHINE, NOT_STEPS, OUTSIDE
from sandbox.aws.machine import Where
from sandbox.chaos.people import ACTS
from sandbox.chaos.promises import Watch
from sandbox.chaos.stories import Story
from sandbox.chaos.turns import TurnClock, Turns
from sandbox.world import World

SLOW, VERY_SLOW = 0.1, 0.01
"""How many calls take some seconds, and how many as long as the function may still run."""

STOP = "stop"
"""The execution is stopped; its Lambda goes on to its end."""
BESIDE = 0.5
"""In how many cases of several sources the children of one execution run side by side."""
AWAY = "away"
"""The operation gives the step no answer any more, for as long as any step tries."""
TRIES = 40
_LOST = "Lambda.SdkClientException"


class What(StrEnum):
    """What happens besides the story."""

    FAULTS = "faults"
    OVERLAP = "overlap"
    RUNS = "runs"
    PEOPLE = "people"


@dataclass(frozen=True)
class Pair:
    """One case."""

    story: str
    what: What
    seed: int

    def __str__(self) -> str:
        return f"{self.story} {self.what} {self.seed}"


@dataclass(frozen=True)
class Size:
    """How long a story is undisturbed: calls that can be disturbed, states, invocations."""

    calls: int
    states: int
    invocations: int


class Happening:
    """Draws what happens, and lets it happen while the story is played.

    Attributes:
        happened: what has, in order.
    """

    def __init__(
        self,
        world: World,
        story: Story,
        watch: Watch,
        *,
        case: Pair,
        size: Size,
        workers: inline.Workers,
    ) -> None:
        self._world = world
        self._story = story
        self._watch = watch
        self._case = case
        self._size = size
        self._workers = workers
        self._rng = random.Random(str(case))
        random.seed(str(case))  # the jitter of retries
        clock = world.cloud.clock
        assert isinstance(clock, TurnClock)
        self._turns = Turns(clock, self._rng)
        self._side_by_side = False
        # With a generator of its own: a case without is the one that it was.
        beside = random.Random(f"{case} side by side")
        if len(story.names) > 1 and beside.random() < BESIDE:
            workers.beside = self._beside
            self._side_by_side = True
        self._calls = self._states = self._invocations = 0
        self._lost = -1
        self._at_calls: dict[int, Callable[[Call], object]] = {}
        self._at_states: dict[int, str] = {}
        self._mine = threading.local()
        self.happened: list[str] = []

    def play(self) -> None:
        """Play the story, and what happens in it; return when nothing is under way any more."""
        cloud = self._world.cloud
        cloud.calls.on_call.append(self._at_call)
        cloud.on_state(self._at_state)
        {
            What.FAULTS: self._draw_faults,
            What.OVERLAP: self._draw_overlap,
            What.RUNS: self._draw_runs,
            What.PEOPLE: self._draw_people,
        }[self._case.what]()
        with (
            patch.object(deploy.Functions, "invoke", self._invoker()),
            patch.object(Execution, "wait", self._waiter()),
        ):
            runs = self._story.act(self._world)
            self.join()
            cloud.faults.clear()
            for run in runs:
                direct = isinstance(run.input, dict) and "sources" in run.input
                known = self._world.state(self._story.names[0])
                if direct and run.status != "SUCCEEDED" and not known:
                    self._story.act(self._world)  # whoever starts it directly starts it again
            self.join()

    def join(self) -> None:
        """Return when nothing is under way any more."""
        self._turns.wait_for(lambda: self._turns.alone)

    def _beside(self, work: Callable[..., object]) -> Callable[[], object]:
        """Let a child of a Map take turns with the others; return what waits for its end."""
        hand = self._turns.start(work)
        return lambda: self._turns.wait_for(lambda: not self._turns.works(hand))

    def _waiter(self) -> Callable[..., Execution]:
        """Return what waits for an execution that another hand may play."""

        def wait(execution: Execution, timeout: float = 0) -> Execution:  # noqa: ARG001
            self._turns.wait_for(lambda: execution.status != "RUNNING")
            return execution

        return wait

    # -- what is drawn

    def _draw_faults(self) -> None:
        first = self._draw_fault(0, self._size.calls)
        self._draw_fault(first + 1, self._rng.choice((10, 40, self._size.calls)))

    def _draw_overlap(self) -> None:
        self._lost = self._rng.randrange(self._size.invocations)
        if self._rng.random() < 0.3:
            self._draw_fault(0, self._size.calls)

    def _draw_runs(self) -> None:
        for _ in range(self._rng.choice((1, 1, 2))):
            self._at_calls[self._rng.randrange(self._size.calls)] = self._start_another
        if self._rng.random() < 0.5:
            self._draw_fault(0, self._size.calls)

    def _draw_people(self) -> None:
        self._draw_act()
        if self._rng.random() < 0.5:
            self._draw_act()
        if self._rng.random() < 0.5:
            self._draw_fault(0, self._size.calls)

    def _draw_fault(self, first: int, among: int) -> int:
        """Let something go wrong at one of so many calls from ``first`` on; return at which one."""
        at = first + self._rng.randrange(among)
        fault = self._rng.choice((*Kind, STOP, STOP, AWAY, AWAY))
        self._at_calls[at] = lambda call: self._strike(call, fault)
        return at

    def _strike(self, call: Call, fault: str) -> None:
        cloud = self._world.cloud
        if fault == STOP:
            if call.execution is not None:
                self.happened.append(f"{_name(call)}: its execution is stopped")
                cloud.stop(Execution(call.execution, cloud))
            return
        if call.caller == MACHINE and fault in (Kind.KILL, Kind.KILL_AFTER, AWAY):
            fault = Kind.BEFORE  # it does not die
        self.happened.append(f"{_name(call)}: {fault}")
        kind, times = (Kind.BEFORE, TRIES) if fault == AWAY else (Kind(fault), 1)
        for _ in range(times):
            cloud.faults.inject(call.service, call.operation, kind, caller=call.caller)

    def _draw_act(self) -> None:
        name = self._rng.choice(sorted(ACTS))
        self._at_states[self._rng.randrange(self._size.states)] = name

    def _act(self, name: str, where: Where) -> None:
        """Let somebody act; what is not taken is tried again at the next state."""
        self._mine.acting = True
        try:
            taken = ACTS[name](self._world, self._watch, self._rng)
        finally:
            self._mine.acting = False
        if not taken:
            self._at_states.setdefault(self._states, name)
            return
        self._watch.acted = True
        self.happened.append(f"{'' if where.child else 'run: '}{where.state}: {name}")

    def _start_another(self, call: Call) -> None:
        names = self._story.names
        given = self._rng.choice(({}, {"names": list(names)}, {"names": [names[-1]]}))
        self.happened.append(f"{_name(call)}: another execution begins, {json.dumps(given)}")

        def run() -> None:
            with suppress(Exception):  # its start may meet the fault of this case
                self._world.cloud.run(given)

        self._turns.start(run)

    # -- where it happens

    def _at_call(self, call: Call) -> None:
        if call.caller in (OUTSIDE, EVENTS):
            return
        self._take_time(call)
        if not getattr(self._mine, "acting", False):
            strike = self._at_calls.pop(self._calls, None)
            self._calls += 1
            if strike is not None:
                strike(call)

    def _at_state(self, where: Where) -> None:
        alone = self._case.what in (What.FAULTS, What.PEOPLE) and not self._side_by_side
        if alone and where.child and where.state == self._story.overtakes_at:
            self._workers.run_next()
        if not getattr(self._mine, "acting", False):
            act = self._at_states.pop(self._states, None)
            self._states += 1
            if act is not None:
                self._act(act, where)

    # -- several hands

    def _take_time(self, call: Call) -> None:
        """Let others work, or time pass; end an invocation that takes longer than it may."""
        left = self._left()
        if getattr(self._mine, "patience", None) is not None:
            self._mine.patience -= 1
            if self._mine.patience < 0 and not self._mine.lost:
                self._mine.lost.append(_name(call))
                self._turns.sleep(self._rng.uniform(0, left or 0))
        if self._turns.alone:
            return
        drawn = self._rng.random()
        if call.caller in NOT_STEPS or left is None or drawn > SLOW:
            self._turns.pause()
        else:
            self._turns.sleep(self._rng.uniform(0, left if drawn < VERY_SLOW else min(left, 3)))
        if left is not None and (self._left() or 0) < 0:
            raise SystemExit("timed out")

    def _left(self) -> float | None:
        """Return for how many seconds this thread's function may still run."""
        until = getattr(self._mine, "until", None)
        now = self._world.cloud.clock.now()
        return None if until is None else (until - now).total_seconds()

    def _invoker(self) -> Callable[..., Any]:
        """Return what invokes functions, one of them in a hand of its own."""
        plain = deploy.Functions.invoke
        cloud = self._world.cloud

        def timed(functions: Any, function: Any, event: Any) -> Any:
            before = getattr(self._mine, "until", None)
            self._mine.until = cloud.clock.now() + timedelta(seconds=int(function.timeout))
            try:
                return plain(functions, function, event)
            finally:
                self._mine.until = before

        def invoke(functions: Any, function: Any, event: Any) -> Any:
            number = self._invocations
            self._invocations += 1
            if number != self._lost:
                return timed(functions, function, event)
            answers: list[Any] = []
            lost: list[str] = []
            where, patience = cloud._machines.where(), self._rng.randrange(8)

            def work() -> None:
                self._mine.patience, self._mine.lost = patience, lost
                with cloud._machines.at(where) if where else nullcontext():
                    answers.append(timed(functions, function, event))

            hand = self._turns.start(work)
            self._turns.wait_for(lambda: bool(lost) or not self._turns.works(hand))
            if answers:
                return answers[0]
            self.happened.append(f"{lost[0]}: given up there, and goes on")
            error = {"errorType": _LOST, "errorMessage": "no answer", "stackTrace": []}
            return json.dumps(error), True, ""

        return invoke


def _name(call: Call) -> str:
    state = f" in {call.state}" if call.state else ""
    return f"{call.caller} {call.service}:{call.operation}#{call.nth}{state}"
