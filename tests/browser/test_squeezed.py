"""No column is so narrow that its words stand below each other, and no date is broken."""

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Folder
from tests.browser.test_pages import PAGES, WIDTHS, opened

_SQUEEZED = """() => [...document.querySelectorAll("main td, main tbody th")].filter(cell =>
  cell.textContent.trim().length > 40 && cell.clientWidth && cell.clientWidth < 140
).map(cell => cell.clientWidth + " px: " + cell.textContent.trim().slice(0, 60)).slice(0, 5)"""

_BROKEN = """() => {
  const found = [], walker = document.createTreeWalker(
    document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    for (const date of walker.currentNode.textContent.matchAll(/\\d{4}-\\d\\d-\\d\\d/g)) {
      const range = document.createRange();
      range.setStart(walker.currentNode, date.index);
      range.setEnd(walker.currentNode, date.index + date[0].length);
      if (range.getClientRects().length > 1)
        found.push(walker.currentNode.parentNode.outerHTML.slice(0, 120));
    }
  }
  return found.slice(0, 5);
}"""


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_squeezed(browser: Browser, many: Folder, kind: str, width: int) -> None:
    """At any width."""
    with opened(browser, PAGES[kind](many), viewport={"width": width, "height": 900}) as page:
        assert page.evaluate(_SQUEEZED) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_date_is_broken(browser: Browser, many: Folder, width: int) -> None:
    """A day that begins on one line and ends on the next is read as two numbers."""
    with opened(browser, many.fleet, viewport={"width": width, "height": 900}) as page:
        assert page.evaluate(_BROKEN) == []
