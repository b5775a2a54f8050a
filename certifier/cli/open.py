"""``certifier open``: the page of a source's last record, in a browser."""

import argparse
import posixpath
import re
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from certifier.aws.s3 import Documents
from certifier.cli.installation import add_options, complain, find, guarded, missing

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

PAGES = 60
"""How many pages are fetched: the one that is asked for, and those that it links to."""
_LINK = re.compile(r'href="([^"#:?]{1,500}\.html)"')


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "open",
        help="the page of a source's last run, or of an execution, in a browser",
        description="Fetch a page of the bucket, with those that it links to, into a folder of this"
        " machine, and open it in the browser.",
        epilog="exit status: 0; 1 there is no such page; 2 wrong usage",
    )
    parser.add_argument("name", metavar="NAME", help="a source, or the name of an execution")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to; default: a new one")
    parser.add_argument("--no-browser", action="store_true", help="only print where the page lies")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, browse: Callable[[str], bool] = webbrowser.open) -> int:
    """Open the page: 0, or 1 when there is none."""
    return guarded("open", lambda: _run(args, browse))


def _run(args: argparse.Namespace, browse: Callable[[str], bool]) -> int:
    place = find(args)
    state = place.store.state(args.name)
    key = f"reports/{args.name}.html"
    if state is not None:
        if state.record is None:
            complain("open", f"no run of {args.name} has ended yet")
            return 1
        key = f"{state.record}.html"
    elif place.documents.get(key) is None:
        return missing("open", args.name, place)
    try:
        folder = args.folder or Path(tempfile.mkdtemp(prefix="certifier-"))
        file = fetched(place.documents, key, folder)
    except OSError as error:
        return complain("open", f"{error.filename}: {error.strerror}")
    if file is None:
        complain("open", f"the page {key} is gone")
        return 1
    print(file)
    if not args.no_browser:
        browse(file.resolve().as_uri())
    return 0


def fetched(documents: Documents, key: str, folder: Path) -> Path | None:
    """Write a page and those that it links to below ``folder``; return the first one's file.

    Only links to pages of the same bucket are followed, and none out of ``folder``. ``None``: the
    page is gone, or its key, which the table or a caller names, leads elsewhere.
    """
    if not _is_page(key):
        return None
    waiting, seen = [key], {key}
    for _ in range(PAGES):
        if not waiting:
            break
        now = waiting.pop(0)
        body = documents.get(now)
        if body is None:
            continue
        file = folder / now
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
        for link in _LINK.findall(body.decode("utf-8", "replace")):
            other = posixpath.normpath(posixpath.join(posixpath.dirname(now), link))
            if _is_page(other) and other not in seen:
                seen.add(other)
                waiting.append(other)
    first = folder / key
    return first if first.is_file() else None


def _is_page(key: str) -> bool:
    """Whether a key is that of a page, and a file below the folder that it is written to."""
    plain = posixpath.normpath(key) == key and "\0" not in key
    return plain and key.startswith(("records/", "reports/"))
