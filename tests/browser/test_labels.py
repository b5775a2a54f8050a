"""On a phone each cell of a table begins with its label, and the value stands beside it."""

from playwright.sync_api import Browser

from tests.browser.conftest import Folder
from tests.browser.test_pages import opened

_GAPS = """() => [...document.querySelectorAll('table.cards td[data-is]')].map(cell => {
  const label = getComputedStyle(cell, '::before');
  return parseFloat(label.paddingRight) + parseFloat(label.marginRight);
})"""
LEAST = 4  # CSS pixels


def test_no_value_touches_its_label(browser: Browser, few: Folder) -> None:
    """Also one that is as long as its column: "Endpoints trust it 16", not "it16"."""
    for page in (few.fleet, few.record):
        with opened(browser, page, viewport={"width": 390, "height": 900}) as shown:
            gaps = shown.evaluate(_GAPS)
            assert gaps
            assert min(gaps) >= LEAST
