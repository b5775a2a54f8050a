"""``certifier completion``: what a shell needs to complete the commands and their options."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

SHELLS = ("bash", "zsh", "fish", "tcsh")


def register(subparsers: "Subparsers") -> None:
    """Add the command to the parser."""
    parser = subparsers.add_parser(
        "completion",
        help="print what completes the commands in your shell",
        description="Print the completion of the commands and their options for a shell. It is"
        " made from the parser itself, so print it again after an update.",
        epilog="exit status: 0; 2 wrong usage",
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh, fish or tcsh")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the completion: always 0."""
    import shtab  # noqa: PLC0415 - only here, and it needs every command

    from certifier.cli import COMMANDS, parser_of  # noqa: PLC0415

    print(shtab.complete(parser_of(COMMANDS, grouped=False), shell=args.shell))
    return 0
