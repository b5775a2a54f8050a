"""How the page's work grows with the fleet: ten times the sources, at most ten times the work.

That a thousand sources are there within a second is in ``test_pages.py``.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import MOST, Folder, written
from tests.browser.test_pages import opened

HUNDRED = 100
TRIES = 4
NOISE = 1.5
"""Other tests run beside it; what grows with the square is ten times as much, not half as much."""

_SORTED = """() => {
  const began = performance.now();
  document.querySelector("#table thead button").click();
  document.body.offsetHeight;
  return performance.now() - began;
}"""
_FILTERED = """() => {
  const began = performance.now(), words = document.getElementById("words");
  words.value = "orders";
  words.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.offsetHeight;
  return performance.now() - began;
}"""
_READY = """() => {
  const it = performance.getEntriesByType("navigation")[0];
  return it.domContentLoadedEventEnd - it.responseStart;
}"""


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A hundred sources."""
    return written(tmp_path_factory, HUNDRED)


def best(browser: Browser, file: Path, measure: Callable[[Page], float]) -> float:
    """The shortest of some tries, each in a page of its own."""
    found = []
    for _ in range(TRIES):
        with opened(browser, file) as page:
            found.append(measure(page))
    return min(found)


@pytest.mark.parametrize(
    "script", [_READY, _SORTED, _FILTERED], ids=["ready", "sorted", "filtered"]
)
def test_ten_times_the_sources_are_at_most_ten_times_the_work(
    browser: Browser, hundred: Folder, most: Folder, script: str
) -> None:
    """To be ready, to sort, and to filter."""
    few = best(browser, hundred.fleet, lambda page: float(page.evaluate(script)))
    many = best(browser, most.fleet, lambda page: float(page.evaluate(script)))
    assert many <= few * MOST / HUNDRED * NOISE


def test_a_page_grows_with_its_sources(hundred: Folder, most: Folder) -> None:
    """By the same for each, and a thousand are under three megabytes."""
    few, many = (folder.fleet.stat().st_size for folder in (hundred, most))
    assert many <= few * MOST / HUNDRED
    assert many < 3_000_000
