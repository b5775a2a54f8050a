"""Certificates that `cryptography` refuses as a whole, and that PostgreSQL and libpq work with.

A * or a _ in a PrintableString is what many a CA writes; version 4 is what pyOpenSSL makes of
``set_version(3)``.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certifier.certificate import Intake, certificates_in, check_material
from certifier.certificate.canonical import to_pem
from certifier.certificate.reading import Certificate
from certifier.models import Policy
from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.vocabulary import Cause, Severity, SslMode
from sandbox.pki import Authority, Key
from tests.probe.fakes import Fake
from tests.probe.hostile import parts_of, rsa_key, serving, signed
from tests.probe.mutate import tlv
from tests.probe.reference import MODES, libpq_says

HOST = "db.example.com"
ROOT = Authority.root("ACME_Root")
Change = Callable[[list[bytes]], None]
_ISSUER, _SUBJECT = 3, 5  # places in a TBSCertificate


def _printable(at: int) -> Change:
    """The strings of a name become PrintableStrings, whatever they hold."""

    def change(parts: list[bytes]) -> None:
        attributes = [parts_of(parts_of(group)[0]) for group in parts_of(parts[at])]
        parts[at] = tlv(
            0x30,
            b"".join(tlv(0x31, tlv(0x30, kind + b"\x13" + text[1:])) for kind, text in attributes),
        )

    return change


def _version_4(parts: list[bytes]) -> None:
    parts[0] = bytes.fromhex("a003020103")


def _changed(der: bytes, *changes: Change) -> bytes:
    parts = parts_of(parts_of(der)[0])
    for change in changes:
        change(parts)
    return signed(tlv(0x30, b"".join(parts)), ROOT)


def _leaf(*changes: Change) -> bytes:
    made = ROOT.issue(dns=[HOST], cn=f"*_{HOST}", key=Key.RSA_2048, private_key=rsa_key())
    return _changed(made.certificate_der, *changes)


_WORLDS = {
    "a leaf with an odd subject": (_leaf(_printable(_SUBJECT)), ROOT.certificate_pem),
    "a leaf of version 4": (_leaf(_version_4), ROOT.certificate_pem),
    "a CA with an odd name": (
        _leaf(_printable(_ISSUER)),
        to_pem(
            _changed(
                ROOT.certificate.public_bytes(Encoding.DER),
                _printable(_ISSUER),
                _printable(_SUBJECT),
            )
        ).encode(),
    ),
}


@pytest.fixture(params=list(_WORLDS.values()), ids=list(_WORLDS))
def world(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    """A leaf (DER) and the CA file it verifies with."""
    found: tuple[bytes, bytes] = request.param
    return found


def test_the_library_refuses_one_of_them(world: tuple[bytes, bytes]) -> None:
    """Or this file shows nothing."""
    leaf, ca = world
    with pytest.raises((ValueError, x509.InvalidVersion)):
        (x509.load_der_x509_certificate(leaf), x509.load_pem_x509_certificate(ca))


def test_libpq_and_the_probe_connect(world: tuple[bytes, bytes]) -> None:
    """In every mode."""
    leaf, ca = world
    with Fake(serving(leaf)) as fake:
        report = probe(
            ProbeRequest(
                HOST,
                port=fake.port,
                address="127.0.0.1",
                ca_bundle=ca,
                policy=AddressPolicy.anywhere(),
            )
        )
        for mode in MODES:
            assert libpq_says(HOST, fake.port, mode, ca_bundle=ca).connected
            assert report.verdicts.of(mode).passed


def _taken_in(leaf: bytes, ca: bytes) -> Intake:
    return check_material(
        certificate=to_pem(leaf).encode(),
        private_key=rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        chain=None,
        ca=ca,
        host=HOST,
        ssl_mode=SslMode.VERIFY_FULL,
        now=datetime.now(UTC),
        policy=Policy(),
    )


def test_the_intake_takes_what_libpq_connects_with(world: tuple[bytes, bytes]) -> None:
    """As it is, byte for byte."""
    leaf, ca = world
    taken = _taken_in(leaf, ca)
    assert taken.accepted, taken.findings
    assert taken.leaf_pem is not None
    assert certificates_in(taken.leaf_pem) == (leaf,)


def test_a_leaf_like_that_is_a_warning() -> None:
    """Others may not read it."""
    taken = _taken_in(*_WORLDS["a leaf of version 4"])
    (odd,) = [one for one in taken.findings if "parts of" in one.seen]
    assert (odd.cause, odd.severity) == (Cause.CERTIFICATE_REJECTED, Severity.WARNING)
    assert "no such version" in odd.seen


def test_signatures_are_those_of_the_original(world: tuple[bytes, bytes]) -> None:
    """Of another certificate, and of one in which a bit differs, the CA is not the issuer."""
    leaf, ca = world
    (issuer,) = map(Certificate, certificates_in(ca))
    assert Certificate(leaf).signed_by(issuer) is True
    assert issuer.self_signed
    at = leaf.index(HOST.encode(), -400)
    tampered = leaf[:at] + b"x" + leaf[at + 1 :]
    assert Certificate(tampered).signed_by(issuer) is False
    stranger = _changed(
        Authority.root("ACME_Root", fresh=True).certificate.public_bytes(Encoding.DER)
    )
    assert Certificate(leaf).signed_by(Certificate(stranger)) is not True
