"""A secret is hidden in what programs make of it, and where a name was meant to stand."""

import html
import unicodedata

import pytest

from certifier.certificate.identify import identify, listed
from certifier.redactor import Redactor

SECRET = "naïve-pässwörd-<ﬁn>"


@pytest.mark.parametrize(
    "said",
    [
        SECRET.encode().decode("latin-1"),
        SECRET.encode().decode("cp1252", "replace"),
        SECRET.encode().decode("ascii", "backslashreplace"),
        "".join(chr(b) if b < 128 else f"\\{b:03o}" for b in SECRET.encode()),
        *(unicodedata.normalize(form, SECRET) for form in ("NFC", "NFD", "NFKC", "NFKD")),
        SECRET.encode("ascii", "xmlcharrefreplace").decode(),
        html.escape(SECRET),
        SECRET.upper(),
        SECRET.lower(),
        SECRET.encode("ascii", "ignore").decode(),
    ],
)
def test_no_spelling_of_a_secret_is_left(said: str) -> None:
    """DMS and servers pass on bytes that they have read, escaped or normalized in their own way."""
    assert Redactor(SECRET).text(f"FATAL: {said} was rejected") == "FATAL: *** was rejected"


@pytest.mark.parametrize("key", ["-----BEGIN PRIVATE KEY-----", "MC4CAQAwBQYDK2VwBCIEICTXwE1k"])
def test_a_key_where_a_name_belongs_is_not_shown(key: str) -> None:
    """Whoever swaps a key and its value in the secret finds nothing of it in a record or mail."""
    long = key + "x" * 60
    for shown in (listed({long: 1, "ca": 2}), identify(f'{{"{long}": 1}}'.encode()).what):
        assert key[:12] not in shown
        assert f"one of {len(long)} characters" in shown
    assert listed({"tls.key": 1, "ca": 2}) == "tls.key, ca"
