"""The labels of an axis can be read at any width."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from sandbox.fleet import fleet
from tests.browser.conftest import EXECUTION, Folder, write
from tests.browser.test_pages import WIDTHS, opened

_OVERLAPPING = """() => [...document.querySelectorAll(".axis")].flatMap(axis => {
  const shown = [...axis.children].filter(each => each.getClientRects().length);
  return shown.slice(1).flatMap((each, at) => {
    const [one, next] = [shown[at].getBoundingClientRect(), each.getBoundingClientRect()];
    return one.right > next.left ? [shown[at].textContent + " and " + each.textContent] : [];
  });
})"""


@pytest.fixture(scope="module", params=[(1, 31), (2, 3), (11, 2), (11, 30)], ids=str)
def dated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A page of another day: the months stand elsewhere on its axis."""
    month, day = request.param
    now = datetime(2027, month, day, 12, tzinfo=UTC)
    root: Path = tmp_path_factory.mktemp("dated")
    return write(root, list(fleet(20, now, parent=EXECUTION)), now)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_label_stands_on_another(browser: Browser, dated: Folder, width: int) -> None:
    """Neither a month on "expired", nor a day on the next."""
    with opened(browser, dated.fleet, viewport={"width": width, "height": 900}) as page:
        assert page.evaluate(_OVERLAPPING) == []
