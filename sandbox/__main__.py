"""``python -m sandbox [FOLDER]``: tell the story, and leave its records and reports in FOLDER."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from sandbox.demo import play
from sandbox.postgres import PostgresError

FOLDER = Path("build/demo")


def main(arguments: list[str]) -> int:
    """Play the demo; exit status 1 when this machine lacks what it needs."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False, emoji=False)
    try:
        play(chosen.folder, console)
    except PostgresError as error:
        console.print(f"[red]PostgreSQL could not be started:[/] {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
