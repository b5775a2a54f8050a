"""What reading a server's answers may cost in work, whatever they are made of."""

import gc
import time
from dataclasses import dataclass

import pytest

from certifier.probe.bounds import WORK, WORK_IN_ALL, Allowance, work_time
from certifier.probe.failure import StageFailed
from certifier.vocabulary import Cause, Stage


@dataclass
class Processor:
    """The processor time of a thread, by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_nothing_more_is_read_of_a_server_that_was_too_much_work() -> None:
    """Pieces, of whatever connection, are read until together they were too much work."""
    clock = Processor()
    allowance = Allowance(clock=clock)
    allowance.take(1, Stage.SSL_REQUEST)
    clock.now += WORK * 0.9
    allowance.take(1, Stage.TLS)
    clock.now += WORK * 0.2
    with pytest.raises(StageFailed) as failed:
        allowance.take(1, Stage.LOGIN)
    assert (failed.value.cause, failed.value.stage) == (Cause.PROTOCOL_VIOLATION, Stage.LOGIN)


def test_what_came_before_the_server_does_not_count() -> None:
    """A large CA file is our own doing: work counts from the first piece on."""
    clock = Processor()
    allowance = Allowance(clock=clock)
    clock.now += 10 * WORK
    allowance.take(1, Stage.SSL_REQUEST)
    allowance.take(1, Stage.TLS)


def test_work_that_is_known_beforehand_counts_against_its_own_bound() -> None:
    """A login with as many iterations as are allowed goes on afterwards, on a slow machine too."""
    clock = Processor()
    allowance = Allowance(clock=clock)
    allowance.take(1, Stage.LOGIN)
    clock.now += WORK / 2
    with allowance.known_work(WORK, Stage.LOGIN):
        clock.now += 10 * WORK
    allowance.take(1, Stage.LOGIN)


def test_work_that_would_be_too_much_does_not_begin() -> None:
    """Beside what a server has cost already, work that is known beforehand must fit."""
    clock = Processor()
    allowance = Allowance(clock=clock)
    allowance.take(1, Stage.LOGIN)
    clock.now += WORK
    with (
        pytest.raises(StageFailed) as failed,
        allowance.known_work(WORK_IN_ALL - WORK / 2, Stage.LOGIN),
    ):
        raise AssertionError("it began")
    assert failed.value.cause is Cause.PROTOCOL_VIOLATION


def test_the_collection_of_garbage_does_not_count() -> None:
    """In a process with many objects it takes long, whatever the server sends."""
    objects = [[each] for each in range(500_000)]
    with_collection, without = time.thread_time(), work_time()
    gc.collect()
    with_collection, without = time.thread_time() - with_collection, work_time() - without
    assert without < with_collection / 4
    assert len(objects) == 500_000
