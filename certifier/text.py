"""How text from outside is shown: printable, without passwords, in units that people read."""

import re
from datetime import datetime

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
LONGEST = 8_192  # characters of a text that are read
# password=..., "password": "...", PWD={...}; and postgresql://user:...@host
_AFTER_NAME = re.compile(
    r"""((?:passw(?:or)?d|\bpwd|secret)(?:["'\\]*\s*:\s*(?=["'\\])|\s*=\s*))"""
    r"""(?:\\+"[^"]*"?|"(?:\\.|[^"\\])*"?|\\+'[^']*'?|'(?:\\.|[^'\\])*'?|\{[^}]*\}?"""
    r"""|(?:\\.|[^\s;,&"'\\])+)""",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"""(://[^\s:/@"']{0,256}:)[^\s"']{1,1024}(?=@)""")


def size(count: int) -> str:
    """Return a number of bytes for people, in PostgreSQL's units: 1 kB is 1024 bytes."""
    power = min(max(count.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{count / 1024**power:.{1 if power else 0}f} {_UNITS[power]}"


def redact_passwords(text: str) -> str:
    """The part of a text that is read, without the values of passwords.

    A client that cannot read its connection string prints it.
    """
    return _IN_ADDRESS.sub(r"\1***", _AFTER_NAME.sub(r"\1***", text[:LONGEST]))


def printable(text: str, limit: int = 1024) -> str:
    """Return ``text`` with whatever could move a terminal escaped, at most ``limit`` characters.

    That is everything but graphic characters and the blank: controls of both ranges, escape
    sequences, marks that turn the direction of writing, private and unassigned code points.
    """
    head = text[: limit + 1]
    if head.isprintable():
        return head if len(head) <= limit else head[: limit - 1] + "…"
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def instant(moment: datetime) -> str:
    """Write an instant for people, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
