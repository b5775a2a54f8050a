"""Every table of outcomes has a row for each of them."""

from collections.abc import Mapping
from typing import Any

import pytest

from certifier.cli.endings import WORST_FIRST
from certifier.cli.status import STYLES as STANDING_STYLES
from certifier.cli.terminal import STYLES
from certifier.fleet import status
from certifier.report import SYMBOLS
from certifier.report import fleet as fleet_report
from certifier.run import announcement, history, measures, standing
from certifier.run.standing import Standing
from certifier.vocabulary import Outcome

TABLES: dict[str, Mapping[Outcome, Any]] = {
    "colours": STYLES,
    "symbols": SYMBOLS,
    "marks": fleet_report._MARKS,
    "statuses": status.OF_OUTCOME,
    "events": announcement.OF_OUTCOME,
    "letters": history.LETTERS,
    "metrics": measures._OF_OUTCOME,
    "standings": standing._OF_OUTCOME,
}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_outcomes_is_whole(table: str) -> None:
    """Whoever adds an outcome is led to what must know it."""
    assert set(TABLES[table]) == set(Outcome)


def test_every_outcome_has_its_weight_and_every_standing_its_colour() -> None:
    """So that none is lost when the worst comes first."""
    assert set(WORST_FIRST) == set(Outcome)
    assert set(STANDING_STYLES) == set(Standing)
