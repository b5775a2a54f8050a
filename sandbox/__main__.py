"""``python -m sandbox [FOLDER]``: play the story, and leave its records and reports in FOLDER.

``python -m sandbox serve`` serves the account instead, and ``env``, ``do``, ``mail`` and ``reset``
are for the terminals beside it.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from sandbox.demo import play
from sandbox.postgres import PostgresError
from sandbox.serve import command

FOLDER = Path("build/demo")


def main(arguments: list[str]) -> int:
    """Play the demo, or run a command of the served account.

    Exit status 1: this machine lacks what it needs.
    """
    if arguments[:1] and arguments[0] in command.COMMANDS:
        return command.main(arguments)
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False)
    try:
        play(chosen.folder, console)
    except PostgresError as error:
        console.print(f"[red]PostgreSQL could not be started:[/] {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
