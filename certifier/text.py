"""How text from outside is shown: printable, without secrets, in units that people read."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_UNITS = ("bytes", "kB", "MB", "GB", "TB")
LONGEST = 8_192  # characters of a text that are read
NAME = 160  # characters of a name in a sentence, of which more must be read
LISTED = 800  # characters of a list in a sentence of 1,024
# password=..., "password": "...", PWD={...}; and postgresql://user:...@host
_AFTER_NAME = re.compile(
    r"""((?:passw(?:or)?d|\bpwd|secret)(?:["'\\]*\s*:\s*(?=["'\\])|\s*=\s*))"""
    r"""(?:\\+"[^"]*"?|"(?:\\.|[^"\\])*"?|\\+'[^']*'?|'(?:\\.|[^'\\])*'?|\{[^}]*\}?"""
    r"""|(?:\\.|[^\s;,&"'\\])+)""",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"""(://[^\s:/@"']{0,256}:)[^\s"']{1,1024}(?=@)""")

# Letters, marks and symbols to Unicode, and nothing on a screen: fillers of Hangul, the blank of
# Braille and of music, joiners and variation selectors (DerivedCoreProperties.txt,
# Default_Ignorable_Code_Point). What is neither assigned nor graphic ``isprintable`` knows.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U0001d159\U000e0100-\U000e01ef]"
)
MARKS = 3
"""Marks above and below one letter; written languages need no more. A pile of them covers the lines
around it."""


def size(count: int) -> str:
    """Return a number of bytes for people, in PostgreSQL's units: 1 kB is 1024 bytes."""
    power = min(max(count.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{count / 1024**power:.{1 if power else 0}f} {_UNITS[power]}"


def redact_passwords(text: str) -> str:
    """The part of a text that is read, without the values of passwords.

    A client that cannot read its connection string prints it.
    """
    return _IN_ADDRESS.sub(r"\1***", _AFTER_NAME.sub(r"\1***", text[:LONGEST]))


def is_plain(text: str) -> bool:
    """Whether every character of a text is seen, in its place and in its line."""
    return text.isprintable() and (text.isascii() or not any(_hidden(text)))


def _hidden(text: str) -> Iterator[bool]:
    """Yield of each character whether it is to be shown as what it is."""
    marks = 0
    for c in text:
        marks = marks + 1 if unicodedata.category(c) in ("Mn", "Me") else 0
        yield not c.isprintable() or marks > MARKS or _UNSEEN.match(c) is not None


def printable(text: str, limit: int = 1024) -> str:
    """Return ``text`` with whatever could move a terminal escaped, at most ``limit`` characters.

    That is everything but graphic characters and the blank: controls of both ranges, escape
    sequences, marks that turn the direction of writing, private and unassigned code points. And
    graphic ones that nobody sees, or that cover what stands around them.
    """
    head = text[: limit + 1]
    if is_plain(head):
        return head if len(head) <= limit else head[: limit - 1] + "…"
    safe = "".join(
        c.encode("unicode_escape").decode() if hidden else c
        for c, hidden in zip(head, _hidden(head), strict=True)
    )
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def quoted(text: str, limit: int = 1024) -> str:
    """Return ``printable`` text in quotes; ``repr`` would escape its escapes once more."""
    shown = printable(text, limit)
    quote = '"' if "'" in shown else "'"
    return f"{quote}{shown}{quote}"


def brief(name: str) -> str:
    """Return a name for a sentence: whoever chooses it cannot push out of sight what follows."""
    return name if len(name) <= NAME else name[: NAME - 1] + "…"


def foremost(
    items: Sequence[str], *, separator: str = "; ", room: int = LISTED, most: int | None = None
) -> Sequence[str]:
    """Return the first items, at least one and at most ``most``, for which there is room."""
    shown = 0
    for item in items[:most]:
        room -= len(item) + len(separator)
        if shown and room < 0:
            break
        shown += 1
    return items[:shown]


def listed(
    items: Sequence[str], *, separator: str = "; ", room: int = LISTED, most: int | None = None
) -> str:
    """Return the first items in a sentence, and how many more there are (``foremost``)."""
    shown = foremost(items, separator=separator, room=room, most=most)
    more = len(items) - len(shown)
    return separator.join(shown) + (f"{separator}and {more:,} more" if more else "")


def counted(count: int, word: str, words: str | None = None) -> str:
    """Return a number of things: ``1 source``, ``2 sources``, ``2,000 sources``."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units that matter: ``41 min``, ``6 d 13 h``."""
    seconds = max(int(length.total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        rest = seconds % 60
        return f"{minutes} min {rest} s" if minutes < 5 and rest else f"{minutes} min"
    if days < 1:
        rest = minutes % 60
        return f"{hours} h {rest} min" if hours < 6 and rest else f"{hours} h"
    rest = hours % 24
    return f"{days} d {rest} h" if days < 10 and rest else f"{days} d"


def clock_time(moment: datetime, zone: str | None = None) -> str:
    """Return an instant for people, to the minute: ``Sun 6 Dec 02:00 Europe/Berlin``.

    Args:
        zone: an IANA name; default: UTC.
    """
    local = moment.astimezone(UTC if zone is None else ZoneInfo(zone))
    days, months = (
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
        (*("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),),
    )
    day = f"{days[local.weekday()]} {local.day} {months[local.month - 1]}"
    return f"{day} {local:%H:%M} {zone or 'UTC'}"


def name_in(arn: str) -> str:
    """Return the end of an ARN, which is what people know it by; of a task its resource id."""
    return arn.rsplit(":", 1)[-1]


def instant(moment: datetime) -> str:
    """Write an instant for people, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
