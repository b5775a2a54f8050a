"""Keys that OpenSSL reads and ``cryptography`` does not: which they are, in words.

libpq and PostgreSQL take them as far as their OpenSSL does (``tests/probe/test_odd_keys.py``). The
intake refuses them: it could not check a signature by such a key, nor that a private key belongs to
a certificate.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from certifier.certificate import asn1
from certifier.certificate.asn1 import DerError, Element

_EC: Final = "1.2.840.10045.2.1"
_OWN_PARAMETERS: Final = 0xA0  # [0] of an ECPrivateKey (RFC 5915, section 3)
_SECG, _BRAINPOOL = "1.3.132.0.", "1.3.36.3.3.2.8.1.1."
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f"{_SECG}{number}": f"sect{name}" for number, name in (
            (1, "163k1"), (15, "163r2"), (26, "233k1"), (27, "233r1"), (3, "239k1"),
            (16, "283k1"), (17, "283r1"), (36, "409k1"), (37, "409r1"), (38, "571k1"),
            (39, "571r1"),
        )},
        **{
            f"{_BRAINPOOL}{2 * number + 1 + turn}": f"brainpoolP{bits}{'rt'[turn]}1"
            for number, bits in enumerate((160, 192, 224, 256, 320, 384, 512))
            for turn in (0, 1)
        },
    }
)  # fmt: skip
"""OpenSSL's names of curves (SEC 2, appendix A.2; RFC 5639, section 4)."""
_MULTI_PRIME: Final = 1  # the version of an RSAPrivateKey with otherPrimeInfos (RFC 8017, A.1.2)


def why_not_read(der: bytes, why: str) -> str:
    """Return why a key cannot be read, in words that follow "the key".

    Args:
        der: a SubjectPublicKeyInfo, or a private key in PKCS#8, PKCS#1 or SEC1.
        why: what is known of it otherwise (``guarded``).
    """
    try:
        fields = list(asn1.element(der).expect(asn1.SEQUENCE).children())
        curve = _curve(fields)
        several = _of_several_primes(fields)
    except (DerError, IndexError):
        return why
    if curve is not None and "UnsupportedAlgorithm" in why:
        return (
            f"is on the elliptic curve {_NAMES.get(curve, curve)}: libpq takes it where its OpenSSL"
            " has that curve, and Certifier cannot check it"
        )
    if several:
        return "is RSA of more than two primes: PostgreSQL takes it, and Certifier cannot check it"
    return why


def _curve(fields: list[Element]) -> str | None:
    """Return the OID of the curve that a key names; ``None``: it names none."""
    for field in fields:
        if field.tag == asn1.SEQUENCE:
            named = list(field.children())
            if len(named) == 2 and named[1].tag == asn1.OID and asn1.oid(named[0]) == _EC:
                return asn1.oid(named[1])
        elif field.tag == _OWN_PARAMETERS:
            (inner,) = list(field.children())[:1] or (field,)
            return asn1.oid(inner) if inner.tag == asn1.OID else None
    return None


def _of_several_primes(fields: list[Element]) -> bool:
    if len(fields) > 2 and fields[2].tag == asn1.OCTET_STRING:
        fields = list(asn1.element(fields[2].content).expect(asn1.SEQUENCE).children())
    return (
        len(fields) == 10
        and fields[9].tag == asn1.SEQUENCE
        and all(field.tag == asn1.INTEGER for field in fields[:9])
        and asn1.integer(fields[0]) == _MULTI_PRIME
    )
