"""The intake, one row per kind of material: what is accepted, and the exact findings."""

import base64
import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from math import gcd, lcm
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from certifier.certificate import Intake, PrivateKey, check_material
from certifier.certificate.pem import MAX_BLOCKS, MAX_BYTES
from certifier.models import Policy
from certifier.vocabulary import Cause, Severity, SslMode, Witness
from sandbox.pki import CLIENT_AUTH, Authority, BasicConstraints, Key, Leaf, bundle, self_signed

HOST = "orders.db.example.com"
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)

ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE
SPLIT = (Cause.CHAIN_REPAIRED, ADVICE)


def dated(days: int = 90) -> dict[str, Any]:
    """Valid around NOW."""
    return {"not_before": NOW - DAY, "not_after": NOW + days * DAY}


@dataclass(frozen=True)
class Pki:
    """One authority with an intermediate, and the certificates that rows are made of."""

    root: Authority
    issuing: Authority
    leaf: Leaf
    other_root: Authority
    other: Leaf


@cache
def pki() -> Pki:
    root = Authority.root("Root", **dated(3650))
    issuing = root.intermediate("Issuing CA", **dated(1825))
    other_root = Authority.root("Other root", **dated(3650))
    return Pki(
        root,
        issuing,
        issuing.issue(dns=[HOST], **dated()),
        other_root,
        other_root.issue(dns=["other.example.com"], **dated()),
    )


def taken(**material: Any) -> Intake:
    """An intake of material that is as usual but for what is given."""
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


def pair(leaf: Leaf | None = None, **more: Any) -> dict[str, Any]:
    """A sound pair with its CA; ``more`` replaces parts."""
    own = leaf or pki().leaf
    sound = {
        "certificate": own.certificate_pem,
        "private_key": own.key_pem,
        "chain": own.chain_pem or None,
        "ca": pki().root.certificate_pem,
    }
    return {**sound, **more}


def labelled(label: str, der: bytes) -> bytes:
    """A PEM block with any label."""
    body = base64.encodebytes(der).decode()
    dashes = "-" * 5
    return f"{dashes}BEGIN {label}{dashes}\n{body}{dashes}END {label}{dashes}\n".encode()


def der_of(pem: bytes) -> bytes:
    return base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))


def key_pem(key: Any, form: PrivateFormat, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    written: bytes = key.private_bytes(Encoding.PEM, form, encryption)
    return written


def request_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(Encoding.PEM)


def public_pem() -> bytes:
    public = pki().leaf.private_key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def p12() -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"orders", pki().leaf.private_key, pki().leaf.certificate, None, NoEncryption()
    )


def with_key(key: Any, **more: Any) -> Leaf:
    """A leaf of any kind of key, signed by the issuing CA."""
    return pki().issuing.issue(dns=[HOST], private_key=key, **{**dated(), **more})


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """A key of any size at once: its factors are odd, not prime, which nobody here looks at."""
    half = bits // 2
    for seed in count():
        p, q = (3 << (half - 2)) + 2 * seed + 1, (3 << (half - 2)) + 2 * seed + 5
        order = lcm(p - 1, q - 1)
        if gcd(65537, order) == 1 and gcd(p, q) == 1:
            break
    d = pow(65537, -1, order)
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@cache
def expired_root() -> Authority:
    return Authority.root("Old root", not_before=NOW - 100 * DAY, not_after=NOW - DAY)


def rsa_pair(bits: int, key: Key = Key.RSA_2048) -> dict[str, Any]:
    """A pair below an authority with an RSA key."""
    root = Authority.root("RSA root", key=Key.RSA_2048, **dated(3650))
    leaf = root.issue(dns=[HOST], key=key, private_key=rsa_key(bits), **dated())
    return pair(leaf, ca=root.certificate_pem)


def version_1_pair() -> dict[str, Any]:
    root = Authority.root("Version 1", version=1, **dated(3650))
    return pair(root.issue(dns=[HOST], **dated()), ca=root.certificate_pem)


def lax_pair() -> dict[str, Any]:
    root = Authority.root(
        "Lax", basic_constraints=BasicConstraints.NOT_CRITICAL, key_usage=False, **dated(3650)
    )
    return pair(root.issue(dns=[HOST], **dated()), ca=root.certificate_pem)


def no_ca_pair() -> dict[str, Any]:
    """A leaf that signed another leaf."""
    leaf = pki().leaf
    as_ca = Authority(
        leaf.certificate, leaf.private_key, leaf.kind, (leaf.certificate, *leaf.chain)
    )
    return pair(as_ca.issue(dns=[HOST], **dated()))


def deep_pair() -> dict[str, Any]:
    shallow = pki().root.intermediate("Shallow", path_length=0, **dated(900))
    return pair(shallow.intermediate("Deep", **dated(900)).issue(dns=[HOST], **dated()))


Row = tuple[str, Callable[[], dict[str, Any]], bool, list[tuple[Cause, Severity]]]


def broken(pem: bytes, at: int = 60) -> bytes:
    """One character inside the block is not base64 any more."""
    return pem[:at] + b"!" + pem[at + 1 :]


ROWS: list[Row] = [
    # ---- sound
    ("a pair with its chain and CA", pair, True, []),
    ("nothing at all", dict, True, []),
    ("a CA bundle alone", lambda: {"ca": pki().root.certificate_pem}, True, []),
    ("CRLF", lambda: {k: v.replace(b"\n", b"\r\n") for k, v in pair().items()}, True, []),
    (
        "old Mac line ends",
        lambda: {k: v.replace(b"\n", b"\r") for k, v in pair().items()},
        True,
        [],
    ),
    ("a byte order mark", lambda: {k: b"\xef\xbb\xbf" + v for k, v in pair().items()}, True, []),
    ("one line", lambda: {k: v.replace(b"\n", b" ") for k, v in pair().items()}, True, []),
    ("no last line end", lambda: {k: v.rstrip() for k, v in pair().items()}, True, []),
    ("indented", lambda: {k: v.replace(b"\n", b"\n    ") for k, v in pair().items()}, True, []),
    (
        "text around",
        lambda: {
            k: b"Bag Attributes\n  localKeyID: 01\n" + v + b"bye\n" for k, v in pair().items()
        },
        True,
        [],
    ),
    (
        "headers inside the block",
        lambda: pair(
            certificate=pki().leaf.certificate_pem.replace(b"-----\n", b"-----\nComment: x\n\n", 1)
        ),
        True,
        [],
    ),
    (
        "PKCS#1",
        lambda: pair(
            (leaf := with_key(rsa_key(2048))),
            private_key=key_pem(leaf.private_key, PrivateFormat.TraditionalOpenSSL),
        ),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)],  # an RSA key, signed with ECDSA
    ),
    (
        "SEC1 behind its parameters",
        lambda: pair(
            private_key=labelled("EC PARAMETERS", bytes.fromhex("06082a8648ce3d030107"))
            + key_pem(pki().leaf.private_key, PrivateFormat.TraditionalOpenSSL)
        ),
        True,
        [],
    ),
    (
        "an empty chain",
        lambda: pair(pki().root.issue(dns=[HOST], **dated()), chain=b" \n"),
        True,
        [],
    ),
    # ---- repaired
    (
        "literal backslash n",
        lambda: {k: v.replace(b"\n", b"\\n") for k, v in pair().items()},
        True,
        [SPLIT] * 4,
    ),
    (
        "UTF-16, as Windows writes",
        lambda: {k: v.decode().encode("utf-16") for k, v in pair().items()},
        True,
        [SPLIT] * 4,
    ),
    (
        "UTF-16 without its mark",
        lambda: pair(certificate=pki().leaf.certificate_pem.decode().encode("utf-16-be")),
        True,
        [SPLIT],
    ),
    ("a full chain", lambda: pair(certificate=pki().leaf.fullchain_pem, chain=None), True, []),
    (
        "a full chain, and the chain once more, as certbot writes both",
        lambda: pair(certificate=pki().leaf.fullchain_pem),
        True,
        [],
    ),
    (
        "a full chain, and another chain",
        lambda: pair(
            certificate=pki().leaf.fullchain_pem, chain=bundle(pki().issuing, pki().issuing)
        ),
        True,
        [SPLIT],
    ),
    (
        "a full chain, out of order",
        lambda: pair(certificate=pki().leaf.chain_pem + pki().leaf.certificate_pem, chain=None),
        True,
        [SPLIT, SPLIT],
    ),
    (
        "signed with Ed25519",
        lambda: pair(
            pki().root.intermediate("Modern", key=Key.ED25519, **dated()).issue([HOST], **dated())
        ),
        True,
        [(Cause.AUTHENTICATION_UNSUPPORTED, WARNING), (Cause.ACM_UNSUITABLE, WARNING)],
    ),
    (
        "a leaf in the chain",
        lambda: pair(chain=pki().leaf.fullchain_pem),
        True,
        [SPLIT],
    ),
    (
        "a root in the chain",
        lambda: pair(chain=bundle(pki().issuing, pki().root)),
        True,
        [SPLIT],
    ),
    (
        "everything in reverse, twice",
        lambda: pair(
            certificate=bundle(pki().root, pki().issuing, pki().leaf, pki().root), chain=None
        ),
        True,
        [SPLIT] * 4,  # taken out, put in order, duplicates, the root
    ),
    (
        "unrelated certificates",
        lambda: pair(chain=bundle(pki().other, pki().issuing, pki().other_root)),
        True,
        [SPLIT],
    ),
    (
        "X509 CERTIFICATE and TRUSTED CERTIFICATE",
        lambda: pair(
            certificate=labelled("X509 CERTIFICATE", pki().leaf.certificate_der),
            chain=labelled(
                "TRUSTED CERTIFICATE", der_of(pki().issuing.certificate_pem) + b"\x30\x03\x0c\x01x"
            ),
        ),
        True,
        [SPLIT] * 2,
    ),
    (
        "the key beside the certificate",
        lambda: pair(certificate=pki().leaf.certificate_pem + pki().leaf.key_pem, private_key=None),
        True,
        [SPLIT],
    ),
    (
        "key and certificate in each other's place",
        lambda: pair(certificate=pki().leaf.key_pem, private_key=pki().leaf.certificate_pem),
        True,
        [SPLIT] * 2,
    ),
    (
        "several keys",
        lambda: pair(private_key=pki().other.key_pem + pki().leaf.key_pem + pki().leaf.key_pem),
        True,
        [SPLIT],
    ),
    (
        "an intermediate that only the bundle holds",
        lambda: pair(chain=None, ca=bundle(pki().root, pki().issuing)),
        True,
        [SPLIT],
    ),
    (
        "a request beside the certificate",
        lambda: pair(certificate=request_pem() + pki().leaf.certificate_pem),
        True,
        [SPLIT],
    ),
    (
        "a renewal with the same key, beside the old one",
        lambda: pair(
            certificate=bundle(
                with_key(pki().leaf.private_key, not_before=NOW - 90 * DAY, not_after=NOW - DAY),
                pki().leaf,
            )
        ),
        True,
        [SPLIT] * 2,
    ),
    # ---- nothing, or something else
    (
        "empty files",
        lambda: {"certificate": b"", "private_key": b"\n", "chain": b"", "ca": b""},
        False,
        [(Cause.NO_CERTIFICATE, ERROR), (Cause.NO_PRIVATE_KEY, ERROR), (Cause.NO_USABLE_CA, ERROR)],
    ),
    (
        "a request in place of a certificate",
        lambda: pair(certificate=request_pem(), chain=None, private_key=None),
        False,
        [(Cause.NO_CERTIFICATE, ERROR)],
    ),
    (
        "public keys",
        lambda: {"certificate": public_pem(), "private_key": public_pem()},
        False,
        [(Cause.NO_CERTIFICATE, ERROR), (Cause.NO_PRIVATE_KEY, ERROR)],
    ),
    (
        "a certificate in place of the key",
        lambda: pair(private_key=pki().leaf.certificate_pem),
        False,
        [(Cause.NO_PRIVATE_KEY, ERROR), SPLIT],
    ),
    (
        "authorities alone",
        lambda: {"certificate": bundle(pki().issuing, pki().root)},
        False,
        [(Cause.NO_CERTIFICATE, ERROR)],
    ),
    (
        "PKCS#12",
        lambda: {"certificate": p12(), "private_key": p12()},
        False,
        [(Cause.NOT_PEM, ERROR)] * 2,
    ),
    (
        "DER",
        lambda: {
            "certificate": pki().leaf.certificate_der,
            "private_key": der_of(pki().leaf.key_pem),
            "ca": der_of(pki().root.certificate_pem),
        },
        False,
        [(Cause.NOT_PEM, ERROR)] * 3,
    ),
    (
        "base64 of PEM",
        lambda: {"certificate": base64.b64encode(pki().leaf.certificate_pem)},
        False,
        [(Cause.NOT_PEM, ERROR)],
    ),
    (
        "base64 without its lines",
        lambda: {"certificate": base64.encodebytes(pki().leaf.certificate_der)},
        False,
        [(Cause.NOT_PEM, ERROR)],
    ),
    ("prose", lambda: {"certificate": b"see the wiki"}, False, [(Cause.NOT_PEM, ERROR)]),
    (
        "dashes of a word processor",
        lambda: {
            "certificate": pki().leaf.certificate_pem.replace(b"-----", "—–".encode()),
        },
        False,
        [(Cause.NOT_PEM, ERROR)],
    ),
    (
        "PKCS#7",
        lambda: {
            "certificate": pkcs7.serialize_certificates([pki().leaf.certificate], Encoding.PEM)
        },
        False,
        [(Cause.NO_CERTIFICATE, ERROR)],
    ),
    (
        "a megabyte of garbage, and more",
        lambda: {"certificate": bytes(MAX_BYTES + 1)},
        False,
        [(Cause.MATERIAL_TOO_LARGE, ERROR)],
    ),
    (
        "too many blocks",
        lambda: {"certificate": pki().leaf.certificate_pem * (MAX_BLOCKS + 1)},
        False,
        [(Cause.MATERIAL_TOO_LARGE, ERROR), (Cause.CHAIN_INCOMPLETE, WARNING), SPLIT],
    ),
    # ---- damaged
    (
        "a damaged certificate",
        lambda: {"certificate": broken(pki().leaf.certificate_pem)},
        False,
        [(Cause.PEM_DAMAGED, ERROR)],
    ),
    (
        "a BEGIN without END",
        lambda: {"certificate": pki().leaf.certificate_pem[:-30]},
        False,
        [(Cause.PEM_DAMAGED, ERROR)],
    ),
    (
        "a block with another END",
        lambda: {"certificate": pki().leaf.certificate_pem.replace(b"END C", b"END X509 C")},
        False,
        [(Cause.PEM_DAMAGED, ERROR)],
    ),
    (
        "an invalid certificate",
        lambda: {"certificate": labelled("CERTIFICATE", b"\x30\x03\x02\x01\x01")},
        False,
        [(Cause.PEM_DAMAGED, ERROR)],
    ),
    (
        "a damaged key",
        lambda: pair(private_key=broken(pki().leaf.key_pem)),
        False,
        [(Cause.PEM_DAMAGED, ERROR)],
    ),
    (
        "an invalid key",
        lambda: pair(private_key=labelled("PRIVATE KEY", b"\x30\x03\x02\x01\x01")),
        False,
        [(Cause.PEM_DAMAGED, ERROR)],
    ),
    (
        "a damaged bundle",
        lambda: pair(ca=pki().root.certificate_pem + broken(pki().other_root.certificate_pem)),
        False,
        [(Cause.PEM_DAMAGED, ERROR)],
    ),
    # ---- keys
    (
        "an encrypted key, PKCS#8",
        lambda: pair(private_key=key_pem(pki().leaf.private_key, PrivateFormat.PKCS8, b"x")),
        False,
        [(Cause.KEY_ENCRYPTED, ERROR)],
    ),
    (
        "an encrypted key, with legacy headers",
        lambda: pair(
            private_key=key_pem(pki().leaf.private_key, PrivateFormat.TraditionalOpenSSL, b"x")
        ),
        False,
        [(Cause.KEY_ENCRYPTED, ERROR)],
    ),
    (
        "an encrypted key in DER",
        lambda: pair(
            private_key=der_of(key_pem(pki().leaf.private_key, PrivateFormat.PKCS8, b"x"))
        ),
        False,
        [(Cause.KEY_ENCRYPTED, ERROR)],
    ),
    (
        "a key of another certificate",
        lambda: pair(private_key=pki().other.key_pem),
        False,
        [(Cause.KEY_MISMATCH, ERROR)],
    ),
    (
        "two keys of two certificates",
        lambda: pair(
            (two := pki().issuing.issue(dns=[HOST], **dated())),
            certificate=bundle(pki().leaf, two),
            private_key=pki().leaf.key_pem + two.key_pem,
        ),
        False,
        [(Cause.KEY_AMBIGUOUS, ERROR)],
    ),
    (
        "two leaves and no key",
        lambda: pair(
            certificate=bundle(pki().leaf, pki().issuing.issue(dns=[HOST], **dated())),
            private_key=None,
        ),
        False,
        [(Cause.LEAF_AMBIGUOUS, ERROR)],
    ),
    (
        "an OpenSSH key",
        lambda: pair(private_key=key_pem(pki().leaf.private_key, PrivateFormat.OpenSSH)),
        False,
        [(Cause.NO_PRIVATE_KEY, ERROR)],
    ),
    (
        "a key that cannot sign",
        lambda: pair(private_key=key_pem(x25519.X25519PrivateKey.generate(), PrivateFormat.PKCS8)),
        False,
        [(Cause.KEY_UNSUPPORTED, ERROR)],
    ),
    # ---- kinds of key, by ACM's rule
    *[
        (
            f"an elliptic key that ACM takes, {key.value}",
            lambda key=key: pair(pki().issuing.issue(dns=[HOST], key=key, **dated())),
            True,
            [],
        )
        for key in (Key.EC_P256, Key.EC_P384, Key.EC_P521)
    ],
    ("RSA of 1024 bits", lambda: rsa_pair(1024), True, [(Cause.KEY_TOO_SMALL, WARNING)]),
    ("RSA of 2048 bits", lambda: rsa_pair(2048), True, []),
    ("RSA of 3072 bits", lambda: rsa_pair(3072), True, []),
    ("RSA of 4096 bits", lambda: rsa_pair(4096), True, []),
    (
        "RSA of a size between",
        lambda: rsa_pair(2560),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)],
    ),
    (
        "RSA of 8192 bits",
        lambda: rsa_pair(8192),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)] * 2,  # the kind, and the size of its PEM
    ),
    (
        "RSA-PSS",
        lambda: rsa_pair(2048, Key.RSA_PSS),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)],
    ),
    (
        "Ed25519",
        lambda: pair(pki().issuing.issue(dns=[HOST], key=Key.ED25519, **dated())),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)],
    ),
    (
        "Ed448",
        lambda: pair(
            (leaf := with_key(ed448.Ed448PrivateKey.generate())),
            private_key=key_pem(leaf.private_key, PrivateFormat.PKCS8),
        ),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)],
    ),
    (
        "DSA",
        lambda: pair(
            (leaf := with_key(dsa.generate_private_key(1024))),
            private_key=key_pem(leaf.private_key, PrivateFormat.TraditionalOpenSSL),
        ),
        True,
        [(Cause.KEY_TOO_SMALL, WARNING), (Cause.ACM_UNSUITABLE, WARNING)],
    ),
    (
        "an odd curve",
        lambda: pair(with_key(ec.generate_private_key(ec.BrainpoolP256R1()))),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)],
    ),
    # ---- chain and trust
    (
        "no intermediate",
        lambda: pair(chain=None),
        False,
        [(Cause.CHAIN_INCOMPLETE, ERROR)],
    ),
    (
        "no intermediate, under require",
        lambda: pair(chain=None, ssl_mode=SslMode.REQUIRE),
        True,
        [(Cause.CHAIN_INCOMPLETE, WARNING)],
    ),
    (
        "the intermediate of another",
        lambda: pair(chain=pki().other_root.intermediate().certificate_pem, ca=None),
        False,
        [(Cause.CHAIN_INCOMPLETE, ERROR), SPLIT],
    ),
    (
        "a chain that nobody can check to its end",
        lambda: pair(ca=None),
        True,
        [(Cause.CHAIN_INCOMPLETE, ADVICE)],
    ),
    (
        "another CA",
        lambda: pair(ca=pki().other_root.certificate_pem),
        False,
        [(Cause.UNKNOWN_AUTHORITY, ERROR)],
    ),
    (
        "another CA, with the root in the chain",
        lambda: pair(chain=bundle(pki().issuing, pki().root), ca=pki().other_root.certificate_pem),
        False,
        [(Cause.UNKNOWN_AUTHORITY, ERROR), SPLIT],
    ),
    (
        "a CA with the right name and another key",
        lambda: pair(ca=Authority.root("Root", **dated(3650)).certificate_pem),
        False,
        [(Cause.UNKNOWN_AUTHORITY, ERROR)],
    ),
    (
        "a CA with the right name, another key, and no identifiers to tell",
        lambda: pair(
            Authority.root("Plain", **dated()).issue(dns=[HOST], aki=False, **dated()),
            ca=Authority.root("Plain", **dated()).certificate_pem,
        ),
        False,
        [(Cause.SIGNATURE_INVALID, ERROR), (Cause.CA_NOT_STRICT, WARNING)],
    ),
    (
        "an intermediate in place of the CA",
        lambda: pair(ca=pki().issuing.certificate_pem),
        False,
        [(Cause.NO_USABLE_CA, ERROR), (Cause.CHAIN_INCOMPLETE, ADVICE)],
    ),
    (
        "a leaf in place of the CA",
        lambda: pair(ca=pki().leaf.certificate_pem),
        False,
        [(Cause.NO_USABLE_CA, ERROR), SPLIT],
    ),
    (
        "a self-signed server",
        lambda: pair(self_signed(dns=[HOST], **dated()), ca=None),
        True,
        [(Cause.SELF_SIGNED, WARNING)],
    ),
    (
        "a self-signed server that is its own CA",
        lambda: pair((leaf := self_signed(dns=[HOST], **dated())), ca=leaf.certificate_pem),
        True,
        [(Cause.SELF_SIGNED, WARNING)],
    ),
    (
        "a self-signed server, and another CA",
        lambda: pair(self_signed(dns=[HOST], **dated())),
        False,
        [(Cause.SELF_SIGNED, ERROR)],
    ),
    (
        "a duplicate CA",
        lambda: pair(ca=pki().root.certificate_pem * 3),
        True,
        [],
    ),
    (
        "an expired CA in the bundle",
        lambda: pair(ca=bundle(expired_root(), pki().root)),
        True,
        [(Cause.CA_EXPIRED_DROPPED, WARNING)],
    ),
    (
        "expired CAs alone",
        lambda: pair(ca=expired_root().certificate_pem),
        False,
        [(Cause.NO_USABLE_CA, ERROR), (Cause.CA_EXPIRED_DROPPED, WARNING)],
    ),
    (
        "a CA of tomorrow",
        lambda: pair(
            ca=bundle(
                pki().root,
                Authority.root("Next", not_before=NOW + DAY, not_after=NOW + 3650 * DAY),
            )
        ),
        True,
        [(Cause.CERTIFICATE_NOT_YET_VALID, WARNING)],
    ),
    (
        "a private key in the bundle",
        lambda: pair(ca=pki().root.certificate_pem + pki().root.key_pem),
        True,
        [(Cause.CA_BUNDLE_INVALID, WARNING)],
    ),
    (
        "a revocation list in the bundle",
        lambda: pair(ca=pki().root.certificate_pem + pki().root.crl()),
        True,
        [SPLIT],
    ),
    (
        "a CA of version 1",
        version_1_pair,
        True,
        [(Cause.CA_NOT_STRICT, WARNING)],
    ),
    (
        "a CA without critical flags",
        lax_pair,
        True,
        [(Cause.CA_NOT_STRICT, WARNING)],
    ),
    (
        "an issuer that is not a CA",
        no_ca_pair,
        False,
        [(Cause.CERTIFICATE_WRONG_PURPOSE, ERROR)],
    ),
    (
        "an issuer too many",
        deep_pair,
        False,
        [(Cause.CERTIFICATE_REJECTED, ERROR)],
    ),
    # ---- dates, names, purposes
    (
        "expired",
        lambda: pair(
            pki().issuing.issue(dns=[HOST], not_before=NOW - 9 * DAY, not_after=NOW - DAY)
        ),
        False,
        [(Cause.CERTIFICATE_EXPIRED, ERROR)],
    ),
    (
        "not yet valid",
        lambda: pair(
            pki().issuing.issue(dns=[HOST], not_before=NOW + DAY, not_after=NOW + 90 * DAY)
        ),
        False,
        [(Cause.CERTIFICATE_NOT_YET_VALID, ERROR)],
    ),
    (
        "an expired intermediate",
        lambda: pair(
            pki()
            .root.intermediate("Old", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
            .issue(dns=[HOST], **dated())
        ),
        False,
        [(Cause.CERTIFICATE_EXPIRED, ERROR)],
    ),
    (
        "another host",
        lambda: pair(host="billing.db.example.com"),
        False,
        [(Cause.HOSTNAME_MISMATCH, ERROR)],
    ),
    (
        "another host, under verify-ca",
        lambda: pair(host="billing.db.example.com", ssl_mode=SslMode.VERIFY_CA),
        True,
        [],
    ),
    (
        "an address, which older libpq reads otherwise",
        lambda: pair(pki().issuing.issue(ips=["10.0.0.7"], **dated()), host="10.0.0.7"),
        True,
        [(Cause.HOSTNAME_READING_DIFFERS, ADVICE)],
    ),
    (
        "for clients alone",
        lambda: pair(pki().issuing.issue(dns=[HOST], eku=[CLIENT_AUTH], **dated())),
        False,
        [(Cause.CERTIFICATE_WRONG_PURPOSE, ERROR)],
    ),
    (
        "expired, another host, and a broken chain: every reason at once",
        lambda: pair(
            pki().issuing.issue(dns=[HOST], not_before=NOW - 9 * DAY, not_after=NOW - DAY),
            chain=None,
            host="billing.db.example.com",
            private_key=pki().other.key_pem,
        ),
        False,
        [
            (Cause.KEY_MISMATCH, ERROR),
            (Cause.CERTIFICATE_EXPIRED, ERROR),
            (Cause.CHAIN_INCOMPLETE, ERROR),
            (Cause.HOSTNAME_MISMATCH, ERROR),
        ],
    ),
    # ---- policy, and what ACM alone minds
    (
        "soon to expire",
        lambda: pair(
            pki().issuing.issue(dns=[HOST], not_before=NOW - 60 * DAY, not_after=NOW + 9 * DAY)
        ),
        True,
        [(Cause.CERTIFICATE_EXPIRES_SOON, WARNING)],
    ),
    (
        "valid for long",
        lambda: pair(pki().issuing.issue(dns=[HOST], **dated(500))),
        True,
        [(Cause.VALIDITY_TOO_LONG, ADVICE)],
    ),
    (
        "SHA-1",
        lambda: pair(pki().issuing.issue(dns=[HOST], digest=hashes.SHA1(), **dated())),
        True,
        [(Cause.SIGNATURE_HASH_WEAK, WARNING)],
    ),
    (
        "SHA-1, where the policy refuses it",
        lambda: pair(
            pki().issuing.issue(dns=[HOST], digest=hashes.SHA1(), **dated()),
            policy=Policy(raise_to_error=(Cause.SIGNATURE_HASH_WEAK,)),
        ),
        False,
        [(Cause.SIGNATURE_HASH_WEAK, ERROR)],
    ),
    (
        "no name at all",
        lambda: pair(pki().issuing.issue(**dated()), ssl_mode=SslMode.VERIFY_CA),
        True,
        [(Cause.ACM_UNSUITABLE, WARNING)],
    ),
]


@pytest.mark.slow
@pytest.mark.shows(
    Cause.NO_CERTIFICATE,
    Cause.NO_PRIVATE_KEY,
    Cause.NOT_PEM,
    Cause.PEM_DAMAGED,
    Cause.KEY_ENCRYPTED,
    Cause.KEY_MISMATCH,
    Cause.KEY_AMBIGUOUS,
    Cause.KEY_UNSUPPORTED,
    Cause.LEAF_AMBIGUOUS,
    Cause.CHAIN_REPAIRED,
    Cause.NO_USABLE_CA,
    Cause.CA_EXPIRED_DROPPED,
    Cause.MATERIAL_TOO_LARGE,
    Cause.ACM_UNSUITABLE,
)
@pytest.mark.parametrize(
    ("material", "accepted", "findings"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_each_kind_of_material_has_its_findings(
    material: Callable[[], dict[str, Any]],
    accepted: bool,
    findings: list[tuple[Cause, Severity]],
) -> None:
    """Every kind of material is accepted or not, with exactly these findings in this order."""
    result = taken(**material())
    assert [(found.cause, found.severity) for found in result.findings] == findings
    assert result.accepted is accepted
    assert all(found.place is Witness.INTAKE and found.seen for found in result.findings)


# ---- what the findings say


def seen(result: Intake, cause: Cause) -> str:
    return " | ".join(found.seen for found in result.findings if found.cause is cause)


@pytest.mark.parametrize(
    ("material", "words"),
    [
        (p12, "PKCS#12"),
        (lambda: pki().leaf.certificate_der, "a certificate in DER"),
        (lambda: der_of(pki().leaf.key_pem), "a private key in DER"),
        (lambda: der_of(request_pem()), "a certificate signing request in DER"),
        (lambda: der_of(public_pem()), "a public key in DER"),
        (lambda: der_of(pki().root.crl()), "a certificate revocation list in DER"),
        (
            lambda: pkcs7.serialize_certificates([pki().leaf.certificate], Encoding.DER),
            "PKCS#7",
        ),
        (
            lambda: der_of(key_pem(rsa_key(8192), PrivateFormat.TraditionalOpenSSL)),
            "a private key in",
        ),
        (
            lambda: der_of(key_pem(pki().leaf.private_key, PrivateFormat.TraditionalOpenSSL)),
            "a private key in DER",
        ),
        (lambda: bytes.fromhex("feedfeed00000002"), "Java key store"),
        (lambda: b"\x1f\x8b\x08\x00", "gzip"),
        (lambda: b"PK\x03\x04", "zip"),
        (lambda: b"ssh-ed25519 AAAA user@host", "SSH public key"),
        (lambda: b"PuTTY-User-Key-File-3: ssh-rsa", "PuTTY"),
        (lambda: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (lambda: b"<!DOCTYPE html><html>", "HTML"),
        (lambda: b'{"certificate": "x"}', "JSON"),
        (lambda: b"/etc/ssl/server.crt\n", "a path"),
        (lambda: b"arn:aws:acm:eu-west-1:111122223333:certificate/x", "an ARN"),
        (lambda: base64.b64encode(pki().leaf.certificate_pem), "base64 of PEM"),
        (lambda: base64.b64encode(pki().leaf.certificate_der), "base64 without its BEGIN"),
        (lambda: b"\x00\x01\x02", "binary data"),
        ("––BEGIN CERTIFICATE––".encode, "five plain dashes"),
    ],
)
def test_what_is_not_pem_is_said_by_name(material: Callable[[], bytes], words: str) -> None:
    """A file of another kind is named, so that nobody has to guess what went wrong."""
    result = taken(certificate=material())
    assert [found.cause for found in result.findings] == [Cause.NOT_PEM]
    assert words in result.findings[0].seen


@pytest.mark.parametrize(
    ("material", "words"),
    [
        (request_pem, "a certificate signing request"),
        (public_pem, "a public key"),
        (pki().root.crl, "a certificate revocation list"),
        (lambda: pki().leaf.key_pem, "a private key"),
        (
            lambda: pkcs7.serialize_certificates([pki().leaf.certificate], Encoding.PEM),
            "PKCS#7",
        ),
        (lambda: labelled("SOMETHING ELSE", b"x"), "a block labelled SOMETHING ELSE"),
        (lambda: b"", "it is empty"),
    ],
)
def test_what_stands_in_place_of_a_certificate_is_said(
    material: Callable[[], bytes], words: str
) -> None:
    """PEM of another kind is not a certificate, and the finding says what it is."""
    result = taken(certificate=material())
    assert words in seen(result, Cause.NO_CERTIFICATE)


def test_a_missing_intermediate_is_named() -> None:
    """A chain without its intermediate is refused, and the finding names the missing issuer."""
    assert "CN=Issuing CA" in seen(taken(**pair(chain=None)), Cause.CHAIN_INCOMPLETE)


def test_an_expired_ca_is_named_with_its_date() -> None:
    """An expired CA is reported with name and date, as no bundle should make anybody search."""
    result = taken(ca=bundle(expired_root(), pki().root))
    text = seen(result, Cause.CA_EXPIRED_DROPPED)
    assert "CN=Old root" in text
    assert "2026-11-23 12:00:00 UTC" in text
    assert result.ca_pem == taken(ca=pki().root.certificate_pem).ca_pem


def test_an_ambiguity_names_every_candidate() -> None:
    """Of two leaves, neither is taken for being the first; both are named."""
    first = pki().issuing.issue(dns=[HOST], cn="first", **dated())
    second = pki().issuing.issue(dns=[HOST], cn="second", **dated())
    result = taken(certificate=bundle(first, second))
    text = seen(result, Cause.LEAF_AMBIGUOUS)
    assert "CN=first" in text
    assert "CN=second" in text
    assert result.leaf_pem is None


def test_a_hostile_name_is_escaped() -> None:
    """What a certificate calls itself cannot move the terminal of whoever reads the finding."""
    leaf = pki().issuing.issue(dns=[HOST], cn="\x1b[2J\u202egood", **dated())
    result = taken(certificate=leaf.certificate_pem)
    text = " ".join(found.seen for found in result.findings)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J" in text


# ---- what stands under a wrong label


def pkcs7_of(*certificates: x509.Certificate, encoding: Encoding = Encoding.DER) -> bytes:
    return pkcs7.serialize_certificates(list(certificates), encoding)


PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body><p>Sign in</p></body></html>"
MISPLACED: list[tuple[str, str, Callable[[], bytes], str, str]] = [
    # field, label or what it is, content, what is seen, the step
    (
        "certificate",
        "PKCS#7 as AD CS writes it",
        lambda: labelled("CERTIFICATE", pkcs7_of(pki().leaf.certificate)),
        "PKCS#7",
        "openssl pkcs7 -print_certs",
    ),
    (
        "certificate",
        "PKCS#7 in DER",
        lambda: pkcs7_of(pki().leaf.certificate),
        "PKCS#7",
        "openssl pkcs7 -print_certs",
    ),
    (
        "certificate",
        "PKCS#7 under its own label",
        lambda: pkcs7_of(pki().leaf.certificate, encoding=Encoding.PEM),
        "PKCS#7",
        "openssl pkcs7 -print_certs",
    ),
    (
        "certificate",
        "PKCS#7 in bare base64",
        lambda: base64.encodebytes(pkcs7_of(pki().leaf.certificate)),
        "PKCS#7",
        "openssl base64 -d",
    ),
    (
        "certificate",
        "HTML in base64 under BEGIN CERTIFICATE",
        lambda: labelled("CERTIFICATE", PAGE),
        "HTML",
        "Download",
    ),
    (
        "certificate",
        "HTML as it is under BEGIN CERTIFICATE",
        lambda: b"-----BEGIN CERTIFICATE-----\n" + PAGE + b"\n-----END CERTIFICATE-----\n",
        "HTML",
        "Download",
    ),
    (
        "certificate",
        "a block with line breaks of HTML",
        lambda: b"<pre>" + pki().leaf.certificate_pem.replace(b"\n", b"<br>\n") + b"</pre>",
        "HTML",
        "Download",
    ),
    (
        "certificate",
        "HTML that a browser saved",
        lambda: b"\xef\xbb\xbf\n" + PAGE,
        "HTML",
        "Download",
    ),
    (
        "certificate",
        "HTML in UTF-16",
        lambda: PAGE.decode().encode("utf-16"),
        "HTML",
        "Download",
    ),
    (
        "certificate",
        "a web archive",
        lambda: b"From: <Saved by Blink>\nSnapshot-Content-Location: https://ca\n" + PAGE,
        "HTML",
        "Download",
    ),
    (
        "certificate",
        "PKCS#12 under BEGIN CERTIFICATE",
        lambda: labelled("CERTIFICATE", p12()),
        "PKCS#12",
        "openssl pkcs12",
    ),
    ("certificate", "PKCS#12 in base64", lambda: base64.b64encode(p12()), "PKCS#12", "pkcs12"),
    (
        "certificate",
        "a Java key store under BEGIN CERTIFICATE",
        lambda: labelled("CERTIFICATE", bytes.fromhex("feedfeed00000002") + bytes(30)),
        "Java key store",
        "keytool",
    ),
    (
        "certificate",
        "a request under BEGIN CERTIFICATE",
        lambda: labelled("CERTIFICATE", der_of(request_pem())),
        "signing request",
        "the CA has made of it",
    ),
    (
        "certificate",
        "a public key under BEGIN CERTIFICATE",
        lambda: labelled("CERTIFICATE", der_of(public_pem())),
        "a public key",
        "Supply the certificate",
    ),
    (
        "certificate",
        "a key under BEGIN CERTIFICATE",
        lambda: labelled("CERTIFICATE", der_of(pki().leaf.key_pem)),
        "a private key",
        "openssl pkey",
    ),
    (
        "certificate",
        "a certificate under another label",
        lambda: labelled("PUBLIC KEY", pki().leaf.certificate_der),
        "a certificate in a block labelled PUBLIC KEY",
        "Write CERTIFICATE",
    ),
    (
        "certificate",
        "the base64 of PEM under BEGIN CERTIFICATE",
        lambda: labelled("CERTIFICATE", base64.b64encode(pki().leaf.certificate_pem)),
        "the base64 of PEM",
        "Decode it",
    ),
    (
        "certificate",
        "PEM in PEM",
        lambda: labelled("CERTIFICATE", b"see arn:aws:acm"),
        "cannot be read",
        "",
    ),
    (
        "certificate",
        "JSON that breaks off",
        lambda: b'{\n  "certificate": "x"\n  "key": 1}',
        "line 3, column 3",
        "Correct it there",
    ),
    (
        "certificate",
        "JSON with its keys",
        lambda: b'{"cert": "hunter2", "pk": 1}',
        "the keys cert, pk",
        "Supply the value",
    ),
    (
        "private_key",
        "an OpenSSH key under BEGIN PRIVATE KEY",
        lambda: labelled(
            "PRIVATE KEY", der_of(key_pem(pki().leaf.private_key, PrivateFormat.OpenSSH))
        ),
        "OpenSSH",
        "ssh-keygen",
    ),
    (
        "private_key",
        "an OpenSSH key",
        lambda: key_pem(pki().leaf.private_key, PrivateFormat.OpenSSH),
        "OpenSSH",
        "ssh-keygen",
    ),
    (
        "private_key",
        "a certificate under BEGIN PRIVATE KEY",
        lambda: labelled("PRIVATE KEY", pki().leaf.certificate_der),
        "a certificate",
        "",
    ),
    (
        "private_key",
        "PKCS#12 under BEGIN PRIVATE KEY",
        lambda: labelled("RSA PRIVATE KEY", p12()),
        "PKCS#12",
        "openssl pkcs12",
    ),
    (
        "ca",
        "PKCS#7 in place of a bundle",
        lambda: labelled("CERTIFICATE", pkcs7_of(pki().root.certificate)),
        "PKCS#7",
        "openssl pkcs7 -print_certs",
    ),
    ("ca", "HTML in place of a bundle", lambda: labelled("CERTIFICATE", PAGE), "HTML", "Download"),
]


@pytest.mark.parametrize(
    ("field", "content", "seen_words", "step"),
    [(field, content, seen, step) for field, _name, content, seen, step in MISPLACED],
    ids=[f"{row[0]}: {row[1]}" for row in MISPLACED],
)
def test_content_under_a_wrong_label_is_named_with_its_step(
    field: str, content: Callable[[], bytes], seen_words: str, step: str
) -> None:
    """What it is comes first, with the step that helps, and never that it be copied again."""
    given = pair() if field == "private_key" else {}
    first = taken(**{**given, field: content()}).findings[0]
    assert first.severity is ERROR
    assert seen_words in first.seen
    assert step in first.remedy
    assert "hunter2" not in first.model_dump_json()
    if step:
        assert "again as a whole" not in first.remedy


# ---- many of one kind


def test_many_expired_cas_are_one_finding() -> None:
    """28 expired CAs of one bundle are one warning with their number and the first names."""
    old = [
        Authority.root(f"Old {number:02}", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
        for number in range(28)
    ]
    result = taken(**pair(ca=bundle(pki().root, *old)))
    [found] = result.findings
    assert (found.cause, found.severity) == (Cause.CA_EXPIRED_DROPPED, WARNING)
    assert found.seen.startswith("28 CAs have expired")
    assert "CN=Old 00" in found.seen
    assert "2026-11-23" in found.seen
    assert "and 23 more" in found.seen
    assert "Old 27" not in found.seen
    assert len(found.model_dump_json()) < 1500


@pytest.mark.parametrize(
    "bundle_of",
    [
        lambda n: pki().issuing.issue(dns=[f"{n}.example.com"], **dated()).certificate_pem,
        lambda n: Authority.root(f"R {n}", **dated()).intermediate(f"I {n}").certificate_pem,
        lambda n: self_signed(dns=[f"{n}.example.com"], **dated()).certificate_pem,
        lambda n: (
            Authority.root(f"R {n}", not_before=NOW + DAY, not_after=NOW + 9 * DAY).certificate_pem
        ),
        lambda n: labelled("CERTIFICATE", b"\x30\x03\x02\x01" + bytes([n])),
        lambda n: labelled("CERTIFICATE", pkcs7_of(pki().leaf.certificate)),
    ],
)
def test_what_is_said_of_many_is_said_once(bundle_of: Callable[[int], bytes]) -> None:
    """However many certificates have the same fault, a record does not grow with them."""
    many = taken(
        ca=b"".join(bundle_of(number) for number in range(60)) + pki().root.certificate_pem
    )
    assert len(many.findings) <= 2
    assert sum(len(found.model_dump_json()) for found in many.findings) < 3000


@pytest.mark.parametrize(
    ("ca", "seen_words", "step"),
    [
        (lambda: expired_root().certificate_pem, "is expired", "current root"),
        (
            lambda: bundle(
                expired_root(),
                Authority.root("Older", not_before=NOW - 9 * DAY, not_after=NOW - DAY),
            ),
            "all 2 are expired",
            "current root",
        ),
        (lambda: pki().leaf.certificate_pem, "is not a CA", "CN=Issuing CA"),
        (lambda: pki().issuing.certificate_pem, "only intermediate CAs", "CN=Root"),
        (
            lambda: labelled("CERTIFICATE", b"\x30\x03\x02\x01\x01"),
            "can be read",
            "Download or export it anew",
        ),
        (
            lambda: bundle(expired_root(), pki().leaf),
            "1 expired and 1 not a CA",
            "does not belong there",
        ),
        (lambda: pki().leaf.key_pem, "it holds a private key", "root CA"),
        (lambda: b"", "it is empty", "root CA"),
        (request_pem, "signing request", "the CA has made of it"),
    ],
)
def test_a_bundle_without_a_usable_ca_says_why(
    ca: Callable[[], bytes], seen_words: str, step: str
) -> None:
    """All expired, none a CA, none readable, no root: each has its own remedy."""
    found = next(f for f in taken(ca=ca()).findings if f.cause is Cause.NO_USABLE_CA)
    assert seen_words in found.seen
    assert step in found.remedy


# ---- dates


@pytest.mark.parametrize(
    ("moment", "cause"),
    [
        (NOW - timedelta(microseconds=1), Cause.CERTIFICATE_NOT_YET_VALID),
        (NOW, None),
        (NOW + DAY, None),
        (NOW + DAY + timedelta(milliseconds=999), None),
        (NOW + DAY + timedelta(seconds=1), Cause.CERTIFICATE_EXPIRED),
    ],
)
def test_both_ends_of_the_validity_belong_to_it(moment: datetime, cause: Cause | None) -> None:
    """A certificate is valid in its first and in its last second (RFC 5280, section 4.1.2.5)."""
    leaf = pki().root.issue(dns=[HOST], not_before=NOW, not_after=NOW + DAY)
    result = taken(**pair(leaf), now=moment)
    dates = {Cause.CERTIFICATE_NOT_YET_VALID, Cause.CERTIFICATE_EXPIRED}
    assert {found.cause for found in result.findings} & dates == ({cause} if cause else set())


# ---- what is handed on


def test_what_is_handed_on_is_canonical() -> None:
    """Leaf, chain and CA are written anew: leaf first, no root, sorted CAs, no text."""
    messy = b"# hello\r\n" + bundle(pki().root, pki().issuing, pki().leaf, pki().other)
    result = taken(
        certificate=messy,
        private_key=pki().leaf.key_pem,
        ca=b"note\n" + bundle(pki().root, pki().other_root, pki().root),
    )
    both = sorted(
        [pki().root, pki().other_root], key=lambda one: one.certificate.public_bytes(Encoding.DER)
    )
    assert result.accepted
    assert result.leaf_pem == pki().leaf.certificate_pem
    assert result.leaf_sha256 == pki().leaf.fingerprint
    assert result.chain_pem == pki().issuing.certificate_pem
    assert result.ca_pem == bundle(*both)
    assert result.key_kind == "EC_prime256v1"
    assert [facts.subject for facts in result.chain] == [
        f"O=Server {HOST}",
        "CN=Issuing CA,O=Certifier tests",
        "CN=Root,O=Certifier tests",
    ]
    assert result.private_key is not None
    assert result.private_key.pem() == pki().leaf.key_pem


def test_a_cross_signed_chain_ends_in_the_given_ca() -> None:
    """Of two ways up, the one that ends in the CA that was given is taken."""
    old = Authority.root("Old", **dated(900))
    new = Authority.root("New", **dated(900))
    crossed = old.cross_sign(new, **dated(900))
    leaf = new.issue(dns=[HOST], **dated())
    everything = bundle(leaf, crossed, new)
    by_old = taken(certificate=everything, private_key=leaf.key_pem, ca=old.certificate_pem)
    by_new = taken(certificate=everything, private_key=leaf.key_pem, ca=new.certificate_pem)
    assert by_old.accepted
    assert by_new.accepted
    assert by_old.chain_pem == crossed.certificate_pem
    assert by_new.chain_pem == b""


def test_an_expired_way_up_is_avoided() -> None:
    """Where a cross-signed CA has expired, the chain goes over the one that has not."""
    root = pki().root
    key = ec.generate_private_key(ec.SECP256R1())
    stale = root.intermediate(
        "Twice", private_key=key, not_before=NOW - 9 * DAY, not_after=NOW - DAY
    )
    fresh = root.intermediate("Twice", private_key=key, **dated())
    leaf = stale.issue(dns=[HOST], **dated())
    result = taken(**pair(leaf, chain=bundle(stale, fresh)))
    assert result.accepted
    assert result.chain_pem == fresh.certificate_pem


# ---- the private key


def test_a_private_key_shows_itself_to_nobody() -> None:
    """The key is not in repr, str, format, a pickle or a copy of what holds it."""
    result = taken(**pair())
    key = result.private_key
    assert isinstance(key, PrivateKey)
    secret = b"".join(pki().leaf.key_pem.split(b"\n")[1:-2]).decode()
    for text in (repr(key), str(key), f"{key}", repr(result), str(vars(result))):
        assert secret[:40] not in text
        assert "PRIVATE KEY" not in text
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.deepcopy(key)
    assert not hasattr(key, "__dict__")


@pytest.mark.slow
@pytest.mark.parametrize("at", range(40, 200, 7))
def test_no_finding_holds_a_piece_of_the_key(at: int) -> None:
    """However a key is damaged, no finding and no exception tells any of it."""
    pem = pki().leaf.key_pem
    for bad in (broken(pem, at), pem[:at], pem[:at] + b"A" + pem[at + 1 :], pem[at:]):
        result = taken(**pair(private_key=bad))
        body = b"".join(pem.split(b"\n")[1:-2]).decode()
        scalar = body[48:88]  # what is before it and behind it is public
        text = repr(result)
        assert not any(scalar[i : i + 8] in text for i in range(len(scalar) - 8))


def test_keys_whose_parts_do_not_belong_together_are_damaged() -> None:
    """A key with the right public part and a wrong private one is not imported."""
    good, other = rsa_key(2048).private_numbers(), rsa_key(2046).private_numbers()
    mixed = rsa.RSAPrivateNumbers(
        good.p, good.q, other.d, good.dmp1, good.dmq1, good.iqmp, good.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    leaf = pki().issuing.issue(dns=[HOST], private_key=mixed, **dated())
    result = taken(**pair(leaf, private_key=key_pem(mixed, PrivateFormat.PKCS8)))
    assert Cause.PEM_DAMAGED in {found.cause for found in result.findings}
    assert result.private_key is None


def test_an_issuer_that_is_not_a_ca_is_to_be_made_anew() -> None:
    """What ``openssl x509 -req -signkey`` makes: the CA lacks something, and not the leaf."""
    absent = BasicConstraints.ABSENT
    root = Authority.root("No CA", basic_constraints=absent, key_usage=False, **dated(3650))
    result = taken(**pair(root.issue(dns=[HOST]), ca=root.certificate_pem))
    (found,) = (f for f in result.findings if f.cause is Cause.CERTIFICATE_WRONG_PURPOSE)
    assert "CN=No CA" in found.seen
    assert "basicConstraints CA:TRUE" in found.seen
    assert "Make the CA anew" in found.remedy
