"""A secret is hidden by its value, in whatever form and however much of it is said."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.certificate import CertificateFacts
from certifier.certificate.names import Names
from certifier.diagnosis import finding
from certifier.evidence import Address
from certifier.redactor import Redactor
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


@pytest.mark.parametrize("secret", ["connected", "outcome-1", "disconnected", "postgres"])
def test_our_own_words_are_left_where_a_secret_reads_like_one(secret: str) -> None:
    """Neither a field's name nor a word of ours is lost; what a server says is cleaned all the
    same."""
    address = Address(ip=f"10.0.0.1 {secret}", outcome="connected")
    assert Redactor(secret).model(address) == Address(ip="10.0.0.1 ***", outcome="connected")


def test_a_digest_is_left_whole() -> None:
    """Six digits in common are chance, and a digest that lost them equals no other any more."""
    facts = CertificateFacts(subject="CN=5fb70b31", sha256="5fb70b31" * 8)
    clean = Redactor("5fb70b31").model(facts)
    assert (clean.subject, clean.sha256) == ("CN=***", "5fb70b31" * 8)


def test_facts_without_a_secret_in_them_are_the_same_object() -> None:
    """Nothing is read, checked and made again."""
    facts = CertificateFacts(subject="CN=orders", names=Names(dns=("a", "b")), sha256="0" * 64)
    assert Redactor(SECRET).model(facts) is facts


@given(secret=st.text("abc", min_size=6, max_size=9), text=st.text("abcd", max_size=40))
def test_every_piece_is_found_wherever_it_stands(secret: str, text: str) -> None:
    """What is looked at first, of a text, leaves out no place."""
    pieces = {secret[i : i + 6] for i in range(len(secret) - 5)}
    hidden = any(text[i : i + 6] in pieces for i in range(len(text) - 5))
    assert ("***" in Redactor(secret).text(text)) is hidden


def test_a_redactor_shows_nothing_of_what_it_knows() -> None:
    """Neither printed nor stored."""
    assert repr(Redactor(SECRET)) == "Redactor()"
    with pytest.raises(TypeError):
        Redactor(SECRET).__reduce__()
