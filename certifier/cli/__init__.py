"""The command line: one file a command, each with ``register(subparsers)`` and ``run(args)``.

Exit status of every command: 0 yes, 1 no (refused, failed verdict, content that is not a
certificate), 2 wrong usage or a file that cannot be opened. Never a traceback.
"""

import argparse
import contextlib
import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

# In the order of the help: the laptop first, then AWS.
COMMANDS = (
    "probe",
    "inspect",
    "explain",
    "make-certificates",
    "schema",
    "discover",
    "certify",
    "status",
    "report",
    "approve",
    "forget",
    "reset-breaker",
)
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. `argv` is without the program's name."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Old roots have a serial number of 0 (Starfield's among them); nobody here can change that.
    warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # What is not a character, or not one that the terminal has, becomes \xNN.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        args = _parser(arguments).parse_args(arguments)
        status: int = args.run(args)
        sys.stdout.flush()
    except SystemExit as over:  # argparse: 0 after --help, 2 after wrong usage
        return over.code if isinstance(over.code, int) else 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # `certifier status | head`: nobody reads on, which is not an error
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the outermost edge: a bug is reported, not shown in full
        print(f"certifier: unexpected {type(error).__name__}; please report it", file=sys.stderr)
        return 1
    return status


def at_once(path: str, flags: int) -> int:
    """An opener for `open`: a named pipe that nobody writes to is empty, and not waited for."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    return handle


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; of the commands, only the one that is asked for is imported.

    `certifier probe` on a laptop then needs no boto3, and starts faster.
    """
    parser = argparse.ArgumentParser(
        prog="certifier",
        description="Keeps AWS DMS endpoints for PostgreSQL on TLS that really verifies.",
        epilog="exit status: 0 yes; 1 no; 2 wrong usage, or a file that cannot be opened",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = [name for name in COMMANDS if name in arguments[:1]]
    for name in asked or COMMANDS:
        import_module(f"{__name__}.{name.replace('-', '_')}").register(subparsers)
    return parser
