"""The pages as a browser shows them: at every width, in every light, by mouse and by keyboard."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import BaseModel, ValidationError

from certifier.evidence import ProbeReport
from certifier.run.record import Certification
from certifier.run.state import SourceState
from sandbox.fleet import Member, fleet
from tests.browser.chromium import npm_file
from tests.browser.conftest import EXECUTION, SHOTS, Folder, write
from tests.browser.links import Links, dead_links

WIDTHS = (390, 768, 1280, 1920)
PAGES: dict[str, Callable[[Folder], Path]] = {
    "fleet": lambda folder: folder.fleet,
    "record": lambda folder: folder.record,
    "execution": lambda folder: folder.execution,
}
A4_LANDSCAPE = 1039  # CSS pixels between the margins of the page
TALLEST = 6000  # pixels of a picture; the table goes on for long
PRINTED_PAGES = 14
"""Sheets of paper for two hundred sources."""


@contextmanager
def opened(browser: Browser, file: Path, fragment: str = "", **context: Any) -> Iterator[Page]:
    """Open a page; whatever it complains about fails the test."""
    complaints: list[str] = []
    chosen = {"viewport": {"width": 1280, "height": 900}, **context}
    with browser.new_context(**chosen) as given:
        given.set_default_timeout(10_000)
        page = given.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
        page.goto(file.as_uri() + fragment)
        yield page
        assert complaints == []


def photograph(page: Page, name: str, *, whole: bool = True) -> None:
    """Leave a picture for people."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    # Nothing can be captured before the first frame was drawn.
    page.evaluate("() => new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")
    if not whole:
        page.screenshot(path=path)
        return
    height = page.evaluate("document.documentElement.scrollHeight")
    width = page.evaluate("innerWidth")
    page.screenshot(
        path=path,
        full_page=True,
        clip={"x": 0, "y": 0, "width": width, "height": min(height, TALLEST)},
    )


# What sticks out of the window, or is cut off within the page.
_STICKS_OUT = """() => {
  const wide = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > wide) found.push("the page scrolls sideways");
  for (const each of document.querySelectorAll("main *, .top *, .sheet:target, .sheet:target *")) {
    const box = each.getBoundingClientRect();
    if (!box.width || getComputedStyle(each).visibility === "hidden") continue;
    if (box.left < -900) continue;  // put aside for screen readers
    if (box.right > wide + 1 || box.left < -1) found.push(each.outerHTML.slice(0, 120));
  }
  for (const each of document.querySelectorAll(".scroll, td, tbody th, .card, .need, .group")) {
    if (each.scrollWidth > each.clientWidth + 1 && each.clientWidth)
      found.push("cut off: " + each.outerHTML.slice(0, 120));
  }
  return found.slice(0, 5);
}"""


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out(browser: Browser, many: Folder, kind: str, width: int) -> None:
    """Whatever the width of the window, nothing is cut off and nothing has to be scrolled to."""
    viewport = {"width": width, "height": 900}
    with opened(browser, PAGES[kind](many), viewport=viewport) as page:
        assert page.evaluate(_STICKS_OUT) == []
        photograph(page, f"{kind}-{width}")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_sheet_sticks_out(browser: Browser, few: Folder, width: int) -> None:
    """Of any source."""
    with opened(browser, few.fleet, viewport={"width": width, "height": 900}) as page:
        for name in few.names:
            page.evaluate("name => { location.hash = 's-' + name }", name)
            page.locator(f"#s-{name}").wait_for(state="visible")
            assert page.evaluate(_STICKS_OUT) == [], name
        photograph(page, f"sheet-{width}", whole=False)


@pytest.mark.parametrize("kind", PAGES)
def test_it_prints(browser: Browser, many: Folder, kind: str) -> None:
    """Every column is on paper, black on white, on few pages."""
    viewport = {"width": A4_LANDSCAPE if kind == "fleet" else 700, "height": 900}
    with opened(browser, PAGES[kind](many), viewport=viewport, color_scheme="dark") as page:
        page.emulate_media(media="print")
        assert page.evaluate(_STICKS_OUT) == []
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        SHOTS.mkdir(parents=True, exist_ok=True)
        paper = page.pdf(path=SHOTS / f"{kind}.pdf", format="A4", prefer_css_page_size=True)
        sheets = len(re.findall(rb"/Type\s*/Page\b", paper))
        assert 1 <= sheets <= PRINTED_PAGES
        columns = page.locator("#table thead th" if kind == "fleet" else "main thead th")
        assert all(columns.nth(at).is_visible() for at in range(columns.count()))


# -- who reads with less: contrast, keyboard, screen reader, no script

EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ON_PAPER = ["color-contrast"]
_JUDGE = """asked => axe.run(document, {runOnly: asked}).then(judged => judged.violations.map(
  each => each.id + ": " + each.nodes.slice(0, 3).map(node => node.html.slice(0, 160)
    + " " + (node.any[0] ? node.any[0].message : "")).join(" | ")))"""


@pytest.mark.parametrize("light", ["light", "dark", "print"])
@pytest.mark.parametrize("kind", [*PAGES, "sheet"])
def test_it_can_be_read_by_everybody(browser: Browser, few: Folder, kind: str, light: str) -> None:
    """By axe-core's rules for WCAG 2.2 AA: contrast, names, roles, headings, focus."""
    file = PAGES.get(kind, PAGES["fleet"])(few)
    fragment = f"#s-{few.names[4]}" if kind == "sheet" else ""
    scheme = "dark" if light == "dark" else "light"
    with opened(browser, file, fragment, color_scheme=scheme) as page:
        if light == "print":
            page.emulate_media(media="print")
        page.evaluate(npm_file("axe-core/axe.min.js").read_text())
        rules = ON_PAPER if light == "print" else EVERYTHING
        assert page.evaluate(_JUDGE, rules) == []
        photograph(page, f"{kind}-{light}", whole=kind != "sheet")


def test_dark_is_dark(browser: Browser, few: Folder) -> None:
    """For who asks for it, on every page."""
    for file in (few.fleet, few.record, few.execution):
        with opened(browser, file, color_scheme="dark") as page:
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert max(map(int, re.findall(r"\d+", ground))) < 40


def test_without_script_nothing_is_missing(browser: Browser, many: Folder) -> None:
    """The worst are first, sheets open by their fragments, and no control is shown that is dead."""
    with opened(browser, many.fleet, java_script_enabled=False) as page:
        assert page.locator("#table tbody tr").count() == len(many.names)
        assert page.locator("#table tbody tr").first.locator("b").first.inner_text() == (
            "task stopped"
        )
        assert not page.locator("#filter").is_visible()
        assert page.locator("#table thead button").count() == 0
        name = page.locator("#table tbody th a").first
        name.click()
        sheet = page.locator(f"#s-{name.inner_text()}")
        assert sheet.is_visible()
        sheet.locator(".close").click()
        assert not sheet.is_visible()


def test_a_sheet_opens_and_closes_by_keyboard(browser: Browser, many: Folder) -> None:
    """Focus goes into it, and back to where it was opened."""
    with opened(browser, many.fleet) as page:
        link = page.locator("#table tbody th a").nth(60)
        link.focus()
        page.keyboard.press("Enter")
        sheet = page.locator(".sheet:target")
        assert sheet.get_attribute("aria-label") == link.inner_text()
        assert page.evaluate("document.activeElement.closest('.sheet:target') !== null")
        page.keyboard.press("Escape")
        expect(page.locator(".sheet:target")).to_have_count(0)
        assert page.evaluate("document.activeElement.textContent") == link.inner_text()


# -- sorting and filtering


def column(page: Page, number: int) -> list[str]:
    """What a column shows, row by row, of the rows that are shown."""
    return page.locator(f"#table tbody tr:not([hidden]) > :nth-child({number})").all_inner_texts()


def test_a_click_sorts(browser: Browser, many: Folder) -> None:
    """Names as words, life left as numbers, dates as dates; a second click turns it round."""
    with opened(browser, many.fleet) as page:
        worst = column(page, 1)
        page.get_by_role("button", name="Name").click()
        assert column(page, 1) == sorted(many.names)
        assert page.locator("#table thead th").first.get_attribute("aria-sort") == "ascending"
        page.get_by_role("button", name="Name").click()
        assert column(page, 1) == sorted(many.names, reverse=True)
        page.get_by_role("button", name="Life left").click()
        days = [int(text.split(" d")[0]) for text in column(page, 5) if " d" in text]
        assert days == sorted(days)
        assert column(page, 5)[-1] == "–", "what is not known comes last"
        assert page.locator("#table thead [aria-sort]").count() == 1
        page.get_by_role("button", name="Outcome").click()
        assert column(page, 4)[0].startswith("task stopped")
        dues = page.locator("#table tbody td:nth-child(7)")
        page.get_by_role("button", name="Next due").focus()
        page.keyboard.press("Enter")
        stamps = [int(dues.nth(at).get_attribute("data-v") or 0) for at in range(0, 200, 10)]
        assert stamps == sorted(stamps)
        assert sorted(column(page, 1)) == sorted(worst), "no row is lost"


def test_the_filter_shows_what_is_asked_for(browser: Browser, many: Folder) -> None:
    """Words, outcome, mode and group together; and says how many there are."""
    with opened(browser, many.fleet) as page:
        shown = page.locator("#shown")
        assert shown.inner_text() == "200 sources"
        page.get_by_label("Search in the table").fill("orders unknown")
        assert column(page, 1) == [name for name in column(page, 1) if name.startswith("orders")]
        page.get_by_label("Search in the table").fill("PAYMENTS")
        assert {name.split("-")[0] for name in column(page, 1)} == {"payments"}
        assert shown.inner_text() == "20 of 200 sources"
        page.get_by_label("Outcome", exact=True).select_option("planned")
        assert {text.split("\n")[0] for text in column(page, 4)} <= {"planned"}
        page.get_by_role("button", name="Clear").click()
        expect(shown).to_have_text("200 sources")
        page.get_by_label("Mode", exact=True).select_option("require")
        assert {text.split()[0] for text in column(page, 3)} == {"require"}
        page.get_by_label("Mode", exact=True).select_option("")
        page.get_by_role("checkbox", name="Needs a person").check()
        headline = page.locator("h1").inner_text()
        assert headline.startswith(f"{len(column(page, 1))} of 200 sources need")
        page.get_by_label("Group", exact=True).select_option("orders")
        assert {name.split("-")[0] for name in column(page, 1)} == {"orders"}
        page.get_by_label("Search in the table").fill("no such words")
        assert column(page, 1) == []
        assert shown.inner_text() == "0 of 200 sources"


def test_a_group_leads_to_its_rows(browser: Browser, many: Folder) -> None:
    """So that a team finds its own."""
    with opened(browser, many.fleet) as page:
        group = page.locator("details.group", has_text="warehouse")
        group.locator("summary").click()
        group.get_by_role("link", name="Show these in the table").click()
        assert {name.split("-")[0] for name in column(page, 1)} == {"warehouse"}


# -- links, and what is foreign


def test_every_link_leads_somewhere(many: Folder) -> None:
    """From every page: to a part of it, or to another page and a part of that."""
    pages = list(many.root.rglob("*.html"))
    assert len(pages) > 190
    assert all(Links(page.read_text()).to for page in pages[:3])
    assert dead_links(many.root) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    """What the test above rests on."""
    (tmp_path / "a.html").write_text('<a href="b.html">b</a> <a href="#x">x</a> <i id="y"></i>')
    assert dead_links(tmp_path) == ["a.html: b.html", "a.html: #x"]


HOSTILE = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>\"'>&{{7*7}}"


_KEPT = frozenset({"record", "name", "source", "parent", "run", "ssl_mode", "probe"})
"""Names and addresses of our own, and a mode, which the fixtures use."""


def with_hostile(model: BaseModel) -> tuple[Any, int]:
    """Return the facts with the hostile text in every field that takes any text, and how many."""
    kind, plain = type(model), model.model_dump(mode="json", by_alias=True)
    planted = 0
    for holder, key in list(_texts(plain)):
        was, holder[key] = holder[key], HOSTILE
        try:
            kind.model_validate_json(json.dumps(plain))
            planted += 1
        except ValidationError:
            holder[key] = was
    return kind.model_validate_json(json.dumps(plain)), planted


def _texts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what holds each text, and under which key."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        if key in _KEPT:
            continue
        if isinstance(each, str):
            yield value, key
        elif isinstance(each, dict | list):
            yield from _texts(each)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A small fleet in which whatever may hold text holds a script."""
    now = datetime.now(UTC)
    members: list[Member] = []
    for member in fleet(110, now, parent=EXECUTION):
        if member.record is None or (
            member.record.outcome == "certified" and not member.record.findings and len(members) > 3
        ):
            continue
        record, in_record = with_hostile(member.record)
        if record.probe is not None:  # typed where it is made, and kept as JSON
            probe, in_probe = with_hostile(ProbeReport.model_validate(record.probe))
            assert in_probe > 20
            record = record.model_copy(update={"probe": probe.model_dump(mode="json")})
        state, in_state = with_hostile(member.state)
        assert isinstance(record, Certification)
        assert isinstance(state, SourceState)
        assert in_record > 20
        assert in_state > 5
        members.append(Member(member.spec, state, record))
    return write(tmp_path_factory.mktemp("hostile"), members, now)


def test_a_planted_script_stays_text(browser: Browser, hostile: Folder) -> None:
    """In every field that a server, a certificate or a person could have put it into."""
    for file in (hostile.fleet, hostile.execution, *hostile.root.rglob("records/**/*.html")):
        with opened(browser, file) as page:
            scripts = page.locator("script").count()
            assert scripts == (1 if file == hostile.fleet else 0)
            assert page.locator("img").count() == 0
            assert page.evaluate("window.ran") is None
            assert "<script>window.ran" in (page.locator("body").text_content() or "")
            assert page.evaluate(_STICKS_OUT) == []


def test_nothing_but_the_pages_own_script_may_run(browser: Browser, few: Folder) -> None:
    """The policy in the page forbids it, even to who could write into the page."""
    spoiled = few.root / "reports" / "spoiled.html"
    html = few.fleet.read_text()
    spoiled.write_text(html.replace("</main>", "<script>window.ran = 1</script></main>"))
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(spoiled.as_uri())
        assert page.evaluate("window.ran") is None
        assert page.locator("#filter").is_visible()
    spoiled.unlink()


# -- size


def test_a_thousand_sources_are_there_within_a_second(browser: Browser, most: Folder) -> None:
    """Loaded and ready to be filtered; the best of three, since other tests run beside it."""
    ready, typed = [], []
    for _ in range(3):
        with opened(browser, most.fleet) as page:
            ready.append(
                page.evaluate(
                    "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
                )
            )
            typed.append(
                page.evaluate(
                    """() => {
                      const began = performance.now(), words = document.getElementById("words");
                      words.value = "orders";
                      words.dispatchEvent(new Event("input", { bubbles: true }));
                      document.body.offsetHeight;
                      return performance.now() - began;
                    }"""
                )
            )
            assert len(column(page, 1)) == 100
    assert min(ready) < 1000
    assert min(typed) < 500
