"""Two things at once: a second fault, a late write, another execution, a person in the way.

``python -m sandbox.chaos.pairs STORY WHAT FIRST [COUNT]`` plays cases. A case is named by a story,
what happens in it, and a seed, from which all of it is drawn; a copy of the process plays it, lets
the schedule work, and reports which promises are broken (``promises.py``). WHAT is one of

- ``faults``: a call fails, or an execution is stopped; and again in what follows;
- ``overlap``: Step Functions gives up an invocation that goes on, and its calls land later;
- ``runs``: two or three executions, their calls in one of the orders that time allows;
- ``people``: somebody acts at a state, and something else happens besides.
"""

import argparse
import gc
import json
import os
import random
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

from sandbox.aws import deploy, inline
from sandbox.aws.calls import EVENTS, OUTSIDE
from sandbox.chaos.ends import end_of, settled
from sandbox.chaos.explore import let_go_of_connections
from sandbox.chaos.happening import Happening, Pair, Size, What
from sandbox.chaos.promises import Watch
from sandbox.chaos.stories import FIRST, STORIES, Story, let_log_in_with
from sandbox.chaos.turns import TurnClock
from sandbox.world import World

SECONDS = 60
"""Real seconds after which a case counts as hanging."""

_TRAIL = 8
PATIENCE = (*[10] * 12, *[60] * 12, *[24 * 60] * 3)
"""Minutes before each tick that is let work, while something is open."""


@dataclass(frozen=True)
class Report:
    """What has come of a case.

    Attributes:
        broken: the promises that are broken, one line each; empty when all are kept.
        happened: what was drawn, in order.
        trail: the executions and their states, if a promise is broken.
    """

    case: Pair
    broken: tuple[str, ...] = ()
    happened: tuple[str, ...] = ()
    trail: tuple[str, ...] = ()


class Player:
    """Plays cases of one story in a world that :func:`staged` has made for it."""

    def __init__(self, world: World, story: Story, workers: inline.Workers) -> None:
        self._world = world
        self._story = story
        self._workers = workers
        random.seed(0)
        story.prepare(world)
        gc.collect()
        gc.disable()  # a collection touches everything, and what a copy touches is copied
        measured = self._in_copy(self._measure)
        self._size = Size(**{key: int(measured[key]) for key in ("calls", "states", "invocations")})

    def play(self, what: What, seed: int) -> Report:
        """Play one case in a copy of this process."""
        case = Pair(self._story.name, what, seed)
        let_log_in_with(self._world, FIRST)  # the server is the same for all
        got = self._in_copy(lambda: self._play(case))
        return Report(case, *(tuple(got.get(key, ())) for key in ("broken", "happened", "trail")))

    def _in_copy(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _answer(write, work)
        os.close(write)
        with os.fdopen(read) as pipe:
            answer = pipe.read()
        _, status = os.waitpid(pid, 0)
        if not answer:
            return {"broken": [f"the copy died with status {status}"]}
        got: dict[str, Any] = json.loads(answer)
        return got

    def _measure(self) -> dict[str, Any]:
        counts: Counter[str] = Counter()
        invoke = deploy.Functions.invoke

        def counted(functions: Any, function: Any, event: Any) -> Any:
            counts["invocations"] += 1
            return invoke(functions, function, event)

        self._world.cloud.calls.on_call.append(
            lambda call: counts.update(calls=int(call.caller not in (OUTSIDE, EVENTS)))
        )
        self._world.cloud.on_state(lambda _: counts.update(states=1))
        with patch.object(deploy.Functions, "invoke", counted):
            self._story.act(self._world)
        return dict(counts)

    def _play(self, case: Pair) -> dict[str, Any]:
        watch = Watch(self._world, self._story.names, self._story.ends)
        happening = Happening(
            self._world, self._story, watch, case=case, size=self._size, workers=self._workers
        )
        happening.play()
        for minutes in PATIENCE:
            names = [n for n in self._story.names if self._world.item(f"SPEC#{n}", "SPEC")]
            if settled(end_of(self._world, tuple(names))) and not watch.broken():
                break
            self._world.cloud.tick(minutes=minutes)
        broken = watch.broken()
        trail = [
            f"{each.name} {each.status} {each.outcome}: {', '.join(dict.fromkeys(each.states))}"
            for each in self._world.cloud.executions
            if broken and each.name is not None
        ]
        return {"broken": broken, "happened": happening.happened, "trail": trail[:_TRAIL]}


def _answer(out: int, work: Callable[[], dict[str, Any]]) -> NoReturn:
    """Be the copy: work, answer, end."""
    let_go_of_connections()
    signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(SECONDS)
    try:
        answer = work()
    except BaseException:  # noqa: BLE001 - whatever it is, the original must hear of it
        answer = {"broken": [traceback.format_exc()]}
    with os.fdopen(out, "w") as pipe:
        json.dump(answer, pipe)
    os._exit(0)


def _hangs(*_: object) -> None:
    raise TimeoutError(f"no end after {SECONDS} s")


@contextmanager
def staged(story: Story) -> Iterator[Player]:
    """Start a world for a story, and return what plays its cases."""
    with inline.installed() as workers, World.start(clock=TurnClock()) as world:
        yield Player(world, story, workers)


def main(arguments: list[str]) -> int:
    """Play; exit status 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.chaos.pairs", description=__doc__)
    parser.add_argument("story", choices=list(STORIES))
    parser.add_argument("what", choices=list(What), type=What)
    parser.add_argument("first", type=int, metavar="FIRST", help="the first seed")
    parser.add_argument("count", type=int, nargs="?", default=1, metavar="COUNT", help="how many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what came of them")
    parser.add_argument("--say", action="store_true", help="print what happened in each case")
    chosen = parser.parse_args(arguments)
    # What macOS asks for proxies is not safe in a copy of a process.
    os.environ.setdefault("no_proxy", "*")
    reports = []
    with staged(STORIES[chosen.story]) as player:
        for seed in range(chosen.first, chosen.first + chosen.count):
            report = player.play(chosen.what, seed)
            reports.append(report)
            if report.broken or chosen.say:
                print("\n".join(_lines(report)), file=sys.stderr, flush=True)
    broken = [str(report.case) for report in reports if report.broken]
    print(f"{chosen.story} {chosen.what}: {len(reports)} cases, {len(broken)} break a promise")
    if chosen.json:
        row = {"cases": len(reports), "happened": sum(map(len, (r.happened for r in reports)))}
        chosen.json.write_text(json.dumps({**row, "broken": broken}))
    return 1 if broken else 0


def _lines(report: Report) -> Iterator[str]:
    """Say what came of a case, and how to see it again."""
    yield f"{'✗' if report.broken else '✓'} {report.case}"
    for mark, lines in (("!", report.broken), ("-", report.happened), (" ", report.trail)):
        yield from (f"    {mark} {line}" for line in lines)
    if report.broken:
        yield f"    python -m sandbox.chaos.pairs {report.case} --say"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
