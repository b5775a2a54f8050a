"""``python -m sandbox [FOLDER]``: play the story, and leave its records and reports in FOLDER.

``python -m sandbox serve`` serves the account instead, and ``env``, ``do``, ``mail`` and ``reset``
are for the terminals beside it.
"""

import argparse
import difflib
import os
import sys
from pathlib import Path

from sandbox.serve import command
from sandbox.serve.folder import leave_own_account

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
    meant = difflib.get_close_matches(str(chosen.folder), command.COMMANDS, n=1)
    # A mistyped command is a folder's name too; it must not play for a minute and leave one.
    if not chosen.folder.exists() and "/" not in (arguments[:1] or ["/"])[0]:
        close = f"; did you mean {meant[0]}?" if meant else ""
        word = chosen.folder
        parser.error(f"there is no command {word}{close} (a new folder: ./{word})")
    return _play(chosen.folder)


def _play(folder: Path) -> int:
    leave_own_account()
    # Here, because it takes seconds, and the commands of a served account are typed often.
    from rich.console import Console  # noqa: PLC0415

    from sandbox.demo import play  # noqa: PLC0415
    from sandbox.postgres import PostgresError  # noqa: PLC0415

    console = Console(highlight=False, emoji=False)
    try:
        play(folder, console)
    except PostgresError as error:
        console.print(f"[red]PostgreSQL could not be started:[/] {error}")
        return 1
    except KeyboardInterrupt:  # the server and the account have ended with their contexts
        console.print("\n[dim]ended; nothing is left behind[/]")
        return 130
    return 0


def _run(arguments: list[str]) -> int:
    """Run :func:`main`; a reader that went away, such as ``head``, is nothing to report."""
    try:
        status = main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell says of a command that SIGPIPE ended
    return status


if __name__ == "__main__":
    sys.exit(_run(sys.argv[1:]))
