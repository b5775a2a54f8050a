"""Reading one certificate, part by part, so that one odd part does not hide the others."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from ipaddress import ip_address
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from certifier.certificate import asn1
from certifier.certificate.asn1 import DerError, Element
from certifier.certificate.guard import guarded
from certifier.certificate.keys import KeyKind, key_kind
from certifier.certificate.names import Names
from certifier.text import brief, printable

T = TypeVar("T")

_SIGNATURES: Final = {
    "1.2.840.113549.1.1.2": ("md2WithRSAEncryption", "md2"),
    "1.2.840.113549.1.1.4": ("md5WithRSAEncryption", "md5"),
    "1.2.840.113549.1.1.5": ("sha1WithRSAEncryption", "sha1"),
    "1.3.14.3.2.29": ("sha1WithRSAEncryption", "sha1"),
    "1.2.840.113549.1.1.14": ("sha224WithRSAEncryption", "sha224"),
    "1.2.840.113549.1.1.11": ("sha256WithRSAEncryption", "sha256"),
    "1.2.840.113549.1.1.12": ("sha384WithRSAEncryption", "sha384"),
    "1.2.840.113549.1.1.13": ("sha512WithRSAEncryption", "sha512"),
    "2.16.840.1.101.3.4.3.14": ("sha3-256WithRSAEncryption", "sha3-256"),
    "2.16.840.1.101.3.4.3.15": ("sha3-384WithRSAEncryption", "sha3-384"),
    "2.16.840.1.101.3.4.3.16": ("sha3-512WithRSAEncryption", "sha3-512"),
    "1.2.840.10045.4.1": ("ecdsa-with-SHA1", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa-with-SHA224", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa-with-SHA256", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa-with-SHA384", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa-with-SHA512", "sha512"),
    "2.16.840.1.101.3.4.3.10": ("ecdsa-with-SHA3-256", "sha3-256"),
    "2.16.840.1.101.3.4.3.11": ("ecdsa-with-SHA3-384", "sha3-384"),
    "2.16.840.1.101.3.4.3.12": ("ecdsa-with-SHA3-512", "sha3-512"),
    "1.2.840.10040.4.3": ("dsa-with-SHA1", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa-with-SHA224", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa-with-SHA256", "sha256"),
    "2.16.840.1.101.3.4.3.3": ("dsa-with-SHA384", "sha384"),
    "2.16.840.1.101.3.4.3.4": ("dsa-with-SHA512", "sha512"),
    "1.3.101.112": ("Ed25519", None),
    "1.3.101.113": ("Ed448", None),
    "2.16.840.1.101.3.4.3.17": ("ML-DSA-44", None),
    "2.16.840.1.101.3.4.3.18": ("ML-DSA-65", None),
    "2.16.840.1.101.3.4.3.19": ("ML-DSA-87", None),
}
_WEAK_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "md5": hashes.MD5(),  # noqa: S303 - to recognise what others did, not to sign with
    "sha1": hashes.SHA1(),  # noqa: S303
}
_RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
_HASHES: Final = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_ATTRIBUTES: Final = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_COMMON_NAME: Final = "2.5.4.3"
_VERSION_3: Final = bytes.fromhex("a003020102")
_NO_NAME: Final = bytes.fromhex("3000")
_ONE: Final = bytes.fromhex("020101")
_VERSION, _SERIAL, _ISSUER, _SUBJECT = 0, 1, 3, 5  # places in a TBSCertificate
_COPIED: Final = "X.509 has no such sign in this kind of name, or no such version"
_SUBJECT_KEY_ID: Final = "2.5.29.14"
_KEY_USAGE: Final = "2.5.29.15"
_SAN: Final = "2.5.29.17"
_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_AUTHORITY_KEY_ID: Final = "2.5.29.35"
_EXTENDED_KEY_USAGE: Final = "2.5.29.37"
_AUTHORITY_INFO: Final = "1.3.6.1.5.5.7.1.1"
_OCSP: Final = "1.3.6.1.5.5.7.48.1"
_NETSCAPE_TYPE: Final = "2.16.840.1.113730.1.1"
_SERVER_AUTH: Final = frozenset(
    {"1.3.6.1.5.5.7.3.1", "1.3.6.1.4.1.311.10.3.3", "2.16.840.1.113730.4.1"}
)
_KEY_CERT_SIGN: Final = 5
_TLS_USAGES: Final = frozenset({0, 2, 4})  # digitalSignature, keyEncipherment, keyAgreement
_NETSCAPE_AUTHORITY: Final = frozenset({5, 6, 7})


@dataclass(frozen=True, slots=True)
class _Extension:
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class _Parts:
    signed: Element
    version: int
    serial: int
    signature: Element
    issuer: Element
    validity: Element
    subject: Element
    spki: Element
    outer_signature: Element
    extensions: Element | None


class Certificate:
    """One certificate in DER, with its parts read when they are asked for, each of them once.

    Two are equal when their DER is. Properties are ``None``, empty or ``False`` for what cannot be
    read; :attr:`unreadable` says what that was, of what has been asked for. ``copied``: whether
    :attr:`loaded` is not the certificate itself.
    """

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.sha256 = hashlib.sha256(der).hexdigest()
        self._unreadable: dict[str, str] = {}
        self.copied = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"Certificate({self.sha256[:16]})"

    def _read(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except DerError as error:
            self._unreadable.setdefault(what, str(error))
            return None

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The parts that could not be read so far, and why."""
        return tuple(f"{what}: {why}" for what, why in self._unreadable.items())

    @cached_property
    def _parts(self) -> _Parts | None:
        return self._read("structure", self._read_parts)

    def _read_parts(self) -> _Parts:
        outer = asn1.element(self.der).expect(asn1.SEQUENCE)
        if outer.end != len(self.der):
            raise DerError("has something behind its end")
        fields = list(outer.children())
        if len(fields) != 3:
            raise DerError("does not have a certificate's three parts")
        tbs = list(fields[0].expect(asn1.SEQUENCE).children())
        version = 1
        if tbs and tbs[0].tag == 0xA0:
            version = asn1.integer(asn1.element(tbs[0].content)) + 1
            tbs = tbs[1:]
        if len(tbs) < 6:
            raise DerError("lacks parts that every certificate has")
        for part in tbs[1:6]:
            part.expect(asn1.SEQUENCE)
        extensions = next((part for part in tbs[6:] if part.tag == 0xA3), None)
        signature, issuer, validity, subject, spki = tbs[1:6]
        return _Parts(
            fields[0],
            version,
            asn1.integer(tbs[0]),
            signature,
            issuer,
            validity,
            subject,
            spki,
            fields[1].expect(asn1.SEQUENCE),
            extensions,
        )

    @cached_property
    def loaded(self) -> x509.Certificate | None:
        """The certificate as ``cryptography`` sees it; ``None`` when that refuses it.

        It refuses the whole for a sign that a string in a name may not have, such as the * that
        many a CA writes into a PrintableString, and for a version 4, which is what
        ``set_version(3)`` of pyOpenSSL makes. OpenSSL takes both. Then this is a copy without
        names, of version 3: names are read here, and signatures checked over the original.

        Of a serial number that is not positive it warns that a later release will refuse it; so it
        never sees one, and a release changes nothing.
        """
        parts = self._parts
        if parts is None:
            return self._loaded(*guarded(lambda: x509.load_der_x509_certificate(self.der)))
        positive = parts.serial > 0
        der = self.der if positive else self._changed({_SERIAL: _ONE})
        loaded, why = guarded(lambda: x509.load_der_x509_certificate(der))
        if loaded is not None or None in (self.subject, self.issuer):
            self.copied = not positive
            return self._loaded(loaded, why)
        bare = {_VERSION: _VERSION_3, _ISSUER: _NO_NAME, _SUBJECT: _NO_NAME}
        copied, _ = guarded(
            lambda: x509.load_der_x509_certificate(
                self._changed(bare if positive else bare | {_SERIAL: _ONE})
            )
        )
        if copied is not None:
            self.copied = True
            why = _COPIED
        return self._loaded(copied, why)

    def _loaded(self, loaded: x509.Certificate | None, why: str) -> x509.Certificate | None:
        if why:
            self._unreadable.setdefault("certificate", why)
        return loaded

    def _changed(self, replaced: Mapping[int, bytes]) -> bytes:
        """Return the DER with other parts at some places; its signature is no longer right."""
        signed, *outer = asn1.element(self.der).children()
        parts = [part.raw for part in signed.children()]
        if signed.content[:1] != b"\xa0":
            parts.insert(_VERSION, b"")
        for place, part in replaced.items():
            parts[place] = part
        return asn1.encoded(
            asn1.SEQUENCE,
            asn1.encoded(asn1.SEQUENCE, b"".join(parts)) + b"".join(part.raw for part in outer),
        )

    @cached_property
    def serial(self) -> int | None:
        """The serial number."""
        return None if self._parts is None else self._parts.serial

    @cached_property
    def version(self) -> int | None:
        """3 for anything modern."""
        return None if self._parts is None else self._parts.version

    @cached_property
    def subject_raw(self) -> bytes | None:
        """The subject in DER, to compare with an issuer."""
        return None if self._parts is None else self._parts.subject.raw

    @cached_property
    def issuer_raw(self) -> bytes | None:
        """The issuer in DER."""
        return None if self._parts is None else self._parts.issuer.raw

    @cached_property
    def spki_raw(self) -> bytes | None:
        """The SubjectPublicKeyInfo in DER."""
        return None if self._parts is None else self._parts.spki.raw

    @cached_property
    def key_kind(self) -> KeyKind | None:
        """Kind and size of the public key."""
        spki = self.spki_raw
        if spki is None:
            return None
        kind, why = key_kind(spki)
        if kind is None:
            self._unreadable.setdefault("key", why)
        return kind

    @cached_property
    def _validity(self) -> tuple[datetime, datetime] | None:
        parts = self._parts
        if parts is None:
            return None

        def read() -> tuple[datetime, datetime]:
            times = list(parts.validity.children())
            if len(times) != 2:
                raise DerError("a validity without two dates")
            return asn1.time(times[0]), asn1.time(times[1])

        return self._read("validity", read)

    @cached_property
    def not_before(self) -> datetime | None:
        """The first second at which it is valid."""
        return None if self._validity is None else self._validity[0]

    @cached_property
    def not_after(self) -> datetime | None:
        """The last second at which it is valid."""
        return None if self._validity is None else self._validity[1]

    def valid_at(self, now: datetime) -> bool:
        """Whether ``now`` is within the validity, both ends included (RFC 5280, 4.1.2.5)."""
        second = now.replace(microsecond=0)
        return self._validity is not None and self._validity[0] <= second <= self._validity[1]

    @cached_property
    def extensions(self) -> dict[str, _Extension]:
        """Extensions by dotted identifier; of one that is there twice, the first."""
        parts = self._parts
        if parts is None or parts.extensions is None:
            return {}
        found: dict[str, _Extension] = {}

        def read() -> None:
            wrapped = asn1.element(parts.extensions.content) if parts.extensions else None
            for one in wrapped.expect(asn1.SEQUENCE).children() if wrapped else ():
                fields = list(one.expect(asn1.SEQUENCE).children())
                if len(fields) not in (2, 3):
                    raise DerError("an extension without name and value")
                name = asn1.oid(fields[0])
                critical = len(fields) == 3 and asn1.boolean(fields[1])
                value = fields[-1].expect(asn1.OCTET_STRING).content
                if name in found:
                    self._unreadable.setdefault("extensions", f"extension {name} is there twice")
                found.setdefault(name, _Extension(critical, value))

        self._read("extensions", read)
        return found

    @cached_property
    def names(self) -> Names:
        """DNS names and addresses of the SAN, and the subject's first CN."""
        dns: list[str] = []
        ips: list[str] = []
        san = self.extensions.get(_SAN)

        def read() -> None:
            for name in asn1.element(san.value if san else b"").expect(asn1.SEQUENCE).children():
                if name.tag == 0x82:
                    dns.append(printable(asn1.readable(name.content)))
                elif name.tag == 0x87:
                    ips.append(_address(name.content))
                elif name.tag in (0xA2, 0xA7):
                    raise DerError("a name in pieces, which DER does not have")

        if san is not None:
            self._read("subject alternative name", read)
        subject = self._subject_attributes
        cn = next((value for attribute, value in subject or () if attribute == _COMMON_NAME), None)
        return Names(dns=tuple(dns), ips=tuple(ips), cn=None if cn is None else printable(cn))

    def _attributes(self, which: str) -> list[tuple[str, str]] | None:
        parts = self._parts
        if parts is None:
            return None

        def read() -> list[tuple[str, str]]:
            found = []
            for group in (parts.subject if which == "subject" else parts.issuer).children():
                for one in group.expect(asn1.SET).children():
                    name, value = list(one.expect(asn1.SEQUENCE).children())[:2]
                    found.append((asn1.oid(name), asn1.text(value)))
            return found

        try:
            return self._read(which, read)
        except ValueError:  # an attribute without a value
            self._unreadable.setdefault(which, "an attribute without a value")
            return None

    @cached_property
    def _subject_attributes(self) -> list[tuple[str, str]] | None:
        return self._attributes("subject")

    @staticmethod
    def _name(attributes: list[tuple[str, str]] | None) -> str | None:
        if attributes is None:
            return None
        return printable(
            ",".join(
                f"{_ATTRIBUTES.get(name, name)}={_escaped(value)}"
                for name, value in reversed(attributes)
            )
        )

    @cached_property
    def subject(self) -> str | None:
        """The subject as RFC 4514 text."""
        return self._name(self._subject_attributes)

    @cached_property
    def issuer(self) -> str | None:
        """The issuer as RFC 4514 text."""
        return self._name(self._attributes("issuer"))

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return brief(self.subject) if self.subject else f"certificate {self.sha256[:16]}"

    @property
    def issuer_title(self) -> str:
        """What to call its issuer in a sentence."""
        return brief(self.issuer) if self.issuer else "an issuer without a name"

    @cached_property
    def _key_usage(self) -> frozenset[int] | None:
        found = self.extensions.get(_KEY_USAGE)
        if found is None:
            return None
        return self._read("key usage", lambda: asn1.bits(asn1.element(found.value)))

    @cached_property
    def _basic_constraints(self) -> tuple[bool, int | None] | None:
        found = self.extensions.get(_BASIC_CONSTRAINTS)
        if found is None:
            return None

        def read() -> tuple[bool, int | None]:
            fields = list(asn1.element(found.value).expect(asn1.SEQUENCE).children())
            ca = bool(fields) and fields[0].tag == asn1.BOOLEAN and asn1.boolean(fields[0])
            length = next((asn1.integer(f) for f in fields if f.tag == asn1.INTEGER), None)
            return ca, length

        return self._read("basic constraints", read)

    @cached_property
    def path_length(self) -> int | None:
        """How many intermediates may stand between it and the leaf; ``None`` for any number."""
        return None if self._basic_constraints is None else self._basic_constraints[1]

    @cached_property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same name."""
        return self.subject_raw is not None and self.subject_raw == self.issuer_raw

    @cached_property
    def is_ca(self) -> bool:
        """Whether it may sign certificates, by the rules of OpenSSL's ``X509_check_ca``.

        keyUsage, when there, must allow it; then basicConstraints decide. Without those, a
        self-issued version 1 certificate, a keyUsage that allows it, or Netscape's type count as
        well.
        """
        if self._parts is None:
            return False
        usage = self._key_usage
        if usage is not None and _KEY_CERT_SIGN not in usage:
            return False
        if _BASIC_CONSTRAINTS in self.extensions:
            return bool(self._basic_constraints and self._basic_constraints[0])
        if (self.version == 1 and self.self_issued) or usage is not None:
            return True
        netscape = self.extensions.get(_NETSCAPE_TYPE)
        if netscape is None:
            return False
        kinds = self._read("netscape type", lambda: asn1.bits(asn1.element(netscape.value)))
        return bool(kinds and kinds & _NETSCAPE_AUTHORITY)

    @cached_property
    def serves_tls(self) -> bool:
        """Whether its usages allow a TLS server, by OpenSSL's ``X509_PURPOSE_SSL_SERVER``."""
        usage = self._key_usage
        return self.purposes_allow_tls and (usage is None or bool(usage & _TLS_USAGES))

    @cached_property
    def purposes_allow_tls(self) -> bool:
        """Whether an extended key usage, when there, includes TLS servers. It binds CAs as well."""
        found = self.extensions.get(_EXTENDED_KEY_USAGE)
        if found is None:
            return True
        purposes = self._read(
            "extended key usage",
            lambda: {asn1.oid(one) for one in asn1.element(found.value).children()},
        )
        return bool(purposes and purposes & _SERVER_AUTH)

    @cached_property
    def subject_key_id(self) -> bytes | None:
        """The identifier of its own key."""
        found = self.extensions.get(_SUBJECT_KEY_ID)
        if found is None:
            return None
        return self._read("subject key id", lambda: asn1.element(found.value).content)

    @cached_property
    def authority_key_id(self) -> bytes | None:
        """The identifier of its issuer's key."""
        found = self.extensions.get(_AUTHORITY_KEY_ID)
        if found is None:
            return None

        def read() -> bytes | None:
            fields = asn1.element(found.value).expect(asn1.SEQUENCE).children()
            return next((one.content for one in fields if one.tag == 0x80), None)

        return self._read("authority key id", read)

    @cached_property
    def ocsp_urls(self) -> tuple[str, ...]:
        """Where its revocation can be asked for (ACM limits their length)."""
        found = self.extensions.get(_AUTHORITY_INFO)
        if found is None:
            return ()

        def read() -> tuple[str, ...]:
            urls = []
            for one in asn1.element(found.value).expect(asn1.SEQUENCE).children():
                fields = list(one.expect(asn1.SEQUENCE).children())
                if len(fields) == 2 and fields[1].tag == 0x86 and asn1.oid(fields[0]) == _OCSP:
                    urls.append(asn1.readable(fields[1].content))
            return tuple(urls)

        return self._read("authority information", read) or ()

    @cached_property
    def signature(self) -> tuple[str, str | None] | None:
        """The name of the signature algorithm, and that of its hash when it has one to choose."""
        parts = self._parts
        if parts is None:
            return None

        def read() -> tuple[str, str | None]:
            fields = list(parts.signature.children())
            if not fields:
                raise DerError("no signature algorithm")
            algorithm = asn1.oid(fields[0])
            if algorithm == _RSASSA_PSS:
                return "RSASSA-PSS", _pss_hash(fields[1] if len(fields) > 1 else None)
            return _SIGNATURES.get(algorithm, (algorithm, None))

        return self._read("signature", read)

    @cached_property
    def self_signed(self) -> bool:
        """Whether its own key made its signature, as far as that can be checked."""
        return self.self_issued and self.signed_by(self) is True

    def signed_by(self, issuer: "Certificate") -> bool | None:
        """Whether ``issuer``'s key made this signature; ``None`` when that cannot be checked.

        Not checked: dates, usages, names other than issuer against subject.
        """
        if self.issuer_raw is None or self.issuer_raw != issuer.subject_raw:
            return False
        own, above = self.loaded, issuer.loaded
        if own is None or above is None or issuer.key_kind is None:
            return None

        def check() -> bool:
            try:
                own.verify_directly_issued_by(above)
            except InvalidSignature:
                return False
            return True

        if not (self.copied or issuer.copied):
            checked, _ = guarded(check)
            if checked is not None:
                return checked
        return self._signed_with(above)

    def _signed_with(self, issuer: x509.Certificate) -> bool | None:
        """Check a signature where the library does not check that of a certificate.

        For one, it does not accept a hash like SHA-1 there any more. OpenSSL still does for a root;
        for others it says that the hash is too weak, which is a better answer than that the
        signature is wrong.
        """
        parts, own = self._parts, self.loaded
        if parts is None or own is None:
            return None
        if parts.signature.raw != parts.outer_signature.raw:
            return False
        weak = _WEAK_HASHES.get(self.signature[1] or "") if self.signature else None

        def check() -> bool | None:
            key, signature, signed = issuer.public_key(), own.signature, parts.signed.raw
            hashed = weak or own.signature_hash_algorithm
            try:
                match key:
                    case rsa.RSAPublicKey() if hashed is not None:
                        how = padding.PKCS1v15() if weak else own.signature_algorithm_parameters
                        key.verify(signature, signed, how, hashed)  # type: ignore[arg-type]
                    case ec.EllipticCurvePublicKey() if hashed is not None:
                        key.verify(signature, signed, ec.ECDSA(hashed))
                    case dsa.DSAPublicKey() if hashed is not None:
                        key.verify(signature, signed, hashed)
                    case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                        key.verify(signature, signed)
                    case _:
                        return None
            except InvalidSignature:
                return False
            return True

        return guarded(check)[0]

    @cached_property
    def strict_violations(self) -> tuple[str, ...]:
        """What OpenSSL's strict flag misses in it; Python 3.13 sets that flag, libpq does not."""
        if self.version != 3:
            return ("it is not a version 3 certificate",)
        missing = []
        if self.is_ca:
            constraints = self.extensions.get(_BASIC_CONSTRAINTS)
            if constraints is None:
                missing.append("no basicConstraints")
            elif not constraints.critical:
                missing.append("basicConstraints are not critical")
            if _KEY_USAGE not in self.extensions:
                missing.append("no keyUsage")
            if self.subject_key_id is None:
                missing.append("no subjectKeyIdentifier")
        if not self.self_issued and self.authority_key_id is None:
            missing.append("no authorityKeyIdentifier")
        return tuple(missing)


def _pss_hash(parameters: Element | None) -> str | None:
    """Return the hash of RSASSA-PSS parameters (RFC 4055, section 3.1); the default is SHA-1."""
    if parameters is None or parameters.tag != asn1.SEQUENCE:
        return "sha1"
    first = next((one for one in parameters.children() if one.tag == 0xA0), None)
    if first is None:
        return "sha1"
    algorithm = next(asn1.element(first.content).expect(asn1.SEQUENCE).children(), None)
    return None if algorithm is None else _HASHES.get(asn1.oid(algorithm))


def _address(raw: bytes) -> str:
    return str(ip_address(raw)) if len(raw) in (4, 16) else f"0x{raw.hex()}"


def _escaped(value: str) -> str:
    """Escape what separates attributes (RFC 4514, section 2.4)."""
    return "".join(f"\\{c}" if c in ',+"\\<>;' else c for c in value)
