"""Hiding secrets by their value, in texts and facts, wherever they are about to leave."""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin
from urllib.parse import quote, quote_plus

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

_PIECE = 6
"""So many characters of a secret in a row are hidden wherever they stand."""
SECRET_LIMIT: Final = 4096
"""So many characters of a secret are taken. Of one of 64 KB, which Secrets Manager holds, the
pieces would be a hundred megabytes; a token of RDS, the longest password in use, has 2,000."""
_HIDDEN = "***"
_ASCII = 128
# Whoever looks at three characters at every fourth place meets a part of every piece of six.
_SAMPLE, _STRIDE = 3, 4

COMPUTED: Final = "computed here, such as a digest: a text in which no word of a server can stand"
"""Metadata of a model's field that :class:`Redactor` leaves as it is: six digits that a digest has
in common with a secret are chance, and whoever compares digests needs all of it."""


class Redactor:
    """Hides secrets by their value: whoever holds one knows exactly what must not be shown.

    What is hidden: the secret, every piece of six characters or more of it, and the same of its
    forms: quoted for libpq, SQL, JSON, HTML and Python, URL-encoded, base64 (wherever it begins),
    hex, in capitals and in small letters; of what is not ASCII also normalized, escaped byte by
    byte, and its UTF-8 taken for Latin-1. A shorter secret is hidden where it stands alone. Without
    a secret, nothing is.
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
        self._samples = {piece[i : i + _SAMPLE] for piece in self._pieces for i in range(_STRIDE)}
        self._short = re.compile(rf"(?<!\w)(?:{'|'.join(short)})(?!\w)") if short else None

    def __repr__(self) -> str:
        return "Redactor()"

    def __reduce__(self) -> str:
        raise TypeError("what a redactor knows is not to be stored")

    def text(self, text: str) -> str:
        """Return ``text`` with three stars in place of whatever is of a secret."""
        if self._short is not None:
            text = self._short.sub(_HIDDEN, text)
        if len(text) < _PIECE or self._samples.isdisjoint(
            [text[i : i + _SAMPLE] for i in range(0, len(text) - _SAMPLE + 1, _STRIDE)]
        ):
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
        """Return the same facts, with every text in them that may come from outside cleaned.

        What comes from outside in no case stays as it is, also where a secret reads like it: the
        names of fields, members of enumerations, words of a ``Literal`` and what is ``COMPUTED``.
        """
        changed = {}
        for name in _foreign(type(model)):
            value = getattr(model, name)
            clean = self._cleaned(value)
            if clean is not value:
                changed[name] = clean
        return model.model_copy(update=changed) if changed else model

    def _cleaned(self, value: Any) -> Any:
        """The cleaned value; the very same object when there is nothing to hide in it."""
        match value:
            case None | Enum():
                return value
            case str():
                clean = self.text(value)
                return value if clean == value else clean
            case BaseModel():
                return self.model(value)
            case tuple() | list() | set() | frozenset():
                items = [self._cleaned(item) for item in value]
                same = all(new is old for new, old in zip(items, value, strict=True))
                return value if same else type(value)(items)
            case Mapping():
                found = {self._cleaned(key): self._cleaned(item) for key, item in value.items()}
                return value if found == value else found
            case _:
                return value


@cache
def _foreign(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields of a model in which there may be what came from outside."""
    return tuple(
        name
        for name, field in model.model_fields.items()
        if COMPUTED not in field.metadata and not _ours(field.annotation)
    )


def _ours(annotation: Any) -> bool:
    """Whether a field of this type holds no text but our own."""
    if isinstance(annotation, type):
        return issubclass(annotation, int | float | datetime | Enum | NoneType)
    if get_origin(annotation) is Literal:
        return True
    arguments = get_args(annotation)
    return get_origin(annotation) in (Union, UnionType) and all(map(_ours, arguments))


def _without_ascii(secret: str, raw: bytes) -> set[str]:
    """Return what programs make of characters that they cannot write, or read in another way."""
    normalized = {unicodedata.normalize(form, secret) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    return {
        *normalized,
        raw.decode("latin-1"),
        raw.decode("cp1252", "replace"),
        raw.decode("ascii", "backslashreplace"),
        "".join(chr(byte) if byte < _ASCII else f"\\{byte:03o}" for byte in raw),
        secret.encode("ascii", "xmlcharrefreplace").decode(),
        *(text.encode("ascii", "ignore").decode() for text in normalized),
    }


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
        secret.upper(),
        secret.lower(),
        html.escape(secret),
    }
    if not secret.isascii():
        forms |= _without_ascii(secret, raw)
    for before in range(3):  # of three bytes base64 makes four characters; the first ones differ
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * before + raw).decode().rstrip("=")
            forms.add(encoded[(0, 2, 3)[before] : len(raw) * 4 // 3])
    return forms
