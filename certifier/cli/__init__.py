"""The command line: one file a command, each with ``register(subparsers)`` and ``run(args)``.

Exit status of every command: 0 yes, 1 no (refused, failed verdict, content that is not a
certificate), 2 wrong usage, a file that cannot be opened, or AWS that
does not answer or denies the call. Never a traceback.
"""

import argparse
import contextlib
import difflib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from certifier.cli.streams import readers_may_leave
from certifier.version import VERSION

ON_THE_LAPTOP: Mapping[str, str] = {
    "probe": "certifier probe orders.db.example.com:5432 --ca-bundle root.crt",
    "inspect": "certifier inspect --certificate fullchain.pem --host orders.db.example.com",
    "explain": "certifier explain 'SSL error: certificate verify failed'",
    "make-certificates": "certifier make-certificates certificates --host orders.db.example.com",
    "schema": "certifier schema > source.schema.json",
    "completion": "source <(certifier completion bash)",
}
IN_AWS: Mapping[str, str] = {
    "discover": "certifier discover --probe",
    "certify": "certifier certify orders.json --plan",
    "watch": "certifier watch",
    "status": "certifier status --failing",
    "report": "certifier report --output fleet.html",
    "show": "certifier show orders",
    "history": "certifier history orders",
    "open": "certifier open orders",
    "approve": "certifier approve orders",
    "pause": "certifier pause orders --why 'the database is being moved'",
    "unpause": "certifier unpause orders",
    "release": "certifier release orders orders-to-warehouse",
    "forget": "certifier forget orders",
    "reset-breaker": "certifier reset-breaker",
    "doctor": "certifier doctor",
    "notify-test": "certifier notify-test",
}
EXAMPLES: Mapping[str, str] = {**ON_THE_LAPTOP, **IN_AWS}
"""An example of each command."""
COMMANDS = tuple(EXAMPLES)
"""In the order of the help: the laptop first, then AWS."""
_INTERRUPTED, _UNREAD = 130, 141
"""128 and the signal that ends a program that does not look itself: SIGINT, SIGPIPE."""
_SAY_IT_THEMSELVES = frozenset({"hosts", "text", "user", "why"})
"""Arguments about whose emptiness their command says more; so does a type of our own."""
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@]*@")


class Parser(argparse.ArgumentParser):
    """A parser that says what was meant by a wrong word, and shows no password of an address."""

    def error(self, message: str) -> NoReturn:
        wrong = re.match(r"argument ([^:]+): invalid choice: '([^']*)'", message)
        if wrong and self.prog == "certifier":
            word = wrong[2]
            message = f"there is no command {word!r}{did_you_mean(word, self._choices(wrong[1]))}"
        elif wrong:
            allowed = ", ".join(self._choices(wrong[1]))
            where = f"argument {wrong[1]}: " if wrong[1].startswith("-") else ""
            message = f"{where}there is no {wrong[2]!r}; there are {allowed}"
        super().error(_URL_PASSWORD.sub(r"\1***@", message))

    def _print_message(self, message: str, file: Any = None) -> None:
        """argparse passes over a disk that is full; what somebody asked for is output.

        A mistake that nobody reads is still one: its status is not to become that of a closed pipe.
        """
        if file is None or file is sys.stderr:
            super()._print_message(message, file)
        elif message:
            file.write(message)

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """Take no empty value: it is a variable that is not set, and ``Path("")`` would be the
        folder of now. argparse has no other place for all arguments at once.
        """
        of_a_command = action.nargs == argparse.PARSER  # which looks at each of them itself
        judged = action.type not in (None, Path) or action.dest in _SAY_IT_THEMSELVES
        if arg_string == "" and not judged and not of_a_command:
            raise argparse.ArgumentError(action, "is empty")
        return super()._get_value(action, arg_string)

    def _choices(self, name: str) -> list[str]:
        """Return what an argument may be; ``name`` is argparse's: ``-o/--output``, or a metavar."""
        return [
            str(word)
            for action in self._actions
            if name in ("/".join(action.option_strings), action.metavar, action.dest)
            or name == "{" + ",".join(map(str, action.choices or ())) + "}"
            for word in action.choices or ()
        ]


def did_you_mean(word: str, known: Iterator[str] | Sequence[str]) -> str:
    """Return the question that ends a sentence about a word that nobody knows; may be empty."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. `argv` is without the program's name."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Old roots have a serial number of 0 (Starfield's among them); nobody here can change that.
    warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # What is not a character, or not one that the terminal has, becomes \xNN.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        return _nowhere("standard output is closed")
    with readers_may_leave():
        return _ended(arguments)


def _ended(arguments: Sequence[str]) -> int:
    """Run one command, whatever happens to it, and return its exit status."""
    try:
        try:
            status = _run(arguments)
        except SystemExit as over:  # argparse: 0 after --help, 2 after wrong usage
            status = over.code if isinstance(over.code, int) else 2
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # of a command that would have gone on: how it ends is not known
        _silence()
        return _UNREAD
    except OSError as error:
        if error.filename is not None or error.errno is None:
            return _bug(error)
        _silence()
        return _nowhere(f"the output cannot be written: {os.strerror(error.errno)}")
    except Exception as error:  # noqa: BLE001 - the outermost edge: a bug is reported, not shown in full
        return _bug(error)
    return status


def _run(arguments: Sequence[str]) -> int:
    parser = _parser(arguments)
    if not arguments:
        parser.print_help()
        return 0
    args, left = parser.parse_known_args(arguments)
    if left:  # argparse would show the usage of the whole, not that of the command
        _of(parser, arguments[0]).error(f"unrecognized arguments: {' '.join(left)}")
    status: int = args.run(args)
    return status


def _of(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    """Return the parser of one command."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to it
        if isinstance(action.choices, dict) and command in action.choices:
            found: argparse.ArgumentParser = action.choices[command]
            return found
    return parser


def _bug(error: Exception) -> int:
    return _complain(f"unexpected {type(error).__name__}; please report it", 1)


def _nowhere(why: str) -> int:
    return _complain(why, 2)


def _complain(sentence: str, status: int) -> int:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(f"certifier: {sentence}", file=sys.stderr)
    return status


def _silence() -> None:
    """Let nothing more be written to standard output, not even what Python still has of it."""
    try:
        handle = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, handle)
    os.close(nowhere)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; of the commands, only the one that is asked for is imported.

    `certifier probe` on a laptop then needs no boto3, and starts faster.
    """
    asked = [name for name in COMMANDS if name in arguments[:1]]
    return parser_of(asked or COMMANDS)


def parser_of(names: Sequence[str], *, grouped: bool = True) -> argparse.ArgumentParser:
    """Return the parser of some of the commands, listed in two groups or as argparse does."""
    parser = Parser(
        prog="certifier",
        usage="certifier [--help] [--version] COMMAND ...",
        description="Keeps AWS DMS endpoints for PostgreSQL on TLS that really verifies.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"certifier {VERSION}")
    subparsers = parser.add_subparsers(
        prog="certifier",
        metavar="COMMAND",
        required=True,
        help=argparse.SUPPRESS if grouped else "what to do",
        parser_class=Parser,
    )
    for name in names:
        import_module(f"{__name__}.{name.replace('-', '_')}").register(subparsers)
        if name in subparsers.choices:
            _with_example(subparsers.choices[name], EXAMPLES[name])
    helps = {action.dest: action.help or "" for action in subparsers._choices_actions}  # noqa: SLF001
    parser.epilog = "\n".join(_epilog(helps))
    return parser


def _epilog(helps: Mapping[str, str]) -> Iterator[str]:
    for title, group in (("on your laptop", ON_THE_LAPTOP), ("in AWS", IN_AWS)):
        shown = [name for name in group if name in helps]
        if shown:
            yield f"{title}:"
            yield from (f"  {name:<19}{helps[name]}" for name in shown)
            yield f"  for example: {next(iter(group.values()))}"
            yield ""
    yield "certifier COMMAND --help says more, with an example of each command."
    yield "exit status: 0 yes; 1 no; 2 wrong usage, a file that cannot be opened, or AWS is silent"


def _with_example(parser: argparse.ArgumentParser, example: str) -> None:
    """End the help of a command with an example of it."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "\n".join(_filled(parser.description or ""))
    more = "" if parser.epilog is None else "\n" + "\n".join(_filled(parser.epilog))
    parser.epilog = f"example: {example}{more}"


def _filled(text: str, width: int = 90) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line
