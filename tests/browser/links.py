"""Which links of the pages in a folder lead nowhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Links(HTMLParser):
    """Where a page leads, and what can be led to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.to: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.to += [given["href"] or ""] if "href" in given else []
        self.ids += [given["id"] or ""] if "id" in given else []


def dead_links(root: Path) -> list[str]:
    """Return each link of a page below ``root`` to no page, or to no part of one."""
    pages = {path.resolve(): Links(path.read_text()) for path in root.rglob("*.html")}
    dead = []
    for path, links in pages.items():
        if len(links.ids) != len(set(links.ids)):
            dead.append(f"{path.name}: an id is there twice")
        for address in links.to:
            parts = urlsplit(address)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            missing = known is None or (parts.fragment and parts.fragment not in known.ids)
            if parts.scheme or missing:
                dead.append(f"{path.name}: {address}")
    return dead
