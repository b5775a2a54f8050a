"""Copies of a process: what happens in one stays there."""

import os
import time

import pytest

from sandbox.copies import CopyError, in_copy
from sandbox.world import World


def test_a_copy_starts_where_the_original_stands() -> None:
    """It sees what was prepared; what it changes is not seen outside, nor in the next copy."""
    seen = [1]

    def work() -> list[int]:
        seen.append(2)
        return seen

    assert in_copy(work) == [1, 2]
    assert in_copy(work) == [1, 2]
    assert seen == [1]


def test_what_goes_wrong_in_a_copy_is_told() -> None:
    """With the copy's traceback; a copy that dies says that it did."""

    def fail() -> None:
        raise KeyError("which one")

    with pytest.raises(CopyError, match="KeyError: 'which one'"):
        in_copy(fail)
    with pytest.raises(CopyError, match="died without an answer"):
        in_copy(lambda: os._exit(3))


def test_a_copy_that_hangs_is_ended() -> None:
    """The bound is in real seconds."""
    before = time.monotonic()
    with pytest.raises(CopyError, match=r"not done after 0\.5 s"):
        in_copy(lambda: time.sleep(60), timeout=0.5)
    assert time.monotonic() - before < 10


def test_an_account_is_copied_with_everything_in_it() -> None:
    """Onboard once, recertify in copies: each goes on from the same moment."""
    with World.start() as world:
        assert world.onboard().child("orders").outcome == "certified"
        calls, now = len(world.cloud.calls), world.cloud.clock.now()

        def recertify() -> tuple[str | None, int]:
            child = world.recertify().child("orders")
            return child.outcome, len(world.cloud.calls)

        first, second = in_copy(recertify), in_copy(recertify)
        assert first == second
        assert first[0] == "certified"
        assert first[1] > calls
        assert (len(world.cloud.calls), world.cloud.clock.now()) == (calls, now)
