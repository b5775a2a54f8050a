"""``python -m handbook``: write every generated document again, and name those that changed."""

import sys
from pathlib import Path

from handbook.pages import PAGES, written

ROOT = Path(__file__).resolve().parents[1]


def main(root: Path = ROOT) -> int:
    """Write the pages below ``root``; 2 when a mark of a test names an unknown cause."""
    try:
        pages = {path: page(root) for path, page in PAGES.items()}
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for path, text in pages.items():
        if written(root, path) != text:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
