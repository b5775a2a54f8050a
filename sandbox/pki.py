"""Public key infrastructures of every shape, for tests, the demo and the scenarios.

    root = Authority.root("Example root")
    issuing = root.intermediate("Example issuing CA")
    leaf = issuing.issue(dns=["orders.db.example.com"])
    leaf.fullchain_pem, leaf.key_pem        # what PostgreSQL serves
    root.certificate_pem                    # what a client trusts

Everything can be wrong on purpose: dates, names (also raw bytes), extensions, version 1, hash, key
kind, and authorities that share a name but not a key. Nothing here checks that a shape makes sense.

Dates come from the caller, or else from the issuer: what an authority signs begins when the
authority does. The machine's clock is read only for a certificate that signs itself and was given
no `not_before`; a test with a "now" of its own gives that one, and all below it follows.

RSA keys are made once per process for each kind and holder, since one takes up to a second;
elliptic keys are always new. `fresh=True` makes a new RSA key too.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH


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


class BasicConstraints(StrEnum):
    """How a certificate says whether it is an authority. RFC 5280 asks for `critical`."""

    CRITICAL = "critical"
    NOT_CRITICAL = "not_critical"
    ABSENT = "absent"


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
        return _private_pem(self.private_key, self.kind)

    @property
    def certificate_der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


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
        own = private_key or _key(key, f"authority {name}", fresh)
        subject = _name(name, organization)
        certificate = _certificate(
            subject=subject,
            issuer=subject,
            kind=key,
            public=own,
            signer=own,
            signer_kind=key,
            issuer_ski=None,
            since=_yesterday(),
            not_before=not_before,
            not_after=not_after,
            days=3650,
            digest=digest,
            pss=pss,
            version=version,
            ski=ski,
            aki=aki,
            extensions=(
                *_authority_extensions(basic_constraints, path_length, key_usage),
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
        own = private_key or _key(key, f"authority {name}", fresh)
        certificate = _certificate(
            subject=_name(name, organization),
            issuer=self.certificate.subject,
            kind=key,
            public=own,
            signer=self.private_key,
            signer_kind=self.kind,
            issuer_ski=_ski(self.certificate, self.private_key),
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
                *_authority_extensions(basic_constraints, path_length, key_usage),
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
        certificate = _certificate(
            subject=other.certificate.subject,
            issuer=self.certificate.subject,
            kind=other.kind,
            public=other.private_key,
            signer=self.private_key,
            signer_kind=self.kind,
            issuer_ski=_ski(self.certificate, self.private_key),
            since=self.certificate.not_valid_before_utc,
            not_before=not_before,
            not_after=not_after,
            days=1825,
            digest=None,
            pss=False,
            version=3,
            ski=True,
            aki=True,
            extensions=_authority_extensions(BasicConstraints.CRITICAL, None, True),
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
        own = private_key or _key(key, "leaf", fresh)
        return Leaf(
            _leaf_certificate(
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
                issuer_ski=_ski(self.certificate, self.private_key),
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
        return _private_pem(self.private_key, self.kind)

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
            self.private_key, digest, rsa_padding=_pss(digest) if self.kind is Key.RSA_PSS else None
        )
        return crl.public_bytes(Encoding.PEM)


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
    own = _key(key, "leaf", fresh)
    subject = _subject(cn, dns)
    return Leaf(
        _leaf_certificate(
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
            since=_yesterday(),
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


def bundle(*authorities: Authority | Leaf) -> bytes:
    """The certificates one after another in PEM, as a trust file holds them."""
    return b"".join(a.certificate_pem for a in authorities)


def without_seconds(holder: Authority | Leaf) -> bytes:
    """The certificate in PEM with dates that have no seconds; its signature no longer fits."""
    tbs, *rest = _children(_content(holder.certificate.public_bytes(Encoding.DER)))
    parts = _children(_content(tbs))
    at = 4 if parts[0][0] == _VERSION else 3
    dates = [_tlv(date[0], _content(date)[:-3] + b"Z") for date in _children(_content(parts[at]))]
    parts[at] = _tlv(_SEQUENCE, b"".join(dates))
    tbs = _tlv(_SEQUENCE, b"".join(parts))
    return _pem("CERTIFICATE", _tlv(_SEQUENCE, tbs + b"".join(rest)))


# ---- keys


def _key(kind: Key, holder: str, fresh: bool) -> PrivateKey:
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


def _private_pem(key: PrivateKey, kind: Key) -> bytes:
    if kind is not Key.RSA_PSS:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    version, _algorithm, octets = _children(
        _content(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    )[:3]
    return _pem("PRIVATE KEY", _tlv(_SEQUENCE, version + _RSASSA_PSS_ANY + octets))


# ---- certificates


def _yesterday() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


def _name(cn: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, cn)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _subject(cn: str | Sequence[str] | None, dns: Sequence[str | bytes]) -> x509.Name:
    """The CNs asked for; without one, an organisation alone, so that no name slips in."""
    if cn is None:
        named = next((n for n in dns if isinstance(n, str)), "no name")
        return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"Server {named}"[:64])])
    names = (cn,) if isinstance(cn, str) else cn
    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, one, _validate=len(one) <= 64) for one in names]
    )


def _authority_extensions(
    basic_constraints: BasicConstraints, path_length: int | None, key_usage: bool
) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    result: list[tuple[x509.ExtensionType, bool]] = []
    if basic_constraints is not BasicConstraints.ABSENT:
        critical = basic_constraints is BasicConstraints.CRITICAL
        result.append((x509.BasicConstraints(ca=True, path_length=path_length), critical))
    if key_usage:
        result.append((_key_usage(sign=True), True))
    return tuple(result)


def _key_usage(*, sign: bool) -> x509.KeyUsage:
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


def _ski(certificate: x509.Certificate, key: PrivateKey) -> bytes:
    try:
        return certificate.extensions.get_extension_for_class(
            x509.SubjectKeyIdentifier
        ).value.digest
    except (x509.ExtensionNotFound, ValueError):  # none, or beside one that cannot be read
        return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest


def _leaf_certificate(
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
    found: list[tuple[x509.ExtensionType, bool]] = []
    san = san_raw if san_raw is not None else _san(dns, ips, emails, uris)
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
        found.append((_key_usage(sign=False), True))
    if eku:
        found.append((x509.ExtendedKeyUsage(list(eku)), False))
    return _certificate(
        subject=subject or _subject(cn, dns),
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


def _certificate(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    kind: Key,
    public: PrivateKey,
    signer: PrivateKey,
    signer_kind: Key,
    issuer_ski: bytes | None,
    since: datetime,
    not_before: datetime | None,
    not_after: datetime | None,
    days: int,
    digest: hashes.HashAlgorithm | None,
    pss: bool,
    version: int,
    ski: bool,
    aki: bool,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    serial: int | None = None,
) -> x509.Certificate:
    begin = not_before or since
    if not_before is None and not_after is not None and not_after <= begin:
        begin = not_after - timedelta(days=days)
    end = not_after or begin + timedelta(days=days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    own_ski = x509.SubjectKeyIdentifier.from_public_key(public.public_key())
    if ski:
        builder = builder.add_extension(own_ski, critical=False)
    if aki:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier(issuer_ski or own_ski.digest, None, None), critical=False
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    chosen = None if signer_kind is Key.ED25519 else digest or hashes.SHA256()
    use_pss = pss or signer_kind is Key.RSA_PSS
    edits: list[Callable[[list[bytes]], list[bytes]]] = []
    modern: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None
    if isinstance(chosen, hashes.SHA256 | hashes.SHA384 | hashes.SHA512):
        modern = chosen
    elif chosen is not None:  # the builder no longer signs with what is broken; we do it below
        modern = hashes.SHA256()
        algorithm = _OLD_ALGORITHMS[type(chosen), isinstance(signer, rsa.RSAPrivateKey)]
        edits.append(lambda tbs: _with_algorithm(tbs, algorithm))
    made = builder.sign(signer, modern, rsa_padding=_pss(modern) if use_pss else None)
    if kind is Key.RSA_PSS:
        edits.append(_with_pss_key)
    if version == 1:
        edits.append(_as_version_1)
    if not edits:
        return made
    return _edited(made, edits, lambda tbs: _sign(signer, tbs, chosen, use_pss))


def _pss(digest: hashes.HashAlgorithm | None) -> padding.PSS:
    if digest is None:
        raise ValueError("RSA-PSS needs a hash")
    return padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)


def _sign(key: PrivateKey, data: bytes, digest: hashes.HashAlgorithm | None, pss: bool) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if digest is None:
        raise ValueError("RSA and ECDSA signatures need a hash")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(digest))
    return key.sign(data, _pss(digest) if pss else padding.PKCS1v15(), digest)


# ---- DER, for what the builder refuses to make

_INTEGER, _BIT_STRING, _SEQUENCE, _VERSION, _EXTENSIONS = 0x02, 0x03, 0x30, 0xA0, 0xA3
_EMAIL, _DNS, _URI, _IP = 0x81, 0x82, 0x86, 0x87
# id-RSASSA-PSS without parameters: any hash may be used (RFC 4055, section 1.2)
_RSASSA_PSS_ANY = bytes.fromhex("300b06092a864886f70d01010a")
_OLD_ALGORITHMS: dict[tuple[type[hashes.HashAlgorithm], bool], bytes] = {
    (hashes.MD5, True): bytes.fromhex("300d06092a864886f70d0101040500"),
    (hashes.SHA1, True): bytes.fromhex("300d06092a864886f70d0101050500"),
    (hashes.SHA1, False): bytes.fromhex("300906072a8648ce3d0401"),
}


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _header(der: bytes, at: int) -> tuple[int, int]:
    """(where the content begins, where it ends) of the value at `at`."""
    first = der[at + 1]
    if first < 0x80:
        return at + 2, at + 2 + first
    begin = at + 2 + (first & 0x7F)
    return begin, begin + int.from_bytes(der[at + 2 : begin], "big")


def _content(der: bytes) -> bytes:
    begin, end = _header(der, 0)
    return der[begin:end]


def _children(content: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(content):
        _begin, end = _header(content, at)
        found.append(content[at:end])
        at = end
    return found


def _pem(label: str, der: bytes) -> bytes:
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    dashes = b"-----"
    begin = dashes + b"BEGIN " + label.encode() + dashes
    end = dashes + b"END " + label.encode() + dashes
    return b"\n".join([begin, *lines, end, b""])


def _san(
    dns: Sequence[str | bytes],
    ips: Sequence[str | bytes],
    emails: Sequence[str | bytes],
    uris: Sequence[str | bytes],
) -> bytes | None:
    """GeneralNames in DER (RFC 5280, section 4.2.1.6); None when there is no name at all."""

    def text(value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else value.encode("utf-8")

    def address(value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else ipaddress.ip_address(value).packed

    names = [
        *(_tlv(_DNS, text(one)) for one in dns),
        *(_tlv(_IP, address(one)) for one in ips),
        *(_tlv(_EMAIL, text(one)) for one in emails),
        *(_tlv(_URI, text(one)) for one in uris),
    ]
    return _tlv(_SEQUENCE, b"".join(names)) if names else None


def _with_algorithm(tbs: list[bytes], algorithm: bytes) -> list[bytes]:
    at = 2 if tbs[0][0] == _VERSION else 1
    return [*tbs[:at], algorithm, *tbs[at + 1 :]]


def _with_pss_key(tbs: list[bytes]) -> list[bytes]:
    """The SubjectPublicKeyInfo says id-RSASSA-PSS instead of rsaEncryption."""
    at = 6 if tbs[0][0] == _VERSION else 5
    bits = _children(_content(tbs[at]))[1]
    return [*tbs[:at], _tlv(_SEQUENCE, _RSASSA_PSS_ANY + bits), *tbs[at + 1 :]]


def _as_version_1(tbs: list[bytes]) -> list[bytes]:
    """No version field and no extensions: X.509 version 1."""
    return [part for part in tbs if part[0] not in (_VERSION, _EXTENSIONS)]


def _edited(
    certificate: x509.Certificate,
    edits: Sequence[Callable[[list[bytes]], list[bytes]]],
    sign: Callable[[bytes], bytes],
) -> x509.Certificate:
    parts = _children(_content(certificate.tbs_certificate_bytes))
    for edit in edits:
        parts = edit(parts)
    tbs = _tlv(_SEQUENCE, b"".join(parts))
    algorithm = parts[2 if parts[0][0] == _VERSION else 1]
    signature = _tlv(_BIT_STRING, b"\x00" + sign(tbs))
    return x509.load_der_x509_certificate(_tlv(_SEQUENCE, tbs + algorithm + signature))


def public_key_der(certificate: x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo of a certificate, to compare keys."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
