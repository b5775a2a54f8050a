"""Secrets in the shapes of other tools: what is understood, and what is said of the rest."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from certifier.certificate import Intake, SecretParts, check_material, material_from_secret
from certifier.certificate.secret import NotASecret, parse_secret
from certifier.models import Policy
from certifier.vocabulary import Cause, SslMode
from sandbox.pki import Authority, Leaf, bundle

HOST = "orders.db.example.com"
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
SPAN: dict[str, Any] = {
    "not_before": NOW - timedelta(days=1),
    "not_after": NOW + timedelta(days=90),
}
PHRASE = "correct horse"
PASSWORD = "hunter2-of-nobody"


@cache
def root() -> Authority:
    return Authority.root("Root", **SPAN)


@cache
def issuing() -> Authority:
    return root().intermediate("Issuing CA", **SPAN)


@cache
def leaf() -> Leaf:
    return issuing().issue(dns=[HOST], **SPAN)


def text(pem: bytes) -> str:
    return pem.decode()


def encoded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def locked() -> str:
    pem: bytes = leaf().private_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PHRASE.encode())
    )
    return pem.decode()


CERTIFICATE, KEY = text(leaf().certificate_pem), text(leaf().key_pem)
CHAIN, CA = text(issuing().certificate_pem), text(root().certificate_pem)
VAULT = {
    "certificate": CERTIFICATE,
    "issuing_ca": CHAIN,
    "ca_chain": [CHAIN, CA],
    "private_key": KEY,
    "private_key_type": "ec",
    "serial_number": "1d:2e",
    "expiration": 1830000000,
}

SHAPES: dict[str, str | dict[str, Any]] = {
    "ours": {"certificate": CERTIFICATE, "private_key": KEY, "chain": CHAIN, "ca": CA},
    "cert-manager": {"tls.crt": CERTIFICATE + CHAIN, "tls.key": KEY, "ca.crt": CA},
    "certbot": {
        "cert.pem": CERTIFICATE,
        "fullchain.pem": CERTIFICATE + CHAIN,
        "chain.pem": CHAIN,
        "privkey.pem": KEY,
        "ca": CA,
    },
    "Vault": VAULT,
    "Vault below data": {"request_id": "x", "lease_id": "", "data": VAULT, "warnings": None},
    "Vault's KV below data twice": {"data": {"data": VAULT, "metadata": {"version": 1}}},
    "Vault's pem_bundle": {
        **VAULT,
        "certificate": KEY + CERTIFICATE + CHAIN,
    },
    "an ACM export": {
        "Certificate": CERTIFICATE,
        "CertificateChain": CHAIN + CA,
        "PrivateKey": locked(),
        "Passphrase": PHRASE,
    },
    "an ACM export that was decrypted": {
        "Certificate": CERTIFICATE,
        "CertificateChain": CHAIN + CA,
        "PrivateKey": KEY,
    },
    "names of Terraform": {
        "certificate_body": CERTIFICATE,
        "certificate_chain": CHAIN + CA,
        "private_key": KEY,
    },
    "names that end in pem": {
        "server_cert_pem": CERTIFICATE,
        "private_key_pem": KEY,
        "certificate_chain_pem": CHAIN,
        "ca_cert_pem": CA,
    },
    "camelCase": {"tlsCert": CERTIFICATE + CHAIN, "tlsKey": KEY, "caBundle": CA},
    "kubectl get secret -o json": {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "orders-tls", "annotations": {"a": "b"}},
        "data": {
            "tls.crt": encoded((CERTIFICATE + CHAIN).encode()),
            "tls.key": encoded(KEY.encode()),
            "ca.crt": encoded(CA.encode()),
        },
    },
    "base64 twice": {
        "tls.crt": encoded(encoded((CERTIFICATE + CHAIN).encode()).encode()),
        "tls.key": encoded(encoded(KEY.encode()).encode()),
        "ca.crt": encoded(CA.encode()),
    },
    "base64 in lines": {
        "certificate": base64.encodebytes((CERTIFICATE + CHAIN).encode()).decode(),
        "private_key": base64.encodebytes(KEY.encode()).decode(),
        "ca": CA,
    },
    "get-secret-value as it was printed": {
        "ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x",
        "SecretString": json.dumps({"certificate": CERTIFICATE + CHAIN, "key": KEY, "ca": CA}),
    },
    "a list of chain certificates": {
        "certificate": CERTIFICATE,
        "private_key": KEY,
        "chain": [CHAIN],
        "ca": [CA],
    },
    "one object for TLS": {"tls": {"crt": CERTIFICATE + CHAIN, "key": KEY, "ca": CA}},
    "everything in one text": {"bundle.pem": CERTIFICATE + KEY + CHAIN + CA},
    "plain PEM": KEY + CERTIFICATE + CHAIN + CA,
    "plain PEM with line ends of Windows": ("\ufeff" + KEY + CERTIFICATE + CHAIN + CA).replace(
        "\n", "\r\n"
    ),
    "plain PEM in base64": encoded((KEY + CERTIFICATE + CHAIN + CA).encode()),
    "plain PEM as a JSON string": json.dumps(KEY + CERTIFICATE + CHAIN + CA),
    "plain PEM as a JSON list": json.dumps([CERTIFICATE, CHAIN, CA, KEY]),
}


def parts_of(secret: str | dict[str, Any]) -> SecretParts:
    parsed = parse_secret(secret if isinstance(secret, str) else json.dumps(secret))
    assert not isinstance(parsed, NotASecret), parsed
    return material_from_secret(parsed)


def taken(parts: SecretParts) -> Intake:
    return check_material(
        certificate=parts.certificate,
        private_key=parts.private_key,
        chain=parts.chain,
        ca=parts.ca,
        host=HOST,
        ssl_mode=SslMode.VERIFY_FULL,
        now=NOW,
        policy=Policy(),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shapes_of_other_tools_are_understood(shape: str) -> None:
    """Each holds the pair, its chain and its root, and the intake accepts what was found."""
    parts = parts_of(SHAPES[shape])
    assert parts.findings == ()
    assert parts.missing("orders") == ()
    result = taken(parts)
    assert result.accepted, result.findings
    assert result.leaf_sha256 == leaf().fingerprint
    assert result.private_key is not None
    assert result.chain_pem == issuing().certificate_pem
    assert result.ca is not None
    assert [anchor.subject for anchor in result.ca.anchors] == ["CN=Root,O=Certifier tests"]


@pytest.mark.parametrize(
    "secret",
    [
        CA,
        CHAIN + CA,
        encoded(CA.encode()),
        {"ca": CA},
        {"ca-bundle.crt": CA},
        {"ca_bundle_pem": encoded(CA.encode())},
        {"data": {"ca.crt": encoded(CA.encode())}},
        {"rootCA": CA},
        json.dumps([CA]),
    ],
)
def test_a_bundle_is_found_in_a_secret_of_its_own(secret: str | dict[str, Any]) -> None:
    """As plain PEM, or under any usual name."""
    parts = parts_of(secret)
    assert parts.ca is not None
    assert [anchor.subject for anchor in taken(SecretParts(ca=parts.ca)).ca.anchors] == [  # type: ignore[union-attr]
        "CN=Root,O=Certifier tests"
    ]


def test_the_leaf_of_plain_pem_is_not_an_anchor() -> None:
    """A chain without its root gives no CA: nothing is trusted because it was served."""
    assert parts_of(KEY + CERTIFICATE + CHAIN).ca is None
    own = Authority.root("Own", **SPAN).issue(dns=[HOST], **SPAN)
    assert parts_of(text(own.key_pem) + text(own.certificate_pem)).ca is None


def test_a_chain_under_our_own_name_is_not_trusted_for_its_root() -> None:
    """What a chain holds is served; only shapes without a place for the CA hold it there."""
    parts = parts_of({"certificate": CERTIFICATE, "private_key": KEY, "chain": CHAIN + CA})
    assert parts.ca is None


# ---- what is not understood


def test_what_is_not_understood_is_named_by_its_keys() -> None:
    """The keys that were found are named, and no value."""
    parts = parts_of({"zertifikat": CERTIFICATE, "pw": PASSWORD, "\x1b[31m": 1})
    assert parts.certificate is None
    for found in parts.missing("dms/orders"):
        assert "zertifikat, pw, \\x1b[31m" in found.seen
        assert PASSWORD not in found.model_dump_json()
    [wrapped] = parts_of({"data": {"tls.crt": CERTIFICATE, "wrong": KEY}}).missing("x")
    assert "tls.crt, wrong" in wrapped.seen


def test_a_remedy_speaks_of_its_own_kind_of_secret() -> None:
    """A pair's secret is never repaired with a login."""
    parts = parts_of({"username": "dms", "password": PASSWORD, "host": "db"})
    for found in (*parts.missing("x"), parts.missing_ca("x")):
        assert "PEM" in found.remedy
        assert not {"username", "password"} & set(found.remedy.lower().replace(",", " ").split())


def test_a_passphrase_that_does_not_open_the_key_is_said() -> None:
    """Without the passphrase in the finding, and without the key."""
    parts = parts_of({"certificate": CERTIFICATE, "private_key": locked(), "passphrase": PASSWORD})
    [found] = parts.findings
    assert found.cause is Cause.KEY_ENCRYPTED
    assert "does not open" in found.seen
    assert PASSWORD not in found.model_dump_json()


def test_a_key_that_asks_for_too_much_work_is_not_opened() -> None:
    """Whoever writes a secret cannot keep us busy with rounds of PBKDF2."""
    der = bytearray(base64.b64decode("".join(locked().split("\n")[1:-2])))
    rounds = der.index(b"\x02\x02\x08\x00")  # 2048
    der[rounds : rounds + 4] = b"\x02\x02\x7f\xff"
    body = base64.b64encode(_with_rounds(bytes(der), 0x7FFFFFFF)).decode()
    pem = f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{body}\n-----END ENCRYPTED PRIVATE KEY-----\n"
    parts = parts_of({"certificate": CERTIFICATE, "private_key": pem, "passphrase": PHRASE})
    assert [found.cause for found in parts.findings] == [Cause.KEY_ENCRYPTED]


def _with_rounds(der: bytes, rounds: int) -> bytes:
    """An encrypted key with another number of rounds: each object around it grows with it."""
    at = der.index(b"\x02\x02\x7f\xff")
    number = b"\x02\x04" + rounds.to_bytes(4, "big")
    changed = bytearray(der[:at] + number + der[at + 4 :])
    for start in (index for index in range(at) if der[index] == 0x30):
        length = der[start + 1]
        if length < 0x80 and start + 2 + length > at:
            changed[start + 1] = length + 2
        elif length == 0x81 and start + 3 + der[start + 2] > at:
            changed[start + 2] = der[start + 2] + 2
    return bytes(changed)


@pytest.mark.shows(Cause.SECRET_AMBIGUOUS)
@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ('{"certificate": "A", "certificate": "B"}', "'certificate' twice"),
        ('{"data": {"tls.key": "A", "tls.key": "B"}}', "'tls.key' twice"),
    ],
)
def test_a_key_that_stands_there_twice_is_ambiguous(secret: str, words: str) -> None:
    """JSON would take the last one in silence."""
    read = parse_secret(secret)
    assert isinstance(read, NotASecret)
    assert read.cause is Cause.SECRET_AMBIGUOUS
    assert words in read.seen


def test_the_same_part_in_two_places_is_ambiguous_when_it_differs() -> None:
    """At the top and below data: said with both places; when they are equal, nothing is said."""
    other = text(issuing().issue(dns=[HOST], **SPAN).certificate_pem)
    pair = {"certificate": CERTIFICATE, "private_key": KEY}
    [found] = parts_of({**pair, "data": {"tls.crt": other}}).findings
    assert found.cause is Cause.SECRET_AMBIGUOUS
    assert "the top and data" in found.seen
    assert parts_of({**pair, "data": {"tls.crt": CERTIFICATE}}).findings == ()


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ('{"certificate": "x"\n "private_key": 1}', "line 2, column 2"),
        ('{"a": 1,}', "line 1, column"),
        ('{"certificate": "-----BEGIN\nCERTIFICATE-----"}', "line 1, column 28"),
        ("hunter2", "line 1, column 1"),
        (b"\xff\xfe{\x00", "JSON"),
        (bytes.fromhex("feedfeed00000002"), "Java key store"),
        ("[1]", "not an object"),
        ('"hunter2"', "not an object"),
        ("[" * 100_000, "JSON"),
        ('{"a":' * 50_000, "JSON"),
        ("", "empty"),
    ],
)
def test_a_secret_that_cannot_be_read_says_where(secret: str | bytes, words: str) -> None:
    """Line and column, or what it is instead; never what it holds."""
    read = parse_secret(secret)
    assert isinstance(read, NotASecret)
    assert words in read.seen
    assert "hunter2" not in read.seen


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_other_encodings_is_read(encoding: str) -> None:
    """A byte order mark and UTF-16 are as good as UTF-8."""
    assert parse_secret('{"certificate": "ü"}'.encode(encoding)) == {"certificate": "ü"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([CERTIFICATE, KEY, CA]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "SecretString", "certificate", "tls.key", "ca_chain", "pem"])
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(max_size=12), JSON, max_size=4) | JSON.filter(dict.__instancecheck__)
)
def test_no_secret_is_too_odd(secret: object) -> None:
    """Whatever JSON a secret is, its parts are text or missing, and nothing is raised."""
    parts = material_from_secret(secret if isinstance(secret, dict) else {})
    taken(parts)
    parts.missing("x")
    assert KEY[60:90] not in repr(parts)


@given(st.binary(max_size=300) | st.text(max_size=300) | JSON.map(json.dumps))
def test_no_text_of_a_secret_is_too_odd(data: str | bytes) -> None:
    """It is an object or PEM, or a reason in printable words."""
    read = parse_secret(data)
    if isinstance(read, NotASecret):
        assert read.seen.isprintable()
    else:
        material_from_secret(read)


def test_an_object_in_an_object_in_an_object_ends() -> None:
    """How deep objects are looked into is bounded, and so is how many."""
    deep: dict[str, Any] = {"certificate": CERTIFICATE}
    for _ in range(500):
        deep = {"data": deep}
    assert material_from_secret(deep).certificate is None
    wide = {"data": {f"value{n}": {"data": {"certificate": "A"}} for n in range(10_000)}}
    assert material_from_secret(wide).findings == ()
    assert material_from_secret({"ca": bundle(root()).decode() * 2}).ca is not None
