"""The one page of the demo to open."""

import inspect

from sandbox import demo
from sandbox.story_page import GLOSSARY, Scene, story_page


def test_the_scenes_come_in_their_order_with_their_records() -> None:
    """Each with its caption, and a link to the page of each record; text is escaped."""
    page = story_page(
        [
            Scene(
                "a",
                "Onboard <it>",
                "A pipeline starts.",
                [("orders", "certified", "records/x.html")],
            ),
            Scene("b", "Roll it back", "", [("sales", "rolled_back", "records/y.html")]),
        ]
    )
    assert page.index("<h2>Onboard &lt;it&gt;") < page.index("<h2>Roll it back")
    assert '<a href="records/x.html">orders</a> <span class="tag certified">certified<' in page
    assert '<span class="tag rolled_back">rolled back</span>' in page
    assert "prefers-color-scheme: dark" in page
    assert '<a href="fleet.html">' in page
    assert all(line in page for line in GLOSSARY)
    assert len(GLOSSARY) == 2


def test_the_page_to_open_is_the_last_thing_that_the_demo_names() -> None:
    """Whoever looks at the end of the output knows what to open."""
    last = inspect.getsource(demo.play).rstrip().splitlines()[-1]
    assert "folder / 'index.html'" in last
    assert last.strip().startswith("console.print(")
