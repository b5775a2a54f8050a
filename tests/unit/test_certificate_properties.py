"""The intake under every mixture and every damage: it never raises, guesses or takes long."""

import base64
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from certifier.certificate import Intake, certificate_facts, check_material
from certifier.certificate.keys import KeyKind
from certifier.certificate.pem import MAX_BLOCKS, MAX_BYTES
from certifier.models import Policy
from certifier.vocabulary import Cause, SslMode
from sandbox.pki import Authority, BasicConstraints, Key, Leaf, bundle, self_signed
from tests.days import share, some

HOST = "orders.db.example.com"
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=90)
SPAN: dict[str, Any] = {"not_before": NOW - timedelta(days=1), "not_after": LATER}

ROOT = Authority.root("Root", **SPAN)
ISSUING = ROOT.intermediate("Outer", **SPAN).intermediate("Inner", **SPAN)
LEAF = ISSUING.issue(dns=[HOST], **SPAN)
STRANGER = Authority.root("Stranger", **SPAN)
STRANGERS: list[Leaf | Authority] = [
    STRANGER,
    STRANGER.intermediate("Strange", **SPAN),
    STRANGER.issue(dns=["other.example.com"], **SPAN),
    self_signed(dns=["alone.example.com"], **SPAN),
    Authority.root("Root", **SPAN),  # the same name, another key
]
SECOND = 1.0
"""No input may take longer."""


def taken(**material: Any) -> Intake:
    usual: dict[str, Any] = {
        "certificate": None,
        "private_key": None,
        "chain": None,
        "ca": None,
        "host": HOST,
        "ssl_mode": SslMode.VERIFY_FULL,
        "now": NOW,
        "policy": Policy(),
    }
    return check_material(**{**usual, **material})


def quickest(run: Callable[[], object], tries: int = 3) -> float:
    """The shortest of a few runs in seconds of CPU: whoever else is busy does not count."""
    spans = []
    for _ in range(tries):
        begin = time.process_time()
        run()
        spans.append(time.process_time() - begin)
        if spans[-1] < SECOND:
            break
    return min(spans)


pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")

TEXT = st.sampled_from(
    [
        b"",
        b"\n",
        b"# the server's certificate, see the wiki\n",
        b"Bag Attributes\r\n    friendlyName: orders\r\nsubject=CN = orders\r\n",
        b"Modulus=" + b"C0FFEE" * 60 + b"\n",
        b"SHA256 Fingerprint=AA:BB:CC\n",
        b"----------------------------------------\n",
        "Ünïcode\n".encode(),
        b"\xff\xfe\x00\n",
    ]
)


@st.composite
def mixtures(draw: st.DrawFn) -> bytes:
    """The blocks of the chain in any order, some of them twice, strangers and text between them."""
    needed = [LEAF.certificate_pem, *(bundle_of(one) for one in LEAF.chain)]
    more = draw(st.lists(st.sampled_from([*needed, ROOT.certificate_pem]), max_size=4))
    strangers = draw(st.lists(st.sampled_from(STRANGERS), max_size=4))
    blocks = draw(st.permutations([*needed, *more, *(one.certificate_pem for one in strangers)]))
    pieces = [draw(TEXT) + block for block in blocks]
    return b"".join(pieces) + draw(TEXT)


def bundle_of(certificate: Any) -> bytes:
    pem: bytes = certificate.public_bytes(Encoding.PEM)
    return pem


@settings(max_examples=share(100))
@given(mixtures(), st.booleans(), st.booleans())
def test_any_mixture_of_a_chain_yields_the_same_import(
    text: bytes, with_key: bool, with_ca: bool
) -> None:
    """Order, duplicates, text and unrelated certificates do not change leaf and chain."""
    result = taken(
        certificate=text,
        private_key=LEAF.key_pem if with_key else None,
        ca=ROOT.certificate_pem if with_ca else None,
    )
    assert result.accepted, result.findings
    assert result.leaf_pem == LEAF.certificate_pem
    assert result.chain_pem == LEAF.chain_pem


@settings(max_examples=share(50))
@given(st.permutations([*STRANGERS, ROOT, ROOT]), st.lists(TEXT, min_size=7, max_size=7))
def test_any_mixture_of_a_bundle_is_the_same_bundle(
    authorities: list[Leaf | Authority], texts: list[bytes]
) -> None:
    """The digest of a bundle does not depend on order, duplicates and comments."""
    mixed = b"".join(t + a.certificate_pem for t, a in zip(texts, authorities, strict=True))
    assert taken(ca=mixed).ca_digest == taken(ca=bundle(*STRANGERS, ROOT)).ca_digest


MATERIAL = {
    "certificate": LEAF.certificate_pem,
    "private_key": LEAF.key_pem,
    "chain": LEAF.chain_pem,
    "ca": ROOT.certificate_pem,
}
SOUND = taken(**MATERIAL)


@settings(max_examples=share(150))
@given(st.sampled_from(sorted(MATERIAL)), st.data())
def test_a_flipped_byte_is_found_or_changes_nothing(field: str, data: st.DataObject) -> None:
    """One byte of one file changed: findings, or the very same import; never another one."""
    text = MATERIAL[field]
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255))
    result = taken(**{**MATERIAL, field: text[:at] + bytes([byte]) + text[at + 1 :]})
    same = (
        result.leaf_pem == SOUND.leaf_pem
        and result.chain_pem == SOUND.chain_pem
        and result.ca_pem == SOUND.ca_pem
        and result.private_key == SOUND.private_key
    )
    assert same or result.findings
    if result.accepted:
        assert same


@pytest.mark.parametrize("kind", [Key.EC_P256, Key.RSA_2048])
def test_every_part_of_a_leaf_counts(kind: Key) -> None:
    """With nothing but a leaf and its issuer at hand, no changed leaf is accepted as sound."""
    issuer = Authority.root("Issuer", key=kind, **SPAN)
    leaf = issuer.issue(dns=[HOST], key=kind, **SPAN)
    der = leaf.certificate_der
    for at in range(0, len(der), 3):
        changed = bytearray(der)
        changed[at] ^= 1 << at % 8
        result = taken(certificate=block(bytes(changed)), chain=issuer.certificate_pem)
        assert not result.accepted, at


def block(der: bytes, label: str = "CERTIFICATE") -> bytes:
    dashes = "-" * 5
    body = base64.encodebytes(der).decode()
    return f"{dashes}BEGIN {label}{dashes}\n{body}{dashes}END {label}{dashes}\n".encode()


LABELS = ["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "TRUSTED CERTIFICATE"]


@settings(max_examples=share(150))
@given(st.binary(max_size=300), st.sampled_from(LABELS))
def test_any_bytes_in_a_block_are_survived(content: bytes, label: str) -> None:
    """Any content under any label, in every field at once, ends in findings."""
    text = block(content, label)
    result = taken(certificate=text, private_key=text, chain=text, ca=text)
    assert not result.accepted


@settings(max_examples=share(150))
@given(st.binary(max_size=400))
def test_any_file_is_survived(content: bytes) -> None:
    """Any bytes as a file, in every field at once, end in findings."""
    result = taken(certificate=content, private_key=content, chain=content, ca=content)
    assert not result.accepted


@settings(max_examples=share(200))
@given(st.data())
def test_facts_survive_any_change_of_a_certificate(data: st.DataObject) -> None:
    """Whatever is done to a certificate, reading its facts ends, and says what is unreadable."""
    der = bytearray(data.draw(st.sampled_from([LEAF.certificate_der, der_of(ROOT), ODD])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(der) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                der[at] = data.draw(st.integers(0, 255))
            case "cut":
                del der[at : at + data.draw(st.integers(1, 40))]
            case _:
                der[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        if not der:
            break
    facts = certificate_facts(bytes(der))
    assert facts.model_dump_json()
    assert facts.subject is not None or facts.unreadable


def der_of(authority: Authority) -> bytes:
    return authority.certificate.public_bytes(Encoding.DER)


ODD = ROOT.issue(
    dns=[b"\xff\x00", "ok.example.com"], ips=[b"\x01\x02"], cn=["a", "b"], **SPAN
).certificate_der


# ---- bounded work


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([tag, 0x83]) + size.to_bytes(3, "big") + content


def nested(depth: int) -> bytes:
    der = b""
    for _ in range(depth):
        der = tlv(0x30, der)
    return der


BEGIN = b"-" * 5 + b"BEGIN CERTIFICATE" + b"-" * 5 + b"\n"
END = b"-" * 5 + b"END CERTIFICATE" + b"-" * 5 + b"\n"
NOISE = random.Random(4)

HEAVY: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: bytes(MAX_BYTES),
    "noise": lambda: NOISE.randbytes(MAX_BYTES),
    "many megabytes": lambda: bytes(16 * MAX_BYTES),
    "spaces": lambda: b" " * MAX_BYTES,
    "dashes": lambda: b"-" * MAX_BYTES,
    "letters": lambda: b"A" * MAX_BYTES,
    "lines of letters": lambda: (b"A" * 64 + b"\n") * (MAX_BYTES // 65),
    "BEGIN without END": lambda: BEGIN * (MAX_BYTES // len(BEGIN)),
    "END without BEGIN": lambda: END * (MAX_BYTES // len(END)),
    "empty blocks": lambda: (BEGIN + END) * (MAX_BYTES // len(BEGIN + END)),
    "one endless block": lambda: BEGIN + b"A" * (MAX_BYTES - 100) + END,
    "one block of spaces": lambda: BEGIN + b" " * (MAX_BYTES - 100) + END,
    "headers": lambda: BEGIN + b"a: b\n" * (MAX_BYTES // 5 - 20) + END,
    "written line breaks": lambda: BEGIN.replace(b"\n", b"\\n") + b"\\n" * (MAX_BYTES // 2 - 20),
    "UTF-16": lambda: "B".encode("utf-16") * (MAX_BYTES // 4),
    "nested ASN.1": lambda: block(nested(2000)),
    "nested ASN.1 in DER": lambda: nested(2000),
    "wide ASN.1": lambda: block(tlv(0x30, b"\x30\x00" * 300_000)),
    "wide ASN.1 in DER": lambda: tlv(0x30, b"\x30\x00" * 500_000),
    "lengths that lie": lambda: b"\x30\x84\xff\xff\xff\xff" * (MAX_BYTES // 6),
}


@pytest.mark.parametrize("heavy", some(HEAVY))
def test_no_garbage_takes_long(heavy: str) -> None:
    """Megabytes of anything, in every field at once, end in findings within a second."""
    text = HEAVY[heavy]()
    results = []

    def run() -> None:
        results.append(taken(certificate=text, private_key=text, chain=text, ca=text))

    assert quickest(run) < SECOND
    assert not results[0].accepted
    assert len(results[0].findings) < 100


SLOW = ec.generate_private_key(ec.SECP521R1())
"""Of the usual keys, the one whose signatures take longest to check."""


def many_roots() -> bytes:
    more: dict[str, Any] = {"key": Key.EC_P521, "private_key": SLOW, **SPAN}
    return bundle(*(Authority.root(f"Root {n}", **more) for n in range(MAX_BLOCKS)))


def namesakes(count: int = MAX_BLOCKS) -> bytes:
    """Certificates that could all have signed each other, as far as names tell."""

    more: dict[str, Any] = {"key": Key.EC_P521, "private_key": SLOW, **SPAN}
    top = Authority.root("Same", key=Key.EC_P521, **SPAN)
    same = (top.intermediate("Same", ski=False, aki=False, **more) for _ in range(count))
    return bundle(*same)


def tower() -> bytes:
    top = Authority.root("Top", **SPAN)
    for level in range(MAX_BLOCKS - 2):
        top = top.intermediate(f"Level {level}", **SPAN)
    return top.issue(dns=[HOST], **SPAN).fullchain_pem


def leaves() -> bytes:
    return bundle(*(ROOT.issue(dns=[HOST], **SPAN) for _ in range(MAX_BLOCKS)))


def many_names() -> bytes:
    return ROOT.issue(dns=[f"h{n}.example.com" for n in range(15_000)], **SPAN).certificate_pem


@pytest.mark.parametrize(
    "make",
    some([many_roots, namesakes, tower, leaves, many_names]),
    ids=some(["roots", "namesakes", "a tower", "leaves", "names"]),
)
def test_no_pile_of_certificates_takes_long(make: Callable[[], bytes]) -> None:
    """Hundreds of certificates, in every field at once, are judged within a second."""
    text = make()
    assert quickest(lambda: taken(certificate=text, chain=text, private_key=text, ca=text)) < SECOND


def test_a_knot_of_signatures_is_refused_by_name() -> None:
    """Where checking who signed whom would take too long, that is said."""
    result = taken(ca=namesakes(40))
    assert Cause.MATERIAL_TOO_LARGE in {found.cause for found in result.findings}


def test_two_authorities_that_signed_each_other_end() -> None:
    """A ring of cross-signatures without any root is walked once."""
    one, two = Authority.root("One", **SPAN), Authority.root("Two", **SPAN)
    ring = bundle(one.cross_sign(two), two.cross_sign(one))
    leaf = one.issue(dns=[HOST], **SPAN)
    result = taken(certificate=leaf.certificate_pem + ring, ca=ROOT.certificate_pem)
    assert Cause.SIGNATURE_INVALID not in {found.cause for found in result.findings}
    assert not result.accepted


def integer(number: int) -> bytes:
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def discrete(bits: int, algorithm: str) -> bytes:
    """A DSA or DH key in PKCS#8, without its public part, whose numbers are as bad as can be."""
    p, q, x = ((1 << size) - 1 for size in (bits, bits - 1, bits - 2))
    parameters = tlv(0x30, integer(p) + integer(q) + integer(3))
    return tlv(
        0x30, integer(0) + tlv(0x30, bytes.fromhex(algorithm) + parameters) + tlv(4, integer(x))
    )


@pytest.mark.parametrize("algorithm", ["06072a8648ce380401", "06092a864886f70d010301"])
@pytest.mark.parametrize("bits", [3_000, 5_000, 40_000])
def test_no_private_key_takes_long(algorithm: str, bits: int) -> None:
    """Loading some kinds of key computes their public part, which is not done for large ones."""
    text = b"".join(block(discrete(bits + n, algorithm), "PRIVATE KEY") for n in range(20))
    results = []
    assert quickest(lambda: results.append(taken(private_key=text))) < SECOND
    assert Cause.MATERIAL_TOO_LARGE in {found.cause for found in results[0].findings}


def test_a_hostile_exponent_does_not_buy_time() -> None:
    """A key with a huge public exponent counts as much work as it is."""
    usual = KeyKind("RSA_3072", 3072, 17, "")
    hostile = KeyKind("RSA_3072", 3072, 3000, "")
    assert hostile.effort > 50 * usual.effort


def test_an_authority_without_any_extension_is_not_a_ca() -> None:
    """A version 3 certificate that says nothing of signing may not sign (X509_check_ca)."""
    bare = Authority.root(
        "Bare", basic_constraints=BasicConstraints.ABSENT, key_usage=False, **SPAN
    )
    below = bare.issue(dns=[HOST], **SPAN)
    result = taken(certificate=below.certificate_pem, ca=bare.certificate_pem)
    assert Cause.CERTIFICATE_WRONG_PURPOSE in {found.cause for found in result.findings}
