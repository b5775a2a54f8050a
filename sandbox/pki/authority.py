"""A certificate authority: a root, what it signs, and what it revokes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.pki.extensions import (
    SERVER_AUTH,
    BasicConstraints,
    authority_extensions,
    authority_name,
    key_identifier,
)
from sandbox.pki.keys import Key, PrivateKey, make_key, private_pem, pss_padding
from sandbox.pki.leaf import Leaf, leaf_certificate
from sandbox.pki.signing import sign_certificate, yesterday


@dataclass(frozen=True)
class Authority:
    """A certificate authority: certificate, key, and the intermediates that lead to its root."""

    certificate: x509.Certificate
    private_key: PrivateKey = field(repr=False)
    kind: Key
    chain: tuple[x509.Certificate, ...] = ()  # this one first; empty for a root

    @classmethod
    def root(
        cls,
        name: str = "Test root",
        *,
        key: Key = Key.EC_P256,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        digest: hashes.HashAlgorithm | None = None,
        pss: bool = False,
        basic_constraints: BasicConstraints = BasicConstraints.CRITICAL,
        path_length: int | None = None,
        key_usage: bool = True,
        ski: bool = True,
        aki: bool = False,
        version: int = 3,
        organization: str | None = "Certifier tests",
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        private_key: PrivateKey | None = None,
        fresh: bool = False,
    ) -> Authority:
        """A self-signed authority. By default valid from a day ago for ten years."""
        own = private_key or make_key(key, f"authority {name}", fresh)
        subject = authority_name(name, organization)
        certificate = sign_certificate(
            subject=subject,
            issuer=subject,
            kind=key,
            public=own,
            signer=own,
            signer_kind=key,
            issuer_ski=None,
            since=yesterday(),
            not_before=not_before,
            not_after=not_after,
            days=3650,
            digest=digest,
            pss=pss,
            version=version,
            ski=ski,
            aki=aki,
            extensions=(
                *authority_extensions(basic_constraints, path_length, key_usage),
                *extensions,
            ),
        )
        return cls(certificate, own, key)

    def intermediate(
        self,
        name: str = "Test intermediate",
        *,
        key: Key = Key.EC_P256,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        digest: hashes.HashAlgorithm | None = None,
        pss: bool = False,
        basic_constraints: BasicConstraints = BasicConstraints.CRITICAL,
        path_length: int | None = None,
        key_usage: bool = True,
        ski: bool = True,
        aki: bool = True,
        version: int = 3,
        organization: str | None = "Certifier tests",
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        private_key: PrivateKey | None = None,
        fresh: bool = False,
    ) -> Authority:
        """An authority below this one, by default for five years from its issuer's first day."""
        own = private_key or make_key(key, f"authority {name}", fresh)
        certificate = sign_certificate(
            subject=authority_name(name, organization),
            issuer=self.certificate.subject,
            kind=key,
            public=own,
            signer=self.private_key,
            signer_kind=self.kind,
            issuer_ski=key_identifier(self.certificate, self.private_key),
            since=self.certificate.not_valid_before_utc,
            not_before=not_before,
            not_after=not_after,
            days=1825,
            digest=digest,
            pss=pss,
            version=version,
            ski=ski,
            aki=aki,
            extensions=(
                *authority_extensions(basic_constraints, path_length, key_usage),
                *extensions,
            ),
        )
        return Authority(certificate, own, key, (certificate, *self.chain))

    def cross_sign(
        self,
        other: Authority,
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> Authority:
        """`other` under this authority: the same name and key, signed by us as an intermediate."""
        certificate = sign_certificate(
            subject=other.certificate.subject,
            issuer=self.certificate.subject,
            kind=other.kind,
            public=other.private_key,
            signer=self.private_key,
            signer_kind=self.kind,
            issuer_ski=key_identifier(self.certificate, self.private_key),
            since=self.certificate.not_valid_before_utc,
            not_before=not_before,
            not_after=not_after,
            days=1825,
            digest=None,
            pss=False,
            version=3,
            ski=True,
            aki=True,
            extensions=authority_extensions(BasicConstraints.CRITICAL, None, True),
        )
        return replace(other, certificate=certificate, chain=(certificate, *self.chain))

    def issue(
        self,
        dns: Sequence[str | bytes] = (),
        ips: Sequence[str | bytes] = (),
        *,
        emails: Sequence[str | bytes] = (),
        uris: Sequence[str | bytes] = (),
        cn: str | Sequence[str] | None = None,
        subject: x509.Name | None = None,
        key: Key = Key.EC_P256,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        eku: Sequence[x509.ObjectIdentifier] = (SERVER_AUTH,),
        san_critical: bool = False,
        san_raw: bytes | None = None,
        digest: hashes.HashAlgorithm | None = None,
        pss: bool = False,
        basic_constraints: BasicConstraints = BasicConstraints.CRITICAL,
        key_usage: bool = True,
        ski: bool = True,
        aki: bool = True,
        version: int = 3,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
        private_key: PrivateKey | None = None,
        serial: int | None = None,
        fresh: bool = False,
    ) -> Leaf:
        """An end-entity certificate, by default valid for 90 days from its issuer's first day.

        `dns` and `ips` go into the SAN; bytes go in as they are (an embedded NUL, a length that no
        address has). Several `cn` become several CN attributes. `san_raw` is the DER of a whole SAN
        extension, in place of the names.
        """
        own = private_key or make_key(key, "leaf", fresh)
        return Leaf(
            leaf_certificate(
                dns=dns,
                ips=ips,
                emails=emails,
                uris=uris,
                cn=cn,
                subject=subject,
                san_critical=san_critical,
                san_raw=san_raw,
                eku=eku,
                basic_constraints=basic_constraints,
                key_usage=key_usage,
                extensions=extensions,
                issuer=self.certificate.subject,
                kind=key,
                public=own,
                signer=self.private_key,
                signer_kind=self.kind,
                issuer_ski=key_identifier(self.certificate, self.private_key),
                since=self.certificate.not_valid_before_utc,
                not_before=not_before,
                not_after=not_after,
                digest=digest,
                pss=pss,
                version=version,
                ski=ski,
                aki=aki,
                serial=serial,
            ),
            own,
            key,
            self.chain,
        )

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """This authority and those above it, without the root; empty for a root."""
        return b"".join(c.public_bytes(Encoding.PEM) for c in self.chain)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8."""
        return private_pem(self.private_key, self.kind)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def crl(
        self,
        revoked: Sequence[Leaf | Authority] = (),
        *,
        last_update: datetime | None = None,
        next_update: datetime | None = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        """A CRL in PEM that revokes these; by default for 30 days from its issuer's first day."""
        begin = last_update or self.certificate.not_valid_before_utc
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(begin)
            .next_update(next_update or begin + timedelta(days=30))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        for one in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(one.certificate.serial_number)
                .revocation_date(begin)
                .build()
            )
        digest = None if self.kind is Key.ED25519 else hashes.SHA256()
        crl = builder.sign(
            self.private_key,
            digest,
            rsa_padding=pss_padding(digest) if self.kind is Key.RSA_PSS else None,
        )
        return crl.public_bytes(Encoding.PEM)
