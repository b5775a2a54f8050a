"""A secret is hidden by its value, in whatever form and however much of it is said."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.diagnosis import finding
from certifier.text import Redactor
from certifier.vocabulary import Cause, Witness

SECRET = "k7#Vq9'x\\2m \"Zt/4wÄ"


@pytest.mark.parametrize(
    "said",
    [
        SECRET,
        SECRET[3:9],
        SECRET[:-4],
        SECRET.replace("\\", "\\\\").replace("'", "\\'"),
        SECRET.replace("'", "''"),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=True),
        repr(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        f"postgresql://u:{quote(SECRET)}@h/db",
        SECRET.encode().hex(),
        *(base64.b64encode(b"u" * n + SECRET.encode() + b"!" * n).decode() for n in range(6)),
        base64.urlsafe_b64encode(b"\0user\0" + SECRET.encode()).decode(),
    ],
)
def test_no_form_and_no_piece_of_a_secret_is_left(said: str) -> None:
    """Whole or in part, quoted, escaped, in an address, in base64 that begins anywhere, in hex."""
    shown = Redactor(SECRET).text(f"FATAL:  role {said} does not exist")
    assert shown.startswith("FATAL:  role ")
    assert shown.endswith(" does not exist")
    assert "***" in shown
    for form in (SECRET, SECRET.encode().hex(), base64.b64encode(SECRET.encode()).decode()):
        assert not any(form[i : i + 6] in shown for i in range(len(form) - 5))


@given(secret=st.text(min_size=6, max_size=40), before=st.text(), after=st.text())
def test_nothing_of_any_secret_is_left(secret: str, before: str, after: str) -> None:
    """Of what stood in the text, no six characters in a row are shown."""
    shown = Redactor(secret).text(before + secret + after)
    assert not any(
        secret[i : i + 6] in shown for i in range(len(secret) - 5) if "***" not in secret
    )


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    """Inside other words it is left: nothing could be read any more."""
    assert Redactor("pg").text("user pg on pg_stat: 'pg'") == "user *** on pg_stat: '***'"


def test_without_a_secret_nothing_is_hidden() -> None:
    """None and the empty one are not secrets."""
    assert Redactor(None, "").text("all of this") == "all of this"


def test_facts_are_cleaned_in_every_text() -> None:
    """What was seen and the raw text; enumerations stay what they are."""
    found = finding(
        Cause.PASSWORD_REJECTED, place=Witness.PROBE, seen=f"said {SECRET}", raw=f"raw {SECRET}"
    )
    clean = Redactor(SECRET).model(found)
    assert (clean.seen, clean.raw) == ("said ***", "raw ***")
    assert clean.cause is Cause.PASSWORD_REJECTED


def test_a_redactor_shows_nothing_of_what_it_knows() -> None:
    """Neither printed nor stored."""
    assert repr(Redactor(SECRET)) == "Redactor()"
    with pytest.raises(TypeError):
        Redactor(SECRET).__reduce__()
