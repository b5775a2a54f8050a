"""Threads of which one works at a time, until its next call or wait: whose turn it is, is drawn.

What several executions, or two invocations of one step, do at the same time is played as one order
of their calls. The order comes from a seed, so that it can be played again; and it is one that time
allows: who waits does not go on before its time has come on the clock, and time passes only by the
calls that are made, or when everybody waits.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Semaphore, Thread, local

from sandbox.aws.clock import Clock


@dataclass(eq=False)
class Hand:
    """One of those that work: what it waits for, and the gate behind which it does."""

    until: datetime | None = None
    condition: Callable[[], bool] | None = None
    gate: Semaphore = field(default_factory=lambda: Semaphore(0))


class Turns:
    """Whose turn it is. The thread that makes it is the first hand."""

    def __init__(self, clock: "TurnClock", rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._me = local()
        self._me.hand = Hand()
        self._hands: list[Hand] = [self._me.hand]
        clock.turns = self

    @property
    def alone(self) -> bool:
        """Whether nobody else works."""
        return len(self._hands) == 1

    def works(self, hand: Hand) -> bool:
        """Whether that one has not ended yet."""
        return hand in self._hands

    def start(self, work: Callable[[], object]) -> Hand:
        """Let another hand work; it begins when it is its turn."""
        hand = Hand()
        self._hands.append(hand)

        def run() -> None:
            self._me.hand = hand
            hand.gate.acquire()
            try:
                work()
            finally:
                self._hands.remove(hand)
                self._next().gate.release()

        Thread(target=run, daemon=True).start()
        return hand

    def pause(self) -> None:
        """Let whoever is drawn go on."""
        if not self.alone:
            self._switch()

    def sleep(self, seconds: float) -> None:
        """Go on when that time has passed on the clock, by whatever the others do."""
        me: Hand = self._me.hand
        me.until = self._clock.now() + timedelta(seconds=seconds)
        self._switch()
        me.until = None

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Go on when others have brought that about."""
        if condition():
            return
        me: Hand = self._me.hand
        me.condition = condition
        self._switch()
        me.condition = None

    def _switch(self) -> None:
        me, chosen = self._me.hand, self._next()
        if chosen is not me:
            chosen.gate.release()
            me.gate.acquire()

    def _next(self) -> Hand:
        """Draw one that can go on; when all wait, time passes until the first can."""
        waiting = [one for one in self._hands if one.condition is None or one.condition()]
        now = self._clock.now()
        ready = [hand for hand in waiting if hand.until is None or hand.until <= now]
        if not ready:
            first = min(waiting, key=lambda hand: hand.until or now)
            self._clock.advance(((first.until or now) - now).total_seconds())
            ready = [first]
        return self._rng.choice(ready)


class TurnClock(Clock):
    """The sandbox's clock; who waits on it lets the others work meanwhile."""

    turns: Turns | None = None

    def wait(self, seconds: float) -> None:
        """Be there in that many seconds."""
        if self.turns is None or self.turns.alone:
            super().wait(seconds)
        else:
            self.turns.sleep(seconds)
