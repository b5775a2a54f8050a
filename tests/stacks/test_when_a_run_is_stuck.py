"""A claim counts as stuck only when no run of this machine can still be at work under it."""

from datetime import timedelta

from certifier.run.state import STUCK
from stacks.states import Pace


def test_the_loops_of_a_run_end_long_before_its_claim_is_stuck() -> None:
    """Whoever lengthens a loop lengthens that too: people are asked to stop what is stuck."""
    pace = Pace()
    forth = pace.rehearse + pace.pause + pace.configure + pace.test
    back = pace.pause_back + pace.configure + pace.test
    loops = timedelta(minutes=forth + back + pace.resume)
    assert loops == timedelta(hours=1, minutes=45)  # as the runbook says
    assert loops * 1.5 < STUCK
