"""The table of named roots, whose a root is, and the words of a source."""

import json
import re
from datetime import date
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from certifier.certificate import Certificate, bundle_digest, certificate_facts, certificates_in
from certifier.certificate.trust_sets import (
    BY_WORD,
    SETS,
    TrustWord,
    of_one_owner,
    owner_of,
    owners_bundle,
    region_of_root,
)
from certifier.rds_names import rds_name
from certifier.roots import Roots, TrustStoreUnreachable, bundle_url
from certifier.roots.__main__ import main as refresh
from certifier.run.rds_trust import Unknown, rds_trust, thumbprint
from certifier.source import InvalidSource, parse_source
from certifier.vocabulary import Cause, Severity
from sandbox.pki import Authority

ROOTS = Roots()
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")
RDS_HOST = "orders.abc123.eu-west-1.rds.amazonaws.com"


# -- the table


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.word.value)
def test_every_root_of_the_table_is_in_the_pinned_store_under_its_name(one: Any) -> None:
    """A fingerprint without a certificate would silently trust less than it says."""
    held = {c.sha256: c for c in map(Certificate, certificates_in(ROOTS.of_word(one.word)))}
    assert set(held) == {root.sha256 for root in one.roots}
    for root in one.roots:
        assert f"CN={root.name}" in (held[root.sha256].subject or "")


def test_every_set_says_where_and_when_it_was_read() -> None:
    """An old reading is a reason to look again."""
    for one in SETS:
        assert re.search(r"[a-z]+\.(org|com)", one.source) or "AWS" in one.source
        assert date.fromisoformat(one.read_on) >= date(2026, 11, 29)
    assert set(BY_WORD) == set(TrustWord) - {TrustWord.RDS, TrustWord.PUBLIC}


@pytest.mark.parametrize(
    ("root", "siblings"),
    [
        ("ISRG Root X1", {"ISRG Root X1", "ISRG Root X2"}),
        ("Amazon Root CA 3", {root.name for root in BY_WORD[TrustWord.AMAZON].roots}),
        (
            "Starfield Services Root Certificate Authority - G2",
            {root.name for root in BY_WORD[TrustWord.AMAZON].roots},
        ),
    ],
)
def test_the_owner_of_a_public_root_brings_its_other_roots(root: str, siblings: set[str]) -> None:
    """Let's Encrypt and Amazon Trust Services (ACM, RDS Proxy) work without a further word."""
    known = {r.name: r.sha256 for one in SETS for r in one.roots}
    owned = ROOTS.of_owner(known[root])
    assert owned is not None
    assert {_cn(der) for der in certificates_in(owned)} == siblings
    assert ROOTS.owners_with(bundle_digest(owned)) == owned
    private = Authority.root("Private Root").certificate_pem.decode()
    assert ROOTS.public_in(owned + private) == owned
    assert ROOTS.public_in(private) is None


def _cn(der: bytes) -> str:
    return (Certificate(der).subject or "").partition("CN=")[2].partition(",")[0]


def test_an_owner_with_two_spellings_is_one() -> None:
    """A renewal from a DigiCert root of 2013 to one of 2021 stays with its owner."""
    held = [Certificate(der) for der in certificates_in(ROOTS.public_pem)]
    names = {one.subject: owner_of(one) for one in held if "DigiCert" in (one.subject or "")}
    assert len(names) >= 5
    assert set(names.values()) == {"DigiCert Inc"}


def test_a_root_that_is_not_in_the_store_has_no_owner() -> None:
    """Nothing is trusted for its name alone."""
    twin = Authority.root("ISRG Root X1", organization="Internet Security Research Group")
    sha256 = Certificate(twin.certificate.public_bytes(Encoding.DER)).sha256
    held = [Certificate(der) for der in certificates_in(ROOTS.public_pem)]
    assert of_one_owner(held, sha256) is None
    assert owners_bundle(held, "0" * 64) is None


# -- the roots of RDS


def test_the_data_holds_three_roots_for_each_of_its_regions() -> None:
    """rsa2048, rsa4096 and ecc384 of generation G1, self-signed, valid for decades."""
    data = ROOTS.read_rds()
    subjects = [Certificate(der) for der in certificates_in(data)]
    regions = {region_of_root(one.subject) for one in subjects}
    assert (len(subjects), len(regions), None in regions) == (96, 32, False)
    for region in regions:
        found = ROOTS.of_region(str(region))
        assert len(found) == 3
        for root in map(Certificate, found):
            assert root.self_signed
            assert root.not_after is not None
            assert root.not_after.year >= 2061
    text = data.decode()
    assert text.startswith("# RDS root certificates")
    for one in subjects:
        assert f"SHA-256 {one.sha256}" in text


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (RDS_HOST, "eu-west-1"),
        ("ORDERS.cluster-ABC.ap-southeast-7.rds.amazonaws.com.", "ap-southeast-7"),
        ("orders.cluster-ro-abc.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("orders.abc.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"),
        ("orders.abc.rds.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
        ("orders.proxy-abc.eu-west-1.rds.amazonaws.com", "eu-west-1"),
        ("orders.db.example.com", None),
        ("rds.amazonaws.com", None),
        ("rds.eu-west-1.amazonaws.com", None),
        ("abc.eu-west-1.rds.amazonaws.com", None),
        ("orders.abc.eu-west-1.rds.amazonaws.com.example.com", None),
        ("orders.abc.eu_west_1.rds.amazonaws.com", None),
        ("orders.abc.../../x.rds.amazonaws.com", None),
        ("10.0.0.7", None),
    ],
)
def test_the_region_of_a_host_comes_from_its_name(host: str, region: str | None) -> None:
    """In every partition, whatever its case; no other name has one."""
    name = rds_name(host)
    assert (name.region if name else None) == region


def root(region: str = "eu-west-1", kind: str = "RSA2048") -> bytes:
    name = f"Amazon RDS {region} Root CA {kind} G1"
    return Authority.root(name).certificate.public_bytes(Encoding.DER)


def pem(*ders: bytes) -> bytes:
    from certifier.certificate.canonical import canonical

    return canonical(ders).encode()


A, B, C = root(kind="RSA2048"), root(kind="RSA4096"), root(kind="ECC384")


def listed(*ders: bytes) -> frozenset[str]:
    return frozenset(map(thumbprint, ders))


@pytest.mark.parametrize(
    ("known", "said", "published", "trusted", "cause", "severity"),
    [
        ((A, B), listed(A, B), None, {A, B}, None, None),
        ((A, B), listed(A), None, {A, B}, None, None),
        ((A,), Unknown("denied"), None, {A}, Cause.TRUST_UNCHECKED, Severity.WARNING),
        ((), Unknown("denied"), None, set(), Cause.TRUST_UNAVAILABLE, Severity.ERROR),
        ((), listed(A), pem(A, B), {A}, None, None),
        ((A,), listed(A, B), pem(A, B, C), {A, B}, None, None),
        ((A,), listed(A, B), pem(C), {A}, Cause.TRUST_UNAVAILABLE, Severity.WARNING),
        ((A,), listed(A, B), Unknown("no way"), {A}, Cause.TRUST_UNAVAILABLE, Severity.WARNING),
        ((), listed(A), pem(B), set(), Cause.TRUST_UNAVAILABLE, Severity.ERROR),
        ((), listed(A), Unknown("no way"), set(), Cause.TRUST_UNAVAILABLE, Severity.ERROR),
        ((A,), listed(B), pem(B), {B}, None, None),
        ((A,), listed(B), Unknown("no way"), set(), Cause.TRUST_UNAVAILABLE, Severity.ERROR),
        ((), frozenset(), None, set(), Cause.TRUST_UNAVAILABLE, Severity.ERROR),
    ],
)
def test_what_is_trusted_of_a_region(
    known: tuple[bytes, ...],
    said: frozenset[str] | Unknown,
    published: bytes | Unknown | None,
    *,
    trusted: set[bytes],
    cause: Cause | None,
    severity: Severity | None,
) -> None:
    """What is fetched must be listed; what cannot be checked or had is said, with its weight."""
    got = rds_trust("eu-west-1", known, said, published)
    assert set(certificates_in(got.pem or "")) == trusted
    assert [(f.cause, f.severity) for f in got.findings] == ([(cause, severity)] if cause else [])
    assert (got.pem is None) is (not trusted)


def test_the_address_of_a_bundle_is_of_the_regions_partition() -> None:
    """As the user guides of the partitions say."""
    assert bundle_url("eu-west-1").startswith("https://truststore.pki.rds.amazonaws.com/eu-west-1/")
    assert bundle_url("us-gov-east-1").startswith("https://truststore.pki.us-gov-west-1.rds.")
    assert bundle_url("cn-north-1").startswith("https://rds-truststore.s3.cn-north-1.")


def test_a_refresh_writes_what_aws_publishes_and_names_what_changed(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Roots of RDS alone, each with its name and fingerprint; what is gone is named too."""
    file = tmp_path / "roots.pem"
    file.write_bytes(pem(C))
    stranger = Authority.root("Somebody").certificate.public_bytes(Encoding.DER)
    assert refresh(file, lambda name: pem(A, stranger) if name == "global" else pem(B)) == 0
    assert set(certificates_in(file.read_bytes())) == {A, B}
    said = capsys.readouterr().out
    assert (said.count("new: "), said.count("gone: ")) == (2, 1)
    assert refresh(file, lambda name: file.read_bytes()) == 0
    assert "new: " not in capsys.readouterr().out


def test_a_refresh_without_a_network_writes_nothing(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the bundles would be a file that looks whole."""

    def fetch(name: str) -> bytes:
        if name.startswith("cn-"):
            raise TrustStoreUnreachable("no network")
        return pem(A)

    file = tmp_path / "roots.pem"
    file.write_bytes(pem(C))
    assert refresh(file, fetch) == 1
    assert file.read_bytes() == pem(C)
    assert "no network" in capsys.readouterr().err


# -- the words of a source

GOOD: dict[str, Any] = {
    "name": "orders",
    "endpoint": "orders-source",
    "host": RDS_HOST,
    "ssl_mode": "verify-full",
}
ACM = "arn:aws:acm:eu-west-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"


def problem(**changes: Any) -> str:
    with pytest.raises(InvalidSource) as caught:
        parse_source({**GOOD, **changes})
    return "; ".join(caught.value.problems)


@pytest.mark.parametrize("word", list(TrustWord))
def test_a_word_is_a_bundle(word: TrustWord) -> None:
    """Each of them is registered as it is written, and reads no secret."""
    source = parse_source({**GOOD, "ca_bundle": word.value})
    assert (source.trust_word, source.ca_bundle, source.secrets) == (word, word.value, ())
    assert parse_source(json.loads(source.model_dump_json())) == source


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ca_bundle": "RDS"}, "ca_bundle: must be one of the words rds, public"),
        ({"ca_bundle": "verisign"}, "ca_bundle: must be one of the words rds, public"),
        ({"ca_bundle": "rds", "host": "orders.db.example.com"}, "ca_bundle: rds is for hosts of"),
        (
            {"ca_bundle": "rds", "host": "orders.proxy-a.eu-west-1.rds.amazonaws.com"},
            "ca_bundle: rds is not for an RDS Proxy, whose certificate is of Amazon's public CA",
        ),
        ({"ca_bundle": "public", "ssl_mode": "verify-ca"}, "ca_bundle: public is for verify-full"),
        ({"ca_bundle": "public", "ssl_mode": "require"}, "ca_bundle: public is for verify-full"),
        ({"ca_bundle": "public", "probe": "off"}, "ca_bundle: public needs a probe"),
        ({"ca_bundle": "rds", "ca_bundle_sha256": "0" * 64}, "ca_bundle_sha256: is of a file"),
        ({"server_certificate": ACM}, "ca_bundle: verify-full needs a CA"),
        ({"server_certificate": f"{ACM}/x", "ca_bundle": "rds"}, "server_certificate: must be the"),
        ({"credentials": ACM, "ca_bundle": "rds"}, "credentials: must be a Secrets Manager ARN"),
    ],
)
def test_a_word_that_does_not_fit_is_refused_with_its_field(
    changes: dict[str, Any], said: str
) -> None:
    """Before anything is registered."""
    assert problem(**changes).startswith(said)


def test_a_certificate_in_acm_is_not_a_secret() -> None:
    """Nobody is asked to consent to its public parts, and no secret is read."""
    source = parse_source({**GOOD, "server_certificate": ACM, "ca_bundle": "amazon"})
    assert (source.acm_certificate, source.secrets) == (ACM, ())


def test_the_words_for_a_chain_are_those_that_hold_its_root() -> None:
    """The narrowest first; none for a root that nobody knows."""

    def words(facts: Any) -> tuple[str, ...]:
        return tuple(word.value for word in ROOTS.words_for(facts))

    known = {c.subject: c for c in map(Certificate, certificates_in(ROOTS.public_pem))}
    x1 = next(c for s, c in known.items() if "ISRG Root X1" in (s or ""))
    assert words(certificate_facts(x1.der)) == ("letsencrypt", "public")
    (region_root, *_) = ROOTS.of_region("eu-west-1")
    assert words(certificate_facts(region_root)) == ("rds",)
    below = Authority.root("Private").issue(dns=("a.example.com",))
    assert words(certificate_facts(below.certificate_der)) == ()
