"""The one page of the demo to open: its scenes in their order, each with the records it left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape


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
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}}
h2{{font-size:1.1rem;margin:1.6rem 0 .2rem}}p{{margin:.2rem 0}}.soft{{color:#5b636d}}</style>
</head><body><h1>Certifier: the demo</h1>
{glossary}
<p><a href="fleet.html">The fleet page, with two hundred sources</a></p>
{scenes}
</body></html>
"""


def story_page(scenes: Sequence[Scene]) -> str:
    """Return the page, as HTML."""
    glossary = "\n".join(f'<p class="soft">{escape(line)}</p>' for line in GLOSSARY)
    return _PAGE.format(glossary=glossary, scenes="\n".join(map(_scene, scenes)))


def _scene(scene: Scene) -> str:
    links = "".join(
        f'<p><a href="{escape(address)}">{escape(name)}: {escape(outcome)}</a></p>'
        for name, outcome, address in scene.records
    )
    head = f"<h2>{escape(scene.letter)}. {escape(scene.title)}</h2>"
    return f'{head}<p class="soft">{escape(scene.caption)}</p>{links}'
