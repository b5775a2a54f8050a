"""How text from outside is shown: printable, without secrets, in units that people read."""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus
from zoneinfo import ZoneInfo

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

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


_PIECE = 6
"""So many characters of a secret in a row are hidden wherever they stand."""
_HIDDEN = "***"


class Redactor:
    """Hides secrets by their value: whoever holds one knows exactly what must not be shown.

    What is hidden: the secret, every piece of six characters or more of it, and the same of its
    forms: quoted for libpq, SQL, JSON and Python, URL-encoded, base64 (wherever it begins), hex. A
    shorter secret is hidden where it stands alone. Without a secret, nothing is.
    """

    def __init__(self, *secrets: str | None) -> None:
        self._pieces: set[str] = set()
        short: list[str] = []
        for secret in filter(None, secrets):
            if len(secret) < _PIECE:
                short.append(re.escape(secret))
            for form in _forms(secret):
                starts = range(len(form) - _PIECE + 1)
                self._pieces.update(form[i : i + _PIECE] for i in starts)
        self._short = re.compile(rf"(?<!\w)(?:{'|'.join(short)})(?!\w)") if short else None

    def __repr__(self) -> str:
        return "Redactor()"

    def __reduce__(self) -> str:
        raise TypeError("what a redactor knows is not to be stored")

    def text(self, text: str) -> str:
        """Return ``text`` with three stars in place of whatever is of a secret."""
        if self._short is not None:
            text = self._short.sub(_HIDDEN, text)
        if not self._pieces:
            return text
        parts: list[str] = []
        shown, index = 0, 0
        while index <= len(text) - _PIECE:
            if text[index : index + _PIECE] not in self._pieces:
                index += 1
                continue
            end = index + _PIECE
            while end < len(text) and text[end - _PIECE + 1 : end + 1] in self._pieces:
                end += 1
            parts += [text[shown:index], _HIDDEN]
            shown = index = end
        return "".join([*parts, text[shown:]])

    def model(self, model: M) -> M:
        """Return the same facts, with every text in them, also in keys, cleaned."""
        if not self._pieces and self._short is None:
            return model
        return type(model).model_validate(self._cleaned(model.model_dump()))

    def _cleaned(self, value: Any) -> Any:
        match value:
            case Enum():
                return value
            case str():
                return self.text(value)
            case Mapping():
                return {self._cleaned(key): self._cleaned(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return type(value)(self._cleaned(item) for item in value)
            case _:
                return value


def _forms(secret: str) -> set[str]:
    """Return a secret as programs write it."""
    raw = secret.encode("utf-8", "surrogatepass")
    escaped = secret.replace("\\", "\\\\")
    forms = {
        secret,
        escaped.replace("'", "\\'"),
        escaped.replace('"', '\\"'),
        secret.replace("'", "''"),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        raw.hex(),
        raw.hex().upper(),
    }
    for before in range(3):  # of three bytes base64 makes four characters; the first ones differ
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * before + raw).decode().rstrip("=")
            forms.add(encoded[(0, 2, 3)[before] : len(raw) * 4 // 3])
    return forms
