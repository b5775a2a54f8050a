"""Small things that an operator stumbles over at night: a mark, a unit, a zone."""

from datetime import UTC, datetime

import pytest

from certifier.cli.history import _row
from certifier.cli.plans import _facts
from certifier.cli.show import _tasks
from certifier.run.intent import AcmImport, Intent, Would
from certifier.run.past import Past
from certifier.run.record import TaskRecord
from certifier.vocabulary import Outcome

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "row"),
    [
        (None, ("+ ACM", "ffffffff… is imported")),
        ("4" * 64, ("~ ACM", "ffffffff… replaces 44444444…")),
    ],
)
def test_a_first_import_is_an_addition(old: str | None, row: tuple[str, str]) -> None:
    """What was not there before is added."""
    intent = Intent(would=Would.UNCHANGED, acm=AcmImport(old=old, new="f" * 64))
    assert list(_facts(intent, NOW)) == [row]


def test_how_long_a_task_did_not_run_is_in_minutes() -> None:
    """As everywhere else: nobody divides 1,055 by 60 at night."""
    (said,) = _tasks(TaskRecord(resumed=("arn:task:orders",), stopped_seconds=1055.4))
    assert said == "stopped and started again: orders; the longest did not run for 17 min"


def test_the_times_of_the_history_have_a_zone() -> None:
    """The operator's clock is another one."""
    when, _, what = _row(Past(NOW, NOW, Outcome.CERTIFIED, "", count=2))
    assert when == "2026-11-30 08:00 UTC"
    assert what == "nothing to change (2 runs, since 2026-11-30 08:00 UTC)"
