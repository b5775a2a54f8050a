"""A CA of the file has the name of the issuer that is missing: what is said then."""

import pytest
from cryptography import x509

from certifier.evidence import ProbeReport
from certifier.probe import AddressPolicy, ProbeRequest, probe
from certifier.vocabulary import Cause
from sandbox.pki import Authority, Key, Leaf
from tests.probe.fakes import READY, Fake, Script, authentication, scripted_login
from tests.probe.hostile import rsa_key, serving
from tests.probe.reference import MODES, libpq_says

HOST = "db.example.com"
NAME = "CN=Example root,O=Certifier tests"


def asked(script: Script, ca: bytes) -> ProbeReport:
    """What the probe says of a server; the verdicts are libpq's."""
    with Fake(script) as fake:
        request = ProbeRequest(
            HOST,
            port=fake.port,
            address="127.0.0.1",
            ca_bundle=ca,
            timeout=5,
            policy=AddressPolicy.anywhere(),
        )
        report = probe(request)
        for mode in MODES:
            said = libpq_says(HOST, fake.port, mode, ca_bundle=ca)
            verdict = report.verdicts.of(mode)
            assert verdict.passed == said.connected
            assert verdict.libpq in (None, said.text)
    return report


def serves(leaf: Leaf) -> Script:
    """A server that lets everybody in."""
    return scripted_login(leaf, authentication(0) + READY)


@pytest.mark.parametrize("intermediate", [False, True])
def test_a_ca_that_was_made_anew_is_another_ca(intermediate: bool) -> None:
    """It has the old name, so the file seems to hold what is said to be missing."""
    old, new = (Authority.root("Example root", fresh=True) for _ in range(2))
    signer = new.intermediate("Example issuing CA") if intermediate else new
    finding = asked(serves(signer.issue(dns=[HOST])), old.certificate_pem).findings[0]
    assert finding.cause is Cause.UNKNOWN_AUTHORITY
    assert f"holds {NAME}, but another CA of that name signed" in finding.seen


def test_it_is_so_too_where_the_server_sends_the_new_root() -> None:
    """The end of the chain is then not its last issuer, but itself."""
    old, new = (Authority.root("Example root", fresh=True) for _ in range(2))
    leaf = new.issue(dns=[HOST])
    served = Leaf(leaf.certificate, leaf.private_key, leaf.kind, (new.certificate,))
    finding = asked(serves(served), old.certificate_pem).findings[0]
    assert finding.cause is Cause.UNKNOWN_AUTHORITY
    assert "another CA of that name signed" in finding.seen


_PROXY = x509.UnrecognizedExtension(  # of a proxy certificate (RFC 3820), which has no SAN
    x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14"), bytes.fromhex("300c300a06082b06010505071500")
)


def test_an_issuer_that_openssl_passes_over_is_not_missing() -> None:
    """It is in the file, and has signed; what OpenSSL does not like is in the certificate."""
    root = Authority.root("Example root")
    leaf = root.issue(
        dns=[HOST], key=Key.RSA_2048, private_key=rsa_key(), extensions=((_PROXY, True),)
    )
    finding = asked(serving(leaf.certificate_der), root.certificate_pem).findings[0]
    assert finding.cause is Cause.UNKNOWN_AUTHORITY
    assert finding.seen.startswith(f"{NAME} of the CA file signed ")
    assert "does not take it for the issuer" in finding.seen


def test_another_name_is_another_ca() -> None:
    """As before: what is missing is named, and what is there."""
    finding = asked(
        serves(Authority.root("Other root").issue(dns=[HOST])),
        Authority.root("Example root").certificate_pem,
    ).findings[0]
    assert finding.cause is Cause.UNKNOWN_AUTHORITY
    assert "is not in the CA file, which holds" in finding.seen
