"""``python -m sandbox picture``: the README's picture, of commands in a served account.

An account is served in a folder of its own, and each of :data:`COMMANDS` runs in a terminal of its
own (a pty), whose screen becomes part of the picture. Nothing in it is typed by hand; a test makes
it again and compares.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from sandbox.serve.folder import FOLDER, ROOT
from sandbox.serve.process import served_from

PICTURE = ROOT / "docs" / "picture.svg"
COLUMNS = 100
SANDBOX = ".venv/bin/python -m sandbox"
COMMANDS = (
    f"certifier certify {FOLDER}/orders.json --plan",
    f"certifier certify {FOLDER}/orders.json",
    f"{SANDBOX} do break-after-change",
    f"{SANDBOX} do renew-ahead",
    "certifier status",
)
"""What is typed. Before the last one somebody waits until the run that it shows is over."""
ROLLED_BACK = "certifier status orders --json | grep -q rolled_back"
_SECONDS = 300.0
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"


def main(file: Path) -> None:
    """Run the commands and write the picture.

    Raises:
        ValueError: a command did not end as it should.
    """
    file.write_text(svg(session()), "utf-8")


def session() -> list[tuple[str, str]]:
    """Run the commands against a new account; return each with what its screen shows at the end.

    Raises:
        ValueError: the account did not open, or a command did not end as it should.
    """
    with tempfile.TemporaryDirectory(prefix="certifier-picture-") as folder, _account(Path(folder)):
        shown = [(command, _screen_of(command, Path(folder))) for command in COMMANDS[:-1]]
        deadline = time.monotonic() + _SECONDS
        while _run(ROLLED_BACK, Path(folder))[0] != 0:
            if time.monotonic() > deadline:
                raise ValueError("orders was not rolled back in time")
            time.sleep(1)
        return [*shown, (COMMANDS[-1], _screen_of(COMMANDS[-1], Path(folder)))]


@contextmanager
def _account(folder: Path) -> Iterator[None]:
    (folder / ".venv").symlink_to(sys.prefix)
    with served_from(folder, sys.executable, environment=os.environ | {"PYTHONPATH": str(ROOT)}):
        yield


def _screen_of(command: str, folder: Path) -> str:
    status, written = _run(command, folder)
    shown = screen(written)
    if status != 0 and command != COMMANDS[-1]:
        raise ValueError(f"{command} ended with status {status}:\n{shown}")
    return shown


def _run(command: str, folder: Path) -> tuple[int, str]:
    """Run a command in a terminal of its own; return its status, and what it has written there."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", f'eval "$({SANDBOX} env)"; {command}'],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
    )
    os.close(there)
    written = bytearray()
    try:
        while chunk := os.read(here, 65536):
            written += chunk
    except OSError:  # a pty says so when nobody writes any more
        pass
    finally:
        os.close(here)
    return process.wait(_SECONDS), written.decode("utf-8", "replace")


_PART = re.compile(r"\x1b\[(?P<number>[0-9;?]*)(?P<letter>[A-Za-z])|(?P<plain>[^\x1b\r\n]+|\r|\n)")


def screen(written: str) -> str:
    """What a terminal shows in the end: colours stay, what was erased is gone.

    It knows what our commands use: line ends, cursor up, erase the line, and colours.
    """
    lines, at = [""], 0
    fresh = False  # after a carriage return, the next text replaces the line
    for part in _PART.finditer(written):
        plain, letter = part["plain"], part["letter"]
        if plain == "\n":
            at, fresh = at + 1, False
            lines += [""] * (at + 1 - len(lines))
        elif plain == "\r":
            fresh = True
        elif letter == "A":
            at = max(0, at - int(part["number"] or 1))
        elif letter == "K":
            lines[at] = ""
        elif plain is not None or letter == "m":
            lines[at] = ("" if fresh else lines[at]) + part[0]
            fresh = False
    return "\n".join(lines).rstrip()


def svg(shown: list[tuple[str, str]]) -> str:
    """Draw what a session has shown. The picture asks no other host for anything."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(
            record=True, width=COLUMNS, file=nowhere, force_terminal=True, highlight=False
        )
        for number, (command, output) in enumerate(shown):
            prompt = Text.assemble("\n" if number else "", ("$ ", "green"), (command, "bold"))
            console.print(prompt, soft_wrap=False)
            console.print(Text.from_ansi(output), overflow="fold", soft_wrap=False)
        template = re.sub(r"@font-face \{\{.*?\n    \}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        template = template.replace("Fira Code, monospace", _FONT)
        return console.export_svg(
            title="certifier, in an account on your laptop",
            code_format=template,
            unique_id="certifier",
        )
