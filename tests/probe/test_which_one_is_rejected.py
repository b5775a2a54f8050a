"""A chain or a CA file that libpq refuses in one word: which certificate, what it is, what to do.

Whoever reads the probe's report has run the probe: it cannot send them to the probe.
"""

import base64
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from certifier.probe import AddressPolicy, ProbeReport, ProbeRequest, probe
from certifier.vocabulary import Cause
from sandbox.pki import Authority, BasicConstraints, Leaf
from sandbox.postgres import Access, Postgres
from tests.probe.reference import libpq_says

HOST = "orders.db.example.com"
ROOT = Authority.root("Example root")
LEAF = ROOT.issue(dns=[HOST])


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres.start(tls=LEAF, hba=Access.TLS_ONLY) as server:
        yield server


def ask(postgres: Postgres, ca_bundle: bytes) -> ProbeReport:
    """Probe up to TLS, and see that libpq says the same."""
    request = ProbeRequest(
        HOST,
        port=postgres.port,
        address="127.0.0.1",
        ca_bundle=ca_bundle,
        policy=AddressPolicy.anywhere(),
    )
    report = probe(request)
    said = libpq_says(HOST, postgres.port, request.ssl_mode, ca_bundle=ca_bundle)
    assert not report.passed
    assert not said.connected
    assert "certificate" in said.text
    return report


# -- a chain


@dataclass(frozen=True)
class Rejected:
    """A chain, the certificate or fact that is to be named, and a word of the remedy."""

    root: Authority
    leaf: Leaf
    named: str
    remedy: str


def _permitting(name: str) -> Authority:
    limits = x509.NameConstraints(permitted_subtrees=[x509.DNSName(name)], excluded_subtrees=None)
    return Authority.root("Limited root", extensions=[(limits, True)])


def _rejected() -> dict[str, Rejected]:
    no_ca = Authority.root("No CA", basic_constraints=BasicConstraints.ABSENT, key_usage=False)
    limited = _permitting("other.example.com")
    short = Authority.root("Short root", path_length=0)
    return {
        "no basicConstraints": Rejected(
            no_ca, no_ca.issue(dns=[HOST]), "CN=No CA", "basicConstraints CA:TRUE"
        ),
        "nameConstraints": Rejected(
            limited, limited.issue(dns=[HOST]), "limits the names", "nameConstraints"
        ),
        "pathlen": Rejected(
            short,
            short.intermediate("Middle").issue(dns=[HOST]),
            "CN=Short root",
            "pathlen",
        ),
    }


@pytest.mark.parametrize("case", [pytest.param(one, id=name) for name, one in _rejected().items()])
def test_the_certificate_that_openssl_minds_is_named(postgres: Postgres, case: Rejected) -> None:
    """With what to do about it, which is not to run the probe."""
    postgres.use_tls(case.leaf)
    report = ask(postgres, case.root.certificate_pem)
    (found,) = (f for f in report.findings if f.cause is Cause.CERTIFICATE_REJECTED)
    assert case.named in found.seen
    assert case.remedy in found.remedy
    assert "certifier probe" not in found.remedy
    assert report.verdicts.verify_full.seen == found.seen


# -- a CA file

_PEM = ROOT.certificate_pem
_DER = ROOT.certificate.public_bytes(Encoding.DER)
FILES = {
    "DER": (_DER, "in DER", "openssl x509 -inform der"),
    "PKCS#7": (
        pkcs7.serialize_certificates([ROOT.certificate], Encoding.DER),
        "PKCS#7",
        "openssl pkcs7",
    ),
    "PKCS#12": (
        pkcs12.serialize_key_and_certificates(b"ca", None, ROOT.certificate, None, NoEncryption()),
        "PKCS#12",
        "openssl pkcs12",
    ),
    "JKS": (b"\xfe\xed\xfe\xed\0\0\0\2" + bytes(100), "Java key store", "keytool"),
    "gzip": (gzip.compress(_PEM, mtime=0), "gzip", "Unpack"),
    "base64 of PEM": (base64.b64encode(_PEM), "the base64 of PEM", "openssl base64"),
    "HTML": (b"<html><body>404 Not Found</body></html>", "HTML", "Download"),
    "a key": (
        LEAF.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "a private key",
        "root CA",
    ),
    "UTF-16": (_PEM.decode().encode("utf-16"), "UTF-16", "ASCII"),
    "backslashes": (_PEM.replace(b"\n", b"\\n"), "backslash and n", "line ends"),
    "indented": (re.sub(rb"(?m)^", b"  ", _PEM), "OpenSSL does not read", "lines of their own"),
    "one line": (_PEM.replace(b"\n", b" "), "OpenSSL does not read", "lines of their own"),
    "cut off": (_PEM[:200], "has no END", "Copy the file again"),
    "empty": (b"", "it is empty", "root CA"),
}


@pytest.mark.parametrize(("content", "kind", "step"), FILES.values(), ids=FILES)
def test_a_ca_file_of_another_kind_is_called_what_it_is(
    postgres: Postgres, content: bytes, kind: str, step: str
) -> None:
    """OpenSSL says the same of most of them, and that stays beside it."""
    postgres.use_tls(LEAF)
    report = ask(postgres, content)
    (found,) = (f for f in report.findings if f.cause is Cause.CA_BUNDLE_INVALID)
    assert kind in found.seen
    assert step in found.remedy
    assert found.raw
    assert found.raw in found.seen
