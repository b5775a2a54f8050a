"""Print ``docs/reference/causes.md``: ``python -m certifier.diagnosis [FOLDER OF TESTS]``."""

import sys
from pathlib import Path

from certifier.diagnosis.handbook import markdown, scenarios


def main(arguments: list[str]) -> int:
    """Print the document, with the scenarios found below the folder (``tests`` by default)."""
    folder = Path(arguments[0] if arguments else "tests")
    if not folder.is_dir():
        print(f"{folder} is no folder; run this where tests/ is, or name it", file=sys.stderr)
        return 2
    try:
        print(markdown(scenarios(folder.resolve())), end="")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
