"""An end-entity certificate: what a server or a client shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from sandbox.pki.der import general_names
from sandbox.pki.extensions import SERVER_AUTH, BasicConstraints, key_usage_extension, server_name
from sandbox.pki.keys import Key, PrivateKey, make_key, private_pem
from sandbox.pki.signing import sign_certificate, yesterday


@dataclass(frozen=True)
class Leaf:
    """An end-entity certificate with its key and the intermediates above it, without the root."""

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)
    kind: Key
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The intermediates, nearest issuer first; empty when a root signed the leaf."""
        return b"".join(c.public_bytes(Encoding.PEM) for c in self.chain)

    @property
    def fullchain_pem(self) -> bytes:
        return self.certificate_pem + self.chain_pem

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8."""
        return private_pem(self.private_key, self.kind)

    @property
    def certificate_der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def self_signed(
    dns: Sequence[str | bytes] = (),
    ips: Sequence[str | bytes] = (),
    *,
    cn: str | Sequence[str] | None = None,
    key: Key = Key.EC_P256,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    eku: Sequence[x509.ObjectIdentifier] = (SERVER_AUTH,),
    digest: hashes.HashAlgorithm | None = None,
    basic_constraints: BasicConstraints = BasicConstraints.ABSENT,
    key_usage: bool = False,
    version: int = 3,
    fresh: bool = False,
) -> Leaf:
    """A server certificate that signs itself: its own, and its only, trust anchor."""
    own = make_key(key, "leaf", fresh)
    subject = server_name(cn, dns)
    return Leaf(
        leaf_certificate(
            dns=dns,
            ips=ips,
            emails=(),
            uris=(),
            cn=cn,
            subject=subject,
            san_critical=False,
            san_raw=None,
            eku=eku,
            basic_constraints=basic_constraints,
            key_usage=key_usage,
            extensions=(),
            issuer=subject,
            kind=key,
            public=own,
            signer=own,
            signer_kind=key,
            issuer_ski=None,
            since=yesterday(),
            not_before=not_before,
            not_after=not_after,
            digest=digest,
            pss=False,
            version=version,
            ski=True,
            aki=False,
            serial=None,
        ),
        own,
        key,
    )


def leaf_certificate(
    *,
    dns: Sequence[str | bytes],
    ips: Sequence[str | bytes],
    emails: Sequence[str | bytes],
    uris: Sequence[str | bytes],
    cn: str | Sequence[str] | None,
    subject: x509.Name | None,
    san_critical: bool,
    san_raw: bytes | None,
    eku: Sequence[x509.ObjectIdentifier],
    basic_constraints: BasicConstraints,
    key_usage: bool,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    issuer: x509.Name,
    kind: Key,
    public: PrivateKey,
    signer: PrivateKey,
    signer_kind: Key,
    issuer_ski: bytes | None,
    since: datetime,
    not_before: datetime | None,
    not_after: datetime | None,
    digest: hashes.HashAlgorithm | None,
    pss: bool,
    version: int,
    ski: bool,
    aki: bool,
    serial: int | None,
) -> x509.Certificate:
    """An end-entity certificate, with the names and extensions asked for and no others."""
    found: list[tuple[x509.ExtensionType, bool]] = []
    san = san_raw if san_raw is not None else general_names(dns, ips, emails, uris)
    if san is not None:
        found.append(
            (
                x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, san),
                san_critical,
            )
        )
    if basic_constraints is not BasicConstraints.ABSENT:
        found.append(
            (
                x509.BasicConstraints(ca=False, path_length=None),
                basic_constraints is BasicConstraints.CRITICAL,
            )
        )
    if key_usage:
        found.append((key_usage_extension(sign=False), True))
    if eku:
        found.append((x509.ExtendedKeyUsage(list(eku)), False))
    return sign_certificate(
        subject=subject or server_name(cn, dns),
        issuer=issuer,
        kind=kind,
        public=public,
        signer=signer,
        signer_kind=signer_kind,
        issuer_ski=issuer_ski,
        since=since,
        not_before=not_before,
        not_after=not_after,
        days=90,
        digest=digest,
        pss=pss,
        version=version,
        ski=ski,
        aki=aki,
        extensions=(*found, *extensions),
        serial=serial,
    )
