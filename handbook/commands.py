"""``docs/reference/cli.md``: every command, from its argument parser.

The words are the parser's; the layout is ours, because ``argparse`` lays out its help differently
in each version of Python.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from certifier import cli
from handbook.text import NOTICE, code, listed, table

_INTRODUCTION = f"""\
# The command line

`certifier COMMAND`, or `python -m certifier COMMAND` in a checkout. `certifier COMMAND --help`
prints what this page says.

Exit status of every command: 0 yes; 1 no (refused, a failed verdict, content that is not a
certificate); 2 wrong usage, a file that cannot be opened, or AWS that
does not answer or denies the call. No command prints a traceback, and
none prints a password or a private key.

Commands that work in AWS use the credentials, Region and profile of the environment, as the `aws`
CLI does. What each of them needs to be permitted is in
[permissions.md](../operate/permissions.md).

{NOTICE}"""


def parsers() -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of each command, in the order of the help."""
    subparsers = argparse.ArgumentParser(prog="certifier").add_subparsers()
    for name in cli.COMMANDS:
        import_module(f"{cli.__name__}.{name.replace('-', '_')}").register(subparsers)
    return dict(subparsers.choices)


def page() -> str:
    """Return the whole document."""
    every = parsers()
    overview = table(
        ("command", "what it does"),
        ((f"[`{name}`](#{name})", _first_sentence(parser)) for name, parser in every.items()),
    )
    return "\n".join((_INTRODUCTION, overview, *(_section(*each) for each in every.items())))


def _first_sentence(parser: argparse.ArgumentParser) -> str:
    return (parser.description or "").partition(". ")[0].removesuffix(".")


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    rows = [(_shown(action), _meaning(action)) for action in actions(parser)]
    parts = [f"## {name}", parser.description or "", f"```text\n{_usage(name, parser)}\n```"]
    if rows:
        parts.append(table(("argument", "what it means"), rows).rstrip())
    if parser.epilog:
        parts.append(parser.epilog[0].upper() + parser.epilog[1:] + ".")
    return "\n\n".join(parts) + "\n"


def actions(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    """Return the arguments: what stands by its place first, then the options, without --help."""
    every = parser._actions  # noqa: SLF001 - argparse has no public list of them
    return sorted(
        (action for action in every if "--help" not in action.option_strings),
        key=lambda action: bool(action.option_strings),
    )


def _usage(name: str, parser: argparse.ArgumentParser) -> str:
    options, places = [], []
    for action in actions(parser):
        if action.option_strings:
            shown = " ".join((action.option_strings[-1], *_values(action)))
            options.append(shown if action.required else f"[{shown}]")
        else:
            places += _values(action)
    return "\n".join(_wrapped(f"certifier {name}", [*options, *places]))


def _wrapped(start: str, words: Sequence[str], width: int = 96) -> Iterator[str]:
    line = start
    for word in words:
        if len(line) + 1 + len(word) > width:
            yield line
            line = " " * len(start)
        line += f" {word}"
    yield line


def _values(action: argparse.Action) -> list[str]:
    """How the values of an argument are written in a usage line."""
    if action.nargs == 0:
        return []
    value = action.metavar or action.dest.upper()
    assert isinstance(value, str)
    match action.nargs:
        case "+":
            return [value, f"[{value} ...]"]
        case "*":
            return [f"[{value} ...]"]
        case "?":
            return [f"[{value}]"]
        case _:
            return [value]


def _shown(action: argparse.Action) -> str:
    if not action.option_strings:
        return code(str(action.metavar or action.dest))
    return code(" ".join((", ".join(action.option_strings), *_values(action))))


def _meaning(action: argparse.Action) -> str:
    text = action.help or ""
    if "%(" in text:
        text %= {"default": action.default, "choices": action.choices, "dest": action.dest}
    if action.choices and not all(str(choice) in text for choice in action.choices):
        text += f" ({listed(map(str, action.choices))})"
    return text
