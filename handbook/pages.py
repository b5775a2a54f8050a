"""The table of generated documents, and how one is found to be stale."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from certifier.run.announcement import event_schema
from handbook import causes, commands, costs, settings, source

Page = Callable[[Path], str]
"""From the root of the repository to the text of the page."""

PAGES: Mapping[str, Page] = MappingProxyType(
    {
        "docs/reference/source.md": lambda _: source.page(),
        "docs/reference/cli.md": lambda _: commands.page(),
        "docs/reference/settings.md": lambda _: settings.page(),
        "docs/reference/event.schema.json": lambda _: json.dumps(event_schema(), indent=2) + "\n",
        "docs/operate/costs.md": lambda _: costs.page(),
        "docs/reference/causes.md": lambda root: causes.markdown(causes.scenarios(root / "tests")),
    }
)


def written(root: Path, path: str) -> str | None:
    """Return what the file holds now; ``None`` when there is none."""
    file = root / path
    return file.read_text(encoding="utf-8") if file.is_file() else None
