"""Making an authority of one's own and a server certificate below it, fit for strict clients."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

MAX_LEAF_DAYS: Final = 398  # what clients accept of a server certificate
CLOCK_SKEW: Final = timedelta(hours=1)  # a client whose clock is behind must accept it at once
_MAX_CN: Final = 64  # RFC 5280, appendix A.1: ub-common-name
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


class KeyType(StrEnum):
    """The kinds of key that ACM, DMS and PostgreSQL all take."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


_CURVES: Final = {KeyType.EC_P256: ec.SECP256R1, KeyType.EC_P384: ec.SECP384R1}
_RSA_BITS: Final = {KeyType.RSA_2048: 2048, KeyType.RSA_3072: 3072, KeyType.RSA_4096: 4096}
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Made:
    """What was made, in PEM. The keys are not part of ``repr``."""

    root: bytes
    server: bytes
    server_key: bytes = field(repr=False)
    root_key: bytes = field(repr=False)


def host_problem(host: str) -> str | None:
    """Return why a certificate cannot be made for a host; ``None`` when it can.

    An address in its usual form, or a DNS name in ASCII, the first label of which may be ``*``.
    """
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return None
    labels = host.removeprefix("*.").split(".")
    if not host.isascii():
        return "holds characters that are not ASCII; write it as DNS does (xn--...)"
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return "is neither a DNS name nor an IP address"
    if all(label.isdigit() for label in labels):
        return "looks like an IP address, and is none"
    return None


def make(
    hosts: Sequence[str],
    *,
    key_type: KeyType,
    days: int,
    root_days: int,
    root_name: str,
    now: datetime,
) -> Made:
    """Make a root and a server certificate for ``hosts`` (each without a ``host_problem``).

    Both begin an hour before ``now``. The root allows no other authority below it. Raises
    ValueError for days that are out of bounds.
    """
    if not 1 <= days <= MAX_LEAF_DAYS:
        raise ValueError(f"a server certificate is valid for 1 to {MAX_LEAF_DAYS} days")
    if root_days < days:
        raise ValueError("the root must be valid for at least as long as the server certificate")
    root_key, server_key = _new_key(key_type), _new_key(key_type)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, root_name)])
    root_id = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _builder(issuer, issuer, root_key, now, root_days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(root_id, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    server_id = x509.SubjectKeyIdentifier.from_public_key(server_key.public_key())
    server = (
        _builder(_subject(hosts), issuer, server_key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            _key_usage(signs=False, encipher=isinstance(server_key, rsa.RSAPrivateKey)),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(host) for host in dict.fromkeys(hosts)]),
            critical=False,
        )
        .add_extension(server_id, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    return Made(
        root=root.public_bytes(Encoding.PEM),
        server=server.public_bytes(Encoding.PEM),
        server_key=_pem(server_key),
        root_key=_pem(root_key),
    )


def _new_key(key_type: KeyType) -> _Key:
    if key_type in _CURVES:
        return ec.generate_private_key(_CURVES[key_type]())
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS[key_type])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Key, now: datetime, days: int
) -> x509.CertificateBuilder:
    begin = now.replace(microsecond=0) - CLOCK_SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )


def _subject(hosts: Sequence[str]) -> x509.Name:
    """The first name that is short enough as CN; clients look at the SAN."""
    name = next((host for host in hosts if len(host) <= _MAX_CN), "PostgreSQL server")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs: bool, encipher: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=encipher,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: _Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
