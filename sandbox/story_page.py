"""The one page of the demo to open: its scenes in their order, each with the records it left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from certifier.report import environment
from certifier.vocabulary import Outcome


@dataclass
class Scene:
    """One scene. ``records``: a source, its outcome, and the address of its record's page."""

    letter: str
    title: str
    caption: str
    records: list[tuple[str, str, str]] = field(default_factory=list)


GLOSSARY = (
    "A source is one PostgreSQL database and the DMS endpoint that reaches it; a run certifies it.",
    "A canary is a temporary endpoint, on which DMS tests new settings before they are applied.",
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Certifier: the demo</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
{look}
body {{ max-width: 46rem; padding-top: 1.6rem }}
ol {{ list-style: lower-alpha; padding: 0 0 0 1.4rem; margin: 1.6rem 0 }}
li {{ padding: .5rem 0 .6rem .2rem; border-top: 1px solid var(--line) }}
h2 {{ margin: 0; font-size: 1.02rem }}
</style></head>
<body><main><h1>Certifier: the demo</h1>
{glossary}
<p><a href="fleet.html">The fleet page</a> shows these sources among two hundred.</p>
<ol>
{scenes}
</ol>
</main></body></html>
"""


def story_page(scenes: Sequence[Scene]) -> str:
    """Return the page, as HTML, in the look of the records that it leads to."""
    look = environment().get_template("look.css").render()
    glossary = "\n".join(f'<p class="soft">{escape(line)}</p>' for line in GLOSSARY)
    return _PAGE.format(look=look, glossary=glossary, scenes="\n".join(map(_scene, scenes)))


def _scene(scene: Scene) -> str:
    links = "".join(
        f'<p><a href="{escape(address)}">{escape(name)}</a> '
        f'<span class="tag {escape(outcome)}">{escape(Outcome(outcome).words)}</span></p>'
        for name, outcome, address in scene.records
    )
    head = f"<h2>{escape(scene.title)}</h2>"
    number = ord(scene.letter) - ord("a") + 1
    return f'<li value="{number}">{head}<p class="soft">{escape(scene.caption)}</p>{links}</li>'
