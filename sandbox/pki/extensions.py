"""What is written into a certificate beside its key and its dates: names and extensions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.pki.keys import PrivateKey

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH


class BasicConstraints(StrEnum):
    """How a certificate says whether it is an authority. RFC 5280 asks for `critical`."""

    CRITICAL = "critical"
    NOT_CRITICAL = "not_critical"
    ABSENT = "absent"


def authority_name(cn: str, organization: str | None) -> x509.Name:
    """The name of an authority."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, cn)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def server_name(cn: str | Sequence[str] | None, dns: Sequence[str | bytes]) -> x509.Name:
    """The CNs asked for; without one, an organisation alone, so that no name slips in."""
    if cn is None:
        named = next((n for n in dns if isinstance(n, str)), "no name")
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Server {named}"[:64])])
    names = (cn,) if isinstance(cn, str) else cn
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, one, _validate=len(one) <= 64) for one in names]
    )


def authority_extensions(
    basic_constraints: BasicConstraints, path_length: int | None, key_usage: bool
) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """What makes a certificate an authority, each with whether it is critical."""
    result: list[tuple[x509.ExtensionType, bool]] = []
    if basic_constraints is not BasicConstraints.ABSENT:
        critical = basic_constraints is BasicConstraints.CRITICAL
        result.append((x509.BasicConstraints(ca=True, path_length=path_length), critical))
    if key_usage:
        result.append((key_usage_extension(sign=True), True))
    return tuple(result)


def key_usage_extension(*, sign: bool) -> x509.KeyUsage:
    """The key signs certificates and CRLs, or else it serves TLS."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not sign,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def key_identifier(certificate: x509.Certificate, key: PrivateKey) -> bytes:
    """The subject key identifier, from the key when the certificate names none."""
    try:
        return certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        ).value.digest
    except (x509.ExtensionNotFound, ValueError):  # none, or beside one that cannot be read
        return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
