"""What is kept of the last runs: enough for a page, and never more than fits."""

import json
from datetime import UTC, datetime, timedelta

from certifier.aws.store.items import plain, state_of
from certifier.run.history import DAYS, LETTERS, NO_RUN, RUNS, History, PastRun
from certifier.vocabulary import Outcome

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def a_run(at: datetime, outcome: Outcome = Outcome.CERTIFIED, record: str | None = None) -> PastRun:
    return PastRun(at=at, outcome=outcome, record=record)


def after(*runs: PastRun) -> History:
    history = History()
    for run in runs:
        history = history.after(run)
    return history


def test_the_last_runs_are_kept_and_no_more() -> None:
    """The fifteenth run pushes out the first."""
    history = after(*(a_run(NOON + n * MINUTE, record=f"r{n}") for n in range(RUNS + 1)))
    assert [run.record for run in history.runs] == [f"r{n}" for n in range(1, RUNS + 1)]


def test_a_day_is_its_worst_run() -> None:
    """Whatever came later on that day, and however often."""
    outcomes = (Outcome.CERTIFIED, Outcome.FAILED, Outcome.REFUSED, Outcome.CERTIFIED)
    history = after(*(a_run(NOON + n * MINUTE, each) for n, each in enumerate(outcomes)))
    assert history.days == LETTERS[Outcome.FAILED]


def test_a_day_without_a_run_is_a_gap() -> None:
    """So the letters stay on their days."""
    history = after(a_run(NOON), a_run(NOON + 3 * DAY, Outcome.REFUSED))
    assert history.days == "c--r"
    assert history.letter_of(NOON.date()) == "c"
    assert history.letter_of((NOON + DAY).date()) == NO_RUN
    assert history.letter_of((NOON + 3 * DAY).date()) == "r"
    assert history.letter_of((NOON + 4 * DAY).date()) == NO_RUN
    assert history.letter_of((NOON - DAY).date()) == NO_RUN


def test_days_are_bounded() -> None:
    """A source that was not run for years fills no more than one that ran every day."""
    daily = after(*(a_run(NOON + n * DAY) for n in range(DAYS + 30)))
    assert daily.days == "c" * DAYS
    rare = after(a_run(NOON), a_run(NOON + 4000 * DAY))
    assert rare.days == NO_RUN * (DAYS - 1) + "c"


def test_a_clock_that_goes_back_rewrites_no_earlier_day() -> None:
    """Its run counts on the last day that is known."""
    assert after(a_run(NOON), a_run(NOON - 2 * DAY, Outcome.FAILED)).days == "f"


def test_what_is_kept_fits_into_a_few_kilobytes_and_comes_back() -> None:
    """STATE is written with every record, and paid by the kilobyte."""
    key = f"records/{'n' * 40}/20260301T120000Z-{'e' * 73}"
    runs = [
        PastRun(
            at=NOON + n * DAY, outcome=Outcome.ROLLED_BACK, cause="hostname_mismatch", record=key
        )
        for n in range(100)
    ]
    history = after(*runs)
    item = {"pk": "SOURCE#orders", "name": "orders", "history": plain(history)}
    assert len(json.dumps(item)) < 4096
    assert state_of(item).history == history


def test_a_state_of_before_has_an_empty_history() -> None:
    """And one that a later version wrote, with more in it, is read as far as it is known."""
    item = {"pk": "SOURCE#orders", "name": "orders"}
    assert state_of(item).history == History()
    later = {"runs": [{**plain(a_run(NOON)), "seconds": 7}], "days": "c", "weeks": "cc"}
    assert state_of({**item, "history": later}).history.days == "c"
