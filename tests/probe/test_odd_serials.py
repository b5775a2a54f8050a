"""Serial numbers that RFC 5280 forbids: zero, negative, longer than 20 octets.

OpenSSL takes them all. `cryptography` warns that a later release will refuse those that are not
positive; that release is played here by making its warning an error.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.utils import CryptographyDeprecationWarning

from certifier.certificate import Intake, certificate_facts, check_material
from certifier.certificate.canonical import to_pem
from certifier.models import Policy
from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import SslMode
from sandbox.pki import Authority, Key
from tests.probe.fakes import Fake
from tests.probe.hostile import parts_of, rsa_key, serving, signed
from tests.probe.mutate import tlv
from tests.probe.reference import MODES, libpq_says

HOST = "db.example.com"
ROOT = Authority.root("Example root")
LEAF = ROOT.issue(dns=[HOST], key=Key.RSA_2048, private_key=rsa_key()).certificate_der
OF_ROOT = ROOT.certificate.public_bytes(Encoding.DER)
KEY = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
NOT_POSITIVE = {
    "0": b"\0",
    "-1": b"\xff",
    "-128": b"\x80",
    "-2^159": b"\x80" + bytes(19),
    "-2^807": b"\x80" + bytes(100),
}
LONG = {"20 octets": b"\x7f" * 20, "21 octets": b"\0" + b"\xff" * 20, "100 octets": b"\x7f" * 100}
_SERIAL = 1  # its place in a TBSCertificate of version 3

each = pytest.mark.parametrize("serial", [*NOT_POSITIVE.values(), *LONG.values()])
World = tuple[bytes, bytes]


def numbered(der: bytes, serial: bytes) -> bytes:
    """The certificate with another serial, signed anew by the root."""
    parts = parts_of(parts_of(der)[0])
    parts[_SERIAL] = tlv(2, serial)
    return signed(tlv(0x30, b"".join(parts)), ROOT)


def worlds(serial: bytes) -> dict[str, World]:
    """Leaf (DER) and CA file, with the serial in either or both."""
    leaf, root = numbered(LEAF, serial), to_pem(numbered(OF_ROOT, serial)).encode()
    return {
        "leaf": (leaf, ROOT.certificate_pem),
        "root": (LEAF, root),
        "both": (leaf, root),
    }


@contextmanager
def next_release() -> Iterator[None]:
    """`cryptography` refuses what it only warns of today."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        yield


def taken_in(world: World, mode: SslMode = SslMode.VERIFY_FULL) -> Intake:
    leaf, ca = world
    return check_material(
        certificate=to_pem(leaf).encode(),
        private_key=KEY,
        chain=None,
        ca=ca,
        host=HOST,
        ssl_mode=mode,
        now=datetime.now(UTC),
        policy=Policy(),
    )


def probed(world: World, port: int) -> ProbeReport:
    request = ProbeRequest(
        HOST,
        port=port,
        address="127.0.0.1",
        ca_bundle=world[1],
        policy=AddressPolicy.anywhere(),
    )
    return probe(request)


@pytest.mark.parametrize("serial", NOT_POSITIVE.values(), ids=NOT_POSITIVE)
def test_the_library_warns_of_it(serial: bytes) -> None:
    """Or this file shows nothing."""
    with next_release(), pytest.raises(CryptographyDeprecationWarning):
        x509.load_der_x509_certificate(numbered(LEAF, serial))


@each
def test_probe_and_intake_say_what_libpq_says(serial: bytes) -> None:
    """It connects in every mode, today and after an upgrade of the library."""
    for where, world in worlds(serial).items():
        with Fake(serving(world[0])) as fake:
            for mode in MODES:
                said = libpq_says(HOST, fake.port, mode, ca_bundle=world[1])
                assert said.connected, (where, mode, said)
            with next_release():
                verdicts = probed(world, fake.port).verdicts
                assert all(verdicts.of(mode).passed for mode in MODES), (where, verdicts)
                assert all(taken_in(world, mode).accepted for mode in MODES), where


@each
def test_an_upgrade_of_the_library_changes_nothing(serial: bytes) -> None:
    """Neither what is said of a certificate, nor of one whose signature is wrong."""
    strange = Authority.root("Example root").certificate_pem
    for where, world in {**worlds(serial), "strange": (numbered(LEAF, serial), strange)}.items():
        before = taken_in(world), certificate_facts(world[0])
        with next_release():
            assert (taken_in(world), certificate_facts(world[0])) == before, where
        assert before[0].accepted is (where != "strange")
        assert before[1].unreadable == ()


def test_a_certificate_may_be_odd_in_more_than_its_serial() -> None:
    """Of version 4 as well: it is accepted, and what is odd besides is named."""
    parts = parts_of(parts_of(LEAF)[0])
    parts[0], parts[_SERIAL] = bytes.fromhex("a003020103"), tlv(2, b"\0")
    world = signed(tlv(0x30, b"".join(parts)), ROOT), ROOT.certificate_pem
    with next_release():
        assert taken_in(world).accepted
        assert "no such version" in certificate_facts(world[0]).unreadable[0]
