"""The PKI maker: what it makes is what was asked for, and OpenSSL can use it."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtensionOID, NameOID

from sandbox.pki import (
    CLIENT_AUTH,
    Authority,
    BasicConstraints,
    Key,
    Leaf,
    bundle,
    public_key_der,
    self_signed,
)


def names(leaf: Leaf) -> x509.SubjectAlternativeName:
    return leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


OPENSSL = pytest.mark.real_clock("OpenSSL verifies by the machine's clock")


def shake_hands(leaf: Leaf, trust: bytes, host: str) -> None:
    """A TLS handshake in memory, as a verifying client; raises what OpenSSL raises."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(leaf.fullchain_pem + leaf.key_pem)
        file.flush()
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(file.name)
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.load_verify_locations(cadata=trust.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=host)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for _round in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


@OPENSSL
@pytest.mark.parametrize("key", [k for k in Key if k is not Key.RSA_1024])
def test_every_kind_of_key_serves_and_verifies(key: Key) -> None:
    """A chain of root, intermediate and leaf of one key kind passes a verifying handshake."""
    root = Authority.root(key=key)
    leaf = root.intermediate(key=key).issue(["db.test"], key=key)
    shake_hands(leaf, root.certificate_pem, "db.test")


@OPENSSL
def test_a_stranger_is_not_trusted() -> None:
    """The same names under another root with the same name do not verify."""
    root = Authority.root("Same name")
    impostor = Authority.root("Same name", fresh=True)
    assert root.certificate.subject == impostor.certificate.subject
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(root.issue(["db.test"]), impostor.certificate_pem, "db.test")


def test_what_an_authority_signs_begins_when_the_authority_does() -> None:
    """Whoever gives the root its first day has moved all below it, the revocation list too."""
    begin = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    root = Authority.root(not_before=begin)
    middle = root.intermediate()
    leaf = middle.issue(["db.test"])
    crossed = middle.cross_sign(Authority.root("Other"))
    for one, days in ((root, 3650), (middle, 1825), (leaf, 90), (crossed, 1825)):
        assert one.certificate.not_valid_before_utc == begin
        assert one.certificate.not_valid_after_utc == begin + timedelta(days=days)
    revoked = x509.load_pem_x509_crl(middle.crl([leaf]))
    assert revoked.last_update_utc == begin
    assert revoked.next_update_utc == begin + timedelta(days=30)


def test_dates_are_those_asked_for() -> None:
    """Begin and end go into the certificate; an end in the past alone makes an expired one."""
    begin = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    end = begin + timedelta(days=7)
    leaf = Authority.root().issue(["db.test"], not_before=begin, not_after=end)
    assert leaf.certificate.not_valid_before_utc == begin
    assert leaf.certificate.not_valid_after_utc == end
    expired = Authority.root().issue(["db.test"], not_after=end).certificate
    assert expired.not_valid_before_utc < expired.not_valid_after_utc == end
    future = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    early = Authority.root().issue(["db.test"], not_before=future).certificate
    assert early.not_valid_before_utc == future < early.not_valid_after_utc


def test_names_of_all_kinds_and_raw_bytes() -> None:
    """Texts are encoded, bytes go in as they are, and several CNs stay several."""
    leaf = Authority.root().issue(
        ["db.test", b"evil.test\0.good.test"],
        ["127.0.0.1", "::1"],
        cn=["one", "two\0three"],
        emails=["dba@db.test"],
        san_critical=True,
    )
    assert names(leaf).get_values_for_type(x509.DNSName) == ["db.test", "evil.test\0.good.test"]
    assert names(leaf).get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]
    assert names(leaf).get_values_for_type(x509.RFC822Name) == ["dba@db.test"]
    commons = leaf.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [c.value for c in commons] == ["one", "two\0three"]
    oid = ExtensionOID.SUBJECT_ALTERNATIVE_NAME
    assert leaf.certificate.extensions.get_extension_for_oid(oid).critical


def test_a_certificate_without_any_name() -> None:
    """No DNS, no IP, no CN: neither a SAN nor a CN appears."""
    leaf = Authority.root().issue()
    with pytest.raises(x509.ExtensionNotFound):
        names(leaf)
    assert not leaf.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)


def test_extensions_can_be_left_out() -> None:
    """An old authority has no AKI, SKI, key usage or basic constraints; so can a leaf."""
    root = Authority.root(basic_constraints=BasicConstraints.ABSENT, key_usage=False, ski=False)
    assert list(root.certificate.extensions) == []
    leaf = root.issue(
        ["db.test"],
        basic_constraints=BasicConstraints.ABSENT,
        key_usage=False,
        ski=False,
        aki=False,
        eku=(),
    )
    assert [e.oid for e in leaf.certificate.extensions] == [ExtensionOID.SUBJECT_ALTERNATIVE_NAME]


def test_a_certificate_for_clients() -> None:
    """The extended key usage is the one asked for."""
    leaf = Authority.root().issue(cn="app", eku=(CLIENT_AUTH,))
    found = leaf.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(found) == [CLIENT_AUTH]


@pytest.mark.parametrize("key", [Key.EC_P256, Key.RSA_2048, Key.ED25519])
def test_version_1_is_signed_and_has_no_extensions(key: Key) -> None:
    """A version 1 authority and leaf carry no extensions, and their signatures hold."""
    root = Authority.root(key=key, version=1)
    leaf = root.issue(["db.test"], cn="db.test", key=key, version=1)
    for one in (root.certificate, leaf.certificate):
        assert one.version is x509.Version.v1
        assert list(one.extensions) == []
        one.verify_directly_issued_by(root.certificate)


def test_rsa_pss_certificates_say_so() -> None:
    """An RSA-PSS certificate says id-RSASSA-PSS, and so does its key file."""
    leaf = Authority.root(key=Key.RSA_PSS).issue(["db.test"], key=Key.RSA_PSS)
    oid = bytes.fromhex("06092a864886f70d01010a")
    assert leaf.certificate_der.count(oid) == 3  # key, and the signature algorithm twice
    assert load_pem_private_key(leaf.key_pem, None) is not None


def test_pss_signature_over_an_ordinary_key() -> None:
    """`pss` changes the signature alone."""
    root = Authority.root(key=Key.RSA_2048)
    leaf = root.issue(["db.test"], key=Key.RSA_2048, pss=True)
    assert leaf.certificate.signature_algorithm_oid == x509.SignatureAlgorithmOID.RSASSA_PSS
    leaf.certificate.verify_directly_issued_by(root.certificate)


def test_sha1_signatures() -> None:
    """Old hashes can be asked for."""
    leaf = Authority.root(key=Key.RSA_2048).issue(["db.test"], digest=hashes.SHA1())
    assert isinstance(leaf.certificate.signature_hash_algorithm, hashes.SHA1)


@OPENSSL
def test_cross_signing_keeps_name_and_key() -> None:
    """A cross-signed authority keeps name and key under another root; both ways verify."""
    old, new = Authority.root("Old root"), Authority.root("New root")
    crossed = old.cross_sign(new)
    assert crossed.certificate.subject == new.certificate.subject
    assert public_key_der(crossed.certificate) == public_key_der(new.certificate)
    leaf = crossed.issue(["db.test"])
    assert leaf.chain == (crossed.certificate,)
    shake_hands(leaf, old.certificate_pem, "db.test")
    shake_hands(leaf, new.certificate_pem, "db.test")


def test_crl_lists_the_revoked() -> None:
    """A CRL is signed by its authority and names the serial numbers."""
    root = Authority.root()
    bad, good = root.issue(["a.test"]), root.issue(["b.test"])
    crl = x509.load_pem_x509_crl(root.crl([bad]))
    assert crl.is_signature_valid(root.certificate.public_key())  # type: ignore[arg-type]
    assert [r.serial_number for r in crl] == [bad.certificate.serial_number]
    assert crl.get_revoked_certificate_by_serial_number(good.certificate.serial_number) is None


@OPENSSL
def test_self_signed_is_its_own_anchor() -> None:
    """A self-signed certificate verifies against itself."""
    leaf = self_signed(["db.test"], cn="db.test")
    shake_hands(leaf, leaf.certificate_pem, "db.test")
    assert leaf.chain_pem == b""


def test_full_chain_and_bundle() -> None:
    """The chain is the intermediates, nearest first, without the root; a bundle is what it got."""
    root = Authority.root()
    upper = root.intermediate("Upper")
    lower = upper.intermediate("Lower")
    leaf = lower.issue(["db.test"])
    served = x509.load_pem_x509_certificates(leaf.fullchain_pem)
    assert served == [leaf.certificate, lower.certificate, upper.certificate]
    assert x509.load_pem_x509_certificates(bundle(root, upper)) == [
        root.certificate,
        upper.certificate,
    ]


def test_keys_are_never_shown() -> None:
    """Neither repr shows a key; slow keys are reused per holder, unless asked otherwise."""
    root = Authority.root("Cached", key=Key.RSA_2048)
    leaf = root.issue(["db.test"], key=Key.RSA_2048)
    assert "private" not in repr(root) + repr(leaf)
    assert root.private_key is Authority.root("Cached", key=Key.RSA_2048).private_key
    assert root.private_key is not Authority.root("Other", key=Key.RSA_2048).private_key
    assert leaf.private_key is not root.issue(key=Key.RSA_2048, fresh=True).private_key
    assert leaf.certificate_der == leaf.certificate.public_bytes(Encoding.DER)
    assert len(leaf.fingerprint) == len(root.fingerprint) == 64
