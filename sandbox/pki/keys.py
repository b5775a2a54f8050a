"""Private keys of every kind. RSA keys are made once per process, kind and holder."""

from __future__ import annotations

import functools
from enum import StrEnum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox.pki.der import RSASSA_PSS_ANY, SEQUENCE, children, content_of, pem, tlv

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Key(StrEnum):
    """The kinds of key. `rsa_pss` is RSA-2048 in a certificate of id-RSASSA-PSS (RFC 4055)."""

    RSA_1024 = "rsa_1024"
    RSA_2048 = "rsa_2048"
    RSA_3072 = "rsa_3072"
    RSA_4096 = "rsa_4096"
    RSA_PSS = "rsa_pss"
    EC_P256 = "ec_p256"
    EC_P384 = "ec_p384"
    EC_P521 = "ec_p521"
    ED25519 = "ed25519"


_RSA_BITS = {
    Key.RSA_1024: 1024,
    Key.RSA_2048: 2048,
    Key.RSA_3072: 3072,
    Key.RSA_4096: 4096,
    Key.RSA_PSS: 2048,
}
_CURVES: dict[Key, type[ec.EllipticCurve]] = {
    Key.EC_P256: ec.SECP256R1,
    Key.EC_P384: ec.SECP384R1,
    Key.EC_P521: ec.SECP521R1,
}


def make_key(kind: Key, holder: str, fresh: bool) -> PrivateKey:
    """A key for this holder: an RSA key of this process again, unless it is to be `fresh`."""
    if kind in _RSA_BITS and not fresh:
        return _cached_rsa(kind, holder)
    return _new_key(kind)


@functools.cache
def _cached_rsa(kind: Key, _holder: str) -> PrivateKey:
    return _new_key(kind)


def _new_key(kind: Key) -> PrivateKey:
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    if kind is Key.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[kind])


def private_pem(key: PrivateKey, kind: Key) -> bytes:
    """Unencrypted PKCS#8, which names id-RSASSA-PSS where the kind does."""
    if kind is not Key.RSA_PSS:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    version, _algorithm, octets = children(
        content_of(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    )[:3]
    return pem("PRIVATE KEY", tlv(SEQUENCE, version + RSASSA_PSS_ANY + octets))


def pss_padding(digest: hashes.HashAlgorithm | None) -> padding.PSS:
    """The padding with the same hash throughout, and a salt of its length."""
    if digest is None:
        raise ValueError("RSA-PSS needs a hash")
    return padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)


def sign(key: PrivateKey, data: bytes, digest: hashes.HashAlgorithm | None, pss: bool) -> bytes:
    """The signature over `data`; only Ed25519 goes without a hash."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if digest is None:
        raise ValueError("RSA and ECDSA signatures need a hash")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(digest))
    return key.sign(data, pss_padding(digest) if pss else padding.PKCS1v15(), digest)
