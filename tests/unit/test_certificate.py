"""Facts, bundles, policy, expiry and the names in secrets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from certifier.certificate import (
    SECRET_KEYS,
    CertificateFacts,
    Role,
    bundle_digest,
    certificate_facts,
    certificates_in,
    expiring,
    material_from_secret,
    policy_findings,
    trust_bundle,
    union,
)
from certifier.certificate.asn1 import DerError, bits, element, integer, oid
from certifier.certificate.asn1 import time as asn1_time
from certifier.certificate.reading import Certificate
from certifier.models import POLICY_CAUSES, Policy
from certifier.vocabulary import Cause, Severity, Witness
from sandbox.pki import Authority, BasicConstraints, Key, Leaf, bundle, self_signed

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SPAN: dict[str, Any] = {"not_before": NOW - DAY, "not_after": NOW + 90 * DAY}


def facts(one: Leaf | Authority) -> CertificateFacts:
    return CertificateFacts.of(one.certificate)


# ---- facts


def test_facts_of_a_usual_certificate() -> None:
    """A certificate's facts are those that OpenSSL would print."""
    root = Authority.root("Root", key=Key.RSA_2048, **SPAN)
    leaf = root.issue(
        dns=["db.example.com", "*.example.com"],
        ips=["10.0.0.1", "::1"],
        cn="db",
        serial=255,
        **SPAN,
    )
    found = facts(leaf)
    assert found.subject == "CN=db"
    assert found.issuer == "CN=Root,O=Certifier tests"
    assert found.names.dns == ("db.example.com", "*.example.com")
    assert found.names.ips == ("10.0.0.1", "::1")
    assert found.names.cn == "db"
    assert (found.not_before, found.not_after) == (SPAN["not_before"], SPAN["not_after"])
    assert (found.key, found.key_bits) == ("EC_prime256v1", 256)
    assert (found.signature, found.signature_hash) == ("sha256WithRSAEncryption", "sha256")
    assert found.sha256 == leaf.fingerprint
    assert found.serial == "ff"
    assert (found.is_ca, found.self_signed) == (False, False)
    assert found.strict_violations == ()
    assert found.unreadable == ()
    assert CertificateFacts.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("key", "name", "bits_", "signature"),
    [
        (Key.RSA_2048, "RSA_2048", 2048, "sha256WithRSAEncryption"),
        (Key.RSA_PSS, "RSA_PSS_2048", 2048, "RSASSA-PSS"),
        (Key.EC_P256, "EC_prime256v1", 256, "ecdsa-with-SHA256"),
        (Key.EC_P384, "EC_secp384r1", 384, "ecdsa-with-SHA256"),
        (Key.EC_P521, "EC_secp521r1", 521, "ecdsa-with-SHA256"),
        (Key.ED25519, "ED25519", 256, "Ed25519"),
    ],
)
def test_kinds_of_key_have_acms_names(key: Key, name: str, bits_: int, signature: str) -> None:
    """Each kind of key is called what ACM calls it, or in the same style."""
    found = facts(Authority.root("Root", key=key, **SPAN))
    assert (found.key, found.key_bits, found.signature) == (name, bits_, signature)
    assert found.self_signed is True
    assert found.signature_hash == (None if key is Key.ED25519 else "sha256")


@pytest.mark.parametrize("digest", [hashes.SHA384(), hashes.SHA512(), hashes.SHA1()])
@pytest.mark.parametrize("key", [Key.RSA_2048, Key.RSA_PSS, Key.EC_P256])
def test_a_signature_is_checked_with_every_hash(key: Key, digest: hashes.HashAlgorithm) -> None:
    """Weak hashes are named and still checked, where the library can; the policy judges them."""
    found = facts(Authority.root("Root", key=key, digest=digest, **SPAN))
    assert found.signature_hash == digest.name
    if (key, digest.name) != (Key.RSA_PSS, "sha1"):
        assert found.self_signed is True


def test_what_is_not_a_certificate_has_no_facts() -> None:
    """Bytes that are not a certificate have a fingerprint, and a reason for the rest."""
    for junk in (b"", b"hello", b"\x30\x00", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", bytes(100)):
        found = certificate_facts(junk)
        assert found.subject is None
        assert found.is_ca is None
        assert found.unreadable
        assert len(found.sha256) == 64


def test_odd_names_do_not_hide_the_rest() -> None:
    """One name that is not text, or an address of no length, leaves the others readable."""
    leaf = Authority.root("Root", **SPAN).issue(
        dns=[b"\xff\xfe", b"nul\x00", "ok.example.com"], ips=[b"\x01\x02"], **SPAN
    )
    found = facts(leaf)
    assert found.names.dns == ("\\xff\\xfe", "nul\\x00", "ok.example.com")
    assert found.names.ips == ("0x0102",)
    assert found.not_after is not None


def test_an_extension_that_is_there_twice_is_said() -> None:
    """RFC 5280 allows each extension once; the first is read, and the second is reported."""
    leaf = Authority.root("Root", **SPAN).issue(
        dns=["a.example.com"],
        extensions=[
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.55"), b"\x30\x00"), False),
        ],
        **SPAN,
    )
    der = leaf.certificate_der.replace(b"\x06\x03\x55\x1d\x37", b"\x06\x03\x55\x1d\x11")
    found = certificate_facts(der)
    assert found.names.dns == ("a.example.com",)
    assert any("twice" in why for why in found.unreadable)


@pytest.mark.parametrize(
    ("options", "is_ca"),
    [
        ({}, True),
        ({"basic_constraints": BasicConstraints.NOT_CRITICAL}, True),
        ({"basic_constraints": BasicConstraints.ABSENT}, True),  # keyUsage says so
        ({"basic_constraints": BasicConstraints.ABSENT, "key_usage": False}, False),
        ({"version": 1}, True),
    ],
)
def test_who_may_sign_is_openssls_rule(options: dict[str, Any], is_ca: bool) -> None:
    """Whether a certificate is a CA follows X509_check_ca, down to version 1 roots."""
    assert facts(Authority.root("Root", **SPAN, **options)).is_ca is is_ca


def test_names_of_many_kinds_are_read() -> None:
    """Attributes have their usual letters, others their number; separators are escaped."""
    oid_ = x509.ObjectIdentifier
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(oid_("1.2.3.4"), "odd"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "a,b+c"),
        ]
    )
    leaf = Authority.root("Root", **SPAN).issue(subject=subject, **SPAN)
    assert facts(leaf).subject == "CN=a\\,b\\+c,1.2.3.4=odd,C=DE"


# ---- DER


def test_dates_of_both_kinds_are_read() -> None:
    """UTCTime stands for 1950 to 2049, GeneralizedTime for any year (RFC 5280, 4.1.2.5)."""
    assert asn1_time(element(b"\x17\x0d491231235959Z")).year == 2049
    assert asn1_time(element(b"\x17\x0d500101000000Z")).year == 1950
    assert asn1_time(element(b"\x18\x0f99991231235959Z")).year == 9999


@pytest.mark.parametrize(
    "der",
    [
        b"\x17\x0d499931235959Z",
        b"\x17\x0b4912312359Z",
        b"\x17\x114912312359+0100Z",
        b"\x18\x13" + b"20260101000000.123Z",
        b"\x16\x0d491231235959Z",
        b"\x17\x0d\xff91231235959Z",
    ],
)
def test_odd_dates_are_errors(der: bytes) -> None:
    """A date that RFC 5280 does not allow is unreadable, not a guess."""
    with pytest.raises(DerError):
        asn1_time(element(der))


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30", b"\x30\x05\x00", b"\x30\x80\x00\x00", b"\x1f\x81\x01\x00", b"\x30\x85" * 4],
)
def test_der_that_is_cut_off_or_odd_is_an_error(der: bytes) -> None:
    """Headers that lie or that DER does not have are errors of their own kind."""
    with pytest.raises(DerError):
        element(der)


def test_small_values_are_read() -> None:
    """Identifiers, integers and bit strings are read as X.690 says."""
    assert oid(element(b"\x06\x03\x55\x1d\x11")) == "2.5.29.17"
    assert oid(element(b"\x06\x06\x2a\x86\x48\x86\xf7\x0d")) == "1.2.840.113549"
    assert oid(element(b"\x06\x03\x88\x37\x03")) == "2.999.3"
    assert integer(element(b"\x02\x01\xff")) == -1
    assert bits(element(b"\x03\x02\x01\x86")) == {0, 5, 6}
    for bad in (b"\x06\x00", b"\x06\x01\x80", b"\x06\x41" + b"\x81" * 64 + b"\x01"):
        with pytest.raises(DerError):
            oid(element(bad))


# ---- bundles


def test_a_digest_ignores_order_and_text() -> None:
    """Two bundles with the same certificates have one digest, and a union is one of them."""
    one, two = Authority.root("One", **SPAN), Authority.root("Two", **SPAN)
    assert bundle_digest(bundle(one, two)) == bundle_digest(b"# x\r\n" + bundle(two, one, one))
    assert bundle_digest(bundle(one)) != bundle_digest(bundle(two))
    both = union(bundle(two), bundle(one).decode(), bundle(two, one))
    assert bundle_digest(both) == bundle_digest(bundle(one, two))
    assert both == union(both)
    assert len(certificates_in(both)) == 2
    assert union() == ""
    assert certificates_in(b"nothing") == ()


def test_a_canonical_bundle_is_what_openssl_writes() -> None:
    """Each certificate is written as RFC 7468 asks, so that every reader takes it."""
    one = Authority.root("One", key=Key.RSA_2048, **SPAN)
    assert union(one.certificate_pem) == one.certificate_pem.decode()


def test_a_trust_bundle_keeps_what_can_be_used() -> None:
    """Expired CAs and leaves go, roots and their intermediates stay, and each has its reason."""
    root = Authority.root("Root", **SPAN)
    below = root.intermediate("Below", **SPAN)
    old = Authority.root("Old", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    leaf = below.issue(dns=["a.example.com"], **SPAN)
    trusted = trust_bundle(bundle(leaf, old, below, root), NOW)
    assert trusted.pem == union(bundle(root, below))
    assert trusted.digest == bundle_digest(trusted.pem)
    assert [one.subject for one in trusted.anchors] == ["CN=Root,O=Certifier tests"]
    assert sorted(found.cause for found in trusted.findings) == [
        Cause.CA_EXPIRED_DROPPED,
        Cause.CHAIN_REPAIRED,
    ]


def test_a_damaged_ca_is_dropped_and_said() -> None:
    """A root whose own signature is wrong is not an anchor; the others still are."""
    root, other = Authority.root("Root", **SPAN), Authority.root("Other", **SPAN)
    der = root.certificate.public_bytes(Encoding.DER)
    bad = x509.load_der_x509_certificate(der[:-1] + bytes([der[-1] ^ 1]))
    pem = bad.public_bytes(Encoding.PEM) + other.certificate_pem
    trusted = trust_bundle(pem, NOW)
    assert trusted.pem == union(other.certificate_pem)
    assert [(f.cause, f.severity) for f in trusted.findings] == [
        (Cause.SIGNATURE_INVALID, Severity.WARNING)
    ]


def test_findings_carry_the_place_they_are_asked_for() -> None:
    """Whoever looks at a bundle elsewhere says where."""
    trusted = trust_bundle(b"", NOW, place=Witness.PLAN)
    assert [found.place for found in trusted.findings] == [Witness.PLAN]


# ---- policy


def reported(*chain: Leaf | Authority, **policy: Any) -> list[tuple[Cause, Severity]]:
    found = policy_findings([facts(one) for one in chain], Policy(**policy), NOW, Witness.PROBE)
    return [(one.cause, one.severity) for one in found]


def test_a_good_chain_passes_the_policy() -> None:
    """What make-certificates and most authorities make has no policy finding."""
    root = Authority.root("Root", not_before=NOW - DAY, not_after=NOW + 3650 * DAY)
    assert reported(root.issue(dns=["a.example.com"], **SPAN), root) == []


def test_the_policy_looks_at_every_certificate() -> None:
    """Expiry and strictness count for each, the validity for the leaf alone."""
    root = Authority.root("Root", not_before=NOW - DAY, not_after=NOW + 3650 * DAY, key_usage=False)
    leaf = root.issue(dns=["a"], aki=False, not_before=NOW - 60 * DAY, not_after=NOW + 20 * DAY)
    warning = Severity.WARNING
    assert reported(leaf, root) == [
        (Cause.CERTIFICATE_EXPIRES_SOON, warning),
        (Cause.CA_NOT_STRICT, warning),
        (Cause.CA_NOT_STRICT, warning),
    ]


@pytest.mark.parametrize(("days", "soon"), [(30, True), (31, False), (0, True), (-1, False)])
def test_the_warning_window_has_an_end(days: int, soon: bool) -> None:
    """The last day of the window is in it; what has expired already is not soon to expire."""
    leaf = self_signed(dns=["a"], not_before=NOW - 300 * DAY, not_after=NOW + days * DAY)
    assert ((Cause.CERTIFICATE_EXPIRES_SOON, Severity.WARNING) in reported(leaf)) is soon


def test_a_validity_of_exactly_398_days_passes() -> None:
    """The limit itself is allowed; one second more is not."""
    exact = self_signed(dns=["a"], not_before=NOW - DAY, not_after=NOW + 397 * DAY)
    longer = self_signed(
        dns=["a"], not_before=NOW - DAY, not_after=NOW + 397 * DAY + timedelta(seconds=1)
    )
    assert reported(exact) == []
    assert reported(longer) == [(Cause.VALIDITY_TOO_LONG, Severity.ADVICE)]


def test_nobody_chooses_how_long_a_certificate_of_rds_is_valid() -> None:
    """12 or 36 months, so that there is nothing to advise."""
    authority = Authority.root("Amazon RDS eu-west-1 Subordinate CA RSA2048 G1.A.8", **SPAN)
    long = authority.issue(dns=["a"], not_before=NOW - DAY, not_after=NOW + 1094 * DAY)
    assert reported(long) == []


def test_a_roots_own_signature_proves_nothing() -> None:
    """SHA-1 under a root is not reported, under anything else it is."""
    root = Authority.root("Root", digest=hashes.SHA1(), **SPAN)
    leaf = root.issue(dns=["a"], digest=hashes.SHA1(), **SPAN)
    assert reported(leaf, root) == [(Cause.SIGNATURE_HASH_WEAK, Severity.WARNING)]
    assert reported(leaf, root, signature_hashes=("sha1",)) == []


def test_settings_raise_a_policy_cause_to_an_error() -> None:
    """A cause that the settings name refuses; the others stay warnings."""
    leaf = self_signed(dns=["a"], not_before=NOW - 900 * DAY, not_after=NOW + 2 * DAY)
    assert reported(leaf, raise_to_error=(Cause.VALIDITY_TOO_LONG,)) == [
        (Cause.CERTIFICATE_EXPIRES_SOON, Severity.WARNING),
        (Cause.VALIDITY_TOO_LONG, Severity.ERROR),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_rsa_bits": 512},
        {"signature_hashes": ()},
        {"signature_hashes": ("md5",)},
        {"max_validity_days": 0},
        {"warning_days": -1},
        {"raise_to_error": ["hostname_mismatch"]},
        {"unknown": 1},
    ],
)
def test_a_wrong_policy_is_refused(wrong: dict[str, Any]) -> None:
    """Settings that make no sense are refused when they are read."""
    with pytest.raises(ValidationError):
        Policy.model_validate(wrong)


def test_a_policy_survives_json() -> None:
    """The functions read it from their environment."""
    policy = Policy(raise_to_error=POLICY_CAUSES, warning_days=7)
    assert Policy.model_validate_json(policy.model_dump_json()) == policy


def test_unreadable_facts_are_not_judged() -> None:
    """What could not be read does not cause a warning about policy."""
    assert policy_findings([certificate_facts(b"x")], Policy(), NOW, Witness.PROBE) == ()


# ---- expiry


def chain_of(*ends: int) -> tuple[Authority, list[Leaf | Authority]]:
    """A root and a chain, leaf first, that end after so many days (the root last)."""
    *lower, last = ends
    root = Authority.root("Root", not_before=NOW - DAY, not_after=NOW + last * DAY)
    authority = root
    found: list[Leaf | Authority] = []
    for number, end in enumerate(reversed(lower[1:])):
        authority = authority.intermediate(
            f"Level {number}", not_before=NOW - DAY, not_after=NOW + end * DAY
        )
        found.insert(0, authority)
    leaf = authority.issue(dns=["a"], not_before=NOW - 9 * DAY, not_after=NOW + lower[0] * DAY)
    return root, [leaf, *found]


@pytest.mark.parametrize(
    ("ends", "role", "days"),
    [
        ((10, 20, 30), Role.LEAF, 10),
        ((20, 10, 30), Role.INTERMEDIATE, 10),
        ((30, 20, 10), Role.ANCHOR, 10),
        ((-3, 20, 10), Role.LEAF, -3),
    ],
)
def test_the_first_to_expire_matters(ends: tuple[int, ...], role: Role, days: int) -> None:
    """Leaf, intermediate or anchor: whichever ends first is reported, with what it is."""
    root, chain = chain_of(*ends)
    first = expiring(served=[facts(one) for one in chain], anchor=facts(root))[0]
    assert first.role is role
    assert first.days_left(NOW) == days
    assert first.what.startswith(role.value)


def test_an_old_ca_beside_the_one_in_use_does_not_matter() -> None:
    """A bundle's oldest CA raises no alarm while the served chain does without it."""
    root, chain = chain_of(50, 60, 70)
    stale = Authority.root("Stale", not_before=NOW - DAY, not_after=NOW + DAY)
    found = expiring(
        served=[facts(one) for one in chain],
        anchor=facts(root),
        trusted=[facts(stale), facts(root)],
    )
    assert [one.days_left(NOW) for one in found] == [50, 60, 70]


def test_a_later_issue_of_the_anchor_takes_over() -> None:
    """When the same root is trusted with a later end, that end counts."""
    root, chain = chain_of(50, 60, 5)
    later = Authority.root(
        "Root", private_key=root.private_key, not_before=NOW - DAY, not_after=NOW + 900 * DAY
    )
    found = expiring(
        served=[facts(one) for one in chain],
        anchor=facts(root),
        trusted=[facts(root), facts(later)],
    )
    assert found[0].days_left(NOW) == 50
    assert [one.role for one in found] == [Role.LEAF, Role.INTERMEDIATE, Role.BUNDLE]


def test_what_the_endpoint_trusts_counts_and_not_what_it_is_to_trust() -> None:
    """DMS connects with the older issue of the root until the endpoint is changed."""
    root, chain = chain_of(50, 60, 900)
    older = Authority.root(
        "Root", private_key=root.private_key, not_before=NOW - DAY, not_after=NOW + 5 * DAY
    )
    served = [facts(one) for one in chain]
    first = expiring(served=served, anchor=facts(root), trusted=[facts(older)])[0]
    assert (first.role, first.days_left(NOW)) == (Role.BUNDLE, 5)


def test_without_a_served_chain_the_last_ca_of_the_endpoint_counts() -> None:
    """Nobody knows which one is in use, but after the last of them nothing verifies."""
    ends = [Authority.root(f"R{d}", not_before=NOW - DAY, not_after=NOW + d * DAY) for d in (5, 9)]
    (only,) = expiring(trusted=[facts(one) for one in ends])
    assert (only.role, only.title[:5], only.days_left(NOW)) == (Role.BUNDLE, "CN=R9", 9)


def test_a_cross_signed_certificate_that_nobody_walks_over_does_not_matter() -> None:
    """A served cross-certificate above the anchor's own name is not part of the way."""
    old, new = Authority.root("Old", **SPAN), Authority.root("New", **SPAN)
    leaf = new.issue(dns=["a"], **SPAN)
    crossed = old.cross_sign(new)
    stale = facts(crossed).model_copy(update={"not_after": NOW + DAY})
    found = expiring(served=[facts(leaf), stale], anchor=facts(new))
    assert found[0].days_left(NOW) == 90


def test_the_copy_in_acm_and_the_next_pair_count_as_well() -> None:
    """A pair in the secret, or an older copy in ACM, is named as what it is."""
    root, chain = chain_of(50, 60, 70)
    served = [facts(one) for one in chain]
    behind = facts(root.issue(dns=["a"], not_before=NOW - DAY, not_after=NOW + 5 * DAY))
    found = expiring(served=served, anchor=facts(root), intended=served[0], acm=behind)
    assert (found[0].role, found[0].days_left(NOW)) == (Role.ACM, 5)
    assert Role.INTENDED not in {one.role for one in found}
    assert expiring() == ()


# ---- secrets


@pytest.mark.parametrize(
    "names",
    [
        ("certificate", "private_key", "ca"),
        ("tls.crt", "tls.key", "ca.crt"),
        ("server.crt", "server.key", "root.crt"),
        ("fullchain.pem", "privkey.pem", None),
    ],
)
def test_names_that_people_use_are_understood(names: tuple[str, str, str | None]) -> None:
    """cert-manager's, PostgreSQL's, certbot's and our own names all work."""
    secret = {name: name for name in names if name is not None}
    parts = material_from_secret(secret)
    assert parts.certificate == names[0].encode()
    assert parts.private_key == names[1].encode()
    assert parts.ca == (names[2].encode() if names[2] else None)
    assert parts.missing("orders") == ()
    assert names[1] not in repr(parts)


def test_certbots_four_files_are_not_ambiguous() -> None:
    """cert.pem is in fullchain.pem already; chain.pem stays what it is."""
    parts = material_from_secret(
        {"cert.pem": "C", "fullchain.pem": "F", "chain.pem": "H", "privkey.pem": "K"}
    )
    assert (parts.certificate, parts.chain, parts.private_key) == (b"F", b"H", b"K")


def test_two_names_for_one_part_are_both_read() -> None:
    """Which of two certificates is meant is for the intake to tell."""
    parts = material_from_secret({"certificate": "A", "tls.crt": "B", "server.crt": "A"})
    assert parts.certificate == b"A\nB"


def test_missing_parts_are_said_with_the_names_that_work() -> None:
    """A secret without a key says so, and which keys would be understood."""
    [found] = material_from_secret({"tls.crt": "x", "username": "u"}).missing("dms/orders")
    assert found.cause is Cause.SECRET_INCOMPLETE
    assert all(name in found.seen for name in ("dms/orders", *SECRET_KEYS["private_key"]))
    assert len(material_from_secret({}).missing("dms/orders")) == 2


def test_values_that_are_not_text_are_reported_without_being_shown() -> None:
    """A list or object where PEM belongs is a finding that names the key alone."""
    parts = material_from_secret({"tls.key": {"hidden": "hunter2"}, "chain": "", "ca": None})
    [found] = parts.findings
    assert "tls.key" in found.seen
    assert "hunter2" not in found.model_dump_json()
    assert (parts.private_key, parts.chain, parts.ca) == (None, None, None)


def test_an_unreadable_certificate_has_a_name_for_sentences() -> None:
    """Where a certificate has no readable subject, its fingerprint stands for it."""
    one = Certificate(b"x")
    assert one.title == f"certificate {one.sha256[:16]}"
    assert certificate_facts(b"x").title == one.title
    assert "x" not in repr(one).removeprefix("Certificate(").replace(one.sha256[:16], "")
