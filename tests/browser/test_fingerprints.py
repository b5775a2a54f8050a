"""A fingerprint that does not fit in one line is broken where a person can still compare it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Folder
from tests.browser.test_pages import WIDTHS, opened, photograph

_LAST_LINES = """() => {
  const found = [];
  for (const cell of document.querySelectorAll("main .mono, main code")) {
    const shown = cell.textContent.trim();
    if (!/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/.test(shown) && !/^[0-9a-f]{64}$/.test(shown)) continue;
    const tops = new Map(), walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode())
      for (let at = 0; at < walker.currentNode.length; at++) {
        const range = document.createRange();
        range.setStart(walker.currentNode, at); range.setEnd(walker.currentNode, at + 1);
        const top = Math.round(range.getBoundingClientRect().top);
        tops.set(top, (tops.get(top) || "") + walker.currentNode.data[at]);
      }
    found.push([...tops.values()].map(line => line.trim()));
  }
  return found;
}"""


def lines(browser: Browser, folder: Folder, width: int) -> Iterator[list[str]]:
    """Every fingerprint of the record's page, in the lines in which it is drawn."""
    with opened(browser, folder.record, viewport={"width": width, "height": 900}) as page:
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        photograph(page, f"fingerprints-{width}")
        yield from page.evaluate(_LAST_LINES)


@pytest.mark.parametrize("width", [*WIDTHS, 820, 1000, 1100, 1200, 1240, 1366])
def test_no_digit_stands_alone(browser: Browser, few: Folder, width: int) -> None:
    """Each line of one holds eight pairs, or a multiple of them."""
    found = list(lines(browser, few, width))
    assert found
    for parts in found:
        assert all(len(part.replace(":", "")) % 16 == 0 for part in parts), parts


def test_a_fingerprint_is_copied_in_one_piece(browser: Browser, few: Folder) -> None:
    """Who pastes it elsewhere gets no blanks or lines in it."""
    with opened(browser, few.record) as page:
        part = page.locator("main .mono:has(.part)").first
        part.evaluate("cell => getSelection().selectAllChildren(cell)")
        copied = page.evaluate("getSelection().toString().trim()")
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", copied)
