"""How the page's work grows with the fleet: ten times the sources, at most ten times the work.

That a thousand sources are there within a second is in ``test_pages.py``.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import MOST, Folder, written
from tests.browser.test_pages import opened

HUNDRED = 100
TRIES = 4
NOISE = 1.5
"""Other tests run beside it; what grows with the square is ten times as much, not half as much."""

_SORT = """() => {
  document.querySelector("#table thead button").click();
  document.body.offsetHeight;
}"""
_FILTER = """() => {
  const words = document.getElementById("words");
  words.value = "orders";
  words.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.offsetHeight;
}"""


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A hundred sources."""
    return written(tmp_path_factory, HUNDRED)


def work(browser: Browser, file: Path, act: str | None) -> float:
    """The processor seconds that a page's thread needs to open it, or then to do something."""
    with opened(browser, file) as page:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

        def used() -> float:
            metrics = devtools.send("Performance.getMetrics")["metrics"]
            return float({each["name"]: each["value"] for each in metrics}["TaskDuration"])

        if act is None:
            page.reload()
            return used()
        before = used()
        page.evaluate(act)
        return used() - before


@pytest.mark.parametrize("act", [None, _SORT, _FILTER], ids=["ready", "sorted", "filtered"])
def test_ten_times_the_sources_are_at_most_ten_times_the_work(
    browser: Browser, hundred: Folder, most: Folder, act: str | None
) -> None:
    """To be ready, to sort, and to filter."""
    few = min(work(browser, hundred.fleet, act) for _ in range(TRIES))
    many = min(work(browser, most.fleet, act) for _ in range(TRIES))
    assert 0 < many <= few * MOST / HUNDRED * NOISE


def test_a_page_grows_with_its_sources(hundred: Folder, most: Folder) -> None:
    """By the same for each, and a thousand are under three megabytes."""
    few, many = (folder.fleet.stat().st_size for folder in (hundred, most))
    assert many <= few * MOST / HUNDRED
    assert many < 3_000_000
