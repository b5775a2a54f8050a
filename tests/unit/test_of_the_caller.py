"""Whose failure a failed execution is: its caller's, or that of the machinery (an alarm)."""

from certifier.run.event import Problem
from certifier.run.summary import of_the_caller

FAILED = "orders: failed"


def test_a_start_whose_sources_are_not_certified_is_the_callers() -> None:
    """Each of them has said how it ended; so is an input that was refused."""
    assert of_the_caller(FAILED, None)
    assert of_the_caller("InvalidEvent: names", Problem(error="InvalidEvent", cause="names"))
    assert not of_the_caller("", None)


def test_a_source_that_ended_without_a_word_is_not_the_callers() -> None:
    """Even Record did not end: that is for the alarm."""
    assert not of_the_caller(FAILED, None, silent={"orders"})


def test_a_step_that_broke_is_not_the_callers() -> None:
    """Whatever the sources said."""
    assert not of_the_caller("Unexpected: KeyError", Problem(error="Unexpected", cause="KeyError"))
