"""A certificate with a name that is broken as DER: OpenSSL cannot load it, nor do we take it in."""

import random
import ssl

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certifier.certificate.reading import Certificate
from sandbox.pki import Authority

ROOT = Authority.root("ACME Root")
_DER = ROOT.certificate.public_bytes(Encoding.DER)
_NAME = ROOT.certificate.subject.public_bytes()
_PLACES = [at for at in range(len(_DER)) if _DER.startswith(_NAME, at)]


def _loads(der: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except ssl.SSLError:
        return False
    return True


def _changed(place: int, at: int, byte: int) -> bytes:
    return _DER[: place + at] + bytes([byte]) + _DER[place + at + 1 :]


@pytest.mark.parametrize("place", _PLACES, ids=["issuer", "subject"])
def test_an_attribute_that_reaches_beyond_its_name_is_refused(place: int) -> None:
    """That a copy leaves names out does not hide that they cannot be read."""
    for at in (3, 5):  # the lengths of a set, and of an attribute
        broken = _changed(place, at, 0x7F)
        assert not _loads(broken)
        assert Certificate(broken).loaded is None


def test_hardly_any_name_is_taken_in_that_openssl_does_not_load() -> None:
    """What is left are characters that do not decode, which are shown as they are."""
    rng = random.Random(7)
    wrong = refused = 0
    for _ in range(1500):
        der = _changed(rng.choice(_PLACES), rng.randrange(2, len(_NAME)), rng.randrange(256))
        read = Certificate(der)
        if not _loads(der):
            refused += 1
            wrong += read.loaded is not None and read.copied
    assert refused > 300
    assert wrong < refused / 50
